"""Whose folder it is, and which study in it is interrupted."""

import contextlib
import json
import subprocess
import sys

import pytest

from degu.cli import _where_to_go_on
from degu.content import differences, key_of
from degu.errors import ConfigError, DataError
from degu.files import remove_leftovers, whole
from degu.study_folder import STATE, StudyFolder, claimed, interrupted

CONTENT = {"config": {"seed": 0, "model": {"dense": 4}}, "data": "d" * 64, "code": {"degu": "c"}}
HOLD = """
import json, sys
from pathlib import Path
from degu.study_folder import claimed
with claimed(Path(sys.argv[1]), json.loads(sys.argv[2]), True):
    print("held", flush=True)
    sys.stdin.read()
"""


class Killed(Exception):
    pass


def begun(folder, content=CONTENT):
    """An interrupted study."""
    with contextlib.suppress(Killed), claimed(folder, content, True) as study:
        study.run_id("study", lambda: "abc")
        raise Killed
    return folder


def test_differences_name_the_values():
    other = {"config": {"seed": 1, "model": {"dense": 4, "filters": [8]}}, "data": "d" * 64, "code": {"degu": "c"}}
    assert differences(CONTENT, other) == ["seed: 0 -> 1", "model.filters: null -> [8]"]
    assert differences(CONTENT, CONTENT) == []
    assert key_of(CONTENT) != key_of(other)


def test_an_interrupted_study_keeps_its_runs(tmp_path):
    begun(tmp_path)
    with claimed(tmp_path, CONTENT, True) as study:
        assert study.run_id("study", lambda: "another") == "abc"
        assert study.sittings == 2
        study.complete()
    assert StudyFolder.read(tmp_path).is_complete
    assert [path.name for path in tmp_path.iterdir()] == [STATE]


def test_runs_at_another_tracker_are_new(tmp_path):
    begun(tmp_path)
    with claimed(tmp_path, CONTENT, True) as study:
        study.use_tracker("http://elsewhere")
        assert study.run_id("study", lambda: "another") == "another"


def test_half_written_files_are_removed(tmp_path):
    begun(tmp_path)
    (tmp_path / "weights").mkdir()
    with whole(tmp_path / "weights" / "member_0.weights.h5") as partial:
        name = partial.name.replace("member_0", "member_1")
        partial.write_text("complete")
    half = tmp_path / "weights" / name
    half.write_text("half")
    (tmp_path / ".mine").write_text("a file of the user")
    remove_leftovers(tmp_path)
    assert not half.exists()
    assert (tmp_path / ".mine").exists()
    assert (tmp_path / "weights" / "member_0.weights.h5").read_text() == "complete"


def test_the_newest_interrupted_study_of_the_content_is_found(tmp_path):
    assert interrupted(tmp_path, CONTENT) is None
    first = begun(tmp_path / "first")
    begun(tmp_path / "other", {**CONTENT, "data": "e"})
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / STATE).write_text("{")
    assert interrupted(tmp_path, CONTENT) == first
    with claimed(first, CONTENT, True) as study:
        study.complete()
    assert interrupted(tmp_path, CONTENT) is None


def test_a_study_that_is_running_is_not_interrupted(tmp_path):
    folder = begun(tmp_path / "study")
    command = [sys.executable, "-c", HOLD, str(folder), json.dumps(CONTENT)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        assert interrupted(tmp_path, CONTENT) is None
        with pytest.raises(ConfigError, match="no other process works in"), claimed(folder, CONTENT, True):
            pass
        other.kill()
    assert interrupted(tmp_path, CONTENT) == folder


def test_where_a_command_goes_on(tmp_path):
    """In the interrupted folder, and without the new one; a folder that is itself interrupted stays as it is."""
    new = tmp_path / "new"
    new.mkdir()
    (new / "degu.log").touch()
    assert _where_to_go_on(new, CONTENT) == new
    old = begun(tmp_path / "old")
    assert _where_to_go_on(new, CONTENT) == old
    assert not new.exists()
    assert _where_to_go_on(old, CONTENT) == old
    assert (old / STATE).is_file()


def test_a_broken_state_is_named(tmp_path):
    (tmp_path / STATE).write_text("{")
    with pytest.raises(DataError, match="expected the state of a study"), claimed(tmp_path, CONTENT, True):
        pass
