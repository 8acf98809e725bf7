"""Whether members side by side are quicker than one after the other: a rule that follows from measurements."""

from __future__ import annotations

import keras

from degu.devices import uses_gpu

QUICKER: dict[tuple[str, str], float] = {
    ("tensorflow", "cpu"): 1.9,
}
"""How many times as many member steps a second a stack makes as members one after the other, by backend and device.

Five members of DeepSTARR, 249 bp, batches of 128, on two cores: ratio of "stacked" and "serial" of
`benchmarks/ensemble.py`; see docs/benchmarks.md. Smaller networks gain more, because a launch weighs more there.
"""


def is_worth_it() -> bool:
    """Whether a stack is quicker on the backend and device in use.

    Where nothing was measured, as on a GPU, the answer is yes: members then share launches, and on JAX matrix products.
    """
    return QUICKER.get((keras.backend.backend(), "gpu" if uses_gpu() else "cpu"), 1.1) > 1
