"""The student of a tracked study: as an MLflow model, registered, served, and exported for other programs."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml

from degu.data import detokenize, one_hot, synthetic
from degu.errors import ConfigError, DataError
from degu.serving.student import ServedStudent
from degu.tracking.backend import load_client, prepare_environment
from degu.trained import load_study

DATA = {"num_train": 60, "num_valid": 50, "num_test": 120, "length": 40}
TINY = [
    *("experiment=heteroscedastic", "device=cpu"),
    *(f"data.{key}={value}" for key, value in DATA.items()),
    *("model.filters=[4]", "model.dense=4", "ensemble.num_ensemble=2"),
    *("trainer.max_epochs=2", "distill.trainer.max_epochs=2", "evaluation.uncertainty.num_resamples=0"),
    *("evaluation.attribution=null", "evaluation.shift=null"),
    *("tracking.register=tiny-student", "tracking.alias=champion"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("a place")


@pytest.fixture(scope="module")
def study(place, degu_commands):
    """A study whose members predict noise, so that every column is there, and exports of its student."""
    (done,) = degu_commands(place, ["run", *TINY])
    assert done.status == 0, done.err
    summary = json.loads(done.out.splitlines()[-1])
    folder = Path(summary["output_dir"])
    forms = {"s.keras": "keras", "saved": "saved_model", "mlflow": "mlflow", "plain": "folder"}
    exports = [["export-student", folder, name, "--format", form] for name, form in forms.items()]
    for export in degu_commands(place, *exports):
        assert export.status == 0, export.err
    return summary["run_id"], folder


@pytest.fixture(scope="module")
def letters():
    return detokenize(synthetic(**DATA).test.tokens)[:20]


@pytest.fixture(scope="module")
def expected(study, letters):
    """Columns by the loaded study, as `degu predict` gives them."""
    loaded = load_study(study[1], "cpu")
    from degu.data import tokenize

    return loaded.columns(loaded.predict(tokenize(letters), "student"), "student", loaded.rule("student"))


@pytest.fixture(scope="module")
def client(place):
    return load_client(f"sqlite:///{place / 'mlruns' / 'mlflow.db'}")


def assert_equal(columns, expected):
    assert list(columns) == list(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(np.asarray(columns[name], float), values, rtol=1e-4, atol=1e-5, err_msg=name)


def test_the_package_answers_as_the_study_does(study, letters, expected):
    assert {"activity_0_aleatoric", "activity_1_out_of_range"} <= set(expected)
    assert_equal(ServedStudent(study[1] / "student").predict(letters), expected)


def test_wider_intervals_and_other_methods_can_be_asked_for(study, letters):
    student = ServedStudent(study[1] / "student")
    usual, wide = student.predict(letters), student.predict(letters, 0.95)
    name = next(name for name in usual if name.endswith("_upper"))
    assert (wide[name] >= usual[name]).all()
    assert not np.array_equal(student.predict(letters, 0.9, "variance_scaling")[name], usual[name])
    with pytest.raises(ConfigError, match="There is no interval method"):
        student.predict(letters, 0.9, "conformal")


@pytest.mark.parametrize(
    ("sequences", "message"),
    [
        (["A" * 40, "A" * 39 + "X"], r"sequence 1 .*position 39 .*received 'X'"),
        (["A" * 40, ""], r"sequence 1 .*received an empty one"),
        (["A" * 41], r"sequence 0 .*expected 40 letters.*received 41"),
        ([None], r"sequence 0 .*received NoneType"),
        ([], "expected at least one DNA string"),
    ],
)
def test_bad_sequences_are_named(study, sequences, message):
    with pytest.raises(DataError, match=message):
        ServedStudent(study[1] / "student").predict(sequences)


@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning")  # of MLflow, on its own code
def test_the_registered_model(study, client, letters, expected):
    prepare_environment()
    import mlflow
    from mlflow.exceptions import MlflowException

    version = client.get_model_version_by_alias("tiny-student", "champion")
    assert version.run_id == study[0]
    assert "## Limits" in version.description
    run = client.get_run(study[0])
    assert version.tags == {"degu.model_id": run.outputs.model_outputs[0].model_id}
    mlflow.set_tracking_uri(client.tracking_uri)
    mlflow.set_registry_uri(client.tracking_uri)
    model = mlflow.pyfunc.load_model("models:/tiny-student@champion")
    frame = model.predict({"sequence": letters})
    assert_equal({name: frame[name] for name in frame}, expected)
    wide = model.predict({"sequence": letters}, params={"confidence_level": 0.95})
    assert not wide.equals(frame)
    with pytest.raises(MlflowException, match="received 'X'") as caught:
        model.predict({"sequence": ["A" * 39 + "X"]})
    assert caught.value.get_http_status_code() == 400
    signature = model.metadata.signature
    assert [column.name for column in signature.inputs] == ["sequence"]
    assert [column.name for column in signature.outputs] == list(expected)
    assert model.input_example["sequence"].str.len().tolist() == [40, 40]


def test_the_model_holds_no_pickled_code_and_pins_what_it_needs(place):
    folder = place / "mlflow"
    found = yaml.safe_load((folder / "MLmodel").read_text())["flavors"]["python_function"]
    assert found["loader_module"] == "degu.serving.loader"
    assert not found["code"]
    assert not [path for path in folder.rglob("*") if path.suffix in (".pkl", ".pickle", ".py")]
    pins = (folder / "requirements.txt").read_text().split()
    assert all("==" in pin for pin in pins)
    assert {"degu", "tensorflow", "keras"} <= {pin.split("==")[0] for pin in pins}
    with zipfile.ZipFile(place / "s.keras") as archive:
        assert "lambda" not in archive.read("config.json").decode().lower()


def test_the_model_card(study, expected):
    card = yaml.safe_load((study[1] / "student" / "model_card.yaml").read_text())
    assert [column["column"] for column in card["output"]] == list(expected)
    assert card["input"]["length"] == 40
    assert card["training_data"]["train_rows"] == 60
    assert card["test_metrics"]
    assert len(card["limits"]) > 2
    text = (study[1] / "student" / "model_card.md").read_text()
    assert all(f"`{name}`" in text for name in expected)


def test_exports_answer_the_same(place, study, letters, expected):
    import keras
    import tensorflow as tf

    from degu.data import tokenize

    x = one_hot(tokenize(letters))
    plain = keras.models.load_model(place / "s.keras").predict(x, verbose=0)
    loaded = tf.saved_model.load(str(place / "saved"))
    saved = loaded.serve(x).numpy()
    np.testing.assert_allclose(saved, plain, rtol=1e-5, atol=1e-6)
    name = next(name for name in expected if name.endswith("_mean"))
    np.testing.assert_allclose(plain[:, 0], expected[name], rtol=1e-4, atol=1e-5)
    assert_equal(ServedStudent(place / "plain").predict(letters), expected)


def test_exports_do_not_overwrite(place, study, degu_commands):
    first, second, third = degu_commands(
        place,
        ["export-student", study[1], "s.keras"],
        ["export-student", study[1], "s.h5"],
        ["export-student", place, "t.keras"],
    )
    assert first.status == second.status == third.status == 2
    assert "one that exists" in first.err
    assert "ends in .keras" in second.err
    assert "expected a finished study with its student" in third.err


@pytest.fixture
def served(place, study):
    """Address of `mlflow models serve` of the registered model."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/tiny-student@champion"]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": f"sqlite:///{place / 'mlruns' / 'mlflow.db'}",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")])),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # mlflow starts its server program by name
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    with (place / "serve.log").open("w") as log:
        process = subprocess.Popen(command, cwd=place, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline and process.poll() is None:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=1).close()
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.3)
        else:
            pytest.fail((place / "serve.log").read_text())
        yield f"http://127.0.0.1:{port}/invocations"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


def ask(address, sequences):
    body = json.dumps({"dataframe_split": {"columns": ["sequence"], "data": [[text] for text in sequences]}})
    request = urllib.request.Request(address, body.encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())["predictions"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.slow
def test_a_server_answers_dna_strings(served, letters, expected):
    status, rows = ask(served, letters)
    assert status == 200
    assert_equal({name: [row[name] for row in rows] for name in rows[0]}, expected)
    for sequences, message in (
        (["A" * 39 + "X"], "expected A, C, G, T or N, received 'X'"),
        ([""], "received an empty one"),
        (["A" * 7], "expected 40 letters, as the student takes, received 7"),
    ):
        status, text = ask(served, sequences)
        assert status == 400
        assert message in text
