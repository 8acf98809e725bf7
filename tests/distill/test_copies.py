"""Distillation with changed copies that the ensemble labels."""

import numpy as np
import pytest

from degu import Distiller
from degu.augment import RandomInsertion, RandomMutation, RandomNoise, RandomReverseComplement, RandomSubset
from degu.data.encoding import one_hot, reverse_complement
from degu.data.row_files import RowWriter, TokenFile
from degu.distill import distill_with_copies, student_targets
from degu.distill.copies import changed_copies, with_unlabelled
from degu.errors import ConfigError, EnsembleError

FLIP = [RandomReverseComplement(1.0)]


def test_copies_follow_the_measured_sequences_with_labels_of_the_ensemble(teachers, conv_net, x, y, listen, tmp_path):
    distiller, (train_fun, given) = Distiller(teachers(), alpha=0.5, standardize=False), listen
    distill_with_copies(
        distiller, x, y, conv_net(4), train_fun, (x, y), tmp_path / "s", augment_list=FLIP, num_copies=2, seed=3
    )
    flipped = reverse_complement(x)
    np.testing.assert_array_equal(given["x"], np.concatenate([x, flipped, flipped]))
    guess = distiller.ensembler.predict(flipped)
    labels = student_targets(distiller.columns, guess, guess.mean)
    np.testing.assert_array_equal(given["y"][len(x) :], np.concatenate([labels, labels]))
    known = distiller.ensembler.predict(x).mean
    np.testing.assert_allclose(given["y"][: len(x), : y.shape[1]], (known + y) / 2, rtol=1e-5)
    assert len(given["valid"][0]) == len(x), "validation sequences are never changed"


def test_copies_depend_on_the_seed_and_differ_from_each_other(x):
    def made(seed):
        return changed_copies(x, RandomSubset([RandomMutation(0.2)], 1, seed=0), 2, seed)

    first, second = np.split(made(1), 2)
    assert not (first == second).all()
    assert 0.05 < (first != x).mean() < 0.4
    np.testing.assert_array_equal(made(1), made(1))
    assert not (made(1) == made(2)).all()


@pytest.mark.parametrize(
    ("augment_list", "copies", "message"),
    [
        (FLIP, 0, "num_copies of at least 1. Received: 0. Use distill=static"),
        ([RandomInsertion(0, 5, keep_length=False)], 1, "keep the length. Received: 5 bases added"),
        ([RandomNoise(0.0, 0.5)], 1, "augmentations that give DNA"),
    ],
)
def test_copies_that_are_no_dna_of_the_length_are_refused(
    teachers, conv_net, x, y, listen, tmp_path, augment_list, copies, message
):
    distiller = Distiller(teachers())
    with pytest.raises(ConfigError, match=message):
        distill_with_copies(
            distiller,
            x,
            y,
            conv_net(4),
            listen[0],
            save_prefix=tmp_path / "s",
            augment_list=augment_list,
            num_copies=copies,
            max_augs_per_seq=1,
            hard_aug=True,
        )
    assert not list(tmp_path.glob("s*"))


def test_sequences_that_cannot_be_put_together_are_refused(x, tmp_path):
    with pytest.raises(EnsembleError, match=r"form of x_train"):
        with_unlabelled(x, x[:, :-1])
    with RowWriter(tmp_path / "x.npy") as writer:
        writer.append(x)
    with pytest.raises(ConfigError, match="in memory"):
        with_unlabelled(TokenFile(tmp_path / "x.npy"), x)
    with pytest.raises(ConfigError, match="in memory"):
        changed_copies(one_hot(x), RandomSubset(FLIP, 1, seed=0), 1, 0)
