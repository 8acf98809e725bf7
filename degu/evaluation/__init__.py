"""Single models, ensemble and student side by side."""

from degu.evaluation.comparison import compare, member_metrics, noise_metrics, student_metrics

__all__ = ["compare", "member_metrics", "noise_metrics", "student_metrics"]
