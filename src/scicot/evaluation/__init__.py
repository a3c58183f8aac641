"""Evaluate predictions: compute the metrics of each system with confidence intervals, and test
whether systems differ significantly."""

from scicot.evaluation.comparing import Comparison
from scicot.evaluation.job import Evaluation, evaluate, systems_of
from scicot.evaluation.metrics import Calibration, Group, System
from scicot.evaluation.names import name_files

__all__ = [
    "Calibration",
    "Comparison",
    "Evaluation",
    "Group",
    "System",
    "evaluate",
    "name_files",
    "systems_of",
]
