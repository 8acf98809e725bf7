"""The training form: a model that computes what another does, with the other's variables, in less time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from degu.fused.blocks import make_block
from degu.fused.chains import Chain, find_chains, find_convolutions
from degu.fused.graph import Graph, functional_copy, is_functional
from degu.fused.products import Lowering


def training_form(model: keras.Model, lowering: Lowering = "conv") -> keras.Model:
    """Return an equal, faster model that trains the variables of `model`.

    Batch normalisation is computed together with the convolution or dense layer before it and the max pooling behind
    it. Outputs, gradients, moving statistics, losses of regularisers and dropout are those of `model` up to rounding,
    in training and inference. A file that the form saves is a file of `model`.

    A layer is computed as it is where its value is used twice, it is called twice or with a mask, it has an activity
    regulariser, or its statistics are synchronised; so are layers of classes that are not Keras' own.

    Args:
        model: A built model. Functional and sequential models inside it are treated likewise.
        lowering: `"conv"` computes convolutions with the backend's own, `"matmul"` as matrix products with the windows
            of the input, which can be mapped over many networks at once.

    Returns:
        A `TrainingForm`, or `model` itself where nothing can be computed together.
    """
    return TrainingForm(model, lowering) if is_functional(model) and _has_chains(model, lowering) else model


class _Untracked:
    """Holds a network out of Keras' sight, because all that it has belongs to the source."""

    def __init__(self, network: keras.Model) -> None:
        self.network = network


@keras.saving.register_keras_serializable(package="degu")
class TrainingForm(keras.Model):
    """A functional model whose chains of layers are computed together.

    All but the arithmetic is the source's: variables and their order, losses, layers and files.

    Args:
        source: A built functional or sequential model.
        lowering: As in `training_form`.
    """

    def __init__(self, source: keras.Model, lowering: Lowering = "conv") -> None:
        super().__init__(name=source.name, dtype=source.dtype_policy, autocast=False)
        self.source = source
        self.lowering = lowering
        self._fused = _Untracked(_fused_network(source, lowering))
        self.built = True

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Return the outputs of the source."""
        return self._fused.network(inputs, training=training, mask=mask)

    def compute_output_spec(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Return shapes and dtypes of the source's outputs."""
        return self.source.compute_output_spec(inputs)

    @property
    def layers(self) -> list[keras.layers.Layer]:
        """The layers of the source."""
        return self.source.layers

    @property
    def input_shape(self) -> Any:
        """Shape of the source's inputs."""
        return self.source.input_shape

    @property
    def output_shape(self) -> Any:
        """Shape of the source's outputs."""
        return self.source.output_shape

    def save(self, filepath: str | Path, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any) -> None:
        """Save the source; the arguments are those of `keras.Model.save`."""
        self.source.save(filepath, overwrite=overwrite, zipped=zipped, **kwargs)

    def save_weights(self, filepath: str | Path, overwrite: bool = True, **kwargs: Any) -> None:
        """Save the weights of the source; the arguments are those of `keras.Model.save_weights`."""
        self.source.save_weights(filepath, overwrite=overwrite, **kwargs)

    def load_weights(self, filepath: str | Path, skip_mismatch: bool = False, **kwargs: Any) -> None:
        """Load weights into the source; the arguments are those of `keras.Model.load_weights`."""
        self.source.load_weights(filepath, skip_mismatch=skip_mismatch, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"source": keras.saving.serialize_keras_object(self.source), "lowering": self.lowering}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> TrainingForm:
        """Make a form of a new source."""
        source = keras.saving.deserialize_keras_object(config["source"], custom_objects=custom_objects)
        return cls(source, config["lowering"])


def _chains(graph: Graph, lowering: Lowering) -> list[Chain]:
    chains = find_chains(graph)
    return chains + find_convolutions(graph, chains) if lowering == "matmul" else chains


def _has_chains(model: keras.Model, lowering: Lowering) -> bool:
    graph = Graph(model)
    return bool(_chains(graph, lowering)) or any(_has_chains(inner, lowering) for inner in graph.models)


def _fused_network(source: keras.Model, lowering: Lowering) -> keras.Model:
    """Return a functional model that calls blocks in place of chains and the source's own layers elsewhere."""
    graph = Graph(source)
    calls: dict[int, Callable[..., Any]] = {id(model): training_form(model, lowering) for model in graph.models}
    for chain in _chains(graph, lowering):
        calls |= {id(layer): _pass_on for layer in chain.layers}
        calls[id(chain.layers[-1])] = _block_call(chain, lowering)
    return keras.models.clone_model(functional_copy(source), clone_function=lambda op: calls.get(id(op), op))


def _pass_on(x: Any, training: None = None, mask: None = None) -> Any:
    return x


def _block_call(chain: Chain, lowering: Lowering) -> Callable[..., Any]:
    block, activation = make_block(chain, lowering), chain.activation

    def call(x: Any, training: None = None, mask: None = None) -> Any:
        return block(x) if activation is None else activation(block(x))

    return call
