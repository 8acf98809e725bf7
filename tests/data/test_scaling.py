from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from degu.data import TargetScaler
from degu.errors import DataError

NAN = float("nan")
VALUES = arrays(np.float64, (7, 2), elements=st.floats(-1e3, 1e3, allow_subnormal=False))


def test_fit_leaves_nan_out_and_uses_ddof_zero() -> None:
    scaler = TargetScaler.fit(np.array([[1.0, 10.0], [3.0, NAN], [NAN, 30.0], [5.0, 20.0]]))

    np.testing.assert_allclose(scaler.mean, [3.0, 20.0], rtol=1e-15)
    np.testing.assert_allclose(scaler.scale, [np.sqrt(8 / 3), np.sqrt(200 / 3)], rtol=1e-15)


@given(VALUES)
def test_inverse_undoes_transform_and_transform_standardises(noise: np.ndarray) -> None:
    values = noise + np.array([[0.0, 5e3]] * 3 + [[4e3, -5e3]] * 4)
    scaler = TargetScaler.fit(values)
    scaled = scaler.transform(values)

    np.testing.assert_allclose(scaled.mean(axis=0), 0.0, atol=1e-9)
    np.testing.assert_allclose(scaled.std(axis=0), 1.0, rtol=1e-9)
    np.testing.assert_allclose(scaler.inverse(scaled), values, rtol=1e-9, atol=1e-9)


def test_the_last_axis_is_scaled_dtype_and_nan_stay() -> None:
    scaler = TargetScaler(np.array([1.0, 2.0]), np.array([10.0, 100.0]))
    members = np.ones((3, 5, 2), dtype=np.float32)
    members[0, 0, 0] = NAN

    back = scaler.inverse(members)

    assert back.dtype == np.float32
    np.testing.assert_array_equal(back[1], np.tile([11.0, 102.0], (5, 1)))
    assert np.isnan(back[0, 0, 0])
    np.testing.assert_array_equal(scaler.transform([1, 102]), [0.0, 1.0])


def test_identity_changes_nothing() -> None:
    values = np.array([[0.1, -7.3]])
    np.testing.assert_array_equal(TargetScaler.identity(2).transform(values), values)
    np.testing.assert_array_equal(TargetScaler.identity(2).inverse(values), values)


@given(VALUES)
def test_json_keeps_every_bit(noise: np.ndarray) -> None:
    scaler = TargetScaler(noise[0], np.abs(noise[1]) + 1e-3)
    copy = TargetScaler.from_dict(json.loads(json.dumps(scaler.to_dict())))

    assert copy.mean.tobytes() == scaler.mean.tobytes()
    assert copy.scale.tobytes() == scaler.scale.tobytes()


def test_a_constant_or_missing_target_is_named() -> None:
    # the float mean of three 0.1 is not 0.1: a standard deviation would not be exactly 0
    with pytest.raises(DataError, match=r"target 'Hk': .* received 0\.1 in all 3 measured row\(s\)"):
        TargetScaler.fit([[1.0, 0.1], [2.0, 0.1], [3.0, 0.1]], names=["Dev", "Hk"])
    with pytest.raises(DataError, match="target 1 .*received only NaN"):
        TargetScaler.fit([[1.0, NAN], [2.0, NAN]])
    with pytest.raises(DataError, match="target 0 .*infinite"):
        TargetScaler.fit([[1.0], [np.inf]])


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(DataError, match=r"expected shape \(N, K\)"):
        TargetScaler.fit([1.0, 2.0])
    with pytest.raises(DataError, match=r"last axis of 2 targets, received \(4, 3\)"):
        TargetScaler.identity(2).transform(np.zeros((4, 3)))
    with pytest.raises(DataError, match="scales above 0"):
        TargetScaler(np.zeros(1), np.zeros(1))
    with pytest.raises(DataError, match="one shape"):
        TargetScaler(np.zeros(1), np.ones(2))
    with pytest.raises(DataError, match=r"received \['mean', 'std'\]"):
        TargetScaler.from_dict({"mean": [0.0], "std": [1.0]})


def test_rows_are_mapped_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=(4, 5, 3)).astype(np.float32)
    scaler = TargetScaler(np.array([1.0, 2.0, 3.0]), np.array([10.0, 100.0, 0.5]))
    whole = scaler.transform(values)
    monkeypatch.setattr("degu.data.scaling._ROWS_A_TIME", 3)

    np.testing.assert_array_equal(scaler.transform(values), whole)
    np.testing.assert_allclose(whole, (values - scaler.mean) / scaler.scale, rtol=1e-6)
