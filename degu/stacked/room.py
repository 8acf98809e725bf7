"""How many members the memory of the device has room for at one time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import keras
import numpy as np

from degu.devices import free_memory
from degu.fused.windows import Windows
from degu.train.fits import Fit

T = TypeVar("T")

SHARE = 0.8
"""Share of the free memory that a stack may fill; the rest is for the work space of single kernels."""


def divided(jobs: Sequence[Fit]) -> list[Sequence[Fit]]:
    """Divide fits into as few stacks as the memory of the device has room for, of about the same size.

    Only JAX computes all members of a stack at once; on TensorFlow a few members at a time run in one graph, so that
    memory does not grow with their number.

    Args:
        jobs: One for each member, whose networks have one architecture.
    """
    if keras.backend.backend() != "jax":
        return [jobs]
    free = free_memory()
    if free is None:
        return [jobs]
    first = jobs[0]
    return even_parts(jobs, most_members(free, data_bytes(first), member_bytes(first.model, first.batch_size)))


def most_members(free: int, data: int, member: int) -> int:
    """Return how many members fit into `free` bytes beside their data, at least one."""
    return max(1, int((SHARE * free - data) // member))


def even_parts(items: Sequence[T], most: int) -> list[Sequence[T]]:
    """Cut a sequence into as few parts of at most `most` items as there can be, whose sizes differ by one at most."""
    count = math.ceil(len(items) / most)
    ends = [round(len(items) * part / count) for part in range(count + 1)]
    return [items[start:end] for start, end in zip(ends, ends[1:], strict=False)]


def data_bytes(job: Fit) -> int:
    """Return the bytes of training and validation data on the device, which all members share."""
    arrays = [job.x, job.y, job.sample_weight, *(job.validation or ())]
    return sum(np.asarray(array).nbytes for array in arrays if array is not None)


def member_bytes(model: keras.Model, batch_size: int) -> int:
    """Estimate the memory of one member during a training step.

    Counted are weights with their gradients and two moments, and for a batch what every layer returns and the windows
    that a convolution is computed from, each with its gradient. Compilers share some of this memory and need other:
    the estimate is meant to be right within a factor of two.

    Args:
        model: A built network.
        batch_size: Sequences a step.
    """
    weights = 4 * sum(_bytes(variable.shape, variable.dtype) for variable in model.weights)
    values = sum(_layer_bytes(layer) for layer in _leaves(model))
    return weights + 2 * batch_size * values


def _leaves(model: keras.Model) -> list[keras.layers.Layer]:
    leaves: list[keras.layers.Layer] = []
    for layer in model.layers:
        leaves += _leaves(layer) if isinstance(layer, keras.Model) else [layer]
    return leaves


def _layer_bytes(layer: keras.layers.Layer) -> int:
    """Return the bytes of what a layer returns for one sequence, and of the windows of a convolution."""
    total = sum(_bytes(tensor.shape[1:], layer.compute_dtype) for tensor in _tensors(layer, "output"))
    if isinstance(layer, keras.layers.Conv1D):
        (entering,) = _tensors(layer, "input") or (None,)
        if entering is not None and entering.shape[1] is not None:
            windows = Windows.of(layer, entering.shape[1])
            total += _bytes((windows.number, windows.size, entering.shape[-1]), layer.compute_dtype)
    return total


def _tensors(layer: keras.layers.Layer, side: str) -> list[keras.KerasTensor]:
    """Return what enters or leaves a layer; nothing for one that was never called in a graph."""
    try:
        found = getattr(layer, side)
    except (AttributeError, ValueError):
        return []
    return [tensor for tensor in (found if isinstance(found, list | tuple) else [found]) if hasattr(tensor, "shape")]


def _bytes(shape: Sequence[int | None], dtype: str) -> int:
    size = {"float64": 8, "int64": 8, "float16": 2, "bfloat16": 2}.get(str(dtype), 4)
    return size * int(np.prod([axis or 1 for axis in shape], dtype=np.int64))
