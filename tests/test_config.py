import dataclasses
from pathlib import Path
from typing import Any

import numpy
import pytest

from scicot import (
    EvaluateSettings,
    GenerateSettings,
    PredictSettings,
    ReadingSettings,
    RewardSettings,
    ScicotError,
    Shard,
    TrainSettings,
)
from scicot.errors import UsageError

CLASSES = (
    *(EvaluateSettings, GenerateSettings, PredictSettings, ReadingSettings, RewardSettings),
    *(Shard, TrainSettings),
)
NEEDED: dict[Any, dict[str, Any]] = {
    RewardSettings: {"reward": "run"},
    Shard: {"number": 1, "count": 2},
}


@pytest.mark.parametrize(
    ("settings", "values", "said"),
    [
        (GenerateSettings, {"samples": 0}, "--samples is 0; it must be from 1 to 10,000"),
        (GenerateSettings, {"keep": "some"}, "--keep is some; it must be correct or all"),
        (GenerateSettings, {"max_wait": -1}, "--max-wait"),
        (TrainSettings, {"epochs": 0}, "--epochs"),
        (TrainSettings, {"max_steps": 0}, "--max-steps"),
        (TrainSettings, {"learning_rate": 0}, "--learning-rate"),
        (TrainSettings, {"seed": -1}, "--seed"),
        (TrainSettings, {"precision": "fp16"}, "T5 overflows in fp16; use bf16 or fp32"),
        (TrainSettings, {"precision": "int8"}, "--precision is int8"),
        (PredictSettings, {"rationale_from": "thin air"}, "--rationale-from"),
        (PredictSettings, {"batch_size": 0}, "--batch-size"),
        (PredictSettings, {"precision": "fp16"}, "fp16"),
        (EvaluateSettings, {"level": 1.0}, "--level"),
        (EvaluateSettings, {"resamples": 1}, "--resamples"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_option(
    settings: Any, values: dict[str, Any], said: str
) -> None:
    with pytest.raises(ScicotError, match=said):
        settings(**values)


@pytest.mark.parametrize(
    ("settings", "name"),
    [(kind, field.name) for kind in CLASSES for field in dataclasses.fields(kind)],
)
@pytest.mark.parametrize("value", [object(), {"a": 1}, b"1", 1j])
def test_every_setting_refuses_a_value_of_another_type(
    settings: Any, name: str, value: object
) -> None:
    with pytest.raises(UsageError, match=f"^{name} is .*; it must be ") as refused:
        settings(**{**NEEDED.get(settings, {}), name: value})
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "values", "said"),
    [
        (PredictSettings, {"samples": "3"}, "samples is '3'; it must be an int"),
        (PredictSettings, {"seed": 1.5}, "seed is 1.5; it must be an int"),
        (PredictSettings, {"window": 2.5}, "window is 2.5; it must be an int or None"),
        (PredictSettings, {"vote": "yes"}, "vote is 'yes'; it must be True or False"),
        (PredictSettings, {"mix_direct": True}, "mix_direct is True; it must be a number or a str"),
        (EvaluateSettings, {"level": "0.9"}, "level is '0.9'; it must be a number"),
        (EvaluateSettings, {"by": {"b", "a"}}, "; it must be a str, or a list of such"),
        (TrainSettings, {"clean": "no"}, "clean is 'no'; it must be True or False"),
        (TrainSettings, {"shuffle_choices": 2}, "shuffle_choices is 2; it must be True or False"),
        (TrainSettings, {"batch_size": True}, "batch_size is True; it must be an int or a str"),
        (TrainSettings, {"max_steps": 2.5}, "max_steps is 2.5; it must be an int or None"),
        (TrainSettings, {"epochs": True}, "epochs is True; it must be a number or None"),
        (TrainSettings, {"precision": 16}, "precision is 16; it must be 'auto' or 'fp32' or "),
        (GenerateSettings, {"price": "1,2"}, "price is '1,2'; it must be (a number, a number)"),
        (GenerateSettings, {"price": (1, 2, 3)}, "price is (1, 2, 3); it must be (a number, a"),
        (ReadingSettings, {"answer_index": True}, "answer_index is True; it must be 0 or 1 or"),
    ],
)
def test_a_value_is_not_taken_for_one_of_another_type(
    settings: Any, values: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError) as refused:
        settings(**values)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "values", "kept"),
    [
        (TrainSettings, {"epochs": 3}, {"epochs": 3}),
        (TrainSettings, {"max_steps": numpy.int64(3)}, {"max_steps": 3}),
        (TrainSettings, {"learning_rate": numpy.float32(0.5)}, {"learning_rate": 0.5}),
        (TrainSettings, {"clean": numpy.bool_(True)}, {"clean": True}),
        (TrainSettings, {"clean": 1, "max_steps": 3.0}, {"clean": True, "max_steps": 3}),
        (TrainSettings, {"weights": numpy.array([1.0, 2.0])}, {"weights": (1.0, 2.0)}),
        (TrainSettings, {"batch_size": "8192tokens"}, {"batch_size": "8192tokens"}),
        (GenerateSettings, {"price": [1, 2.5]}, {"price": (1, 2.5)}),
        (EvaluateSettings, {"by": ["a", "b"]}, {"by": ("a", "b")}),
        (RewardSettings, {"reward": Path("runs/a")}, {"reward": "runs/a"}),
    ],
)
def test_values_of_similar_types_are_converted(
    settings: Any, values: dict[str, Any], kept: dict[str, Any]
) -> None:
    made = settings(**values)
    for name, value in kept.items():
        assert getattr(made, name) == value
        assert type(getattr(made, name)) is type(value)
