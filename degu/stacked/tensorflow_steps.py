"""Members side by side on TensorFlow: one graph that holds the training step of every member.

A Keras optimiser on TensorFlow updates variables in place, so members keep variables of their own, and what is shared
is the launch: the steps of all members run in one graph, many steps a launch, on data that are on the device.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf
from numpy.typing import NDArray

from degu.stacked.device import DeviceData
from degu.stacked.steps import Logs, in_order, launches

Step = Callable[[Any], Any]

# Tracing takes longer than the steps of a small study, and the last batch of an epoch is a shorter one.
_ROWS = tf.TensorSpec((None,), tf.int32)


class TensorFlowSteps:
    """Training and evaluation of members in one graph.

    Args:
        networks: Compiled and built, one for each member.
        training: Training data.
        validation: Validation data, or None.
        batch_size: Sequences a training step.
        validation_batch: Sequences an evaluation step.
        jit_compile: Compile the graph with XLA.
    """

    lowering = "conv"

    def __init__(
        self,
        networks: Sequence[keras.Model],
        training: DeviceData,
        validation: DeviceData | None,
        batch_size: int,
        validation_batch: int,
        jit_compile: bool,
    ) -> None:
        self.networks = networks
        self.training = training
        self.validation = validation
        self.batch_size = batch_size
        self.validation_batch = validation_batch
        self.jit_compile = jit_compile
        self._at_once = _members_at_once(len(networks))
        self._train_steps = [_train_step(network, training) for network in networks]
        self._test_steps = [] if validation is None else [_test_step(network, validation) for network in networks]
        self._loops: dict[tuple[str, tuple[int, ...]], Callable[[NDArray], None]] = {}

    def train(self, live: Sequence[int], orders: Sequence[NDArray]) -> list[Logs]:
        """Train one epoch of some members, each in its own order of rows, and return their logs."""
        loop = self._loop("train", self._train_steps, live)
        return self._logs(live, loop, launches(orders, self.batch_size))

    def evaluate(self, live: Sequence[int]) -> list[Logs]:
        """Return the logs of some members on the validation data."""
        assert self.validation is not None
        loop = self._loop("test", self._test_steps, live)
        return self._logs(live, loop, in_order(self.validation.size, self.validation_batch, len(live)))

    def _logs(self, live: Sequence[int], loop: Callable[[Any], None], parts: Any) -> list[Logs]:
        networks = [self.networks[member] for member in live]
        for network in networks:
            network.reset_metrics()
        for rows in parts:
            loop(tf.constant(rows))
        return [{name: float(value) for name, value in network.get_metrics_result().items()} for network in networks]

    def _loop(self, kind: str, steps: Sequence[Step], live: Sequence[int]) -> Callable[[Any], None]:
        """Return the function that runs a launch of the steps of some members."""
        key = (kind, tuple(live))
        if key not in self._loops:
            self._loops[key] = tf.function(
                _launch([steps[member] for member in live], self._at_once),
                input_signature=[tf.TensorSpec((len(live), None, None), tf.int32)],
                autograph=False,
                jit_compile=self.jit_compile,
            )
        return self._loops[key]


def _train_step(network: keras.Model, data: DeviceData) -> Step:
    """Return one training step of one member, traced once for batches of any size; its answer is known at its end."""

    def call(rows: Any) -> Any:
        network.train_step(data.batch(rows))
        # The gradient of the first weights is the last to be computed, and a variable is read after it is written.
        return tf.reduce_sum(network.trainable_variables[0].value.read_value())

    return tf.function(call, input_signature=[_ROWS], autograph=False)


def _test_step(network: keras.Model, data: DeviceData) -> Step:
    """Return one evaluation step of one member, traced once for batches of any size."""

    def call(rows: Any) -> Any:
        return tf.add_n([tf.cast(value, tf.float32) for value in network.test_step(data.batch(rows)).values()])

    return tf.function(call, input_signature=[_ROWS], autograph=False)


def _launch(steps: Sequence[Step], at_once: int) -> Callable[[Any], None]:
    """Return a function of rows (M, steps, batch) that runs the steps of M members.

    At most `at_once` members run at the same time, so that the memory does not grow with their number.
    """

    def launch(rows: Any) -> None:
        def one(index: Any) -> Any:
            ends: list[Any] = []
            for member, step in enumerate(steps):
                with tf.control_dependencies(ends[-at_once:][:1] if member >= at_once else []):
                    ends.append(step(tf.identity(rows[member, index])))
            return index + 1

        tf.while_loop(lambda index: index < tf.shape(rows)[1], one, [tf.constant(0)], parallel_iterations=1)

    return launch


def _members_at_once(members: int) -> int:
    """Return how many members run at the same time: one for each core, on a GPU too, where cores issue the kernels."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(members, cores)
