"""Rows of a table: one choice a column, or all in one cell. Every cell of a CSV file is a string.

{"question": "Which conducts electricity?", "A": "wood", "B": "copper", "C": "", "answer": "B"}
{"prompt": "Which conducts electricity?", "choice1": "wood", "choice2": "copper", "correct": "2"}
{"question": "Which conducts electricity?", "choices": "[\\"wood\\", \\"copper\\"]", "answer": "A"}
{"questionID": "M_1", "question": "Which conducts? (A) wood (B) copper", "AnswerKey": "B"}

The last one is ARC's own CSV. Names of columns are read in capitals and in small letters alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import count, takewhile
from string import ascii_uppercase
from typing import Any

from scicot.formats import ai2_flat, fields, own, plain_list
from scicot.jsonl import decode
from scicot.row_fields import Row, RowProblem

_NAMES = {
    "question": tuple(name.lower() for name in fields.QUESTION_NAMES[:-1]),
    "id": ("id", "questionid", "question_id"),
    "prediction": ("prediction",),
}
_CORRECT = "correct"  # the answer's column, or a mark of right and wrong
_CHOICE = re.compile(r"(?:(choice|option)[ _-]?)?([a-z]|\d{1,2})", re.IGNORECASE)
_MARK = re.compile(r"(?<!\S)\(([A-Z]|[1-9])\)")

# scicot's own fields that are no strings, as a CSV cell spells them; undecoded, the cell "False"
# under "saw_answer" would count as true.
_JSON_CELLS = (
    "sample", "saw_answer", "usage", "meta", "rationales", "scores", "confidence", "models",
)  # fmt: skip
# And those for which an empty cell means that there is none.
_OPTIONAL_CELLS = ("id", "teacher", "conclusion", "still_concludes", "request", "prediction")


def is_header(names: Iterable[str]) -> bool:
    """Whether these are the columns of a table of questions, or of answers to some."""
    known = {name.strip().lower() for name in names}
    answers = known & set(_NAMES["id"]) and known & set(_NAMES["prediction"])
    return bool(known & set(_NAMES["question"]) or answers)


def cells(row: Row) -> Row:
    """A row of any table: the known fields under our names, and what their cells spell."""
    return _typed(_renamed(row))


def matches(row: Row) -> bool:
    row = _renamed(row)
    if not fields.has_question_text(row):
        return False
    if "choices" in row:
        return isinstance(row["choices"], str)
    return bool(_choice_columns(row)) or _split(row["question"]) is not None


def convert(row: Row) -> Row:
    row = cells(row)
    if "choices" in row:
        return _with_json_choices(row)
    columns = _choice_columns(row)
    if columns:
        texts = {label: row.pop(name) for label, name in columns}
        filled = {label: text for label, text in texts.items() if not fields.is_blank(text)}
        return fields.labelled(row, fields.choice_rows(list(filled), list(filled.values())))
    stem, choices = _split(row["question"]) or ("", [])
    return fields.labelled({**row, "question": stem}, choices)


def _renamed(row: Row) -> Row:
    """The row with its question, id and prediction under our names, the first filled column of
    each. The column "correct" is the answer only where no other column holds it."""
    row = dict(row)
    if not fields.gold_fields(row):
        correct = next((name for name in row if name.lower() == _CORRECT), None)
        if correct is not None:
            row["answer"] = row.pop(correct)
    for ours, aliases in _NAMES.items():
        found = [name for alias in aliases for name in row if name.lower() == alias]
        name = fields.first_filled(row, found) or next(iter(found), None)
        if name is not None and name != ours:
            row[ours] = row.pop(name)
    return row


def _typed(row: Row) -> Row:
    typed = dict(row)
    for name, cell in row.items():
        if not isinstance(cell, str):
            continue
        if name in _JSON_CELLS:
            typed[name] = _value(cell)
        elif name in _OPTIONAL_CELLS and not cell.strip():
            typed[name] = None
    return {
        name: value for name, value in typed.items() if value is not None or name not in _JSON_CELLS
    }


def _value(cell: str) -> Any:
    """What a cell spells; the cell itself where that is no JSON, for from_row to judge."""
    if not cell.strip():
        return None
    try:
        return decode(cell.lower() if cell in ("True", "False") else cell)
    except ValueError:
        return cell


def _with_json_choices(row: Row) -> Row:
    try:
        row["choices"] = decode(row["choices"])
    except ValueError:
        raise RowProblem('the column "choices" does not hold JSON') from None
    forms: tuple[fields.Format, ...] = (plain_list, own, ai2_flat)
    for form in forms:
        if form.matches(row):
            return form.convert(row)
    raise RowProblem('the column "choices" holds no list of choices')


def _choice_columns(names: Iterable[str]) -> list[tuple[str, str]]:
    """(label, column) of each choice: an unbroken run from A, 0 or 1.

    A run, because a user's own columns may be called "x" and "y"; empty where there is none.
    """
    families: dict[str, dict[str, str]] = {"choice": {}, "option": {}, "": {}}
    for name in names:
        match = _CHOICE.fullmatch(name.strip())
        if match and (match[1] or match[2].isalpha()):
            label = str(int(match[2])) if match[2].isdigit() else match[2].upper()
            families[(match[1] or "").lower()].setdefault(label, name)
    for family in families.values():
        for labels in _label_runs():
            run = [(label, family[label]) for label in takewhile(family.__contains__, labels)]
            if len(run) > 1:
                return run
    return []


def _label_runs() -> Iterator[Iterable[str]]:
    yield ascii_uppercase
    yield map(str, count(0))
    yield map(str, count(1))


def _split(text: str) -> tuple[str, list[fields.ChoiceRow]] | None:
    """The stem and the choices of "stem (A) wood (B) copper"; None where the text is not so built.

    The last "(A)" that has a "(B)" after it begins the choices: a stem may speak of an (A) too.
    """
    marks = list(_MARK.finditer(text))
    behind: set[str] = set()  # labels that stand behind the mark that is looked at
    for start in reversed(range(len(marks))):
        label = marks[start][1]
        if label in "A1" and _following(label) in behind:
            run = _run(marks[start:])
            ends = [mark.start() for mark in run[1:]] + [len(text)]
            texts = [text[m.end() : end].strip() for m, end in zip(run, ends, strict=True)]
            labels = [mark[1] for mark in run]
            return text[: run[0].start()].strip(), fields.choice_rows(labels, texts)
        behind.add(label)
    return None


def _run(marks: Sequence[re.Match[str]]) -> list[re.Match[str]]:
    """The marks that go on from the first one without a gap: (A), (B), (C)."""
    run: list[re.Match[str]] = []
    for mark in marks:
        if not run or mark[1] == _following(run[-1][1]):
            run.append(mark)
    return run


def _following(label: str) -> str:
    return chr(ord(label) + 1)
