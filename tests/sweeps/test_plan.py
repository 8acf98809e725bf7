"""From overrides to jobs, and from jobs to folders and commands."""

import shlex

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from degu.config import config_dir
from degu.errors import ConfigError
from degu.sweeps.plan import digest, fixed, grid, job, parsed, swept
from degu.sweeps.records import FAILED, FINISHED, Job, Sweep, quoted, read_job


@pytest.fixture(scope="module")
def loader():
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        yield GlobalHydra.instance().config_loader()


def test_a_grid_has_every_combination_in_order(loader):
    overrides = parsed(["seed=0,1", "model=small_cnn", "data.length=range(40,60,10)"], loader)
    assert grid(overrides) == [
        {"seed": "0", "data.length": "40"},
        {"seed": "0", "data.length": "50"},
        {"seed": "1", "data.length": "40"},
        {"seed": "1", "data.length": "50"},
    ]
    assert fixed(overrides) == ["model=small_cnn"]


def test_a_glob_stands_for_the_files_of_a_group(loader):
    (override,) = swept(parsed(["experiment=glob(e*,exclude=evoaug*)"], loader)).values()
    names = [values["experiment"] for values in grid({"experiment": override})]
    assert "ecoli_active" in names
    assert not [name for name in names if not name.startswith("e") or name.startswith("evoaug")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model.dropout=interval(0,0.5)", "An interval is searched with sweeper=optuna"),
        ("experiment=glob(nothing*)", "stands for none"),
        ("seed=[1", "overrides of the form key=value"),
    ],
)
def test_what_cannot_be_listed_is_refused(loader, text, message):
    with pytest.raises(ConfigError, match=message):
        grid(parsed([text], loader))


def test_the_last_of_two_overrides_counts(loader):
    overrides = parsed(["seed=0,1", "seed=5"], loader)
    assert fixed(overrides) == ["seed=5"]
    assert grid(overrides) == [{}]


def test_a_job_does_not_know_how_it_is_run():
    found = job(3, ["launcher=joblib", "sweeper=grid", "model=small_cnn"], {"trainer.initial_lr": "0.1"})
    assert found.overrides == ["model=small_cnn", "trainer.initial_lr=0.1"]
    assert found.name == "3 initial_lr=0.1"


def test_names_of_jobs_tell_keys_apart():
    values = {"trainer.max_epochs": "1", "distill.trainer.max_epochs": "2", "model@distill.student": "mprann"}
    assert job(0, [], values).name == "0 trainer.max_epochs=1 distill.trainer.max_epochs=2 model=mprann"


def test_names_of_jobs_have_short_numbers():
    values = {
        "trainer.initial_lr": "0.0012345678901",
        "seed": "12345",
        "data.path": "nan.tsv",
        "model.filters": "[4,8]",
    }
    assert job(7, [], values).name == "7 initial_lr=0.00123 seed=12345 path=nan.tsv filters=[4,8]"


def test_a_digest_is_that_of_the_content():
    assert digest([{"a": 1, "b": 2}]) == digest([{"b": 2, "a": 1}]) != digest([{"a": 1, "b": 3}])
    assert len(digest([])) == 10


def test_the_command_of_a_job_survives_a_shell(tmp_path, loader):
    folder = tmp_path / 'a "place" of ours'
    found = job(0, [], {"model.filters": "[4,8]"})
    command = shlex.split(found.command(folder))
    assert command[:3] == ["degu", "run", "model.filters=[4,8]"]
    assert parsed(command[3:], loader)["hydra.run.dir"].value() == str(folder)


def test_quoted_texts_are_read_back(loader):
    for text in ('a "b" c', "back\\slash", "it's", "plain"):
        assert parsed([f"name={quoted(text)}"], loader)["name"].value() == text


def sweep(tmp_path, *jobs):
    made = Sweep(tmp_path, "s")
    made.jobs = list(jobs)
    return made


def of(number, objective, **more):
    return Job(number, [], {}, metric="m", status=FINISHED, objective=objective, **more)


def test_the_best_job_follows_the_direction(tmp_path):
    jobs = [of(0, 0.1), of(1, 0.3), of(2, None), Job(3, [], {}, metric="m", status=FAILED)]
    assert sweep(tmp_path, *jobs).best_number() == 1
    for found in jobs:
        found.direction = "minimize"
    assert sweep(tmp_path, *jobs).best_number() == 0
    jobs[0].metric = "another"
    assert sweep(tmp_path, *jobs).best_number() is None
    assert sweep(tmp_path).best_number() is None


def test_a_job_is_what_its_folder_says(tmp_path):
    made = sweep(tmp_path, Job(0, ["seed=1"], {"seed": "1"}), Job(1, ["seed=2"], {"seed": "2"}))
    made.home(made.jobs[1]).mkdir()
    of(1, 0.5, attempts=2).write(made.home(made.jobs[1]))
    made.read()
    assert [(found.status, found.attempts) for found in made.jobs] == [("waiting", 0), ("finished", 2)]
    assert read_job(tmp_path) is None
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "job.json").write_text('{"number": 0}')
    with pytest.raises(ConfigError, match="expected the file of a job"):
        made.read()
