"""Where sequences and targets stand in a file of arrays: the layouts that are in use, and those a user names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from degu.errors import DataError, nearest

_PATTERNS = (
    ("{split}/X", "{split}/y"),
    ("{split}/x", "{split}/y"),
    ("X_{split}", "y_{split}"),
    ("x_{split}", "y_{split}"),
    ("X_{split}", "Y_{split}"),
    ("x_{split}", "Y_{split}"),
    ("{split}_x", "{split}_y"),
    ("{split}_X", "{split}_y"),
)
_SPLITS = (
    ("Train", "Valid", "Test"),
    ("Train", "Val", "Test"),
    ("train", "valid", "test"),
    ("train", "val", "test"),
    ("Train", "Validation", "Test"),
    ("train", "validation", "test"),
)


class Keys(NamedTuple):
    """Names of the arrays of one split.

    Attributes:
        x: Sequences.
        y: Targets.
    """

    x: str
    y: str


def find_keys(
    present: Collection[str], where: str, x: str | None, y: str | None, splits: Mapping[str, str] | None
) -> dict[str, Keys]:
    """Return the names of the arrays of train, valid and test.

    Args:
        present: Names of the arrays of the file.
        where: The file, for error messages.
        x: Name of the sequences, with ``{split}`` in place of the split's name; None looks for the usual ones.
        y: Name of the targets.
        splits: What the splits are called in these names; None looks for the usual ones.

    Raises:
        DataError: No layout or several fit, or a named array is not there.
    """
    if (x is None) != (y is None):
        raise DataError(f"{where}: expected both x and y, such as 'X_{{split}}' and 'y_{{split}}', or neither.")
    if splits is not None and set(splits) != {"train", "valid", "test"}:
        raise DataError(f"splits: expected names for train, valid and test, received {dict(splits)}.")
    called = [tuple(splits[name] for name in ("train", "valid", "test"))] if splits is not None else list(_SPLITS)
    patterns = [(x, y)] if x is not None and y is not None else list(_PATTERNS)
    for pattern in patterns:
        for text in pattern:
            if "{split}" not in text:
                raise DataError(f"{where}: expected a name with {{split}} in it, received {text!r}.")
    layouts = [
        {
            name: Keys(*(text.replace("{split}", own) for text in pattern))
            for name, own in zip(("train", "valid", "test"), names, strict=True)
        }
        for pattern in patterns
        for names in called
    ]
    fitting = [layout for layout in layouts if all(key in present for keys in layout.values() for key in keys)]
    if len(fitting) == 1:
        return fitting[0]
    listed = ", ".join(map(repr, sorted(present)[:20])) or "nothing"
    if fitting:
        raise DataError(f"{where}: expected one layout, but {fitting[0]} and {fitting[1]} both fit. Name x and y.")
    if len(layouts) == 1:
        absent = next(key for keys in layouts[0].values() for key in keys if key not in present)
        raise DataError(f"{where}: expected an array {absent!r}, received {listed}.{nearest(absent, present)}")
    raise DataError(
        f"{where}: expected arrays such as X_Train and y_Train, x_train and y_train, or Train/X and Train/y, of every "
        f"split; received {listed}. Name them, for instance x='X_{{split}}', y='y_{{split}}', and the splits."
    )
