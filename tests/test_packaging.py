"""What a fresh clone and a wheel consist of: pins, declared dependencies, configs, data, commands of the README."""

import ast
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
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


def hatch(target, tree, folder):
    """Build a distribution of a tree without a network, and return its path."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(folder)]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel of this checkout."""
    return hatch("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A source distribution of this checkout, unpacked."""
    folder = tmp_path_factory.mktemp("source")
    with tarfile.open(hatch("sdist", ROOT, folder / "packed")) as archive:
        archive.extractall(folder, filter="data")
    return folder / f"degu-{degu.__version__}"


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


def test_nothing_else_is_in_the_wheel(wheel):
    archive = zipfile.ZipFile(wheel)
    paths = [Path(name) for name in archive.namelist() if "dist-info" not in name]
    kinds = {(path.parent.as_posix(), path.suffix) for path in paths}
    assert {kind for kind in kinds if kind[1] != ".py" and not kind[0].startswith("degu/conf")} == {
        *(("degu/data/files", suffix) for suffix in (".gz", ".md")),
        *(("degu/report/templates", suffix) for suffix in (".css", ".html")),
    }
    assert {suffix for folder, suffix in kinds if folder.startswith("degu/conf")} == {".yaml"}
    places = [str(ROOT).encode(), str(Path.home()).encode() + b"/", sys.prefix.encode()]
    assert [name for name in archive.namelist() for place in places if place in archive.read(name)] == []


def test_a_source_distribution_holds_the_tree_and_makes_the_same_wheel(wheel, source):
    with zipfile.ZipFile(wheel) as first, zipfile.ZipFile(hatch("wheel", source, source.parent / "again")) as second:
        assert {name: first.read(name) for name in first.namelist()} == {
            name: second.read(name) for name in second.namelist()
        }
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a checkout: the wheels were compared, the files of the tree were not")
    tracked = {name for name in done.stdout.splitlines() if (ROOT / name).is_file()} - {"mlruns/.gitkeep"}
    assert sorted(name for name in tracked if not (source / name).is_file()) == []


def test_commands_of_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = README + (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    asked = set(re.findall(r"(?:^|`)make (?:--\S+ )*([a-z]+)", commands, re.MULTILINE))
    assert {"demo", "test", "lint"} <= asked <= set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))


def test_recipes_named_by_readme_and_makefile_exist():
    text = README + (ROOT / "Makefile").read_text(encoding="utf-8")
    recipes = {path.stem for path in (ROOT / "conf" / "experiment").glob("*.yaml")}
    assert {"demo", "smoke"} <= set(re.findall(r"experiment=(\w+)", text)) <= recipes


def test_install_page_states_the_versions_of_python():
    stated = PROJECT["project"]["requires-python"]
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    tried = sorted(set(re.findall(r"^\| (3\.\d+)\.\d+ \|", page, re.MULTILINE)))
    assert [version for version in tried if not SpecifierSet(stated).contains(version)] == []
    assert [f"Programming Language :: Python :: {version}" for version in tried] == [
        text for text in PROJECT["project"]["classifiers"] if "Python" in text
    ]


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_links_lead_somewhere(page):
    path = ROOT / page
    links = re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert local
    assert [link for link in local if not (path.parent / link).exists()] == []
