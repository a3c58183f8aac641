"""The Python API: one function for each command, with settings as keywords, rows in memory or in
files, and results as rows. The command line calls the underlying functions (annotation, training,
prediction, ...) directly."""

from scicot.api.results import Predictions, Rationales
from scicot.api.verbs import (
    check,
    estimate_cost,
    evaluate,
    generate_rationales,
    merge,
    predict,
    train_answer,
    train_rationale,
)

__all__ = [
    "Predictions",
    "Rationales",
    "check",
    "estimate_cost",
    "evaluate",
    "generate_rationales",
    "merge",
    "predict",
    "train_answer",
    "train_rationale",
]
