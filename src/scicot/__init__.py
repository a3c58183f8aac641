"""Distil the chain-of-thought of a large language model into small students.

Each command of the command line is a function here:

    import scicot

    print(scicot.check("train.csv").read_as)
    scicot.generate_rationales("train.jsonl", "rationales.jsonl",
                               teacher="anthropic:claude-haiku-5-5")
    scicot.train_rationale(["rationales.jsonl"], "runs/rationale", student="google/flan-t5-small")
    scicot.train_answer(["rationales.jsonl"], "runs/answer", student="google/flan-t5-small")
    scicot.predict("test.jsonl", "predictions.jsonl",
                   rationale_model="runs/rationale", answer_model="runs/answer")
    print(scicot.evaluate(["predictions.jsonl"]).systems[0].accuracy)

Public names are imported when they are first used, so that `import scicot` loads neither torch nor
transformers.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from scicot.version import __version__

if TYPE_CHECKING:
    from scicot.annotation import Estimate
    from scicot.api import (
        Predictions,
        Rationales,
        check,
        estimate_cost,
        evaluate,
        generate_rationales,
        merge,
        predict,
        train_answer,
        train_rationale,
    )
    from scicot.checking import Check
    from scicot.config import (
        EvaluateSettings,
        GenerateSettings,
        PredictSettings,
        ReadingSettings,
        RewardSettings,
        Shard,
        TrainSettings,
    )
    from scicot.errors import InvalidRow, ScicotError, StoppedEarly
    from scicot.evaluation import Comparison, Evaluation, System
    from scicot.records import Choice, Prediction, Question, Rationale

# The module that defines each public name.
_HOMES = {
    "scicot.annotation": ("Estimate",),
    "scicot.api": (
        *("Predictions", "Rationales", "check", "estimate_cost", "evaluate"),
        *("generate_rationales", "merge", "predict", "train_answer", "train_rationale"),
    ),
    "scicot.checking": ("Check",),
    "scicot.config": (
        "EvaluateSettings",
        "GenerateSettings",
        "PredictSettings",
        "ReadingSettings",
        "RewardSettings",
        "Shard",
        "TrainSettings",
    ),
    "scicot.errors": ("InvalidRow", "ScicotError", "StoppedEarly"),
    "scicot.evaluation": ("Comparison", "Evaluation", "System"),
    "scicot.records": ("Choice", "Prediction", "Question", "Rationale"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Check",
    "Choice",
    "Comparison",
    "Estimate",
    "EvaluateSettings",
    "Evaluation",
    "GenerateSettings",
    "InvalidRow",
    "PredictSettings",
    "Prediction",
    "Predictions",
    "Question",
    "Rationale",
    "Rationales",
    "ReadingSettings",
    "RewardSettings",
    "ScicotError",
    "Shard",
    "StoppedEarly",
    "System",
    "TrainSettings",
    "__version__",
    "check",
    "estimate_cost",
    "evaluate",
    "generate_rationales",
    "merge",
    "predict",
    "train_answer",
    "train_rationale",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
