"""The floors of docs/architecture: imports go down only, and heavy libraries stay where they belong."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import degu

ROOT = Path(degu.__file__).parent
FLOORS = {
    **dict.fromkeys(("errors", "files", "seeds", "progress", "quiet", "signals", "devices"), 0),
    **dict.fromkeys(("uncertainty", "metrics", "utils"), 0),
    **dict.fromkeys(("data", "models", "augment", "losses", "fused"), 1),
    **dict.fromkeys(("train",), 2),
    **dict.fromkeys(("ensemble", "stacked"), 3),
    **dict.fromkeys(("distill", "attribution", "variants"), 4),
    **dict.fromkeys(("evaluation", "inference", "manifest", "report"), 5),
    **dict.fromkeys(("pipeline", "precheck", "stages", "results", "recording", "trust", "trained"), 6),
    **dict.fromkeys(("content", "elsewhere", "members", "study_folder"), 6),
    **dict.fromkeys(("allowed", "stored", "config", "cli", "reproduce", "exchange"), 6),
    **dict.fromkeys(("serving", "sweeps", "verbs"), 6),
}
SIDE = {"tracking", "provenance"}
"""Beside the floors: known to the two top floors, and knowing errors alone."""

NEIGHBOURS = {
    ("utils", "uncertainty"),
    ("uncertainty", "metrics"),
    ("devices", "quiet"),
    ("fused", "augment"),
    ("augment", "data"),
    ("ensemble", "stacked"),
    ("content", "config"),
    ("study_folder", "content"),
    ("recording", "study_folder"),
    ("pipeline", "config"),
    ("pipeline", "content"),
    ("pipeline", "elsewhere"),
    ("elsewhere", "config"),
    ("pipeline", "members"),
    ("members", "config"),
    ("members", "pipeline"),
    ("members", "recording"),
    ("members", "stages"),
    ("members", "study_folder"),
    ("pipeline", "study_folder"),
    ("pipeline", "precheck"),
    ("precheck", "config"),
    ("precheck", "stages"),
    ("pipeline", "recording"),
    ("pipeline", "results"),
    ("pipeline", "stages"),
    ("pipeline", "trust"),
    ("results", "config"),
    ("stages", "config"),
    ("stages", "recording"),
    ("trust", "config"),
    ("trust", "results"),
    ("trust", "stages"),
    ("trained", "config"),
    ("trained", "stages"),
    ("verbs", "config"),
    ("verbs", "trained"),
    ("trained", "stored"),
    ("stored", "allowed"),
    *(("reproduce", part) for part in ("config", "pipeline", "recording", "results", "stages")),
    *(("reproduce", part) for part in ("stored", "trained", "trust")),
    ("verbs", "reproduce"),
    ("exchange", "reproduce"),
    ("exchange", "stored"),
    ("verbs", "exchange"),
    ("pipeline", "serving"),
    ("serving", "stages"),
    ("verbs", "serving"),
    ("config", "allowed"),
    ("cli", "allowed"),
    ("cli", "verbs"),
    ("cli", "config"),
    ("cli", "study_folder"),
    ("cli", "pipeline"),
    ("cli", "sweeps"),
    ("sweeps", "allowed"),
    ("sweeps", "config"),
    ("sweeps", "content"),
    ("sweeps", "pipeline"),
    ("sweeps", "study_folder"),
    ("provenance", "tracking"),
    ("attribution", "distill"),
    ("inference", "evaluation"),
}
"""Imports within one floor."""

HOMES = {
    "hydra": {"config", "cli", "sweeps"},
    "omegaconf": {
        "config",
        "cli",
        "content",
        "elsewhere",
        "members",
        "pipeline",
        "precheck",
        "results",
        "stages",
        "sweeps",
        "trained",
        "trust",
        "reproduce",
        "stored",
    },
    "mlflow": {"tracking"},
    "tensorflow": {"attribution", "augment", "devices", "stacked"},
    "jax": {"attribution", "devices", "stacked"},
    "submitit": {"ensemble"},
}


def modules_imported(path):
    """Names of all modules that a file imports anywhere, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path.name} imports relatively"
            yield node.module
            if node.module == "degu":
                yield from (f"degu.{alias.name}" for alias in node.names if not alias.name.startswith("_"))


def part_of(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


IMPORTS = [
    (part_of(path), module.split("."), str(path.relative_to(ROOT)))
    for path in sorted(ROOT.rglob("*.py"))
    for module in modules_imported(path)
]
INSIDE = sorted({(part, names[1], file) for part, names, file in IMPORTS if names[0] == "degu" and len(names) > 1})


def test_every_part_has_a_floor():
    parts = {part_of(path) for path in ROOT.rglob("*.py")} - {"__init__"}
    assert parts - SIDE <= FLOORS.keys(), "say in FLOORS where the new part stands"


def test_imports_go_down_only():
    wrong = []
    for part, imported, file in INSIDE:
        if imported in (part, "errors") or (part, imported) in NEIGHBOURS:
            continue
        if part in SIDE or (FLOORS[part] < 5 if imported in SIDE else FLOORS[imported] >= FLOORS[part]):
            wrong.append(f"{file} imports degu.{imported}")
    assert not wrong


def test_the_list_of_neighbours_is_not_longer_than_needed():
    assert {(part, imported) for part, imported, _ in INSIDE} >= NEIGHBOURS


@pytest.mark.parametrize("library", HOMES)
def test_heavy_libraries_stay_at_home(library):
    users = {part for part, names, _ in IMPORTS if names[0] == library}
    assert users <= HOMES[library]


PROBE = """
import sys
import degu
{code}
print("loaded:", *sorted({{"tensorflow", "keras", "mlflow", "hydra"}} & sys.modules.keys()))
"""
IMPORT_ONLY = "import degu.data, degu.metrics, degu.tracking, degu.uncertainty, degu.utils, degu.cli"
HELP = """
try:
    degu.cli.main(["--help"])
except SystemExit as exit:
    assert exit.code == 0
"""


@pytest.mark.parametrize(
    ("code", "loaded"),
    [
        (f"{IMPORT_ONLY}\n{HELP}\nassert degu.cli.main(['run', '--help']) == 0", {"hydra"}),
        ("from degu.cli import main; assert main(['run', 'ensembel.num_ensemble=3']) == 2", {"hydra"}),
    ],
    ids=["import and help", "mistyped override"],
)
def test_light_work_loads_nothing_heavy(code, loaded):
    done = subprocess.run([sys.executable, "-c", PROBE.format(code=code)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.splitlines()[-1].removeprefix("loaded:").split()) <= loaded


def test_public_names_exist():
    assert all(hasattr(degu, name) for name in degu.__all__)
    assert dir(degu) == sorted(degu.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Distilller'"):
        _ = degu.Distilller
