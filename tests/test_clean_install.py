"""degu as a user installs it: a wheel, a new environment, a folder without a checkout; and how it goes again.

The environment is made by the Python that DEGU_TEST_PYTHON names (this one if unset) and gets the versions of
requirements.txt from the package index that pip is set to. DEGU_TEST_STUDY="experiment=demo" runs the whole demo in
place of a shortened one.
"""

import json
import os
import shlex
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PYTHON = os.environ.get("DEGU_TEST_PYTHON", sys.executable)
SHORT = """experiment=demo model.filters=[4] model.dense=4 ensemble.num_ensemble=2 trainer.max_epochs=1
    distill.trainer.max_epochs=1 evaluation.uncertainty.num_resamples=0 evaluation.shift=null device=cpu"""
STUDY = shlex.split(os.environ.get("DEGU_TEST_STUDY", SHORT))
SEQUENCE = "ACGTA" * 15
COMMANDS = {  # what a study's folder takes the place of STUDY in
    "report": "degu report STUDY -o page.html",
    "compare": "degu compare STUDY",
    "predict": "degu predict STUDY new.fa --device cpu",
    "attribute": "degu attribute STUDY --method saliency --num-sequences 2 --device cpu -o maps",
    "variants": "degu variants STUDY variants.tsv --device cpu",
    "check": "degu reproduce STUDY --check",
    "export-student": "degu export-student STUDY student.keras",
    "list": "degu runs list",
    "export": "degu runs export STUDY study.zip",
    "data": "degu data check data=lac_promoter",
    "config": "degu run experiment=evidence --cfg job",
}
WRITTEN = {"page.html", "new.predictions.tsv", "maps", "variants.effects.tsv", "student.keras", "study.zip"}


def finish(command, cwd, environment):
    """Run a command that has to succeed, and return what it prints."""
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def build(target, tree, folder):
    """Build a distribution, and return its path."""
    finish([sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)], tree, None)
    (built,) = folder.iterdir()
    return built


class Installation:
    """An environment, a folder to work in, a home and a folder for temporary files; no other is in sight.

    Attributes:
        here: The folder to work in.
        before: Files of the environment with every dependency and without degu.
    """

    def __init__(self, folder, wheel):
        self.env, self.here, self.home, self.temporary = (folder / name for name in ("env", "here", "home", "tmp"))
        for path in (self.here, self.home, self.temporary):
            path.mkdir()
        finish([PYTHON, "-m", "venv", str(self.env)], folder, self._index())
        self.pip("install", "--constraint", str(ROOT / "requirements.txt"), str(wheel))
        self.pip("check")
        self.pip("uninstall", "--yes", "degu")
        self.before = self.files()
        self.pip("install", "--no-deps", "--no-index", str(wheel))

    @staticmethod
    def _index():
        """This environment, which knows the package index, without what would lead Python to the checkout."""
        return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}

    def pip(self, *arguments):
        """Run the environment's pip."""
        command = [str(self.env / "bin" / "python"), "-m", "pip", "-q", "--disable-pip-version-check", "--no-input"]
        return finish([*command, *arguments], self.here, self._index())

    def __call__(self, *command):
        """Run a command of the environment in the folder."""
        environment = {"PATH": f"{self.env / 'bin'}:/usr/bin:/bin", "HOME": str(self.home), "LANG": "C.UTF-8"}
        return finish(command, self.here, environment | {"TMPDIR": str(self.temporary)})

    def files(self):
        """Paths of the environment's files."""
        return {path.relative_to(self.env).as_posix() for path in self.env.rglob("*") if not path.is_dir()}


@pytest.fixture(scope="module")
def degu(tmp_path_factory):
    """An installation of the wheel that is built from the source distribution of this checkout."""
    folder = tmp_path_factory.mktemp("clean")
    with tarfile.open(build("sdist", ROOT, folder / "sdist")) as archive:
        archive.extractall(folder / "source", filter="data")
    (tree,) = (folder / "source").iterdir()
    return Installation(folder, build("wheel", tree, folder / "wheel"))


@pytest.fixture(scope="module")
def study(degu):
    """The folder of a study that was run there."""
    (degu.here / "new.fa").write_text(f">a\n{SEQUENCE}\n")
    (degu.here / "variants.tsv").write_text(f"sequence\tposition\tref\talt\n{SEQUENCE}\t4\tA\tC\n")
    last = degu("degu", "run", *STUDY).splitlines()[-1]
    return Path(json.loads(last)["output_dir"]).relative_to(degu.here)


def test_the_package_comes_from_the_environment(degu):
    code = "import degu, sys; print(degu.__file__, *sys.path, sep='\\n')"
    module, *path = degu("python", "-c", code).splitlines()
    assert Path(module).is_relative_to(degu.env)
    assert [entry for entry in path if Path(entry).is_relative_to(ROOT)] == []


def test_help_names_every_command_and_choice(degu):
    assert "completion" in degu("degu", "--help")
    text = degu("degu", "run", "--help")
    assert [name for name in (path.stem for path in (ROOT / "conf").rglob("*/*.yaml")) if name not in text] == []


def test_a_shell_completes_from_the_packaged_configs(degu):
    (degu.here / "completion").write_text(degu("degu", "completion", "bash"))
    ask = "COMP_WORDS=(degu run experiment=de); COMP_CWORD=2; . ./completion; _shtab_degu; echo ${COMPREPLY[@]}"
    assert degu("bash", "-c", ask).split() == ["experiment=demo"]
    (degu.here / "completion").unlink()


def test_a_study_writes_its_report(degu, study):
    page = (degu.here / study / "report.html").read_text()
    assert "Pearson" in page


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_commands_find_their_files(degu, study, command):
    assert degu(*(str(study) if word == "STUDY" else word for word in command.split()))


def test_a_sweep_finds_its_plugins(degu, study):
    config = degu("degu", "run", "launcher=joblib", "sweeper=optuna", "--cfg", "hydra")
    assert "_target_: hydra_plugins.degu_" in config
    degu("degu", "run", "-m", *shlex.split(SHORT), "seed=0,1", "launcher=joblib", "hydra.launcher.n_jobs=2")
    assert len(list((degu.here / "outputs").rglob("report.html"))) >= 3


def test_uninstalling_leaves_the_results_alone(degu, study):
    """The last test: nothing is left in the environment, the home or the folder of temporary files."""
    assert degu.files() > degu.before
    degu.pip("uninstall", "--yes", "degu")
    assert degu.files() == degu.before
    assert [path for path in degu.before if "degu" in path] == []
    assert not [path for path in degu.env.rglob("*") if path.name == "degu"]
    assert (degu.here / study / "student").is_dir()
    left = {path.name for path in degu.here.iterdir()} - WRITTEN
    assert left == {"outputs", "mlruns", "multirun", "new.fa", "variants.tsv"} & (left | {"outputs", "mlruns"})
    assert {path.name for path in degu.home.iterdir()} <= {".keras", ".cache", ".config"}
    kept = {path.relative_to(degu.home).parts[:2] for path in degu.home.rglob("*") if path.is_file()}
    assert kept <= {(".keras", "keras.json"), (".cache", "matplotlib")}
    assert list(degu.temporary.iterdir()) == []
