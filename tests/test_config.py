from typing import Any

import pytest

from scicot import EvaluateSettings, GenerateSettings, PredictSettings, ScicotError, TrainSettings


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
        (TrainSettings, {"precision": "fp16"}, "T5 overflows in fp16; take bf16 or fp32"),
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
