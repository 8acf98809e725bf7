"""What a user is told of an error."""

import errno

import pytest

from degu.config import build
from degu.errors import ConfigError, DataError, user_message


def raised(error, cause):
    error.__cause__ = cause
    return error


def test_errors_that_were_raised_from_each_other_end():
    inner = ValueError("inner")
    assert user_message(raised(inner, raised(RuntimeError("outer"), inner))) is None
    told = DataError("my.tsv: expected a header")
    told.__cause__ = raised(RuntimeError("outer"), told)
    assert user_message(told) == "my.tsv: expected a header"


def test_what_the_file_system_refuses_has_a_remedy():
    full = OSError(errno.ENOSPC, "No space left on device", "out.tsv")
    assert "Make room" in user_message(raised(RuntimeError("writing failed"), full))


def test_an_error_of_a_target_is_told_as_it_is():
    with pytest.raises(ConfigError, match="num_samples >= 2") as caught:
        build({"_target_": "degu.evaluation.MCDropout", "num_samples": 1})
    assert user_message(caught.value) == str(caught.value)
