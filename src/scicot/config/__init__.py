"""The settings of every command, with their defaults, in one place. This package does not import
torch.

Each class validates the values when an instance is created. The error message says what is allowed.
The command line takes its defaults from these classes and passes its options to them.
"""

from scicot.config.checks import AUTO, Precision
from scicot.config.evaluate_settings import EvaluateSettings
from scicot.config.generate_settings import (
    GenerateSettings,
    Keep,
    RationaleSource,
    RevealAnswer,
)
from scicot.config.predict_settings import (
    SAMPLING,
    EngineName,
    EnginePrecision,
    LengthNormalisation,
    PredictSettings,
    RationaleFrom,
    Scoring,
    Shard,
    Weigh,
)
from scicot.config.reading_settings import AnswerIndex, ReadingSettings
from scicot.config.reward_settings import RewardAbove, RewardSettings
from scicot.config.train_settings import (
    RECIPES,
    AnswerAs,
    AnswerForm,
    Attention,
    Method,
    PromptFormatName,
    Quantization,
    SelectBy,
    Tracker,
    TrainSettings,
)

__all__ = [
    "AUTO",
    "RECIPES",
    "SAMPLING",
    "AnswerAs",
    "AnswerForm",
    "AnswerIndex",
    "Attention",
    "EngineName",
    "EnginePrecision",
    "EvaluateSettings",
    "GenerateSettings",
    "Keep",
    "LengthNormalisation",
    "Method",
    "Precision",
    "PredictSettings",
    "PromptFormatName",
    "Quantization",
    "RationaleFrom",
    "RationaleSource",
    "ReadingSettings",
    "RevealAnswer",
    "RewardAbove",
    "RewardSettings",
    "Scoring",
    "SelectBy",
    "Shard",
    "Tracker",
    "TrainSettings",
    "Weigh",
]
