"""Measures of agreement between predictions and measurements, one value a target."""

from degu.metrics.classification import ClassificationMetrics, eval_classification
from degu.metrics.regression import RegressionMetrics, UndefinedMetricWarning, eval_regression
from degu.metrics.tables import HIGHER_IS_BETTER, flatten

__all__ = [
    "HIGHER_IS_BETTER",
    "ClassificationMetrics",
    "RegressionMetrics",
    "UndefinedMetricWarning",
    "eval_classification",
    "eval_regression",
    "flatten",
]
