"""The Python API: one function for each command. Settings are keywords, and rows may be in files or
in memory. The command line does not use this package; it calls the underlying functions
(annotation, training, prediction, ...) directly."""

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
