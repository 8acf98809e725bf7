"""Networks learn standardised targets and then speak the targets' own units.

Standardised columns weigh the same in a loss, whatever their unit. After training the affine map back to the units is
folded into the last dense layer, so that the saved weights load into the plain architecture and answer in units. A
network whose last layer is no linear dense layer keeps the map beside its weights.
"""

from __future__ import annotations

import math

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from degu.data.scaling import TargetScaler
from degu.errors import ConfigError
from degu.models.head_layers import Column, HeadLayer, output_dtype
from degu.models.heads import head_layer, output_columns


def fitted_scaler(model: keras.Model, targets: ArrayLike) -> TargetScaler:
    """Return the standardisation of what a network learns from.

    Args:
        model: The network that will learn it.
        targets: Shape (N, columns to learn); NaN where not measured.

    Raises:
        ConfigError: When the network predicts probabilities, which have no other unit.
    """
    check_units(model)
    return TargetScaler.fit(np.asarray(targets))


def check_units(model: keras.Model) -> None:
    """Check that what a network predicts can be standardised.

    Raises:
        ConfigError: When it predicts probabilities.
    """
    layer = head_layer(model)
    if layer is not None and not layer.has_units:
        raise ConfigError(
            f"Expected standardize=False for a network that ends in {type(layer).__name__}, because labels are learnt "
            "as they are. Received: standardize=True. Set ensemble.standardize=false and distill.standardize=false"
        )


def fold_into_output(model: keras.Model, scaler: TargetScaler) -> bool:
    """Fold `y = z * scale + mean` into the last layer of a network, in place.

    Args:
        model: A network that predicts standardised values z, `(N, K)`.
        scaler: The map back to units, K columns.

    Returns:
        True when the network now predicts y; False when it ends in something else than a linear dense layer with a
        bias, and is unchanged.
    """
    layer = _last_dense(model)
    if layer is None or not layer.use_bias:
        return False
    kernel, bias = (np.asarray(value, dtype=np.float64) for value in layer.get_weights())
    layer.set_weights([kernel * scaler.scale, bias * scaler.scale + scaler.mean])
    return True


def can_fold(model: keras.Model) -> bool:
    """Whether a network ends in a linear dense layer with a bias, which can take in an affine map."""
    layer = _last_dense(model)
    return layer is not None and layer.use_bias


def _last_dense(model: keras.Model) -> keras.layers.Dense | None:
    """Find the linear dense layer that produces the only output, behind identity heads and in nested models."""
    while len(getattr(model, "outputs", None) or ()) == 1:
        layer = _producer(model.outputs[0])
        if isinstance(layer, keras.layers.Dense):
            return layer if layer.activation is keras.activations.linear else None
        if not isinstance(layer, keras.Model):
            return None
        model = layer
    return None


def _producer(tensor: keras.KerasTensor) -> keras.Operation:
    """Return the layer that decides the values of a tensor: an identity head only names them."""
    layer, node, _ = tensor._keras_history
    if isinstance(layer, HeadLayer) and layer.is_identity:
        return _producer(layer._inbound_nodes[node].input_tensors[0])
    return layer


def in_target_units(model: keras.Model, scaler: TargetScaler) -> keras.Model:
    """Append a layer that undoes the standardisation of the targets; see `unit_map`.

    Args:
        model: A network trained on standardised targets; its head says what the columns are.
        scaler: The map back to units, one entry a target.

    Returns:
        A network that shares the weights of `model` and predicts in the targets' units.
    """
    factors, shifts = unit_map(model, scaler)
    units = keras.layers.Rescaling(factors.tolist(), shifts.tolist(), dtype=output_dtype(), name="target_units")
    return keras.Model(model.inputs, units(model.outputs[0]), name=model.name)


def unit_map(model: keras.Model, scaler: TargetScaler) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return factor and shift that undo the standardisation of the targets, every output column by its meaning.

    With `y = z * scale + mean`, a mean is scaled and shifted, a standard deviation is scaled, a variance and the
    evidential beta are scaled by the square, a log-variance gains `2 log(scale)`, and nu and alpha stay.

    Args:
        model: A network trained on standardised targets; its head says what the columns are.
        scaler: The map back to units, one entry a target.

    Returns:
        Factors and shifts, each `(columns,)`.
    """
    pairs = [
        _affine(column, float(scaler.mean[column.target]), float(scaler.scale[column.target]))
        for column in output_columns(model)
    ]
    factors, shifts = np.array(pairs).T
    return factors, shifts


def _affine(column: Column, mean: float, scale: float) -> tuple[float, float]:
    """Return factor and shift of one column."""
    if column.meaning == "mean":
        return scale, mean
    if column.unit == "logvar":
        return 1.0, 2 * math.log(scale)
    if column.unit == "std":
        return scale, 0.0
    is_variance = column.unit == "var" or column.meaning == "beta"
    return (scale**2, 0.0) if is_variance else (1.0, 0.0)
