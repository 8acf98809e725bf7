"""What every calibration asks of its data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from numpy.typing import NDArray

from degu.errors import CalibrationError


def check_errors(error: NDArray, name: str) -> None:
    """Raise a CalibrationError where there is nothing to learn a variance from."""
    if not error.any():
        raise CalibrationError(
            f"Expected measured calibration rows of {name!r} with an error. Received: {len(error)} rows, all errors 0. "
            "Leave the target out, or calibrate on more rows"
        )


def check_stds(std: NDArray, name: str) -> None:
    """Raise a ValueError unless all standard deviations are above 0."""
    if not (std > 0).all():
        raise ValueError(f"Expected standard deviations above 0 of {name!r}. Received: {std.min():g}")


def check_keys(values: Mapping[str, object], expected: Sequence[str], what: str) -> None:
    """Raise a ValueError unless a saved calibration has exactly these keys."""
    if set(values) != set(expected):
        raise ValueError(f"Expected a saved {what} with the keys {sorted(expected)}. Received: {sorted(values)}")
