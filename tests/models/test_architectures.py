import importlib
import subprocess
import sys

import pytest

import degu.models as models
from degu.errors import ConfigError


@pytest.mark.parametrize(
    ("builder", "length", "outputs", "parameters"),
    [
        ("deepstarr", 249, 2, 624_738),
        ("deepstarr", 249, 4, 625_252),
        ("residualbind", 230, 1, 1_198_469),
        ("residualbind", 230, 2, 1_198_726),
        ("residualbind", 230, 3, 1_198_983),
        ("mprann", 230, 1, 3_959_451),
        ("dream_rnn", 249, 2, 4_199_810),
    ],
)
def test_number_of_parameters_is_that_of_the_source(builder, length, outputs, parameters):
    assert getattr(models, builder)((length, 4), outputs).count_params() == parameters


def test_heteroscedastic_deepstarr_has_the_parameters_of_four_columns():
    model = models.deepstarr((249, 4), 2, head=models.heads.Gaussian())
    assert model.count_params() == 625_252
    assert model.output_shape == (None, 4)


@pytest.mark.parametrize(
    ("builder", "minimum"),
    [("deepstarr", 16), ("small_cnn", 16), ("residualbind", 25), ("mprann", 21), ("legnet", 8)],
)
def test_minimum_length_is_the_shortest_that_builds(builder, minimum):
    assert getattr(models, builder)((minimum, 4), 1).output_shape == (None, 1)
    with pytest.raises(
        ConfigError, match=f"{builder}: expected sequences of at least {minimum} bp, received {minimum - 1}"
    ):
        getattr(models, builder)((minimum - 1, 4), 1)


@pytest.mark.parametrize("shape", [(249,), (249, 4, 1), (249, 0), (249.0, 4)])
def test_input_shape_must_be_two_positive_integers(shape):
    with pytest.raises(ConfigError, match="expected input_shape as"):
        models.deepstarr(shape, 1)


def test_layers_of_a_block_are_convolution_normalisation_activation_pooling():
    names = [type(layer).__name__ for layer in models.deepstarr((249, 4), 2).layers]
    assert names[:6] == [
        "InputLayer",
        "Conv1D",
        "BatchNormalization",
        "Activation",
        "MaxPooling1D",
        "Conv1D",
    ]
    assert names[-5:] == ["Dense", "BatchNormalization", "Activation", "Dropout", "Dense"]


def layers_of(model, kind):
    return [layer for layer in model.layers if type(layer).__name__ == kind]


def test_residual_branch_of_residualbind_is_dilated_and_added_to_its_input():
    model = models.residualbind((230, 4), 1)
    convolutions = layers_of(model, "Conv1D")
    assert [layer.dilation_rate[0] for layer in convolutions] == [1, 1, 1, 2, 4, 8, 16, 1]
    assert [layer.use_bias for layer in convolutions] == [True, *[False] * 6, True]
    (add,) = layers_of(model, "Add")
    shortcut, branch = (tensor._keras_history.operation for tensor in add.input)
    assert (type(shortcut).__name__, shortcut.rate) == ("Dropout", 0.2)
    assert branch is layers_of(model, "BatchNormalization")[6]
    assert [layer.output.shape[1] for layer in layers_of(model, "MaxPooling1D")] == [46, 9]
    assert [layer.output.shape[1:] for layer in layers_of(model, "Dense")] == [(9, 256), (256,), (1,)]


def test_mprann_is_unpadded_with_softmax_over_channels():
    model = models.mprann((230, 4), 1)
    convolutions = layers_of(model, "Conv1D")
    assert [layer.activation.__name__ for layer in convolutions] == ["relu", "softmax", "softmax", "softmax"]
    assert [layer.output.shape[1] for layer in convolutions] == [224, 217, 106, 105]
    assert layers_of(model, "Flatten")[0].output.shape == (None, 10_500)
    assert [layer.activation.__name__ for layer in layers_of(model, "Dense")] == [
        "sigmoid",
        "sigmoid",
        "linear",
    ]


def test_dream_rnn_reads_both_directions_between_two_pairs_of_convolutions():
    model = models.dream_rnn((249, 4), 2)
    assert [layer.kernel_size[0] for layer in layers_of(model, "Conv1D")] == [9, 15, 9, 15, 1]
    (recurrent,) = layers_of(model, "Bidirectional")
    assert recurrent.input.shape == (None, 249, 320)
    assert recurrent.output.shape == (None, 249, 640)


def test_legnet_halves_the_length_in_each_stage_and_keeps_its_size():
    model = models.legnet((230, 4), 1)
    assert [layer.output.shape[1:] for layer in layers_of(model, "MaxPooling1D")] == [
        (115, 96),
        (57, 96),
        (28, 64),
    ]
    assert [layer.output.shape[-1] for layer in layers_of(model, "DepthwiseConv1D")] == [512, 384, 384]
    assert model.count_params() == 780_113


def test_first_activation_acts_in_all_convolution_blocks():
    model = models.deepstarr((249, 4), 2, first_activation="silu")
    assert [layer.activation.__name__ for layer in layers_of(model, "Activation")] == ["silu"] * 4 + ["relu"] * 2


def test_width_scales_filters_and_units():
    model = models.deepstarr((249, 4), 2, width=0.5)
    assert [layer.filters for layer in layers_of(model, "Conv1D")] == [128, 30, 30, 60]
    with pytest.raises(ConfigError, match="expected a positive multiplier, received -1"):
        models.deepstarr((249, 4), 2, width=-1)


def test_legnet_needs_a_stage():
    with pytest.raises(ConfigError, match="expected two numbers at least"):
        models.legnet((230, 4), 1, filters=[64])


def test_a_builder_stays_a_function_when_its_file_is_imported():
    importlib.import_module("degu.models._deepstarr")
    assert callable(models.deepstarr)


def test_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(AttributeError, match="Did you mean 'deepstarr'"):
        models.deepstar  # noqa: B018


def test_importing_the_package_does_not_import_keras():
    code = "import sys, degu.models; print(dir(degu.models), 'keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    expected = ["blocks", "deepstarr", "dream_rnn", "heads", "legnet", "mprann", "residualbind", "small_cnn"]
    assert done.stdout.strip() == f"{expected} False"
