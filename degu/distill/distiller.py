"""The distiller: one student learns what an ensemble predicts and how sure it is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args
from weakref import WeakKeyDictionary

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from degu.augment import RandomSubset
from degu.augment.subset import Per
from degu.data.row_files import TokenFile
from degu.distill.copies import with_unlabelled
from degu.distill.stages import LiveStages
from degu.distill.targets import (
    StudentColumns,
    ValTarget,
    check_student,
    student_targets,
    training_activity,
    validation_activity,
)
from degu.ensemble.ensembler import Ensembler, UncertaintyFun, recipe_of
from degu.ensemble.fresh import Builder, fresh_model
from degu.ensemble.inference import Predictor
from degu.ensemble.prediction import EnsembleEvaluation, Prediction
from degu.errors import ConfigError, EnsembleError, TrainingError
from degu.losses import DistillationLoss
from degu.metrics import eval_regression
from degu.seeds import derive_seed
from degu.stacked import train_together
from degu.train.batches import sequences
from degu.train.call import check_arguments
from degu.train.network import Recipe, TrainingSet, network_fits
from degu.train.records import Checkpoints, finished
from degu.train.weights import SUFFIX, load_weights, refuse_overwrite

log = logging.getLogger(__name__)


class EnsembleTargets(NamedTuple):
    """An ensemble's prediction in three parts, each in the targets' units.

    Attributes:
        mean: `(N, K)`.
        uncertainty: Spread of the members by the distiller's uncertainty function, `(N, K)`.
        members: `(M, N, K)`.
    """

    mean: NDArray
    uncertainty: NDArray
    members: NDArray


class StudentEvaluation(NamedTuple):
    """What the evaluation functions returned for the three comparisons of a student.

    Attributes:
        activity: Its means against the measurements.
        uncertainty: Its epistemic columns against the ensemble's.
        agreement: Its means against the ensemble's mean.
    """

    activity: Any
    uncertainty: Any
    agreement: Any


class Distiller:
    """Distils an ensemble into a student that predicts the mean and the uncertainty of every target.

    Args:
        ensembler: The teachers. Members that it gains later are seen.
        uncertainty_fun: Spread that the student learns; by default the ensembler's.
        val_target: What the student's means are validated against: `"measured"` values, as in the published method,
            or the `"ensemble"` mean that it is trained on.
        alpha: Share of the measurement in the training target of the means; the published method uses 0.
        head_weights: Weights of the student's `"mean"`, `"aleatoric"` and `"epistemic"` columns in a squared error that
            replaces the recipe's loss; a kind that is left out weighs 1. None keeps the recipe's loss.
        standardize: Train on standardised columns, so that neither means nor uncertainties drown the other. The
            student speaks the targets' own units all the same.

    Raises:
        ValueError: When an argument is outside its range.

    References:
        Zhou, Rizzo, Christensen, Tang, Koo (2026), "Uncertainty-aware genomic deep learning with knowledge
        distillation", doi:10.1038/s44387-025-00053-3.
    """

    def __init__(
        self,
        ensembler: Ensembler,
        uncertainty_fun: UncertaintyFun | None = None,
        *,
        val_target: ValTarget = "measured",
        alpha: float = 0.0,
        head_weights: Mapping[str, float] | None = None,
        standardize: bool = True,
    ) -> None:
        if val_target not in get_args(ValTarget):
            raise ValueError(f"Expected val_target to be one of {get_args(ValTarget)}. Received: {val_target!r}")
        if not 0 <= alpha <= 1:
            raise ValueError(f"Expected alpha in [0, 1]. Received: alpha={alpha!r}")
        self.ensembler = ensembler
        self.uncertainty_fun = ensembler.uncertainty_fun if uncertainty_fun is None else uncertainty_fun
        self.val_target: ValTarget = val_target
        self.alpha = alpha
        self.head_weights = head_weights
        self.standardize = standardize
        self._predictors: WeakKeyDictionary[keras.Model, Predictor] = WeakKeyDictionary()

    @property
    def num_ensemble(self) -> int:
        """Number of teachers, now."""
        return self.ensembler.num_ensemble

    @property
    def columns(self) -> StudentColumns:
        """Layout of a student's outputs."""
        return StudentColumns(self.ensembler.num_targets, self.ensembler.aleatoric_targets)

    def pred_ensemble(self, x: ArrayLike | TokenFile, batch_size: int = 512) -> EnsembleTargets:
        """Predict with the ensemble: mean, uncertainty and members.

        Args:
            x: Tokens `(N, L)` uint8 or encoded sequences `(N, L, 4)`.
            batch_size: Sequences a batch.
        """
        prediction = self._teach(x, batch_size)
        assert prediction.epistemic is not None
        assert prediction.members is not None
        return EnsembleTargets(prediction.mean, prediction.epistemic, prediction.members)

    def eval_ensemble(
        self, x: ArrayLike, y: ArrayLike, eval_fun: Callable[..., Any] = eval_regression, batch_size: int = 512
    ) -> EnsembleEvaluation:
        """Evaluate the ensemble and every member against measurements; see `Ensembler.eval_ensemble`."""
        return self.ensembler.eval_ensemble(x, y, eval_fun, batch_size)

    def new_student(self, builder: Builder, seed: int = 0) -> keras.Model:
        """Build a student whose initial values depend on the seed alone."""
        return fresh_model(builder, derive_seed(seed, "student"))

    def distill_student(
        self,
        x_train: ArrayLike,
        y_train: ArrayLike,
        model: keras.Model | Builder,
        train_fun: Callable[..., Any],
        validation_data: Sequence[ArrayLike] | None = None,
        save_prefix: str | Path = "student",
        batch_size: int = 512,
        *,
        unlabelled: ArrayLike | None = None,
        seed: int = 0,
        overwrite: bool = False,
        resume: Checkpoints | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        **train_kwargs: Any,
    ) -> tuple[str, Any]:
        """Train a student on the ensemble's predictions.

        The members have fitted the training sequences, so they agree on them more than on new ones. Sequences without
        a measurement show the student what the ensemble thinks of new ones; see `degu.distill.distill_with_copies`.

        Args:
            x_train: Tokens `(N, L)` uint8 or encoded sequences `(N, L, 4)`.
            y_train: Measurements `(N, K)`; they count with share `alpha`.
            model: The student, trained in place from the values it has, or a function without arguments that returns
                a new one. Outputs: K means, an aleatoric column for every target whose noise the teachers predict, K
                epistemic ones.
            train_fun: A recipe such as `degu.train.train_standard_fun`.
            validation_data: `(x, y)` for early stopping.
            save_prefix: Weights go to `<save_prefix>.weights.h5`; folders are made as needed.
            batch_size: Sequences a batch when the teachers predict.
            unlabelled: Further sequences in the form of `x_train`, which the ensemble alone labels.
            seed: Seed of the student, independent of the members of the same seed.
            overwrite: Allow replacing a weight file that exists.
            resume: Keep a student that an earlier call with the same arguments has finished, or go on where it was
                interrupted; see `degu.train.Checkpoints`.
            callbacks: Keras callbacks.
            **train_kwargs: Arguments of `train_fun`, checked against its signature.

        Returns:
            The weight file and what `train_fun` returned, by convention a Keras history.

        Raises:
            ConfigError: When `train_fun` has no such argument.
            EnsembleError: When the student's outputs do not fit, or the weight file exists.
        """
        student = model if isinstance(model, keras.Model) else self.new_student(model, seed)
        recipe = recipe_of(train_fun, self._weighted(train_kwargs), self.standardize, callbacks)
        measured = TrainingSet(x_train, y_train, validation_data)
        return self._train_student(
            student, recipe, measured, save_prefix, batch_size, seed, overwrite, resume, unlabelled
        )

    def distill_student_dynamic(
        self,
        x_train: ArrayLike,
        y_train: ArrayLike,
        model: keras.Model | Builder,
        train_fun: Callable[..., Any],
        validation_data: Sequence[ArrayLike] | None = None,
        save_prefix: str | Path = "student",
        batch_size: int = 512,
        augment_list: Sequence[Any] = (),
        max_augs_per_seq: int = 2,
        hard_aug: bool = False,
        per: Per = "batch",
        *,
        append: bool = False,
        finetune: Mapping[str, Any] | None = None,
        seed: int = 0,
        overwrite: bool = False,
        resume: Checkpoints | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        **train_kwargs: Any,
    ) -> tuple[str, Any]:
        """Train a student on augmented sequences that the ensemble labels in the step, then on the measured ones.

        The first stage augments every batch and labels all its rows by the live ensemble. The second stage is that of
        `distill_student`: sequences as they are, with the ensemble's predictions as fixed targets.

        Args:
            x_train: Tokens `(N, L)` uint8 or encoded sequences `(N, L, 4)`.
            y_train: Measurements `(N, K)`; they count with share `alpha`, in the second stage.
            model: The student, as for `distill_student`.
            train_fun: A recipe such as `degu.train.train_standard_fun`, used in both stages.
            validation_data: `(x, y)` for early stopping, never augmented.
            save_prefix: Weights go to `<save_prefix>.weights.h5`.
            batch_size: Sequences a batch when the teachers predict the fixed targets.
            augment_list: Augmentations of `degu.augment` or objects of `evoaug_tf.augment`, such as
                `[RandomShuffle()]` (random), `[RandomMutation(0.05)]` (mutagenesis) or an EvoAug list.
            max_augs_per_seq: Largest number of augmentations on one sequence.
            hard_aug: True for exactly that number, False for a random number up to it.
            per: `"sequence"` or `"batch"`: what draws its own choice of augmentations.
            append: True to train on every batch followed by its augmented form, False on the augmented form alone.
            finetune: Arguments of `train_fun` that differ in the second stage, such as `{"max_epochs": 30}`; None
                leaves the second stage out.
            seed: Seed of the student.
            overwrite: Allow replacing a weight file that exists.
            resume: As for `distill_student`.
            callbacks: Keras callbacks, for both stages.
            **train_kwargs: Arguments of `train_fun`, checked against its signature.

        Returns:
            The weight file and one Keras history of both stages; its `stage` is 1 or 2 for every epoch.

        Raises:
            ConfigError: When an argument does not exist or an augmentation cannot be used.
            EnsembleError: When the student's outputs do not fit, or the weight file exists.
        """
        student = model if isinstance(model, keras.Model) else self.new_student(model, seed)
        check_arguments(train_fun, {**train_kwargs, **(finetune or {})})
        augmentation = RandomSubset(augment_list, max_augs_per_seq, hard_aug, per, seed=derive_seed(seed, "teach"))
        stages = LiveStages(self.ensembler, self.uncertainty_fun, augmentation, append, train_fun, finetune)
        recipe = recipe_of(stages, self._weighted(train_kwargs), self.standardize, callbacks)
        measured = TrainingSet(x_train, y_train, validation_data)
        return self._train_student(student, recipe, measured, save_prefix, batch_size, seed, overwrite, resume)

    def _weighted(self, train_kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the recipe's arguments, with the loss that the head weights ask for."""
        if self.head_weights is None:
            return dict(train_kwargs)
        if "loss" in train_kwargs:
            raise ConfigError("Expected head_weights or a loss of your own. Received: both. Leave one out")
        return {**train_kwargs, "loss": DistillationLoss(self.columns.weights(self.head_weights))}

    def _train_student(
        self,
        student: keras.Model,
        recipe: Recipe,
        measured: TrainingSet,
        save_prefix: str | Path,
        batch_size: int,
        seed: int,
        overwrite: bool,
        resume: Checkpoints | None,
        unlabelled: ArrayLike | None = None,
    ) -> tuple[str, Any]:
        path = Path(f"{save_prefix}{SUFFIX}")
        check_arguments(recipe.train_fun, recipe.arguments)
        student_seed = derive_seed(seed, "student")
        if resume is not None and (record := finished(path, student_seed)):
            log.info("student: trained before; kept")
            load_weights(student, path)
            return str(path), record.restored_history()
        refuse_overwrite([path], overwrite)
        if self.num_ensemble < 2:
            raise EnsembleError(
                f"Expected at least 2 members, whose disagreement a student learns. Received: {self.num_ensemble}"
            )
        check_student(self.columns, student, self.standardize)
        x = measured.x if unlabelled is None else with_unlabelled(measured.x, unlabelled)
        teaching = self._teach(measured.x, batch_size)
        activity = training_activity(teaching, measured.y, self.alpha)
        targets = student_targets(self.columns, teaching, activity)
        if unlabelled is not None:
            guess = self._teach(unlabelled, batch_size)
            targets = np.concatenate([targets, student_targets(self.columns, guess, guess.mean)])
        data = TrainingSet(x, targets, self._validation(measured.validation, batch_size))
        training = network_fits("student", student, student_seed, recipe, data, path, resume)
        try:
            [(history, _)] = train_together([training], [student_seed], "student")
        except TrainingError as error:
            raise TrainingError(f"student: {error}", error.has_good_weights) from error
        return str(path), history

    def predict_student(
        self, x: ArrayLike | TokenFile, student_model: keras.Model, batch_size: int = 512
    ) -> Prediction:
        """Predict with a student: mean, epistemic and, where the teachers have it, aleatoric.

        Args:
            x: Sequences, as for `pred_ensemble`.
            student_model: A trained student.
            batch_size: Sequences a batch.
        """
        if student_model not in self._predictors:
            self._predictors[student_model] = Predictor(student_model)
        predictor = self._predictors[student_model]
        (outputs,) = predictor.predict([predictor.folded(student_model.get_weights())], sequences(x), batch_size)
        return self.columns.split(outputs)

    def eval_student(
        self,
        x: ArrayLike,
        y: ArrayLike,
        student_model: keras.Model,
        eval_fun: Callable[..., Any] = eval_regression,
        batch_size: int = 512,
        teaching_eval_fun: Callable[..., Any] = eval_regression,
    ) -> StudentEvaluation:
        """Evaluate a student against measurements and against its ensemble.

        Args:
            x: Sequences, as for `pred_ensemble`.
            y: Measurements `(N, K)`.
            student_model: A trained student.
            eval_fun: `eval_fun(predictions, targets)` for the measurements, such as
                `degu.metrics.eval_classification` for labels.
            batch_size: Sequences a batch, for the student and for the ensemble.
            teaching_eval_fun: The same for the ensemble's predictions, which are no labels.
        """
        teaching = self._teach(x, batch_size)
        student = self.predict_student(x, student_model, batch_size)
        return StudentEvaluation(
            activity=eval_fun(student.mean, y),
            uncertainty=teaching_eval_fun(student.epistemic, teaching.epistemic),
            agreement=teaching_eval_fun(student.mean, teaching.mean),
        )

    def _teach(self, x: ArrayLike, batch_size: int) -> Prediction:
        """Return the ensemble's prediction with the spread that the student learns."""
        prediction = self.ensembler.predict(x, batch_size)
        return prediction._replace(epistemic=self.uncertainty_fun(prediction.members, axis=0))

    def _validation(
        self, validation_data: Sequence[ArrayLike] | None, batch_size: int
    ) -> tuple[ArrayLike, NDArray] | None:
        if validation_data is None:
            return None
        x, y = validation_data
        teaching = self._teach(x, batch_size)
        return x, student_targets(self.columns, teaching, validation_activity(teaching, y, self.val_target))
