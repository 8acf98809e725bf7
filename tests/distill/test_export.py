import subprocess
import sys

import keras
import numpy as np
import pytest

from degu import Distiller
from degu.data.encoding import one_hot
from degu.distill import export_student
from degu.errors import ConfigError, EnsembleError
from degu.models import deepstarr
from degu.models.heads import Probability
from degu.train.batches import predict

WITHOUT_DEGU = """
import sys, numpy as np, keras
model = keras.models.load_model(sys.argv[1])
np.save(sys.argv[2], model.predict(np.load(sys.argv[3]), verbose=0))
assert not any(name.split(".")[0] == "degu" for name in sys.modules)
"""


@pytest.fixture
def student():
    model = deepstarr((40, 4), 4, width=0.1)
    generator = np.random.default_rng(0)
    model.set_weights([values + generator.uniform(0.1, 0.5, values.shape) for values in model.get_weights()])
    return model


@pytest.fixture
def x():
    return np.random.default_rng(0).integers(0, 5, (30, 40), dtype=np.uint8)


def test_an_exported_student_answers_the_same_and_needs_no_degu(student, x, tmp_path):
    path = export_student(student, tmp_path / "new" / "student.keras")
    np.save(tmp_path / "x.npy", one_hot(x))
    files = [str(path), str(tmp_path / "y.npy"), str(tmp_path / "x.npy")]
    subprocess.run([sys.executable, "-c", WITHOUT_DEGU, *files], check=True, cwd=tmp_path)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), predict(student, x), rtol=1e-5, atol=1e-5)


def test_it_has_no_normalisation_and_no_dropout(student, tmp_path):
    exported = keras.models.load_model(export_student(student, tmp_path / "student.keras"))
    kinds = {type(layer).__name__ for layer in exported.layers}
    assert not kinds & {"BatchNormalization", "Dropout"}
    assert exported.count_params() < student.count_params()
    assert not exported.compiled


def test_a_head_of_degu_is_kept(x, tmp_path):
    student = deepstarr((40, 4), 4, width=0.1, head=Probability(2))
    exported = keras.models.load_model(export_student(student, tmp_path / "student.keras"))
    np.testing.assert_allclose(predict(exported, x), predict(student, x), rtol=1e-5, atol=1e-6)


def test_an_existing_file_is_kept_unless_it_may_be_replaced(student, tmp_path):
    path = export_student(student, tmp_path / "student.keras")
    before = path.read_bytes()
    with pytest.raises(EnsembleError, match="Set overwrite=True"):
        export_student(student, path)
    assert path.read_bytes() == before
    export_student(student, path, overwrite=True)
    assert [file.name for file in tmp_path.iterdir()] == ["student.keras"]


def test_what_cannot_be_exported_is_refused(student, tmp_path):
    class Own(keras.Model):
        pass

    with pytest.raises(EnsembleError, match="ends in .keras. Received: student.h5"):
        export_student(student, tmp_path / "student.h5")
    with pytest.raises(ConfigError, match="Received: Own"):
        export_student(Own(), tmp_path / "own.keras")
    assert list(tmp_path.iterdir()) == []


def test_a_student_is_predicted_with_the_weights_it_has_now(teachers, conv_net, x):
    distiller, student = Distiller(teachers()), conv_net(4)()
    for shift in (0, 1):
        student.set_weights([values + shift for values in student.get_weights()])
        outputs = predict(student, x)
        answer = distiller.predict_student(x, student, 16)
        np.testing.assert_allclose(np.hstack([answer.mean, answer.epistemic]), outputs, rtol=1e-5, atol=1e-5)


def test_students_that_are_gone_leave_nothing_behind(teachers, conv_net, x):
    distiller = Distiller(teachers())
    for _ in range(2):
        student = conv_net(4)()
        distiller.predict_student(x, student)
        keras.backend.clear_session()
    del student
    import gc

    gc.collect()
    assert len(distiller._predictors) == 0
