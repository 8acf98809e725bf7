import numpy as np
import pytest

from degu.ensemble.prediction import Prediction

LENGTH = 11


class Additive:
    """Members whose prediction is a sum over positions of a number for the letter there, and 0 for an N."""

    def __init__(self, members=3, seed=0, targets=2):
        generator = np.random.default_rng(seed)
        self.weights = np.zeros((members, LENGTH, 5, targets))
        self.weights[:, :, :4] = generator.normal(size=(members, LENGTH, 4, targets))
        self.calls = []

    def __call__(self, tokens):
        assert tokens.dtype == np.uint8
        self.calls.append(len(tokens))
        members = self.weights[:, np.arange(LENGTH), tokens].sum(axis=2)
        return Prediction(members.mean(axis=0), members.std(axis=0, ddof=1), None, members)


@pytest.fixture
def additive():
    return Additive()


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a text file and returns its path."""

    def to(name, text, encoding="utf-8", pack=None):
        path = tmp_path / name
        data = text.encode(encoding)
        path.write_bytes(data if pack is None else pack(data))
        return path

    return to


@pytest.fixture
def genome_file(write):
    """Two sequences of 30 and 12 letters, on lines of 10, some in lower case."""
    return write("genome.fa", ">chr1 first\nACGTACGTAC\nggttaaccRt\nTTTTCCCCGG\n>chr2\nAAAACCCCGG\nGT\n")
