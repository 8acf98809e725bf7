"""Measures of agreement between predictions and measurements, one value a target."""

from degu.metrics.bootstrap import Bootstrap
from degu.metrics.calibration import calibration_band, calibration_curve
from degu.metrics.classification import ClassificationMetrics, eval_classification
from degu.metrics.gaussian import central_confidence, gaussian_interval, probability_integral_transform
from degu.metrics.intervals import Interval, eval_intervals
from degu.metrics.probabilistic import CONFIDENCE_LEVELS, GAUSSIAN_METRICS, eval_gaussian
from degu.metrics.regression import RegressionMetrics, UndefinedMetricWarning, eval_regression
from degu.metrics.sparsification import sparsification_curve
from degu.metrics.tables import HIGHER_IS_BETTER, flatten

__all__ = [
    "CONFIDENCE_LEVELS",
    "GAUSSIAN_METRICS",
    "HIGHER_IS_BETTER",
    "Bootstrap",
    "ClassificationMetrics",
    "Interval",
    "RegressionMetrics",
    "UndefinedMetricWarning",
    "calibration_band",
    "calibration_curve",
    "central_confidence",
    "eval_classification",
    "eval_gaussian",
    "eval_intervals",
    "eval_regression",
    "flatten",
    "gaussian_interval",
    "probability_integral_transform",
    "sparsification_curve",
]
