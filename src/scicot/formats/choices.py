"""Read choices from one field, in the forms that public data sets and tables use.

["wood", "copper"]   ["A)wood", "B)copper"]               texts, with or without labels
{"A": "wood", "B": "copper"}                              texts by label
{"text": ["wood", "copper"], "label": ["A", "B"]}         a list of texts and one of labels
[{"key": "A", "value": "wood"}, ...]                      an object per choice
{"choices": ["wood", "copper"], "labels": [0, 1]}         texts and marks, 1 for the right one
{"wood": 0, "copper": 1}                                  texts with scores (BIG-bench)
"wood|copper"   "a ) wood , b ) copper"   "['wood' 'copper']"    a cell of a table
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from string import ascii_uppercase
from typing import Any, Literal

from scicot.formats import cells as text_cells
from scicot.formats import printed
from scicot.formats.choice_set import Cells, Choices, are_numeric, choice_rows, lettered
from scicot.formats.names import plain_name
from scicot.formats.reading import Reading
from scicot.formats.values import are_strings, is_blank, is_text_or_number
from scicot.row_fields import RowProblem

_LABELS = ("label", "key", "letter", "id", "aid", "index", "name", "option", "choicelabel")
_TEXTS = ("text", "value", "atext", "content", "choicetext", "optiontext", "answertext", "choice",
          "answer", "option")  # fmt: skip
_MARKS = ("correct", "iscorrect", "isanswer", "right", "isright")
_TEXT_LISTS = ("text", "texts", "choices", "options", "value", "values")
_LABEL_LISTS = ("label", "labels", "key", "keys")
_LABEL = re.compile(r"[A-Za-z]|\d{1,2}")
# Not "(A) → (B)" and "(A)-(B)", which are orders of statements.
_MARKED = re.compile(
    r"\s*[(\[]?\s*([A-Za-z])\s*[).:\]]"
    r"(?!\s*(?:[→←↔⇒⇔>]|[-–—]+>?)\s*[(\[]?[A-Za-z][)\]])\s*(\S.*)",
    re.DOTALL,
)
# a separator before a printed label, as in "a ) 38 , c ) 27"
_BEFORE_MARK = re.compile(r"\s*[,;|\n]\s*(?=[(\[]?\s?[A-Za-z]\s?[).:\]])")

# How letters printed before all texts of a list are read:
# - "any": as labels, in any order,
# - "ordered": as labels if they are A, B, C and so on, else as part of the texts,
# - "none": as part of the texts.
Letters = Literal["any", "ordered", "none"]


def letters_of(reading: Reading) -> Letters:
    return "ordered" if reading.by_position else "any"


@dataclass(frozen=True, slots=True)
class Listed:
    """The choices in a field. `right` are the labels of the choices that the field marks as
    right."""

    choices: Choices
    right: tuple[str, ...] = ()


def scored(value: Any) -> Listed | None:
    """Read choices from an object that maps the text of each choice to a score. The choices with
    the highest score are right. Return None if `value` is not such an object."""
    if not isinstance(value, Mapping) or len(value) < 2:
        return None
    scores = list(value.values())
    if not all(isinstance(score, int | float) for score in scores):
        return None
    best = max(scores)
    choices = Choices(lettered(list(value)), labels_from="row")
    return _marked(choices, [score == best for score in scores])


def listed(value: Any, letters: Letters = "any") -> Listed | None:
    """Read the choices in the value of a field. Return None if it contains no choices."""
    if isinstance(value, str):
        return _of_cell(value, letters)
    if isinstance(value, list):
        return _of_list(value, letters)
    if isinstance(value, Mapping):
        return _of_object(value)
    return None


def distractors(value: Any, right: Any) -> list[Any]:
    """Return the wrong answers in the value of a field. `right` is the right answer.

    Letters printed before the wrong answers are removed only if both conditions hold:

    - The letters are A, B, C and so on, so that they only number the wrong answers.
    - No letter is printed before `right`. If `right` has a letter, the wrong answers keep theirs,
      because answers without letters would be recognised as wrong.
    """
    # If only the right answer had a letter, or only the wrong ones, it could be guessed by this.
    has_letter = isinstance(right, str) and _MARKED.fullmatch(right) is not None
    found = listed(value, "none" if has_letter else "ordered")
    return [value] if found is None else [choice["text"] for choice in found.choices.rows]


def _of_cell(cell: str, letters: Letters) -> Listed | None:
    if cell.lstrip().startswith(("[", "{", "array(")):
        try:
            found = listed(text_cells.value_of(cell), letters)
        except ValueError:
            pass
        else:
            if found is None or found.choices.labels_from != "row":
                return found
            # The labels may have been made when the table was written.
            return replace(found, choices=replace(found.choices, labels_from="order"))
    texts = text_cells.separated(cell)
    if letters == "none" and texts is not None:
        return _of_list(texts, letters)
    parsed = text_cells.choices_of_cell(cell)
    parts = _BEFORE_MARK.split(cell.strip()) if letters == "any" else []
    # choices_of_cell finds no label after a missing one
    if len(parts) > max(1, len(parsed[0]) if parsed else 0):
        parsed = printed.labels_and_texts(parts) or parsed
    if parsed is not None:
        return Listed(Choices(choice_rows(*parsed), labels_from="texts"))
    return None if texts is None else _of_list(texts, letters)


def _of_list(values: Sequence[Any], letters: Letters) -> Listed | None:
    values = _without_padding(values)
    if not values:
        return None
    if all(isinstance(value, Mapping) for value in values):
        return _of_objects(values)
    if all(isinstance(value, list) and len(value) == 2 for value in values):
        return _with_labels([pair[0] for pair in values], [pair[1] for pair in values])
    if not all(map(is_text_or_number, values)):
        return None
    return Listed(from_texts(values, letters))


def from_texts(values: Sequence[Any], letters: Letters = "any") -> Choices:
    """Make choices from a list of strings and numbers, labelled A, B, C and so on.

    If every text begins with a printed label, as in "A)21", the printed labels are removed from the
    texts and used instead. `letters` limits which printed labels count (see Letters).
    """
    numeric = not are_strings(values)
    texts = [str(value) for value in values] if numeric else values
    # a quick check that fails for nearly all lists of texts without labels
    if letters != "none" and texts[0][:3].lstrip(" ([")[:1] in ("A", "a"):
        found = [_MARKED.fullmatch(text) for text in texts]
        labels = [match[1] for match in found if match is not None]
        if len(labels) == len(texts) and "".join(labels).upper() == ascii_uppercase[: len(texts)]:
            found_texts = [match[2].strip() for match in found if match is not None]
            return Choices(choice_rows(labels, found_texts), (), "texts", numeric)
    split = printed.labels_and_texts(texts) if letters == "any" else None
    if split is not None:
        return Choices(choice_rows(*split), (), "texts", numeric)
    return Choices(lettered(texts), numeric=numeric)


def _of_object(value: Mapping[str, Any]) -> Listed | None:
    names = {plain_name(name): field for name, field in value.items()}
    texts = next((names[name] for name in _TEXT_LISTS if isinstance(names.get(name), list)), None)
    labels = next((names[name] for name in _LABEL_LISTS if isinstance(names.get(name), list)), None)
    if texts is not None and labels is not None:
        if len(texts) != len(labels):
            raise RowProblem(f'"choices" has {len(texts)} texts and {len(labels)} labels')
        if labels and all(type(mark) is int and mark in (0, 1) for mark in labels):
            # If none is marked, the zeros may mean something else, as may integers as gold answers.
            return _marked(Choices(lettered(texts), (), "row", numeric=not any(labels)), labels)
        return _with_labels(labels, texts)
    filled = {key: text for key, text in value.items() if not is_blank(text)}
    if len(filled) > 1 and all(_LABEL.fullmatch(key.strip()) for key in filled):
        cells = tuple(key if key in filled else None for key in value)
        return _with_labels(list(filled), list(filled.values()), cells)
    return None


def _of_objects(values: Sequence[Mapping[str, Any]]) -> Listed | None:
    rows = [{plain_name(name): field for name, field in value.items()} for value in values]
    label = next((name for name in _LABELS if all(name in row for row in rows)), None)
    text = next((name for name in _TEXTS if name != label and all(name in r for r in rows)), None)
    mark = next((name for name in _MARKS if all(name in row for row in rows)), None)
    if text is None:
        return None
    texts = [row[text] for row in rows]
    if label is None:
        plain_texts = [str(text) if is_text_or_number(text) else None for text in texts]
        found = Choices(lettered(plain_texts), (), "row", are_numeric((), texts))
    else:
        with_labels = _with_labels([row[label] for row in rows], texts)
        if with_labels is None:
            return None
        found = with_labels.choices
    return Listed(found) if mark is None else _marked(found, [row[mark] for row in rows])


def _with_labels(labels: Sequence[Any], texts: Sequence[Any], cells: Cells = ()) -> Listed | None:
    if not all(map(is_text_or_number, (*labels, *texts))):
        return None
    rows = choice_rows([*map(str, labels)], [*map(str, texts)])
    numeric = are_numeric(labels, texts)
    return Listed(Choices(rows, cells, labels_from="row", numeric=numeric, written=True))


def _marked(choices: Choices, marks: Sequence[Any]) -> Listed:
    right = [c["label"] for c, mark in zip(choices.rows, marks, strict=True) if _is_mark(mark)]
    return Listed(choices, tuple(right))


def has_mark(choice: Mapping[str, Any]) -> bool:
    """Return True if an object for a choice says whether the choice is right."""
    return any(plain_name(name) in _MARKS for name in choice)


def _is_mark(value: Any) -> bool:
    text = value.strip().casefold() if isinstance(value, str) else value
    return text in (1, True, "1", "true", "yes", "x")


def _without_padding(values: Sequence[Any]) -> list[Any]:
    """Return a list without the blank values at its end, which pad it to a fixed length."""
    trimmed = list(values)
    while trimmed and is_blank(trimmed[-1]):
        trimmed.pop()
    return trimmed
