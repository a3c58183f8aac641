"""Predictions -> a verdict: how good each system is, how sure of that one can be, and whether two
systems really differ."""

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
