"""What tests of refused requests share: the command line in this process, and what it must not leave behind."""

import logging
import re
import shutil

import pytest

from degu.cli import main


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder, which is the current one."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(autouse=True)
def own_logging():
    """Hydra configures logging for the streams of one test; undo it."""
    root = logging.getLogger()
    before = list(root.handlers), root.level
    yield
    for handler in set(root.handlers) - set(before[0]):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(before[1])


@pytest.fixture
def refused(place, capfd):
    """Return a function that runs a command which must be refused, and returns its message.

    `but` matches the names of empty folders and files that may appear.
    """

    def run(*arguments, message, but=None):
        before = tree(place)
        assert main([str(argument) for argument in arguments]) == 2
        error = capfd.readouterr().err
        assert "Traceback" not in error
        told = [line for line in error.splitlines() if line.startswith("degu: ")]
        assert len(told) == 1, error
        assert re.search(message, told[0]), told[0]
        left = {
            name: content for name, content in tree(place).items() if not (but and re.match(but, name) and not content)
        }
        assert left == before, "something was left behind, or changed"
        return told[0]

    return run


def tree(folder):
    """Files and folders below a folder, and what the files hold."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if not path.name.endswith(".fai")
    }


@pytest.fixture
def damaged(finished_study, place):
    """Return a function that copies the finished study, for a test to damage the copy."""

    def copy():
        folder = place / "study"
        shutil.copytree(finished_study, folder, ignore=shutil.ignore_patterns("predictions", "figures", "report.html"))
        return folder

    return copy
