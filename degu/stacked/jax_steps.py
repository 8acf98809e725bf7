"""Members side by side on JAX: their states stacked along a leading axis, one step mapped over it.

Keras' own training step is a pure function on JAX, so `jax.vmap` turns it into the step of a stack: dense layers, and
convolutions written as products of patches with kernels, become batched matrix products, and every other layer runs
on arrays with one axis more. Nothing has to be known about the layers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import jax
import keras
import numpy as np
from jax import numpy as jnp
from numpy.typing import NDArray

from degu.stacked.device import DeviceData
from degu.stacked.seats import Seats
from degu.stacked.steps import STEPS_A_LAUNCH, Logs, in_order, launches

State = Any


class JaxSteps:
    """Training and evaluation of a stack of members.

    Args:
        networks: Compiled and built, one for each member, all of one architecture.
        training: Training data.
        validation: Validation data, or None.
        batch_size: Sequences a training step.
        validation_batch: Sequences an evaluation step.
        jit_compile: JAX compiles everything; no effect.
    """

    lowering = "matmul"

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
        self._seats = Seats(range(len(networks)))
        self._sizes: set[int] = set()
        self._train = _launch(networks[0], _train_one(networks[0]), over_rows=0)
        self._test = _launch(networks[0], _test_one(networks[0]), over_rows=None)

    def train(self, live: Sequence[int], orders: Sequence[NDArray]) -> list[Logs]:
        """Train one epoch of some members, each in its own order of rows, and return their logs."""
        start = time.perf_counter()
        seated = self._seats.arrange(live)
        order_of = dict(zip(live, orders, strict=True))
        parts = launches([order_of.get(member, orders[0]) for member in seated], self.batch_size)
        state, logs = self._run(self._train, seated, self.training, parts)
        for member, values in zip(seated, _split(state), strict=True):
            if member in order_of:
                for variable, value in zip(_trained(self.networks[member]), _flat(values[:3]), strict=True):
                    variable.assign(value)
        self._note(seated, live, time.perf_counter() - start)
        return [values for member, values in zip(seated, logs, strict=True) if member in order_of]

    def _note(self, seated: Sequence[int], live: Sequence[int], seconds: float) -> None:
        """Tell the seats what the epoch has cost; the first one of a size is compiled."""
        if len(seated) in self._sizes:
            self._seats.worked(live, seconds)
        else:
            self._sizes.add(len(seated))
            self._seats.compiled(seconds)

    def evaluate(self, live: Sequence[int]) -> list[Logs]:
        """Return the logs of some members on the validation data."""
        assert self.validation is not None
        parts = in_order(self.validation.size, self.validation_batch, 1)
        seated = self._seats.taken
        logs = self._run(self._test, seated, self.validation, (part[0] for part in parts))[1]
        return [values for member, values in zip(seated, logs, strict=True) if member in live]

    def _run(
        self, launch: Callable[..., Any], live: Sequence[int], data: DeviceData, parts: Iterable[NDArray]
    ) -> tuple[State, list[Logs]]:
        networks = [self.networks[member] for member in live]
        for network in networks:
            network.reset_metrics()
        state = _stack([_state(network) for network in networks])
        logs: Any = {}
        for rows in parts:
            state, logs = launch(state, tuple(data), *_padded(rows))
        values = {name: np.asarray(value) for name, value in logs.items()}
        return state, [{name: float(value[index]) for name, value in values.items()} for index in range(len(live))]


def _train_one(network: keras.Model) -> Callable[..., State]:
    def step(state: State, batch: tuple) -> State:
        return network.train_step(state, batch)[1]

    return step


def _test_one(network: keras.Model) -> Callable[..., State]:
    def step(state: State, batch: tuple) -> State:
        trainable, non_trainable, optimizer, metrics = state
        _, (trainable, non_trainable, metrics) = network.test_step((trainable, non_trainable, metrics), batch)
        return trainable, non_trainable, optimizer, metrics

    return step


def _launch(network: keras.Model, step: Callable[..., State], over_rows: int | None) -> Callable[..., Any]:
    """Return a compiled launch: up to `STEPS_A_LAUNCH` steps of all members, and their metrics at its end.

    Args:
        network: Template of the members.
        step: One step of one member.
        over_rows: Axis of the members in the rows of a step, or None where all members see the same rows.
    """

    @partial(jax.jit, donate_argnums=0)
    def launch(state: State, data: tuple, rows: Any, steps: Any) -> Any:
        def one(index: Any, state: State) -> State:
            def member(state: State, rows: Any) -> State:
                return step(state, DeviceData(*data).batch(rows))

            return jax.vmap(member, in_axes=(0, over_rows))(state, rows[index])

        state = jax.lax.fori_loop(0, steps, one, state)
        return state, jax.vmap(partial(_metrics, network))(state[3])

    return launch


def _metrics(network: keras.Model, values: Sequence[Any]) -> dict[str, Any]:
    """Return a network's metrics from the values of their variables."""
    with keras.StatelessScope(state_mapping=list(zip(network.metrics_variables, values, strict=True))):
        return network.get_metrics_result()


def _state(network: keras.Model) -> State:
    """Return the values of a network's variables, in the order in which its training step takes them."""
    return tuple(
        [variable.value for variable in variables]
        for variables in (
            network.trainable_variables,
            network.non_trainable_variables,
            network.optimizer.variables,
            network.metrics_variables,
        )
    )


def _trained(network: keras.Model) -> list[keras.Variable]:
    """Return the variables that training changes, without those of the metrics."""
    return [*network.trainable_variables, *network.non_trainable_variables, *network.optimizer.variables]


def _flat(values: Sequence[Sequence[Any]]) -> list[Any]:
    return [value for group in values for value in group]


@jax.jit
def _stack(states: list[State]) -> State:
    return jax.tree.map(lambda *values: jnp.stack(values), *states)


@jax.jit
def _split(state: State) -> list[State]:
    members = jax.tree.leaves(state)[0].shape[0]
    return [jax.tree.map(lambda value, member=member: value[member], state) for member in range(members)]


def _padded(rows: NDArray) -> tuple[NDArray, int]:
    """Bring a launch to the form (steps, ..., rows a step) of one fixed number of steps, so that it compiles once.

    Args:
        rows: `(M, steps, B)`, or `(steps, B)` where members see the same rows.

    Returns:
        Rows with steps in front, and the number of steps that are to be run. A launch of one step stays as it is: it
        holds the rows that do not fill a batch.
    """
    steps_first = np.moveaxis(rows, -2, 0)
    steps = len(steps_first)
    if steps == 1:
        return steps_first, steps
    widths = [(0, STEPS_A_LAUNCH - steps)] + [(0, 0)] * (steps_first.ndim - 1)
    return np.pad(steps_first, widths), steps
