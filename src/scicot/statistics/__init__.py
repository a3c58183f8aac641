"""The statistics that evaluations use, as plain functions of counts and arrays."""

from scicot.statistics.calibration import (
    Reliability,
    RiskCoverage,
    brier_score,
    calibration_error_by_chance,
    expected_calibration_error,
    negative_log_likelihood,
    reliability,
    risk_coverage,
)
from scicot.statistics.intervals import (
    Floats,
    Interval,
    Ints,
    Resampled,
    bootstrap,
    wilson_interval,
)
from scicot.statistics.significance import holm, mcnemar_exact, questions_needed
from scicot.statistics.t_distribution import student_quantile, student_tail

__all__ = [
    "Floats",
    "Interval",
    "Ints",
    "Reliability",
    "Resampled",
    "RiskCoverage",
    "bootstrap",
    "brier_score",
    "calibration_error_by_chance",
    "expected_calibration_error",
    "holm",
    "mcnemar_exact",
    "negative_log_likelihood",
    "questions_needed",
    "reliability",
    "risk_coverage",
    "student_quantile",
    "student_tail",
    "wilson_interval",
]
