"""The verbs for Python: settings as plain keywords, rows in memory beside files, and results as
rows. The command line calls the functions behind them (annotation, training, prediction, ...)."""

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
