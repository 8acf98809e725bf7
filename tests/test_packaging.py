"""What a fresh clone and a wheel consist of: pins, declared dependencies, configs, data, commands of the README."""

import ast
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import degu
from degu.allowed import HYDRA, TRUSTED, is_of

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PINS = [line for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[A-Za-z0-9.!]+)")


def declared(*extras):
    """Requirements that pyproject.toml states for degu itself and for some extras."""
    texts = [*PROJECT["project"]["dependencies"]]
    for extra in extras:
        texts += PROJECT["project"]["optional-dependencies"][extra]
    return [Requirement(text) for text in texts]


def imported_modules():
    """Names of the packages that the code of degu and the nodes of its configs come from."""
    for path in (ROOT / "degu").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield (node.module or "degu").split(".")[0]
    for path in (ROOT / "conf").rglob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        yield from set(re.findall(r"_target_: (\w+)", text)) - {"hydra_plugins"}
        yield from (f"hydra_{name}_launcher" for name in re.findall(r"hydra/launcher: (joblib|submitit)", text))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel of this checkout, built without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("degu-*.whl")
    return built


def test_one_version_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert PROJECT["project"]["version"] == degu.__version__ == citation["version"]


def test_the_paper_is_cited_by_its_doi():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    doi = citation["preferred-citation"]["doi"]
    assert doi == "10.1038/s44387-025-00053-3"
    assert doi in README


def test_pins_are_names_and_versions_only():
    assert [pin for pin in PINS if not PIN.fullmatch(pin)] == []
    assert sorted(PINS, key=lambda pin: pin.partition("==")[0].lower()) == PINS


def test_pins_satisfy_pyproject():
    pinned = {canonicalize_name(match["name"]): match["version"] for match in map(PIN.fullmatch, PINS)}
    build = [Requirement(text) for text in PROJECT["build-system"]["requires"]]
    for requirement in [*declared("dev", "docs"), *build]:
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} has no pin; run make pins"
        assert requirement.specifier.contains(version), f"{requirement} and the pin {version} disagree; run make pins"


def test_what_is_imported_is_declared_and_the_reverse():
    owners = metadata.packages_distributions()
    modules = set(imported_modules()) - sys.stdlib_module_names - {"degu", "jax"}
    plugins = {module for module in modules if module.endswith("_launcher")}
    used = {
        canonicalize_name(module if module in owners[module] else owners[module][0]) for module in modules - plugins
    } | {canonicalize_name(name) for name in plugins}
    assert used == {canonicalize_name(requirement.name) for requirement in declared()}


def test_shipped_configs_name_trusted_code_alone():
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "conf").rglob("*.yaml"))
    targets = set(re.findall(r"_target_: (\S+)", text))
    assert len(targets) > 30
    assert not [target for target in targets if not is_of(target, (*TRUSTED, *HYDRA))], "add it to degu.allowed.TRUSTED"


def test_jax_is_an_extra():
    assert [requirement.name for requirement in declared("jax")[-1:]] == ["jax"]


def test_the_wheel_holds_configs_data_and_licence(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    configs = {f"degu/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "conf").rglob("*.yaml")}
    data = {path.relative_to(ROOT).as_posix() for path in (ROOT / "degu" / "data" / "files").iterdir()}
    assert "degu/conf/config.yaml" in configs <= names
    assert "degu/data/files/lac_promoter.tsv.gz" in data <= names
    assert f"degu-{degu.__version__}.dist-info/licenses/LICENSE" in names
    plugins = {path.relative_to(ROOT).as_posix() for path in (ROOT / "hydra_plugins").glob("*.py")}
    assert {name for name in names if name.startswith("hydra_plugins/")} == plugins
    assert {name.split("/")[0] for name in names} == {"degu", "hydra_plugins", f"degu-{degu.__version__}.dist-info"}


def test_an_unpacked_wheel_finds_its_configs_and_data(wheel, tmp_path, monkeypatch):
    package = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(package)
    code = "from degu import config, data; print(config.config_dir()); print(data.lac_promoter().length)"
    monkeypatch.setenv("PYTHONPATH", str(package))
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == [str(package / "degu" / "conf"), "75"], done.stderr


@pytest.mark.slow
def test_a_wheel_runs_a_study_without_a_checkout_and_leaves_only_its_results(wheel, tmp_path):
    """Dependencies are those of this environment; `make` shows that the pins install."""
    venv.create(tmp_path / "env", with_pip=True)
    (site,) = (tmp_path / "env").glob("lib/python3*/site-packages")
    # a line of a .pth file makes packages found, and leaves the editable degu of this environment out
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    before = {path.relative_to(site) for path in site.rglob("*") if "__pycache__" not in path.parts}
    bin_before = {path.name for path in (tmp_path / "env" / "bin").iterdir()}
    place = tmp_path / "here"
    place.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"TF_CPP_MIN_LOG_LEVEL": "3"}

    def run(*command):
        done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    python, console = str(tmp_path / "env" / "bin" / "python"), str(tmp_path / "env" / "bin" / "degu")
    pip = [python, "-m", "pip", "-q", "--disable-pip-version-check", "--no-input"]
    run(*pip, "install", "--no-deps", "--no-index", str(wheel))
    assert run(python, "-c", "import degu; print(degu.__file__)").strip().startswith(str(site))
    small = [*("model.filters=[4]", "model.dense=4", "ensemble.num_ensemble=2", "evaluation.shift=null")]
    short = [*("trainer.max_epochs=1", "distill.trainer.max_epochs=1", "evaluation.uncertainty.num_resamples=0")]
    run(console, "run", "experiment=demo", *small, *short, "device=cpu")
    (study,) = (place / "outputs" / "demo").iterdir()
    assert (study / "report.html").is_file()
    (place / "new.fa").write_text(f">a\n{'ACGTA' * 15}\n")
    run(console, "predict", str(study), "new.fa", "--device", "cpu")
    run(*pip, "uninstall", "-y", "degu")
    assert {path.relative_to(site) for path in site.rglob("*") if "__pycache__" not in path.parts} == before
    assert {path.name for path in (tmp_path / "env" / "bin").iterdir()} == bin_before
    assert sorted(path.name for path in place.iterdir()) == ["mlruns", "new.fa", "new.predictions.tsv", "outputs"]


def test_commands_of_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = README + (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    asked = set(re.findall(r"(?:^|`)make (?:--\S+ )*([a-z]+)", commands, re.MULTILINE))
    assert {"demo", "test", "lint"} <= asked <= set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))


def test_recipes_named_by_readme_and_makefile_exist():
    text = README + (ROOT / "Makefile").read_text(encoding="utf-8")
    recipes = {path.stem for path in (ROOT / "conf" / "experiment").glob("*.yaml")}
    assert {"demo", "smoke"} <= set(re.findall(r"experiment=(\w+)", text)) <= recipes


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_links_lead_somewhere(page):
    path = ROOT / page
    links = re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert local
    assert [link for link in local if not (path.parent / link).exists()] == []
