"""Single models, ensemble and student side by side."""

from degu.evaluation.baselines import MCDropout, SingleNetwork
from degu.evaluation.comparison import compare, member_metrics, noise_metrics, student_metrics
from degu.evaluation.shift import shift_metrics
from degu.evaluation.shifted_sets import ShiftedSet, shifted_sets
from degu.evaluation.uncertainty import predicted_stds, uncertainty_metrics

__all__ = [
    "MCDropout",
    "ShiftedSet",
    "SingleNetwork",
    "compare",
    "member_metrics",
    "noise_metrics",
    "predicted_stds",
    "shift_metrics",
    "shifted_sets",
    "student_metrics",
    "uncertainty_metrics",
]
