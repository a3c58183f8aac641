"""Multiple-choice questions, read from rows and converted to rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

from msgspec import Struct, field

from scicot.records.fields import QUESTION_FIELDS, RATIONALE_FIELDS, STUDENT
from scicot.row_fields import (
    MAPPING,
    Row,
    RowProblem,
    as_json,
    checked_utf8,
    mapping_field,
    string_field,
)

MIN_CHOICES = 2
MAX_CHOICES = 26


# The records are msgspec structs, which are created seven times as fast as frozen dataclasses.
class Choice(Struct, frozen=True, eq=False):
    """A choice of a question. `extra` holds the fields that the row has for this choice besides
    label and text. Two choices are equal if their labels and texts are equal."""

    label: str
    text: str
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Choice) and (self.label, self.text) == (other.label, other.text)

    def __ne__(self, other: object) -> bool:  # that of Struct compares identities
        return not self == other

    def __hash__(self) -> int:
        return hash((self.label, self.text))


class Question(Struct, frozen=True):
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
        """Convert a row in scicot's own schema to a question. The row's other fields are kept in
        `extra`, except those in `without`. Raises RowProblem, which names the invalid field."""
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
        known = _known_fields(tuple(without)) if without else QUESTION_FIELDS
        extra = {}
        if not row.keys() <= known:
            extra = {key: value for key, value in row.items() if key not in known}
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
        """Return the value of a field of the row. `path` is a dotted path such as "meta.subject".
        Raises KeyError if the row has no such field."""
        value: Any = {"meta": self.meta} if path.startswith("meta.") else self.to_row()
        for name in path.split("."):
            if not isinstance(value, MAPPING) or name not in value:
                raise KeyError(path)
            value = value[name]
        return value

    def field_paths(self) -> list[str]:
        """Return the names of fields by which questions can be grouped, such as "subject" and
        "meta.level". These are the fields in "meta" and the fields that scicot does not define, if
        their value is a text, a number or a boolean."""
        paths = []
        for name, value in {"meta": self.meta, **self.extra}.items():
            inner = value if isinstance(value, MAPPING) else None
            found = {name: value} if inner is None else {f"{name}.{k}": v for k, v in inner.items()}
            paths += [
                path
                for path, leaf in found.items()
                if leaf is not None and not isinstance(leaf, (*MAPPING, list))
            ]
        return paths

    def without_rationale(self) -> Question:
        """Return a copy of the question, without the fields in `extra` that a rationale row adds to
        a question row."""
        # A student's rationale row adds "fold"; in any other row it is a field of the user's file.
        by_student = str(self.extra.get("teacher")).startswith(STUDENT)
        return self.without((*RATIONALE_FIELDS, "fold") if by_student else RATIONALE_FIELDS)

    def without(self, fields: Sequence[str]) -> Question:
        """Return a copy of the question whose `extra` lacks these fields."""
        extra = {key: value for key, value in self.extra.items() if key not in fields}
        return Question(
            self.id, self.question, self.choices, self.answer, self.context, self.meta, extra
        )


@lru_cache(maxsize=16)
def _known_fields(further: tuple[str, ...]) -> frozenset[str]:
    return QUESTION_FIELDS.union(further)


def content_id(question: str, context: str, choices: Sequence[Choice]) -> str:
    """Return an id for a question that has none. The id is a digest of the question's text, context
    and choices, so equal questions always get the same id."""
    content = [question, context, [[choice.label, choice.text] for choice in choices]]
    canonical = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _choices(value: Any) -> tuple[Choice, ...]:
    if value is None:
        raise RowProblem('"choices" is missing')
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise RowProblem('"choices" must be a list of {"label": ..., "text": ...}')
    if not MIN_CHOICES <= len(value) <= MAX_CHOICES:
        count = "1 choice" if len(value) == 1 else f"{len(value)} choices"
        raise RowProblem(f'"choices" has {count}; {MIN_CHOICES} to {MAX_CHOICES} are allowed')
    if not any(isinstance(choice, MAPPING) for choice in value):
        _check_texts(value)
    choices = [_choice(choice, number) for number, choice in enumerate(value, start=1)]
    labels = [choice.label for choice in choices]
    if len(set(labels)) < len(labels):
        raise RowProblem(f"two choices have the same label: {labels}")
    return tuple(choices)


def _check_texts(values: Sequence[Any]) -> None:
    """Raise RowProblem if an element of `values` is not a string."""
    for number, value in enumerate(values, start=1):
        if not isinstance(value, str):
            raise RowProblem(f"choice {number} is {as_json(value)}; it must be a string")


def _choice(value: Any, number: int) -> Choice:
    label: Any
    text: Any
    if type(value) is dict and len(value) == 2:
        label, text = value.get("label"), value.get("text")
        # True of nearly all choices, and twice as fast as the checks below.
        if (type(label) is type(text) is str and label.isascii() and text.isascii()) and (
            label.strip() and text.strip()
        ):
            return Choice(label, text, {})
    if not isinstance(value, MAPPING):
        raise RowProblem(f'choice {number} must be {{"label": ..., "text": ...}}')
    label, text = value.get("label"), value.get("text")
    for name, text_value in (("label", label), ("text", text)):
        if not isinstance(text_value, str) or not text_value.strip():
            if text_value is None or isinstance(text_value, str):
                raise RowProblem(f'choice {number} has no "{name}"')
            shown = as_json(text_value)
            raise RowProblem(f"the {name} of choice {number} is {shown}; it must be a string")
        if not text_value.isascii():
            checked_utf8(text_value, f"choice {number}")
    if len(value) == 2:
        return Choice(label, text)
    return Choice(
        label, text, {key: extra for key, extra in value.items() if key not in ("label", "text")}
    )
