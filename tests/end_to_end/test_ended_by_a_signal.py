"""A study that a user or a scheduler ends: at once, in order, and to be continued."""

import json
import os
import signal
import subprocess
import sys

import pytest

from degu.tracking.backend import load_client

pytestmark = pytest.mark.slow
TINY = [
    *("experiment=smoke", "device=cpu", "data.num_train=64", "data.num_valid=30", "data.num_test=30", "data.length=40"),
    *("model.filters=[4]", "model.dense=4", "ensemble.num_ensemble=2", "trainer.max_epochs=300", "evaluation=brief"),
    *("trainer.es_patience=300", "distill.trainer.max_epochs=2", "checkpoint.seconds=0", "hydra.run.dir=study"),
]
COMMAND = [sys.executable, "-c", "import sys; from degu.cli import main; sys.exit(main(sys.argv[1:]))", "run", *TINY]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_study_is_ended_and_continued(tmp_path, number, status):
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with subprocess.Popen(
        COMMAND, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as study:
        heard = []
        for line in study.stderr:
            heard.append(line)
            if "epoch 5/" in line:
                break
        study.send_signal(number)
        _, err = study.communicate(timeout=60)
    assert study.returncode == status, "".join(heard) + err
    assert "Traceback" not in err
    client = load_client(f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    (experiment,) = [each for each in client.search_experiments() if each.name == "degu"]
    runs = {run.info.run_name: run.info.status for run in client.search_runs([experiment.experiment_id])}
    assert runs["smoke"] == "KILLED"
    again = subprocess.run(
        COMMAND, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert again.returncode == 0, again.stderr
    assert "goes on after epoch" in again.stderr
    summary = json.loads(again.stdout.splitlines()[-1])
    assert client.get_run(summary["run_id"]).info.status == "FINISHED"
    runs = client.search_runs([experiment.experiment_id])
    assert sorted(run.info.run_name for run in runs) == ["member-00", "member-01", "smoke", "student"]
