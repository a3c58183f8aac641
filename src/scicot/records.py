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

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scicot.row_fields import (
    MAPPING,
    Row,
    RowProblem,
    checked_utf8,
    mapping_field,
    model_text_field,
    string_field,
)
from scicot.text import whole_characters

_ROUNDING = 0.02  # tolerance for the sum of probabilities, which other tools may have rounded
_MAX_PROBABILITY = 1 + 1e-6  # a probability of 1, rounded to fp32

MAX_SAMPLE = 2**31 - 1
MIN_CHOICES = 2
MAX_CHOICES = 26

QUESTION_FIELDS = frozenset({"id", "question", "choices", "answer", "context", "meta"})
RATIONALE_FIELDS = (
    "rationale",
    "sample",
    "teacher",
    "conclusion",
    "still_concludes",
    "saw_answer",
    "request",
    "usage",
    "reply",
    "thinking",
)
_RAW_TEXTS = ("reply", "thinking")  # rationale fields with the teacher's raw texts
# Reasons to reject a reply of the teacher (the "reason" in OUT.rejected.jsonl).
REASONS = (
    "wrong-conclusion",
    "refusal",
    "truncated",
    "no-thinking",
    "empty",
    "too-short",
    "too-long",
    "repetitive",
    "duplicate",
    "leaks-answer",
    "error",
)
# Prefix of the teacher's name if a student wrote the rationale: "student:RUN@HASH".
STUDENT = "student:"
PREDICTED = "predicted"  # the teacher's name for rationales taken from prediction rows
PREDICTION_FIELDS = ("rationales", "prediction", "scores", "confidence", "abstained", "models")


@dataclass(frozen=True, slots=True)
class Choice:
    label: str
    text: str
    extra: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Question:
    """A multiple-choice question. `answer` is the label of the gold answer, or None if that is
    unknown. `extra` holds the fields of the row that are not part of the question."""

    id: str
    question: str
    choices: tuple[Choice, ...]
    answer: str | None = None
    context: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple([choice.label for choice in self.choices])

    def text_of(self, label: str) -> str:
        """Return the text of the choice with this label. Raises KeyError if there is none."""
        for choice in self.choices:
            if choice.label == label:
                return choice.text
        raise KeyError(label)

    @classmethod
    def from_row(cls, row: Mapping[str, Any], without: Collection[str] = ()) -> Question:
        """Convert a row in scicot's own schema to a question. Its other fields are kept in `extra`,
        except those in `without`. Raises RowProblem, which names the invalid field."""
        text = string_field(row, "question")
        choices = _choices(row.get("choices"))
        labels = [choice.label for choice in choices]
        answer = row.get("answer")
        if answer is not None and answer not in labels:
            raise RowProblem(f'"answer" is {answer!r:.80}, none of the labels {labels}')
        context = string_field(row, "context", default="")
        meta = mapping_field(row, "meta")
        identity = row.get("id")
        if identity is None:
            identity = content_id(text, context, choices)
        elif isinstance(identity, int) and not isinstance(identity, bool):
            identity = str(identity)
        elif not isinstance(identity, str) or not identity:
            raise RowProblem('"id" must be a non-empty string')
        excluded = QUESTION_FIELDS.union(without)
        extra = {key: value for key, value in row.items() if key not in excluded}
        return cls(identity, text, choices, answer, context, dict(meta), extra)

    def to_row(self) -> Row:
        """Return the question as a row: scicot's fields first, then those in `extra`."""
        row: Row = {
            "id": self.id,
            "question": self.question,
            "choices": [{"label": c.label, "text": c.text, **c.extra} for c in self.choices],
            "answer": self.answer,
        }
        if self.context:
            row["context"] = self.context
        if self.meta:
            row["meta"] = dict(self.meta)
        return {**row, **self.extra}

    def field(self, path: str) -> Any:
        """Return the value of a field of the row, given as a dotted path such as "meta.subject".
        Raises KeyError if there is none."""
        value: Any = {"meta": self.meta} if path.startswith("meta.") else self.to_row()
        for name in path.split("."):
            if not isinstance(value, MAPPING) or name not in value:
                raise KeyError(path)
            value = value[name]
        return value

    def without_rationale(self) -> Question:
        """Return a copy of the question whose `extra` lacks the fields that a rationale row adds.
        "fold" is removed only if a student wrote the row; otherwise it is a field of the user's
        file."""
        by_student = str(self.extra.get("teacher")).startswith(STUDENT)
        return self.without((*RATIONALE_FIELDS, "fold") if by_student else RATIONALE_FIELDS)

    def without(self, fields: Sequence[str]) -> Question:
        """Return a copy of the question whose `extra` lacks these fields."""
        extra = {key: value for key, value in self.extra.items() if key not in fields}
        return Question(
            self.id, self.question, self.choices, self.answer, self.context, self.meta, extra
        )


@dataclass(frozen=True, slots=True)
class Rationale:
    """A rationale of a question, with its origin. `teacher` names the model that wrote it. `sample`
    is its number, from 0, if the teacher wrote several for the question. `conclusion` is the label
    of the choice that the teacher's reply names. `saw_answer` is True if the prompt contained the
    gold answer. `request` is a hash of the request to the teacher."""

    question: Question
    rationale: str
    sample: int = 0
    teacher: str | None = None
    conclusion: str | None = None
    saw_answer: bool = False
    request: str | None = None
    usage: Mapping[str, float] = field(default_factory=dict)  # tokens by kind, and "cost_usd"
    fold: int | None = None  # for out-of-fold rationales: the fold whose student wrote it
    # The label of the choice that the rationale still states as the answer, in a sentence that is
    # part of its reasoning.
    still_concludes: str | None = None
    # The raw reply, and thinking that the server sent separately. Kept if the rationale is not the
    # whole cleaned reply (--rationale-source thinking, --max-rationale-tokens).
    reply: str | None = None
    thinking: str | None = None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Rationale:
        """Convert a rationale row to a rationale. Raises RowProblem, which names the invalid
        field."""
        question = Question.from_row(row).without_rationale()
        by_student = str(row.get("teacher")).startswith(STUDENT)
        # A poor student may write an empty rationale; its row is still valid.
        blank = by_student or row.get("teacher") == PREDICTED
        text = model_text_field(row, "rationale", blank=blank)
        sample = row.get("sample", 0)
        whole_number = isinstance(sample, int) and not isinstance(sample, bool)
        if not whole_number or not 0 <= sample <= MAX_SAMPLE:
            raise RowProblem(f'"sample" must be a whole number from 0 to {MAX_SAMPLE}')
        saw_answer = row.get("saw_answer", False)
        if not isinstance(saw_answer, bool):
            raise RowProblem('"saw_answer" must be true or false')
        for name in ("conclusion", "still_concludes"):
            if row.get(name) is not None and not isinstance(row[name], str):
                raise RowProblem(f'"{name}" must be a label or null')
        return cls(
            question,
            text,
            sample,
            row.get("teacher"),
            row.get("conclusion"),
            saw_answer,
            row.get("request"),
            mapping_field(row, "usage"),
            row["fold"] if by_student and isinstance(row.get("fold"), int) else None,
            row.get("still_concludes"),
            *(row[name] if isinstance(row.get(name), str) else None for name in _RAW_TEXTS),
        )

    def to_row(self) -> Row:
        row = self.question.to_row()
        row["rationale"] = self.rationale
        row["sample"] = self.sample
        row["teacher"] = self.teacher
        row["conclusion"] = self.conclusion
        if self.still_concludes is not None:
            row["still_concludes"] = self.still_concludes
        row["saw_answer"] = self.saw_answer
        if self.request is not None:
            row["request"] = self.request
        if self.usage:
            row["usage"] = dict(self.usage)
        for name in _RAW_TEXTS:
            if getattr(self, name) is not None:
                row[name] = getattr(self, name)
        if self.fold is not None:
            row["fold"] = self.fold
        return row


@dataclass(frozen=True, slots=True)
class Prediction:
    """An answer to a question: `prediction` is a label, or None if there is no answer (never a
    guess).

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
            labels = list(question.labels)
            if prediction not in labels:
                raise RowProblem(
                    f'"prediction" is {prediction!r}, which is none of the labels {labels}'
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


def content_id(question: str, context: str, choices: Sequence[Choice]) -> str:
    """Return an id for a question that has none: a digest of its text, context and choices, so that
    it is the same in every run."""
    content = [question, context, [[choice.label, choice.text] for choice in choices]]
    canonical = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _choices(value: Any) -> tuple[Choice, ...]:
    if value is None:
        raise RowProblem('"choices" is missing')
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise RowProblem('"choices" must be a list of {"label": ..., "text": ...}')
    if not MIN_CHOICES <= len(value) <= MAX_CHOICES:
        raise RowProblem(f'"choices" has {len(value)}; {MIN_CHOICES} to {MAX_CHOICES} are read')
    choices = [_choice(choice, number) for number, choice in enumerate(value, start=1)]
    labels = [choice.label for choice in choices]
    if len(set(labels)) < len(labels):
        raise RowProblem(f"two choices have the same label: {labels}")
    return tuple(choices)


def _choice(value: Any, number: int) -> Choice:
    label: Any
    text: Any
    if type(value) is dict and len(value) == 2:
        label, text = value.get("label"), value.get("text")
        # True of nearly all choices, and twice as fast as the checks below.
        if (type(label) is type(text) is str and label.isascii() and text.isascii()) and (
            label.strip() and text.strip()
        ):
            return Choice(label, text)
    if not isinstance(value, MAPPING):
        raise RowProblem(f'choice {number} must be {{"label": ..., "text": ...}}')
    label, text = value.get("label"), value.get("text")
    for name, text_value in (("label", label), ("text", text)):
        if not isinstance(text_value, str) or not text_value.strip():
            raise RowProblem(f'choice {number} has no "{name}"')
        if not text_value.isascii():
            checked_utf8(text_value, f"choice {number}")
    if len(value) == 2:
        return Choice(label, text)
    return Choice(
        label, text, {key: extra for key, extra in value.items() if key not in ("label", "text")}
    )
