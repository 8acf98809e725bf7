"""What a run holds already, so that a training that is repeated after an interruption leaves no second points."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


class Recorded:
    """The newest measurement of every name in a run, as it was entered.

    Args:
        newest: Step and value by name.
        is_sure: Whether the run holds nothing else; False while its store cannot be asked.
    """

    def __init__(self, newest: Mapping[str, tuple[int, float]] | None = None, is_sure: bool = True) -> None:
        self._newest = dict(newest or {})
        self.is_sure = is_sure

    @classmethod
    def of(cls, run: Any) -> Recorded:
        """Return what an MLflow run holds."""
        # The public mapping of a run's metrics has no steps, and a call for the history of each name takes longer.
        return cls({metric.key: (metric.step, metric.value) for metric in run.data._metric_objs})

    def new(self, values: Mapping[str, float], step: int | None) -> dict[str, float]:
        """Return the measurements that the run does not hold.

        Args:
            values: Numbers by name.
            step: Epoch, which the run holds if it holds this or a later one; or None, for measurements of the run as a
                whole, which it holds if the value is the same.
        """
        return {name: value for name, value in values.items() if not self._has(name, float(value), step)}

    def lacks(self, name: str, value: float, step: int) -> bool:
        """Whether the run does not hold one measurement; step 0 is epoch 0, or stands for the run as a whole."""
        if name not in self._newest or self._newest[name][0] < step:
            return True
        return step == self._newest[name][0] == 0 and not self._has(name, value, None)

    def add(self, values: Mapping[str, float], step: int) -> None:
        """Note that measurements have been made."""
        self._newest |= {name: (step, float(value)) for name, value in values.items()}

    def _has(self, name: str, value: float, step: int | None) -> bool:
        if name not in self._newest:
            return False
        newest, kept = self._newest[name]
        if step is not None:
            return step <= newest
        return newest == 0 and (value == kept or (math.isnan(value) and math.isnan(kept)))
