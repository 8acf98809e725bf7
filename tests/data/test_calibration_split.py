import numpy as np
import pytest

from degu.data import Split, Splits, synthetic
from degu.errors import DataError

SPLITS = synthetic(num_train=60, num_valid=20, num_test=40, length=20)


def paired(order):
    """Both orientations of 20 elements in the test split, in an order."""
    names = np.array([f"e{index}{end}" for index in range(20) for end in ("", "_Reversed:")])
    test = SPLITS.test
    return Splits(
        SPLITS.train, SPLITS.valid, Split(test.tokens[order], test.targets[order], names[order]), ("a", "b"), "pairs"
    )


def test_rows_move_and_none_is_lost():
    splits = SPLITS.carve_calibration(0.25)
    assert [(name, len(split)) for name, split in splits.items()] == [
        ("train", 60),
        ("valid", 20),
        ("test", 30),
        ("calibration", 10),
    ]
    assert {*splits.test.ids, *splits.calibration.ids} == {*SPLITS.test.ids}
    assert splits.train is SPLITS.train
    assert splits.summary()["calibration_rows"] == 10
    assert splits.summary()["source"].endswith("; 10 of 40 test rows moved to calibration (seed 1234)")
    assert splits.digest != SPLITS.digest


def test_rows_may_come_from_the_train_split():
    splits = SPLITS.carve_calibration(0.1, origin="train")
    assert (len(splits.train), len(splits.calibration)) == (54, 6)
    assert {*splits.calibration.ids} < {*SPLITS.train.ids}
    assert splits.test is SPLITS.test


def test_draw_depends_on_ids_and_seed_alone():
    first = SPLITS.carve_calibration(0.25)
    again = SPLITS.carve_calibration(0.25)
    assert again.digest == first.digest
    turned = Splits(SPLITS.train, SPLITS.valid, SPLITS.test.select(np.arange(40)[::-1]), ("a", "b"), "turned")
    assert {*turned.carve_calibration(0.25).calibration.ids} == {*first.calibration.ids}
    zero = SPLITS.carve_calibration(0.25, seed=0)
    assert {*zero.calibration.ids} != {*first.calibration.ids}


@pytest.mark.parametrize("fraction", [0.05, 0.3, 0.33])
def test_groups_stay_together(fraction):
    splits = paired(np.random.default_rng(0).permutation(40)).carve_calibration(fraction, ids_without=r"_Reversed:?$")
    elements = [{name.partition("_")[0] for name in split.ids} for split in (splits.test, splits.calibration)]
    assert not elements[0] & elements[1]
    assert round(40 * fraction) <= len(splits.calibration) <= round(40 * fraction) + 1
    assert len(splits.calibration) % 2 == 0


def test_without_a_pattern_pairs_are_torn():
    splits = paired(np.arange(40)).carve_calibration(0.3)
    elements = [{name.partition("_")[0] for name in split.ids} for split in (splits.test, splits.calibration)]
    assert elements[0] & elements[1]


def test_a_data_set_without_calibration_is_as_before():
    assert SPLITS.calibration is None
    assert [name for name, _ in SPLITS.items()] == ["train", "valid", "test"]
    assert "calibration_rows" not in SPLITS.summary()


def test_a_calibration_split_is_checked_like_the_others():
    with pytest.raises(DataError, match=r"received 'valid-0' in valid and calibration"):
        Splits(SPLITS.train, SPLITS.valid, SPLITS.test, ("a", "b"), "twice", calibration=SPLITS.valid)


def test_downsampling_keeps_it():
    splits = SPLITS.carve_calibration(0.25)
    assert splits.downsample(0.5).calibration is splits.calibration


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fraction": 0.0}, "above 0 and below 1, received 0"),
        ({"fraction": 1.0}, "above 0 and below 1, received 1"),
        ({"fraction": 0.5, "origin": "valid"}, "origin 'test' or 'train', received 'valid'"),
        ({"fraction": 0.2, "ids_without": r"\d+$"}, r"draw of all 40 \(fraction 0.2\)"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(DataError, match=message):
        SPLITS.carve_calibration(**arguments)


def test_a_second_one_is_refused():
    with pytest.raises(DataError, match="without a calibration split"):
        SPLITS.carve_calibration(0.2).carve_calibration(0.2)
