from __future__ import annotations

import platform
import re
import subprocess
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path

import pytest

from degu import __version__, provenance


def collect(**changes):
    arguments = {
        "data_summary": {"name": "synthetic", "digest": "ab12", "sizes": {"train": 8}},
        "seed": 0,
        "device": "cpu",
        "command": ["/opt/venv/bin/degu", "run", "seed=0", "data.path=my file.csv"],
    }
    return provenance.collect(**{**arguments, **changes})


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(folder), *identity, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    """A repository with a committed package; the module is made to believe that it lives there."""
    package = tmp_path / "degu"
    package.mkdir()
    (package / "__init__.py").write_text("")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    monkeypatch.setattr(provenance, "__file__", str(package / "provenance.py"))
    return tmp_path


def test_everything_is_flat_text():
    found = collect()
    assert all(isinstance(key, str) and isinstance(value, str) for key, value in found.items())
    assert found["data.name"] == "synthetic"
    assert found["data.digest"] == "ab12"
    assert found["data.sizes.train"] == "8"
    assert found["seed"] == "0"
    assert found["device"] == "cpu"


def test_versions_are_those_installed():
    found = collect()
    assert found["version.degu"] == __version__
    assert found["version.python"] == platform.python_version()
    for name in ("tensorflow", "keras", "numpy", "mlflow", "hydra-core"):
        assert found[f"version.{name}"] == metadata.version(name)


def test_missing_package_is_left_out(monkeypatch):
    monkeypatch.setattr(provenance, "PACKAGES", ("numpy", "no-such-distribution"))
    assert "version.no-such-distribution" not in collect()


def test_backend_follows_the_environment_until_keras_is_loaded(monkeypatch):
    monkeypatch.delitem(provenance.sys.modules, "keras", raising=False)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert collect()["backend"] == "jax"
    monkeypatch.delenv("KERAS_BACKEND")
    assert collect()["backend"] == "tensorflow"


def test_started_is_now_in_utc():
    started = datetime.fromisoformat(collect()["started"])
    assert started.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - started) < timedelta(minutes=1)


def test_command_can_be_pasted_and_hides_the_interpreter():
    assert collect()["command"] == "degu run seed=0 'data.path=my file.csv'"
    assert collect(command=[])["command"] == "''"


def test_no_path_of_the_machine_is_recorded():
    values = " ".join(collect(command=["degu"]).values())
    assert str(Path.home()) + "/" not in values
    assert str(Path(provenance.__file__).parents[1]) not in values


def test_clean_checkout(checkout):
    found = collect()
    assert found["git.commit"] == git(checkout, "rev-parse", "HEAD")
    assert re.fullmatch(r"[0-9a-f]{40}", found["git.commit"])
    assert found["git.dirty"] == "false"


@pytest.mark.parametrize("name", ["degu/__init__.py", "degu/new.py"])
def test_changed_or_added_file_makes_a_checkout_dirty(checkout, name):
    (checkout / name).write_text("x = 1\n")
    assert collect()["git.dirty"] == "true"


def test_git_variables_of_a_hook_are_ignored(checkout, monkeypatch, tmp_path):
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert "git.commit" in collect()


def test_package_installed_inside_another_repository_has_no_commit(checkout, monkeypatch):
    installed = checkout / ".venv" / "degu"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("")
    monkeypatch.setattr(provenance, "__file__", str(installed / "provenance.py"))
    assert not [key for key in collect() if key.startswith("git.")]


def test_without_git_there_is_no_commit(checkout, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert not [key for key in collect() if key.startswith("git.")]
