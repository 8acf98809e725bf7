"""What is attributed: one number a sequence, a column of a network, of a student or of an ensemble."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
from keras import ops

from degu.attribution.gradients import ArrayFun, compiled_gradient, compiled_value
from degu.distill.targets import StudentColumns
from degu.ensemble.outputs import aleatoric_targets, split_columns
from degu.errors import ConfigError, nearest
from degu.models.heads import output_columns
from degu.uncertainty import Spread, pooled_std, std


@dataclass(frozen=True, eq=False)
class Output:
    """One number a sequence; made by `network_output`, `student_output` or `ensemble_output`.

    Attributes:
        name: What it is, in words.
        networks: The networks that it is computed from.
        select: From what they put out, each `(B, columns)`, to `(B,)`.
    """

    name: str
    networks: tuple[keras.Model, ...]
    select: Callable[[list[Any]], Any]

    def __call__(self, x: Any) -> Any:
        """Return the numbers `(B,)` of encoded sequences `(B, L, 4)`, tensors of the backend."""
        return self.select([network(x, training=False) for network in self.networks])

    @cached_property
    def value(self) -> ArrayFun:
        """The same as a compiled function of NumPy arrays."""
        return compiled_value(self, self.networks)

    @cached_property
    def gradient(self) -> ArrayFun:
        """Its derivatives `(B, L, 4)` by the letters, as a compiled function of NumPy arrays."""
        return compiled_gradient(self, self.networks)


def network_output(
    network: keras.Model, column: str = "mean", target: int | str = 0, names: Sequence[str] | None = None
) -> Output:
    """Return a column of a single network, such as one member of an ensemble.

    Args:
        network: A network in the targets' units, such as one of `Ensembler.load_members()`.
        column: `"mean"`, or `"aleatoric"` for the standard deviation of the measurement noise.
        target: The target's number from 0, or its name.
        names: The target names, needed for a name.

    Raises:
        ConfigError: When there is no such target or column.
    """
    number = _target(target, names, _num_targets(network))
    _check_column(column, _columns(network, number), number)
    part = _part(network, column, number)
    return Output(f"{column} of {target}", (network,), lambda outputs: part(outputs[0]))


def student_output(
    student: keras.Model,
    columns: StudentColumns,
    column: str = "mean",
    target: int | str = 0,
    names: Sequence[str] | None = None,
) -> Output:
    """Return a column of a student, as the student puts it out.

    Args:
        student: A trained student.
        columns: Layout of its outputs, `Distiller.columns`.
        column: `"mean"`, `"aleatoric"` (a standard deviation) or `"epistemic"`, in the unit that the student learnt, a
            log-variance for example.
        target: The target's number from 0, or its name.
        names: The target names, needed for a name.

    Raises:
        ConfigError: When there is no such target or column.
    """
    place = columns.place(column, _target(target, names, columns.num_targets))
    return Output(f"{column} of {target}, student", (student,), lambda outputs: outputs[0][:, place])


def ensemble_output(
    networks: Sequence[keras.Model],
    column: str = "mean",
    target: int | str = 0,
    names: Sequence[str] | None = None,
    spread: Spread = std,
) -> Output:
    """Return a column of an ensemble, computed from all its members, so that its gradient is exact.

    Args:
        networks: The members, `Ensembler.load_members()`.
        column: `"mean"`, `"aleatoric"` (square root of the mean variance) or `"epistemic"`.
        target: The target's number from 0, or its name.
        names: The target names, needed for a name.
        spread: Unit of the epistemic column. Where members agree to within its floor, the gradient is 0.

    Raises:
        ConfigError: When there is no member, or no such target or column.
    """
    members = tuple(networks)
    if not members:
        raise ConfigError("Expected the members of an ensemble. Received: none. Use Ensembler.load_members()")
    number = _target(target, names, _num_targets(members[0]))
    merge = {
        "mean": lambda values: ops.mean(values, axis=0),
        "aleatoric": lambda values: pooled_std(values, xp=ops),
        "epistemic": lambda values: _spread_of(values, spread),
    }
    _check_column(column, [*_columns(members[0], number), "epistemic"], number)
    parts = [_part(member, "mean" if column == "epistemic" else column, number) for member in members]

    def select(outputs: list[Any]) -> Any:
        return merge[column](ops.stack([part(output) for part, output in zip(parts, outputs, strict=True)]))

    return Output(f"{column} of {target}, ensemble of {len(members)}", members, select)


def _spread_of(values: Any, spread: Spread) -> Any:
    count = values.shape[0]
    ddof = min(spread.ddof, count - 1)
    return spread.from_variance(ops.var(values, axis=0) * (count / (count - ddof)), ops)


def _num_targets(network: keras.Model) -> int:
    return sum(column.meaning == "mean" for column in output_columns(network))


def _target(target: int | str, names: Sequence[str] | None, count: int) -> int:
    """Return the number of a target."""
    if isinstance(target, str):
        known = list(names or ())
        if target not in known:
            raise ConfigError(f"Expected a target, one of {known}. Received: {target!r}.{nearest(target, known)}")
        target = known.index(target)
    if not 0 <= target < count:
        raise ConfigError(f"Expected a target from 0 to {count - 1}. Received: {target}")
    return target


def _columns(network: keras.Model, target: int) -> list[str]:
    return ["mean", "aleatoric"] if target in aleatoric_targets(network) else ["mean"]


def _check_column(column: str, known: Sequence[str], target: int) -> None:
    if column not in known:
        raise ConfigError(
            f"Expected a column for target {target}, one of {known}. Received: {column!r}.{nearest(column, known)}"
        )


def _part(network: keras.Model, column: str, target: int) -> Callable[[Any], Any]:
    """Return a function from the outputs `(B, columns)` of a network to one of their parts, `(B,)`."""

    def part(outputs: Any) -> Any:
        mean, aleatoric = split_columns(network, outputs, ops)
        chosen = mean if column == "mean" else aleatoric
        assert chosen is not None
        return chosen[:, target]

    return part
