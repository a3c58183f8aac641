"""Predictions (answers to questions), read from rows and converted to rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct, field

from scicot.records.fields import PREDICTION_FIELDS
from scicot.records.question import Question
from scicot.row_fields import MAPPING, Row, RowProblem, mapping_field
from scicot.text import whole_characters

_ROUNDING = 0.02  # tolerance for the sum of probabilities, which other tools may have rounded
_MAX_PROBABILITY = 1 + 1e-6  # a probability of 1, rounded to fp32


class Prediction(Struct, frozen=True):
    """An answer to a question. `prediction` is a label, or None if there is no answer.

    `rationales` are the texts that the student read. `scores` are the probabilities of the labels,
    which sum to 1, and `confidence` is the highest of them. `abstained` is True if no answer was
    given because the confidence was below --abstain-below. `models` records how the answer was
    made: runs, source of the rationales, kind of scoring.
    """

    question: Question
    rationales: tuple[str, ...]
    prediction: str | None
    scores: Mapping[str, float]
    confidence: float | None
    models: Mapping[str, Any] = field(default_factory=dict)
    abstained: bool = False

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Prediction:
        """Convert a prediction row to a prediction. Raises RowProblem, which names the invalid
        field."""
        question = Question.from_row(row, without=PREDICTION_FIELDS)
        if "prediction" not in row:
            raise RowProblem('"prediction" is missing')
        prediction = row["prediction"]
        if prediction is not None:
            labels = question.labels
            if prediction not in labels:
                raise RowProblem(
                    f'"prediction" is {prediction!r}, which is none of the labels {[*labels]}'
                )
        rationales = row.get("rationales") or []
        if not isinstance(rationales, list) or not all(isinstance(r, str) for r in rationales):
            raise RowProblem('"rationales" must be a list of strings')
        scores = row.get("scores") or {}
        if not isinstance(scores, MAPPING) or not _are_probabilities(scores.values()):
            raise RowProblem('"scores" must map labels to probabilities, from 0 to 1')
        total = sum(scores.values())
        complete = len(scores) == len(question.choices)
        if total > 1 + _ROUNDING or (complete and total < 1 - _ROUNDING):
            raise RowProblem(f'"scores" add up to {total:.4g}, not to 1')
        confidence = row.get("confidence")
        if confidence is not None and not _is_probability(confidence):
            raise RowProblem('"confidence" must be a probability, from 0 to 1, or null')
        models, abstained = mapping_field(row, "models"), row.get("abstained") is True
        texts = tuple(map(whole_characters, rationales))
        return cls(question, texts, prediction, scores, confidence, models, abstained)

    def to_row(self) -> Row:
        return {
            **self.question.to_row(),
            "rationales": list(self.rationales),
            "prediction": self.prediction,
            "scores": dict(self.scores),
            "confidence": self.confidence,
            **({"abstained": True} if self.abstained else {}),
            "models": dict(self.models),
        }


def _are_probabilities(values: Iterable[Any]) -> bool:
    for value in values:
        if not (type(value) is float and 0 <= value <= 1) and not _is_probability(value):
            return False
    return True


def _is_probability(value: Any) -> bool:
    return isinstance(value, (int, float)) and value is not True and 0 <= value <= _MAX_PROBABILITY
