"""The three kinds of rows: questions, rationales and predictions.

A question row in a JSONL file:

    {"id": "q1", "question": "Which conducts electricity?",
     "choices": [{"label": "A", "text": "wood"}, {"label": "B", "text": "copper"}],
     "answer": "B", "context": "", "meta": {"subject": "physics"}}

Rationale and prediction rows contain all fields of their question, so no file depends on another.
Required fields are checked strictly, the others have defaults, and unknown fields are kept in the
question's `extra` and written unchanged.
"""

from __future__ import annotations

from scicot.records.fields import (
    PREDICTED,
    PREDICTION_FIELDS,
    QUESTION_FIELDS,
    RATIONALE_FIELDS,
    REASONS,
    REJECTED_FIELDS,
    STUDENT,
)
from scicot.records.prediction import Prediction
from scicot.records.question import MAX_CHOICES, MIN_CHOICES, Choice, Question, content_id
from scicot.records.rationale import MAX_SAMPLE, Rationale

__all__ = [
    "MAX_CHOICES",
    "MAX_SAMPLE",
    "MIN_CHOICES",
    "PREDICTED",
    "PREDICTION_FIELDS",
    "QUESTION_FIELDS",
    "RATIONALE_FIELDS",
    "REASONS",
    "REJECTED_FIELDS",
    "STUDENT",
    "Choice",
    "Prediction",
    "Question",
    "Rationale",
    "content_id",
]
