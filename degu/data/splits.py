"""A data set: train, valid and test splits that fit together, and a calibration split where one is needed."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from degu.data.arrays import as_targets, as_tokens
from degu.data.groups import draw_groups
from degu.data.split import Split, measured_split
from degu.errors import DataError

Arrays: TypeAlias = tuple[npt.ArrayLike, npt.ArrayLike] | tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]
"""Sequences, targets and, if known, standard deviations over replicates."""

DOWNSAMPLE_SEED = 1234
CALIBRATION_SEED = 1234


@dataclass(frozen=True, eq=False)
class Splits:
    """Train, valid and test splits with the same sequence length and the same targets.

    Attributes:
        train: What members and students are fitted to.
        valid: What training stops on.
        test: What is reported.
        target_names: K unique names, one per column of the targets.
        source: Where the data came from, in words, for the record.
        calibration: What uncertainties are calibrated and intervals conformalized on, and nothing else; None
            without calibration.
        motifs: Motifs that the activity is known to depend on, in IUPAC letters; shifted test sets lack them.

    Raises:
        DataError: Splits of different length or number of targets, names that do not fit, an id in two
            splits, a target that one split never measured, or `target_std` in only some of the splits.
    """

    train: Split
    valid: Split
    test: Split
    target_names: tuple[str, ...]
    source: str
    calibration: Split | None = None
    motifs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.target_names, str):
            raise DataError(f"target_names: expected a list of names, received {self.target_names!r}.")
        object.__setattr__(self, "target_names", tuple(self.target_names))
        self._check_names()
        self._check_shapes()
        self._check_ids()
        self._check_columns()

    @staticmethod
    def from_arrays(
        train: Arrays,
        valid: Arrays,
        test: Arrays,
        target_names: Sequence[str] | None = None,
        source: str = "arrays",
    ) -> Splits:
        """Make a data set of arrays.

        Args:
            train: Sequences and targets, and as a third item standard deviations over replicates if there are any.
                Sequences are strings, tokens of shape (N, L) or one-hot arrays of shape (N, L, 4), order A, C, G, T;
                targets have shape (N, K) or (N,).
            valid: The same of the valid split.
            test: The same of the test split.
            target_names: K names; by default ``target_0`` and so on.
            source: Where the data came from, for the record.

        Returns:
            The data set, with ids such as ``train-0``. Rows without any measured target are left out.

        Raises:
            DataError: Arrays that do not fit their description, with the split that they belong to.

        Example:
            >>> part = (["ACGT", "TTNA"], [0.5, 1.5])
            >>> Splits.from_arrays(part, part, part, target_names=["activity"]).length
            4
        """
        parts = {}
        for name, arrays in (("train", train), ("valid", valid), ("test", test)):
            sequences, targets, *std = arrays
            if len(std) > 1:
                raise DataError(f"{name} split: expected (sequences, targets) or with target_std, received more.")
            tokens = as_tokens(sequences, where=f"{name} split, sequences")
            y = as_targets(targets, len(tokens), where=f"{name} split, targets")
            deviations = as_targets(std[0], len(tokens), where=f"{name} split, target_std") if std else None
            parts[name] = measured_split(name, tokens, y, deviations)
        names = target_names
        if names is None:
            names = [f"target_{index}" for index in range(parts["train"].num_targets)]
        return Splits(parts["train"], parts["valid"], parts["test"], target_names=tuple(names), source=source)

    def items(self) -> tuple[tuple[str, Split], ...]:
        """Return ``(("train", ...), ("valid", ...), ("test", ...))``, and ``("calibration", ...)`` if there is one."""
        parts = (("train", self.train), ("valid", self.valid), ("test", self.test))
        return parts if self.calibration is None else (*parts, ("calibration", self.calibration))

    @property
    def length(self) -> int:
        """Letters per sequence, L."""
        return self.train.length

    @property
    def num_targets(self) -> int:
        """Targets per sequence, K."""
        return self.train.num_targets

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the target names and of the digest of each split."""
        parts = [list(self.target_names), *([name, split.digest] for name, split in self.items())]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def summary(self) -> dict[str, str | int | float]:
        """Describe the data for a run's record.

        Returns:
            Rows per split, sequence length, targets, digest and source, one plain value each.
        """
        rows: dict[str, str | int | float] = {f"{name}_rows": len(split) for name, split in self.items()}
        return rows | {
            "length": self.length,
            "num_targets": self.num_targets,
            "target_names": ", ".join(self.target_names),
            "digest": self.digest,
            "source": self.source,
        }

    def downsample(self, fraction: float, seed: int = DOWNSAMPLE_SEED) -> Splits:
        """Keep a random part of the train split; valid and test stay whole.

        The rows are those of ``numpy.random.default_rng(seed).choice(n, round(n * fraction), replace=False,
        shuffle=False)``, so that every member of an ensemble sees the same subset.

        Args:
            fraction: Part of the train rows to keep, above 0 and at most 1.
            seed: Seed of the draw.

        Returns:
            The smaller data set, with the draw noted in `source`; this very object where `fraction` is 1.

        Raises:
            DataError: A fraction outside (0, 1], or one that leaves no row.
        """
        if not 0 < fraction <= 1:
            raise DataError(f"fraction: expected a number above 0 and at most 1, received {fraction}.")
        if fraction == 1:
            return self
        total = len(self.train)
        size = round(total * fraction)
        if size == 0:
            raise DataError(
                f"fraction: expected at least one of {total} train rows to remain, received {fraction}. "
                f"Use at least {1 / total:.3g}."
            )
        rows = np.random.default_rng(seed).choice(total, size, replace=False, shuffle=False)
        note = f"{self.source}; train down-sampled to {fraction:g} ({size} of {total} rows, seed {seed})"
        return replace(self, train=self.train.select(rows), source=note)

    def carve_calibration(
        self,
        fraction: float,
        origin: str = "test",
        seed: int = CALIBRATION_SEED,
        ids_without: str | None = None,
    ) -> Splits:
        """Move a random part of the test or the train split into a calibration split.

        The draw depends on ids and seed alone, not on the order of rows. Conformal intervals keep their promise where
        calibration and test rows are exchangeable: with rows of the test split always, with rows of the train split
        only where train and test were split at random. Rows of the valid split have served early stopping.

        Args:
            fraction: Part of the rows to move, above 0 and below 1; at least one.
            origin: ``"test"`` or ``"train"``.
            seed: Seed of the draw.
            ids_without: A regular expression. Rows whose ids are equal without what it matches stay together, for
                example the two orientations of an element with ``_Reversed:?$``; the fraction is then met to within
                one group. None moves single rows.

        Returns:
            The data set with a calibration split, and the draw noted in `source`.

        Raises:
            DataError: There is a calibration split already, an argument is outside its range, or no row would
                remain.
        """
        if self.calibration is not None:
            raise DataError("carve_calibration: expected a data set without a calibration split, received one with it.")
        if origin not in ("test", "train"):
            raise DataError(f"carve_calibration: expected origin 'test' or 'train', received {origin!r}.")
        if not 0 < fraction < 1:
            raise DataError(f"carve_calibration: expected a fraction above 0 and below 1, received {fraction}.")
        split = self.test if origin == "test" else self.train
        groups = split.ids if ids_without is None else [re.sub(ids_without, "", name) for name in split.ids]
        moved = draw_groups(groups, max(1, round(fraction * len(split))), seed)
        if moved.all():
            raise DataError(
                f"carve_calibration: expected rows to remain in the {origin} split, received a draw of all "
                f"{len(split)} (fraction {fraction}). Use a smaller fraction, or smaller groups."
            )
        note = f"{self.source}; {moved.sum()} of {len(split)} {origin} rows moved to calibration (seed {seed})"
        changes: dict[str, Any] = {origin: split.select(~moved), "calibration": split.select(moved), "source": note}
        return replace(self, **changes)

    def _check_names(self) -> None:
        names = self.target_names
        if len(names) != self.num_targets or len(set(names)) != len(names):
            raise DataError(
                f"target_names: expected {self.num_targets} different names, one per target column, "
                f"received {list(names)}."
            )

    def _check_shapes(self) -> None:
        for name, split in self.items():
            for quantity, received, expected in (
                ("sequence length", split.length, self.length),
                ("number of targets", split.num_targets, self.num_targets),
            ):
                if received != expected:
                    raise DataError(
                        f"{name} split: expected {quantity} {expected} as in the train split, received {received}."
                    )
            if (split.target_std is None) != (self.train.target_std is None):
                raise DataError(
                    f"{name} split: expected target_std in every split or in none; train and {name} differ."
                )

    def _check_ids(self) -> None:
        for (first, left), (second, right) in itertools.combinations(self.items(), 2):
            shared = np.intersect1d(left.ids, right.ids)
            if shared.size:
                raise DataError(
                    f"ids: expected each id in one split, received {str(shared[0])!r} in {first} and {second}"
                    f" ({shared.size} shared id(s)). Make the ids unique or drop the repeated rows."
                )

    def _check_columns(self) -> None:
        for name, split in self.items():
            unmeasured = np.flatnonzero(np.isnan(split.targets).all(axis=0))
            if unmeasured.size:
                raise DataError(
                    f"{name} split: expected some measured values of target "
                    f"{self.target_names[unmeasured[0]]!r}, received only NaN. Leave the target out, or "
                    "choose splits that all measured it."
                )
