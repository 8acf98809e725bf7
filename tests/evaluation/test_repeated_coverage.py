import numpy as np
import pytest

from degu.ensemble import Prediction
from degu.evaluation.evidence import Evidence
from degu.evaluation.repeated import CONFORMAL, coverage_rows, repeated_coverage
from degu.uncertainty import Spread

SPLITS = 200


def evidence(size, seed):
    """A model whose standard deviation is too small by a factor that depends on the activity; `b` is partly missing."""
    rng = np.random.default_rng(seed)
    mean = rng.normal(size=(size, 2))
    noise = np.exp(0.4 * mean)
    measured = mean + noise * (rng.gamma(2.0, size=(size, 2)) - 2) / np.sqrt(2)
    measured[: size // 4, 1] = np.nan
    prediction = Prediction(
        mean, 0.3 * noise * rng.uniform(0.5, 2.0, (size, 2)), np.stack([0.5 * noise[:, 0], np.full(size, np.nan)], 1)
    )
    return Evidence(measured, {"student": prediction}, np.array([f"{seed} {row}" for row in range(size)]))


@pytest.fixture(scope="module")
def found():
    entries = repeated_coverage(evidence(600, 1), evidence(800, 2), ("a", "b"), Spread("std"), num_splits=SPLITS)
    return {entry[1:5]: entry for entry in entries}


def test_conformal_coverage_is_within_its_error_of_the_level_for_every_target(found):
    for (method, _, index, _), entry in found.items():
        if method in CONFORMAL and index == 0:
            assert entry.is_kept, entry
            assert entry.sd == pytest.approx(entry.expected_sd, rel=0.35)


def test_mondrian_coverage_is_kept_in_every_bin_and_plain_coverage_is_not(found):
    bins = {name: [e for key, e in found.items() if key[0] == name and key[2]] for name in CONFORMAL}
    assert len(bins["conformal_mondrian"]) == 2 * 3 * 3
    assert all(entry.is_kept for entry in bins["conformal_mondrian"])
    assert not all(entry.is_kept for entry in bins["conformal_absolute"])


def test_epistemic_intervals_are_counted_without_calibration_and_cover_too_little(found):
    entry = found["epistemic", "a", 0, 0.9]
    assert not entry.is_kept
    assert entry.coverage < 0.7
    assert ("total", "a", 0, 0.9) in found
    assert ("total", "b", 0, 0.9) not in found, "b has no aleatoric column"


def test_rows_without_a_measurement_are_not_counted(found):
    assert found["conformal_absolute", "a", 0, 0.9].calibrated == 400
    assert found["conformal_absolute", "b", 0, 0.9].calibrated == pytest.approx(300, abs=5)


def test_uncovered_rows_are_found():
    """Intervals calibrated on easier rows than those that are evaluated break their promise, and that shows."""
    easy = evidence(600, 3)
    entries = repeated_coverage(easy, easy, ("a", "b"), Spread("std"), num_splits=20, methods=("conformal_absolute",))
    widths = {entry.level: entry.width for entry in entries if entry.method == "conformal_absolute" and not entry.bin}
    assert sorted(widths.values()) == [widths[level] for level in (0.8, 0.9, 0.95)]
    kept = [row["is_kept"] for row in coverage_rows(entries) if row["method"] == "epistemic"]
    assert kept
    assert not any(kept)


def test_one_split_is_refused():
    with pytest.raises(ValueError, match="num_splits of at least 2"):
        repeated_coverage(evidence(10, 0), evidence(10, 1), ("a", "b"), Spread("std"), num_splits=1)
