"""A training whose loss becomes infinite stops, names the batch, and leaves the rest to the policy."""

import functools

import keras
import numpy as np
import pytest

from degu.ensemble import EnsemblerBase
from degu.errors import EnsembleError, TrainingError
from degu.train import Checkpoints, train_standard_fun
from degu.train.failure import memory_named
from degu.train.network import last_good_path
from degu.train.weights import load_weights

BATCH = 16


class BreakAt(keras.optimizers.SGD):
    """An optimiser whose learning rate is infinite in one step, for the network of one seed."""

    def __init__(self, step=None, **kwargs):
        super().__init__(**kwargs)
        self.step = step

    def update_step(self, gradient, variable, learning_rate):
        broken = keras.ops.equal(self.iterations, self.step)
        factor = keras.ops.where(broken, float("inf"), 1.0)
        super().update_step(gradient, variable, keras.ops.cast(learning_rate, "float32") * factor)


class Breaking:
    """Gives the optimiser of the second network a step to break in, counted from 0."""

    def __init__(self, step):
        self.step = step
        self.made = 0

    def __call__(self, learning_rate):
        self.made += 1
        return BreakAt(self.step if self.made == 2 else -1, learning_rate=learning_rate)


def train(folder, splits, conv_net, engine, policy, step, **more):
    recipe = functools.partial(
        train_standard_fun, max_epochs=4, batch_size=BATCH, initial_lr=0.01, optimizer=Breaking(step)
    )
    ensembler = EnsemblerBase(conv_net(norm=False))
    histories = ensembler.train(
        splits.train.tokens,
        splits.train.targets,
        3,
        recipe,
        (splits.valid.tokens, splits.valid.targets),
        folder / "member",
        engine=engine,
        on_member_failure=policy,
        **more,
    )
    return ensembler, histories


@pytest.mark.parametrize("engine", ["serial", "stacked"])
def test_the_others_go_on(tmp_path, splits, conv_net, engine):
    # 96 sequences make 6 steps an epoch: step 13 of all is the second one of epoch 3, and step 14 sees its weights.
    ended = []

    class Scope:
        def __init__(self, index, seed):
            self.index = index

        def __enter__(self):
            return []

        def __exit__(self, kind, error, traceback):
            ended.append((self.index, kind))

    ensembler, histories = train(tmp_path, splits, conv_net, engine, "continue", 13, scope=Scope)
    assert ensembler.member_numbers == [0, 2]
    assert [len(history.epoch) for history in histories] == [4, 4]
    message = str(ensembler.failures[1])
    assert "nan in epoch 3, step 3 of 6, in a batch of 16 sequences" in message
    rows = np.random.default_rng((_seed(1), 2)).permutation(96)[2 * BATCH : 3 * BATCH]
    assert f"rows {', '.join(map(str, rows[:5]))}, ..." in message
    assert sorted(ended) == [(0, None), (1, TrainingError), (2, None)]
    assert ended[0][0] == (0 if engine == "serial" else 1)
    assert not (tmp_path / "member_1.weights.h5").exists()
    network = conv_net(norm=False)()
    load_weights(network, last_good_path(tmp_path / "member_1.weights.h5"))
    assert all(np.isfinite(weights).all() for weights in network.get_weights())
    assert ensembler.predict(splits.test.tokens).members.shape[0] == 2


def _seed(index):
    from degu.seeds import derive_seed

    return derive_seed(0, "member", index)


def test_stop_names_the_member_and_keeps_what_is_done(tmp_path, splits, conv_net):
    with pytest.raises(TrainingError, match=r"member 2/3: Expected a finite .*last_good.*on_member_failure=continue"):
        train(tmp_path, splits, conv_net, "serial", "stop", 13)
    assert (tmp_path / "member_0.weights.h5").exists()
    assert not (tmp_path / "member_2.weights.h5").exists()
    ensembler, _ = train(tmp_path, splits, conv_net, "serial", "continue", -1, resume=Checkpoints(), overwrite=True)
    assert ensembler.num_ensemble == 3


def test_too_few_members(tmp_path, splits, conv_net):
    with pytest.raises(EnsembleError, match="at least min_members=3 members. Received: 2"):
        train(tmp_path, splits, conv_net, "serial", "continue", 1, min_members=3)
    with pytest.raises(EnsembleError, match="min_members of at most num_ensemble=3"):
        train(tmp_path, splits, conv_net, "serial", "continue", 1, min_members=4)
    with pytest.raises(EnsembleError, match="Expected on_member_failure to be one of"):
        train(tmp_path, splits, conv_net, "serial", "ignore", 1)


def test_memory_that_is_used_up_names_the_batch_size(splits, conv_net):
    import tensorflow as tf

    from degu.train.fits import Fit

    job = Fit(
        model=conv_net()(), x=splits.train.tokens, y=splits.train.targets, validation=None, loss="mse", metrics=(),
        optimizer=keras.optimizers.Adam(), batch_size=4096, max_epochs=1, seed=0, callbacks=(),
    )  # fmt: skip
    error = tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor with shape[4096,249,256]")
    with pytest.raises(TrainingError, match=r"batch_size=4096 .*2 members.*Lower trainer.batch_size, or train fewer"):  # noqa: SIM117
        with memory_named([job, job]):
            raise error
    with pytest.raises(ValueError, match="another"), memory_named([job]):
        raise ValueError("another")
