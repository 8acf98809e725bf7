import keras
import numpy as np
import pytest

from degu.errors import ConfigError
from degu.models import small_cnn
from degu.models.heads import Column, Evidential, EvidentialHead, Gaussian, GaussianHead, output_columns


def softplus(x):
    return np.log1p(np.exp(x))


RAW = np.array([[-1.0, 2.0, -3.0, 0.5]], "float32")


def test_std_and_var_are_softplus_above_the_floor():
    np.testing.assert_allclose(GaussianHead("std", 0.1)(RAW), [[-1, 2, *(softplus(RAW[0, 2:]) + 0.1)]], rtol=1e-6)
    np.testing.assert_allclose(GaussianHead("var", 0.1)(RAW), [[-1, 2, *(softplus(RAW[0, 2:]) + 0.01)]], rtol=1e-6)


def test_logvar_adds_the_floor_to_the_variance():
    expected = np.log(np.exp(RAW[0, 2:]) + 0.1**2)
    np.testing.assert_allclose(GaussianHead("logvar", 0.1)(RAW), [[-1, 2, *expected]], rtol=1e-5)
    np.testing.assert_array_equal(GaussianHead("logvar", 0.0)(RAW), RAW)


@pytest.mark.parametrize("unit", ["std", "var", "logvar"])
def test_floor_is_the_smallest_standard_deviation_in_every_unit(unit):
    spread = float(GaussianHead(unit, 0.01)(np.array([[0.0, -200.0]], "float32"))[0, 1])
    std = {"std": spread, "var": spread**0.5, "logvar": np.exp(spread / 2)}[unit]
    assert std == pytest.approx(0.01, rel=1e-5)


def test_evidential_columns_are_in_their_ranges_even_where_softplus_underflows():
    gamma, nu, alpha, beta = np.asarray(EvidentialHead()(np.full((1, 4), -200.0, "float32")))[0]
    assert (gamma, alpha) == (-200, pytest.approx(1.0))
    assert nu > 0
    assert beta > 0
    np.testing.assert_allclose(
        EvidentialHead()(RAW), [[-1, softplus(2.0), 1 + softplus(-3.0), softplus(0.5)]], rtol=1e-4
    )


def test_columns_say_what_they_are():
    assert output_columns(small_cnn((20, 4), 2)) == (Column(0, "mean"), Column(1, "mean"))
    assert output_columns(small_cnn((20, 4), 2, head=Gaussian("logvar"))) == (
        Column(0, "mean"),
        Column(1, "mean"),
        Column(0, "aleatoric", "logvar"),
        Column(1, "aleatoric", "logvar"),
    )
    meanings = [column.meaning for column in output_columns(small_cnn((20, 4), 1, head=Evidential()))]
    assert meanings == ["mean", "nu", "alpha", "beta"]


def test_columns_are_found_in_a_nested_model():
    inner = small_cnn((20, 4), 1, head=Gaussian("std"))
    inputs = keras.Input((20, 4))
    outer = keras.Model(inputs, inner(inputs))
    assert output_columns(outer) == (Column(0, "mean"), Column(0, "aleatoric", "std"))


@pytest.mark.parametrize("head", [Gaussian(), Evidential()], ids=["gaussian", "evidential"])
def test_output_is_float32_and_so_named_under_mixed_precision(head):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        plain, headed = small_cnn((20, 4), 1), small_cnn((20, 4), 1, head=head)
    finally:
        keras.config.set_dtype_policy("float32")
    for model in (plain, headed):
        assert model.layers[1].compute_dtype == "bfloat16"
        assert model.layers[-1].name == "output"
        assert model.output.dtype == "float32"


@pytest.mark.parametrize(
    ("layer", "options", "message"),
    [
        (GaussianHead, {"unit": "sd"}, "expected one of std, var, logvar, received 'sd'"),
        (GaussianHead, {"floor": -1.0}, "expected a standard deviation >= 0, received -1.0"),
        (EvidentialHead, {"floor": 0.0}, "expected a number > 0, received 0.0"),
    ],
)
def test_arguments_are_checked(layer, options, message):
    with pytest.raises(ConfigError, match=message):
        layer(**options)


def test_columns_must_divide_into_the_groups():
    with pytest.raises(ConfigError, match="expected a multiple of 2 columns, received 3"):
        GaussianHead()(np.zeros((1, 3), "float32"))
