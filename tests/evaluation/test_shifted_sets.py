import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from degu.config import config_dir, groups
from degu.data import MotifGrammar, Split, Splits, synthetic, tokenize
from degu.errors import DataError
from degu.evaluation import shifted_sets
from degu.evaluation.motifs import motif_places, without_motifs
from degu.evaluation.shifted_sets import evolved, mutated

SIZES = {"num_train": 20, "num_valid": 10, "num_test": 400, "length": 60}


@pytest.fixture(scope="module")
def splits():
    return synthetic(**SIZES)


@pytest.fixture(scope="module")
def sets(splits):
    return {part.name: part for part in shifted_sets(splits)}


def pairs(tokens):
    """Counts of dinucleotides, (N, 16)."""
    codes = 4 * tokens[:, :-1].astype(int) + tokens[:, 1:]
    return np.stack([np.bincount(row, minlength=16) for row in codes])


def letters(tokens):
    return np.stack([np.bincount(row, minlength=4) for row in tokens])


def test_unshifted_comes_first_and_only_it_is_measured(splits, sets):
    assert list(sets) == ["unshifted", "mutated", "evolved", "shuffled", "dinucleotide_shuffled", "motif_destroyed"]
    np.testing.assert_array_equal(sets["unshifted"].tokens, splits.test.tokens)
    np.testing.assert_array_equal(sets["unshifted"].measured, splits.test.targets)
    for name, part in sets.items():
        assert part.tokens.shape == splits.test.tokens.shape
        assert part.tokens.dtype == np.uint8
        assert (part.measured is None) is (name != "unshifted")
        assert name == "unshifted" or (part.tokens != splits.test.tokens).any(axis=1).mean() > 0.5


def test_mutated_share_is_the_one_asked_for(splits):
    # 24,000 letters, so three standard errors are below 0.006
    for share in (0.05, 0.25):
        assert (mutated(splits.test.tokens, share, 0) != splits.test.tokens).mean() == pytest.approx(share, abs=0.01)


def test_shuffles_keep_what_they_promise(splits, sets):
    tokens = splits.test.tokens
    np.testing.assert_array_equal(letters(sets["shuffled"].tokens), letters(tokens))
    assert (pairs(sets["shuffled"].tokens) != pairs(tokens)).any(axis=1).all()
    np.testing.assert_array_equal(pairs(sets["dinucleotide_shuffled"].tokens), pairs(tokens))


def test_without_motifs_the_true_activity_is_that_of_empty_dna(splits, sets):
    grammar = MotifGrammar(length=60)
    assert splits.motifs == tuple("".join("ACGT"[token] for token in motif) for motif in grammar.motifs)
    truth = grammar.mean(sets["motif_destroyed"].tokens)
    np.testing.assert_allclose(truth, np.broadcast_to(truth[0], truth.shape))
    np.testing.assert_allclose(grammar.noise_sd(sets["motif_destroyed"].tokens), grammar.noise)
    assert grammar.mean(splits.test.tokens).std() > 0.5
    intact = (grammar.mean(splits.test.tokens) == truth[0]).all(axis=1)
    kept = sets["motif_destroyed"].tokens == splits.test.tokens
    assert kept.mean() > 0.4
    assert intact.sum() == 0 or kept[intact].mean() > 0.5


def test_evolved_sequences_have_exactly_two_changes_of_their_own():
    # of one letter alone, translocations show nothing, mutations single letters, deletions random ends
    tokens = np.zeros((300, 60), np.uint8)
    changed = (evolved(tokens, 2, 0) != 0).sum(axis=1)
    one = (evolved(tokens, 1, 0) != 0).sum(axis=1)
    # one of three does not show, a deletion of length 0 neither
    assert 0.25 < (one == 0).mean() < 0.45
    assert (changed == 0).mean() < 0.1
    assert len(set(changed.tolist())) > 5


def test_sequences_shorter_than_the_longest_change():
    assert evolved(np.zeros((4, 8), np.uint8), 2, 0).shape == (4, 8)


def test_one_seed_gives_one_answer(splits, sets):
    again = {part.name: part.tokens for part in shifted_sets(splits)}
    other = {part.name: part.tokens for part in shifted_sets(splits, seed=1)}
    for name in sets:
        np.testing.assert_array_equal(again[name], sets[name].tokens)
        assert np.array_equal(other[name], sets[name].tokens) is (name == "unshifted")


def test_fewer_sequences_are_rows_of_the_test_split(splits):
    few = shifted_sets(splits, num_sequences=7)
    assert {len(part.tokens) for part in few} == {7}
    rows = [np.flatnonzero((splits.test.tokens == sequence).all(axis=1))[0] for sequence in few[0].tokens]
    assert rows == sorted(rows)
    np.testing.assert_array_equal(few[0].measured, splits.test.targets[rows])
    with pytest.raises(DataError, match="num_sequences: expected at least 1, or none for all, received 0"):
        shifted_sets(splits, num_sequences=0)


def test_data_without_known_motifs_have_no_such_set_unless_motifs_are_given(splits):
    real = Splits(splits.train, splits.valid, splits.test, splits.target_names, "real")
    assert "motif_destroyed" not in {part.name for part in shifted_sets(real)}
    sets = {part.name: part for part in shifted_sets(real, motifs=["TATAWR"], max_mismatches=0)}
    assert (sets["motif_destroyed"].tokens != splits.test.tokens).any()


def test_motifs_are_found_on_both_strands_and_nothing_else_changes():
    tokens = tokenize(["AAAAGATTCCAAAA", "AAAAGGAATCAAAA", "AAAAGAATCCAAAA", "AAAANATTCCAAAA"])
    changed = without_motifs(tokens, ["GATTCC"])
    differs = (changed != tokens).any(axis=1)
    assert differs.tolist() == [True, True, False, False]
    np.testing.assert_array_equal(changed[:, [0, 1, 2, 3, 10, 11, 12, 13]], 0)
    assert (without_motifs(tokens, ["GATTCC"], 1)[2:] != tokens[2:]).any(axis=1).all()
    assert without_motifs(tokens, ["GATTCC"], 1)[3, 4] == 4
    assert (without_motifs(tokens, ["gAtYyc"]) != tokens).any(axis=1).tolist() == differs.tolist()


def test_places_of_motifs_are_marked_letter_by_letter_on_both_strands():
    tokens = tokenize(["AAGATTCCAA", "AAGGAATCAA", "GATTCGATTC"])
    places = motif_places(tokens, ["GATTC"])
    assert np.flatnonzero(places[0]).tolist() == [2, 3, 4, 5, 6]
    assert np.flatnonzero(places[1]).tolist() == [3, 4, 5, 6, 7]
    assert places[2].all()


def test_long_motifs_bear_a_mismatch_and_short_ones_do_not():
    tokens = tokenize(["AAAAGATTCCGGAAAA", "AAAAGATTCCGTAAAA", "AAAAGTAACAAAAAAA", "AAAAGTATCAAAAAAA"])
    changed = without_motifs(tokens, ["GATTCCGG", "GTAAC", "GNNNNCNNNNG"], None)
    assert (changed != tokens).any(axis=1).tolist() == [True, True, True, False]


@pytest.mark.parametrize("name", groups(config_dir())["data"])
def test_motifs_of_every_data_set_can_be_removed(name):
    """Of random DNA of the shortest data set, without reading a table."""
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        motifs = compose("config", overrides=[f"data={name}"]).data.get("motifs") or ()
    tokens = np.random.default_rng(0).integers(0, 4, (200, 145), np.uint8)
    changed = without_motifs(tokens, motifs, None)
    assert (changed != tokens).mean() < 0.25
    assert (changed != tokens).any() == bool(motifs)


@pytest.mark.parametrize(
    ("motifs", "mismatches", "message"),
    [
        (["GATX"], 0, "expected 1 to 8 IUPAC letters"),
        (["GA"], 2, "expected 3 to 8 IUPAC letters"),
        (["GATTACAGA"], 0, "expected 1 to 8"),
        (["N"], 0, "motifs that random DNA rarely matches"),
    ],
)
def test_motifs_that_cannot_be_removed_are_refused(motifs, mismatches, message):
    with pytest.raises(DataError, match=message):
        without_motifs(tokenize(["ACGTACGT"]), motifs, mismatches)


def library(names, length=60, seed=5):
    other = synthetic(num_train=6, num_valid=5, num_test=30, length=length, num_targets=len(names), seed=seed)
    return Splits(other.train, other.valid, other.test, names, "other")


def test_library_gives_what_is_measured_in_both_under_the_studys_names(splits):
    other = library(("elsewhere", "activity_1"))
    part = shifted_sets(splits, library=other)[-1]
    assert part.name == "library"
    np.testing.assert_array_equal(part.tokens, other.test.tokens)
    np.testing.assert_array_equal(part.measured[:, 1], other.test.targets[:, 1])
    assert np.isnan(part.measured[:, 0]).all()
    assert shifted_sets(splits, library=library(("x", "y")))[-1].measured is None
    assert len(shifted_sets(splits, library=other, library_splits=["train", "valid"])[-1].tokens) == 11


def test_sequences_that_the_study_has_are_left_out_of_the_library(splits):
    def split(name, tokens):
        return Split(tokens, np.ones((len(tokens), 1)), np.array([f"{name}{row}" for row in range(len(tokens))]))

    new = np.zeros((2, 60), np.uint8)
    mixed = np.concatenate([splits.train.tokens[:3], new])
    other = Splits(split("a", new + 1), split("b", new + 2), split("c", mixed), ("activity_0",), "other")
    part = shifted_sets(splits, library=other)[-1]
    np.testing.assert_array_equal(part.tokens, 0)
    assert part.measured.shape == (2, 2)
    with pytest.raises(DataError, match="expected sequences that the study does not have, received 400 it has"):
        shifted_sets(splits, library=splits)


def test_library_that_does_not_fit_is_refused(splits):
    with pytest.raises(DataError, match="expected sequences of 60 letters as in the study, received 50"):
        shifted_sets(splits, library=library(("a",), length=50))
    with pytest.raises(DataError, match="library_splits: expected some of"):
        shifted_sets(splits, library=library(("a",)), library_splits=["tset"])
