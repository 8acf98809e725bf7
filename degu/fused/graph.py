"""What a functional model calls, in order: the part of Keras' graph that the forms read."""

from __future__ import annotations

import functools
from typing import Any

import keras


@functools.cache
def _functional_class() -> type:
    """Return the class of a model that is made of inputs and outputs, which Keras does not export."""
    inputs = keras.Input((1,))
    return type(keras.Model(inputs, inputs))


def is_functional(layer: Any) -> bool:
    """Return whether a layer is a built functional or sequential model, and not of a subclass of these."""
    return type(layer) in (_functional_class(), keras.Sequential) and layer.built


def functional_copy(model: keras.Model) -> keras.Model:
    """Return a functional or sequential model as a new functional one of the same layers, not compiled."""
    if isinstance(model, keras.Sequential):
        return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    return keras.Model(model.input, model.output, name=model.name)


class Graph:
    """The calls of a functional or sequential model; a model inside it is one call.

    Args:
        model: A built model. Its own calls are read, not those of other models that share its layers.

    Attributes:
        calls: Keras' nodes from inputs to outputs; each has an operation, arguments and outputs.
    """

    def __init__(self, model: keras.Model) -> None:
        self.calls = _sorted_calls(model)
        self._outputs = {id(tensor) for tensor in model.outputs}
        self._consumers: dict[int, list[Any]] = {}
        self._counts: dict[int, int] = {}
        for call in self.calls:
            self._counts[id(call.operation)] = self._counts.get(id(call.operation), 0) + 1
            for tensor in call.input_tensors:
                self._consumers.setdefault(id(tensor), []).append(call)

    @property
    def models(self) -> list[keras.Model]:
        """The functional models inside the model, each once."""
        return [layer for layer in dict.fromkeys(call.operation for call in self.calls) if is_functional(layer)]

    def is_plain(self, call: Any) -> bool:
        """Return whether a layer is called once, on one tensor without a mask, and with nothing else."""
        return (
            self._counts[id(call.operation)] == 1
            and len(call.arguments.args) == len(call.input_tensors) == len(call.outputs) == 1
            and all(value is None for value in call.arguments.kwargs.values())
            and getattr(call.input_tensors[0], "_keras_mask", None) is None
        )

    def following(self, call: Any) -> Any | None:
        """Return the one plain call that takes what this one returns; None where the value is used elsewhere too."""
        (value,) = call.outputs
        consumers = self._consumers.get(id(value), [])
        if len(consumers) != 1 or id(value) in self._outputs or not self.is_plain(consumers[0]):
            return None
        return consumers[0]


def _sorted_calls(model: keras.Model) -> list[Any]:
    """Return the calls between inputs and outputs of a model, each after those that it depends on."""
    inputs = {id(tensor) for tensor in model.inputs}
    calls: list[Any] = []
    opened, closed = set(), set()
    pending = list(model.outputs)
    while pending:
        tensor = pending[-1]
        history = tensor._keras_history
        call = history.operation._inbound_nodes[history.node_index]
        if id(tensor) not in inputs and id(call) not in opened:
            opened.add(id(call))
            pending.extend(call.input_tensors)
            continue
        pending.pop()
        if id(tensor) not in inputs and id(call) not in closed:
            closed.add(id(call))
            calls.append(call)
    return calls
