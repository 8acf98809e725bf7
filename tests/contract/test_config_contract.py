"""Every file of `conf`: it composes with the main config, resolves, and what it names can be built and does its job."""

import functools
import inspect

import keras
import numpy as np
import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

import degu.devices
import degu.distill
import degu.losses
from degu.augment import RandomSubset
from degu.config import build, config_dir, frozen, groups
from degu.data import Splits
from degu.distill import Distiller
from degu.ensemble import Ensembler
from degu.errors import ConfigError
from degu.models.heads import Evidential, Gaussian
from degu.tracking import NullTracker

GROUPS = groups(config_dir())
CHOICES = [f"{group}={name}" for group, names in GROUPS.items() for name in names]
STUDENT_RECIPES = [f"trainer@distill.trainer={name}" for name in GROUPS["trainer"]]
PLACES = {
    "loss@distill.loss": GROUPS["loss"],
    "augment@distill.augment": GROUPS["augment"],
    "model@distill.student": GROUPS["model"],
    "model@ensemble.models.a": GROUPS["model"],
}
"""Where a choice can stand beside its own group; the shorter lists begin again."""

PLACED = [
    " ".join(f"{place}={names[row % len(names)]}" for place, names in PLACES.items())
    for row in range(max(map(len, PLACES.values())))
]
SIDE_EFFECTS = {"data", "device", "executor", "tracking"}
"""Groups whose objects read files, write files, start or change processes; they have tests of their own."""
GIVEN = {
    "data=table": "data.path=my.tsv data.targets=[y]",
    "data=fasta": "data.path=my.fa data.values=my.tsv data.targets=[y]",
    "data=bed": "data.path=my.bed data.genome=my.fa data.split.valid=[chr8] data.split.test=[chr9]",
    "data=hdf5": "data.path=my.h5",
    "data=npz": "data.path=my.npz",
    "ensemble=from_run": "ensemble.members=[a,b]",
}
"""Values that a user must give."""


def each(group):
    return pytest.mark.parametrize("name", GROUPS[group])


@functools.cache
def composed(overrides=""):
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return compose("config", overrides=overrides.split())


def nodes(config, path=""):
    """Yield the path and the content of every node that names a target, the outermost alone."""
    if isinstance(config, DictConfig) and "_target_" in config:
        yield path, config
    elif isinstance(config, DictConfig):
        for key in config:
            if path or key not in SIDE_EFFECTS:
                yield from nodes(config[key], f"{path}.{key}" if path else str(key))


def sequences(count=24, length=60):
    return np.eye(4, dtype="float32")[np.random.default_rng(0).integers(0, 4, (count, length))]


def net(num_outputs, head=None):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((60, 4))
    features = keras.layers.GlobalAveragePooling1D()(keras.layers.Conv1D(4, 5)(inputs))
    # between 0 and 1, so that losses of values and of probabilities can be tried alike
    outputs = head(features, num_outputs) if head else keras.layers.Dense(num_outputs, "sigmoid")(features)
    return keras.Model(inputs, outputs)


def test_every_group_has_a_choice_that_the_main_config_takes():
    defaults = yaml.safe_load((config_dir() / "config.yaml").read_text())["defaults"]
    named = {group: choice for default in defaults if default != "_self_" for group, choice in default.items()}
    assert named.keys() == GROUPS.keys()
    assert all(choice is None or choice in GROUPS[group] for group, choice in named.items())


@pytest.mark.parametrize(
    "overrides",
    [
        *CHOICES,
        *STUDENT_RECIPES,
        *(f"distill=dynamic ensemble=mixed {overrides}" for overrides in PLACED),
    ],
)
def test_choice_composes_and_everything_it_names_can_be_built(overrides):
    config = composed(f"{overrides} {GIVEN.get(overrides, '')}")
    values = frozen(config)
    assert "${" not in yaml.safe_dump(values)
    built = dict(nodes(config))
    assert built.keys() >= {"loss", "trainer", "uncertainty", "ensemble.ensembler", "distill.teach", "distill.trainer"}
    for key, node in built.items():
        thing = build(node)
        assert callable(getattr(thing, "predictor", None) if key.startswith("evaluation.baselines.") else thing)


@each("experiment")
def test_experiment_is_named_after_its_file_and_changes_the_study(name):
    config = composed(f"experiment={name}")
    assert config.name == name
    plain = composed()
    changed = {group for group in GROUPS if group in config and config[group] != plain[group]}
    assert changed


@each("augment")
def test_augmentation_keeps_the_shape_obeys_its_seed_and_rests_at_inference(name):
    chosen = build(composed(f"augment={name}").augment)
    assert chosen.keys() == {"augment_list", "max_augs_per_seq", "hard_aug", "per"}
    x = sequences()

    def run(seed):
        keras.utils.set_random_seed(seed)
        subset = RandomSubset(
            chosen["augment_list"], chosen["max_augs_per_seq"], chosen["hard_aug"], chosen["per"], seed=seed
        )
        np.testing.assert_array_equal(subset(x), x)
        return [keras.ops.convert_to_numpy(subset(x, training=True)) for _ in range(3)]

    first, again, other = run(0), run(0), run(1)
    assert {output.shape for output in first} == {x.shape}
    np.testing.assert_array_equal(first, again)
    assert np.array_equal(first, other) is (name == "none")


LOSSES = {
    **{name: lambda name=name: build(composed(f"loss={name}").loss) for name in GROUPS["loss"]},
    "distillation": lambda: degu.losses.DistillationLoss([1.0, 2.0]),
}


@pytest.mark.parametrize("name", LOSSES)
def test_loss_trains_and_is_saved_with_the_model(name, tmp_path):
    loss = LOSSES[name]()
    head = {1: None, 2: Gaussian(getattr(loss, "unit", "std")), 4: Evidential()}[getattr(loss, "groups", 1)]
    model = net(2, head)
    x, y = sequences(), np.random.default_rng(1).integers(0, 2, (24, 2)).astype("float32")
    value = keras.ops.convert_to_numpy(loss(y, model(x)))
    assert value.shape == ()
    assert np.isfinite(value)

    before = model.get_weights()
    model.compile(keras.optimizers.SGD(0.01), loss)
    assert model.train_on_batch(x, y) == pytest.approx(float(value), rel=1e-4)
    # plain gradient descent: the change is the gradient
    for start, end in zip(before, model.get_weights(), strict=True):
        assert np.isfinite(end).all()
        assert (start != end).any()
    assert model.evaluate(x, y, verbose=0) < value

    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.evaluate(x, y, verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-6)
    copy = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(copy) is type(loss)
    assert copy.get_config() == loss.get_config()


def test_every_loss_is_tried():
    kinds = {type(make()) for make in LOSSES.values()}
    public = [getattr(degu.losses, name) for name in degu.losses.__all__]
    concrete = {kind for kind in public if isinstance(kind, type) and issubclass(kind, keras.losses.Loss)}
    assert {kind for kind in concrete if not inspect.isabstract(kind)} <= kinds


@each("trainer")
def test_trainer_trains(name):
    config = composed(f"trainer={name}")
    x, y = sequences(), np.zeros((24, 2), "float32")
    model = net(2)
    before = model.get_weights()
    history = build(config.trainer)(model, x, y, (x, y), max_epochs=1, batch_size=12).history
    assert {"loss", "val_loss", "learning_rate"} <= history.keys()
    assert np.isfinite(history["loss"]).all()
    assert any((start != end).any() for start, end in zip(before, model.get_weights(), strict=True))


@each("uncertainty")
def test_uncertainty_is_one_value_for_each_sequence_and_target(name):
    spread = build(composed(f"uncertainty={name}").uncertainty)
    assert spread.unit == name
    assert spread(np.random.default_rng(0).normal(size=(3, 5, 2)), axis=0).shape == (5, 2)
    assert np.isfinite(spread(np.ones((3, 5, 2)), axis=0)).all()


@each("ensemble")
def test_ensemble_takes_architectures_and_arguments_for_training(name):
    settings = composed(f"ensemble={name}").ensemble
    architectures = [lambda: net(2)] * (1 if settings.models is None else len(settings.models))
    ensembler = build(settings.ensembler)(architectures, uncertainty_fun=np.std)
    assert isinstance(ensembler, Ensembler)
    assert type(ensembler).__name__.lower() == f"ensembler{'base' if name == 'from_run' else name}"
    arguments = inspect.signature(ensembler.train).parameters
    assert build(settings.train).keys() <= arguments.keys()
    assert {"standardize", "num_ensemble"} <= arguments.keys() & settings.keys()


@each("distill")
def test_distillation_is_public_and_has_the_arguments_of_the_distiller(name):
    settings = composed(f"distill={name}").distill
    teach = build(settings.teach)
    assert teach.func in (getattr(home, teach.func.__name__, None) for home in (Distiller, degu.distill))
    assert teach.keywords.keys() <= inspect.signature(teach.func).parameters.keys()
    own = inspect.signature(Distiller).parameters.keys() & settings.keys()
    assert own >= {"val_target", "alpha", "standardize"}
    Distiller(None, np.std, **{key: settings[key] for key in own})


@each("evaluation")
def test_evaluation_has_the_metric_that_it_puts_first(name):
    settings = composed(f"evaluation={name}").evaluation
    assert settings.family == ("classification" if name == "classification" else "regression")
    rng = np.random.default_rng(0)
    values = build(settings.eval_fun)(rng.random((30, 2)), rng.integers(0, 2, (30, 2)))
    assert getattr(values, settings.headline).shape == (2,)


@each("device")
def test_device_is_the_one_named_or_a_clear_refusal(name, monkeypatch):
    prepared = []
    monkeypatch.setattr(degu.devices, "_prepare_tensorflow", lambda *arguments: prepared.append(arguments))
    config = composed(f"device={name}").device
    assert config.device == name
    if name == "gpu" and not degu.devices._list_gpus():
        with pytest.raises(ConfigError, match="device=gpu to exist. Received: 0 GPUs"):
            build(config)
        return
    device = build(config)
    assert device.kind in ({"cpu", "gpu"} if name == "auto" else {name})
    assert prepared[0][1:] == (True, True)


@each("tracking")
def test_tracker_starts_runs(name, tmp_path):
    config = composed(f"tracking={name}").tracking.copy()
    if name == "none":
        tracker = build(config)
        assert isinstance(tracker, NullTracker)
    else:
        tracker = build(config, root=str(tmp_path / "runs"))
    with tracker.start("study", {}) as run:
        run.metrics({"loss": 1.0}, step=0)
    assert bool(run.run_id) is (name != "none")


@each("data")
def test_data_can_be_read(name, monkeypatch):
    config = composed(f"data={name}").data
    if OmegaConf.missing_keys(config):
        pytest.skip("wants values of the user")
    if "mirrors" in config:
        pytest.skip("downloads; tests/data/test_download.py has it from a server of its own")
    path = config.get("path")
    if path is not None and not (config_dir().parent / path).is_file():
        pytest.skip(f"{path} is not on this machine")
    monkeypatch.chdir(config_dir().parent)
    splits = build(config)
    assert isinstance(splits, Splits)
    for _, split in splits.items():
        assert split.tokens.shape == (len(split), splits.length)
        assert split.targets.shape == (len(split), splits.num_targets)
        assert np.isfinite(split.targets).any(axis=0).all()


def test_a_table_without_a_path_is_refused_by_the_name_of_the_key():
    config = composed("data=table")
    assert OmegaConf.missing_keys(config) == {"data.path", "data.targets"}
    with pytest.raises(ConfigError, match=r"data\.path"):
        build(config.data)
