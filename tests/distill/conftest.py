import pytest

from degu import EnsemblerBase, utils


@pytest.fixture
def x(splits):
    return splits.train.tokens


@pytest.fixture
def y(splits):
    return splits.train.targets


@pytest.fixture
def teachers(conv_net, x, y, shift, tmp_path):
    """Return a function that makes an ensemble of three, without training."""

    def make(build=None, num_ensemble=3, uncertainty_fun=utils.std):
        ensembler = EnsemblerBase(build or conv_net(), uncertainty_fun=uncertainty_fun)
        ensembler.train(x, y, num_ensemble, shift, save_prefix=tmp_path / "m")
        return ensembler

    return make


@pytest.fixture
def counted(monkeypatch):
    """Numbers of members and sequences and the batch size of all predictions of members."""
    from degu.ensemble.group import Group

    calls, predict_together = [], Group.predict

    def counting(self, members, digests, x, batch_size):
        calls.append((len(members), len(x), batch_size))
        return predict_together(self, members, digests, x, batch_size)

    monkeypatch.setattr(Group, "predict", counting)
    return calls


@pytest.fixture
def listen():
    """Return a training function that trains nothing, and the dictionary of what it was given."""
    given = {}

    def train_fun(model, x_train, y_train, validation_data, seed):
        given.update(model=model, x=x_train, y=y_train, valid=validation_data, seed=seed)
        return "history"

    return train_fun, given
