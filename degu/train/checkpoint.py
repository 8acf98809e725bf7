"""The state of a training at the end of an epoch, kept on disk, so that an interrupted training goes on from there.

A state is one `.npz` file without pickled objects: the variables of the network, its random streams among them, and of
its optimiser, the counters and best weights of the callbacks, the history so far and the histories of earlier stages.
The order of the data depends on seed and epoch alone and needs no state.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from degu.files import DAMAGED_ARRAYS, read_arrays, whole
from degu.train.callbacks import EpochProgress
from degu.train.fits import Fits
from degu.train.records import Checkpoints, history_of, plain
from degu.train.weights import SUFFIX

log = logging.getLogger(__name__)

Arrays = dict[str, Any]


def state_path(weights: Path) -> Path:
    """Return where the state of a training is kept until its weights are written."""
    return weights.with_name(weights.name.removesuffix(SUFFIX) + ".state.npz")


@dataclass(frozen=True)
class Restored:
    """What a state says beside the values of variables.

    Attributes:
        history: The history so far.
        stopped: Whether the fit has been stopped.
        counters: Plain attributes of every callback that has a state.
        best: Best weights of each of them, or None.
    """

    history: keras.callbacks.History
    stopped: bool
    counters: list[dict[str, Any]]
    best: list[list[NDArray] | None]

    def into(self, callbacks: Sequence[Any]) -> None:
        """Put counters and best weights into callbacks that have seen the beginning of the training."""
        for callback, values, weights in zip(_with_state(callbacks), self.counters, self.best, strict=True):
            vars(callback).update(values)
            if weights is not None:
                callback.best_weights = weights


class Checkpoint:
    """The state of one training, kept in a file that each newer one replaces.

    Args:
        path: The file.
        seed: Seed of the training; the state of another one is not taken up.
        often: How often a state is kept.
    """

    def __init__(self, path: Path, seed: int, often: Checkpoints) -> None:
        self.path = path
        self.seed = seed
        self.often = often
        self._kept = time.monotonic()
        self._epochs = 0
        self._found: dict[str, Any] | None = None
        self._arrays: Arrays = {}

    def read(self) -> int:
        """Read the state that an earlier process has left, and return the number of the fit that it is in; 0 without.

        A file that cannot be read, or that is of another training, is left aside: the training then starts anew.
        """
        try:
            arrays = read_arrays(self.path)
            found = json.loads(str(arrays.pop("state")))
        except FileNotFoundError:
            return 0
        except (KeyError, *DAMAGED_ARRAYS) as error:
            log.warning("%s cannot be read (%s); its training starts anew", self.path, error)
            return 0
        if found["seed"] != self.seed:
            return 0
        log.info("%s: goes on after epoch %d", self.path.name.partition(".")[0], _last_epoch(found["history"]))
        self._found, self._arrays = found, arrays
        return int(found["fit"])

    def earlier(self) -> list[keras.callbacks.History]:
        """Return the histories of the fits before the one that the state is in."""
        return [] if self._found is None else [history_of(**stored) for stored in self._found["earlier"]]

    def restore(self, number: int, network: keras.Model) -> Restored | None:
        """Put the state into a network and its optimiser.

        Args:
            number: The fit that is about to begin, counted from 0.
            network: Compiled and built.

        Returns:
            What else there is to restore; None where the state is of another fit, and nothing is changed.
        """
        found, arrays = self._found, self._arrays
        self._found, self._arrays = None, {}
        if found is None or found["fit"] != number:
            return None
        variables = network_variables(network)
        names = [f"variable/{place}" for place in range(len(variables))]
        if any(name not in arrays or arrays[name].shape != v.shape for name, v in zip(names, variables, strict=True)):
            log.warning("%s is of another network; its training starts anew", self.path)
            return None
        for name, variable in zip(names, variables, strict=True):
            variable.assign(arrays[name])
        best = [
            None if count is None else [arrays[f"best/{place}/{index}"] for index in range(count)]
            for place, count in enumerate(found["best"])
        ]
        return Restored(history_of(**found["history"]), found["stopped"], found["callbacks"], best)

    def keep(
        self,
        number: int,
        network: keras.Model,
        callbacks: Sequence[Any],
        history: keras.callbacks.History,
        earlier: Sequence[keras.callbacks.History],
    ) -> None:
        """Keep the state at the end of an epoch, if it is time to.

        Args:
            number: The fit, counted from 0.
            network: The network in training.
            callbacks: Its callbacks, which have seen the end of the epoch.
            history: The history so far.
            earlier: Histories of the fits before.
        """
        self._epochs += 1
        if self._epochs < self.often.epochs or time.monotonic() - self._kept < self.often.seconds:
            return
        for callback in callbacks:
            if flush := getattr(callback, "before_checkpoint", None):
                flush()
        arrays: Arrays = {
            f"variable/{place}": _array(variable) for place, variable in enumerate(network_variables(network))
        }
        owners = _with_state(callbacks)
        best: list[int | None] = []
        for place, callback in enumerate(owners):
            weights = getattr(callback, "best_weights", None)
            best.append(None if weights is None else len(weights))
            arrays |= {f"best/{place}/{index}": np.asarray(value) for index, value in enumerate(weights or ())}
        state = {
            "seed": self.seed,
            "fit": number,
            "stopped": bool(network.stop_training),
            "history": _stored(history),
            "earlier": [_stored(stage) for stage in earlier],
            "callbacks": [_counters(callback) for callback in owners],
            "best": best,
        }
        with whole(self.path) as partial:
            np.savez(partial, state=np.array(json.dumps(state)), **arrays)
        self._kept, self._epochs = time.monotonic(), 0

    def remove(self) -> None:
        """Remove the state of a training that is finished."""
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Stage:
    """What a fit has to know of the training that it is a part of.

    Attributes:
        checkpoint: Where the training's state is kept.
        number: Which fit of the training it is, counted from 0.
        earlier: Histories of the fits before.
    """

    checkpoint: Checkpoint
    number: int
    earlier: tuple[keras.callbacks.History, ...] = ()

    def restore(self, network: keras.Model) -> Restored | None:
        """See `Checkpoint.restore`."""
        return self.checkpoint.restore(self.number, network)

    def keep(self, network: keras.Model, callbacks: Sequence[Any], history: keras.callbacks.History) -> None:
        """See `Checkpoint.keep`."""
        self.checkpoint.keep(self.number, network, callbacks, history, self.earlier)


def resumable(fits: Fits, checkpoint: Checkpoint) -> Fits:
    """Yield the fits of a training that goes on where its checkpoint is, and let each keep its state.

    Fits that the state is beyond are not yielded: their histories are known, and the next fit begins with the state.

    Args:
        fits: The training from its start.
        checkpoint: Its state.

    Returns:
        What the training returns.
    """
    first = checkpoint.read()
    earlier = checkpoint.earlier()
    history = None
    done: list[keras.callbacks.History] = []
    while True:
        try:
            job = fits.send(history)
        except StopIteration as end:
            return end.value
        number = len(done)
        if number < first:
            history = earlier[number]
        elif draws_from_global_stream(job.model):
            history = yield replace(job, number=number)
        else:
            history = yield replace(job, number=number, stage=Stage(checkpoint, number, tuple(done)))
        done.append(history)


def draws_from_global_stream(model: keras.Model) -> bool:
    """Whether a network draws random numbers from a stream whose state cannot be read, as objects of evoaug_tf do."""
    return not all(getattr(layer, "has_own_stream", True) for layer in model.layers)


def _last_epoch(history: Mapping[str, Any]) -> int:
    return history["epochs"][-1] + 1


def network_variables(network: keras.Model) -> list[keras.Variable]:
    """Return the variables of a network and its optimiser, without those of its metrics."""
    optimizer = network.optimizer
    if not optimizer.built:
        optimizer.build(network.trainable_variables)
    of_metrics = {id(variable) for variable in network.metrics_variables}
    own = [variable for variable in network.variables if id(variable) not in of_metrics]
    of_optimizer = {id(variable) for variable in optimizer.variables}
    return [*(variable for variable in own if id(variable) not in of_optimizer), *optimizer.variables]


def _array(variable: keras.Variable) -> NDArray:
    array = np.asarray(keras.ops.convert_to_numpy(variable.value))
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array


def _with_state(callbacks: Sequence[Any]) -> list[Any]:
    """Return the callbacks of a recipe that may have a state; whether progress is shown depends on the engine."""
    return [callback for callback in callbacks if not isinstance(callback, EpochProgress)]


def _counters(callback: Any) -> dict[str, Any]:
    """Return the plain numbers among a callback's public attributes."""
    found: dict[str, Any] = {}
    for name, value in vars(callback).items():
        if name.startswith("_"):
            continue
        plain_value = value.item() if isinstance(value, np.generic) else value
        if plain_value is None or isinstance(plain_value, bool | int | float):
            found[name] = plain_value
    return found


def _stored(history: keras.callbacks.History) -> dict[str, Mapping | Sequence]:
    return {"epochs": list(history.epoch), "values": plain(history)}
