"""The statistics a verdict rests on: plain functions of counts and arrays, no rows in sight."""

from scicot.statistics.confidence import (
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
    bootstrap,
    wilson_interval,
)
from scicot.statistics.tests import holm, mcnemar_exact, questions_needed

__all__ = [
    "Floats",
    "Interval",
    "Ints",
    "Reliability",
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
    "wilson_interval",
]
