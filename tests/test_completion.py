"""`degu completion`: the scripts complete what the command line takes."""

import shutil
import subprocess

import pytest

from degu.cli import main
from degu.verbs.completion import SHELLS


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """A function that gives the script of a shell."""
    import contextlib
    import io

    def script(shell):
        text = io.StringIO()
        with contextlib.redirect_stdout(text):
            assert main(["completion", shell]) == 0
        return text.getvalue()

    return script


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("degu pre", ["predict"]),
        ("degu predict --mod", ["--model"]),
        ("degu predict s x --model stu", ["student"]),
        ("degu run model=dee", ["model=deepstarr", "model=deepstarr_heteroscedastic"]),
        ("degu run seed=1 experiment=smo", ["experiment=smoke"]),
        ("degu run --conf", ["--config-dir"]),
        ("degu runs sh", ["show"]),
        ("degu completion z", ["zsh"]),
    ],
)
def test_bash_completes(scripts, line, expected):
    words = " ".join(f"'{word}'" for word in line.split())
    ask = f"COMP_WORDS=({words}); COMP_CWORD={len(line.split()) - 1}; _shtab_degu; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    done = subprocess.run(
        ["bash", "-c", f"complete() {{ :; }}\n{scripts('bash')}\n{ask}"], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert sorted(word.strip() for word in done.stdout.split()) == expected


@pytest.mark.parametrize("shell", SHELLS)
def test_scripts_are_well_formed(scripts, shell, tmp_path):
    script = scripts(shell)
    assert "predict" in script
    assert "experiment=smoke" in script
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed; its script was printed and not parsed")
    path = tmp_path / "script"
    path.write_text(script)
    assert subprocess.run([shell, "-n", str(path)], capture_output=True, text=True, check=False).stderr == ""
