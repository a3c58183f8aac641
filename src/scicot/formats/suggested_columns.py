"""Suggest a --columns option for rows and tables of unknown layouts."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import Any

from scicot.formats import choice_columns, fields
from scicot.formats.names import (
    CONTEXTS,
    IDS,
    QUESTIONS,
    QUESTIONS_BESIDE_CHOICES,
    plain_name,
)
from scicot.formats.values import is_blank
from scicot.row_fields import Row, not_a_text

_SHOWN = 6  # columns listed in a message
_LIKELY_ANSWERS = ("answer", "key", "gold", "label", "correct", "target", "sol", "lös", "loes",
                   "richtig", "right", "truth")  # fmt: skip
# Parts of the names of fields that hold a rationale, not the question.
_RATIONALES = ("rational", "reply", "explan", "reason", "thinking", "chainofthought")
_SHORT = re.compile(r"[(\[]?\s*(?:[A-Za-z]|\d{1,2})?\s*[)\].:]?")  # a label, an index or blank
_COUNTED = re.compile(r"(.*?)[ _-]?(?:\d{1,2}|[A-Za-z])")


def option_for(row: Row) -> str:
    """Suggest a --columns option for a row of an unknown layout. "FIELD" stands for each field that
    cannot be guessed."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        nested = value.items() if isinstance(value, Mapping) else ()
        flat |= {f"{name}.{key}": inner for key, inner in nested} or {name: value}
    choice_fields = _likely_choices(row) or _first_list(flat)
    rest = {name: field for name, field in flat.items() if name not in choice_fields}
    question = fields.question_field(row)
    if question is None or not isinstance(row[question], str):
        question = _likely_question(rest) or "FIELD"
    answer = next((name for name in rest if _may_be_answer(name) and name != question), "FIELD")
    role = "distractors" if _are_wrong(choice_fields, row, rest.get(answer)) else "choices"
    parts = f"question={question},{role}={'+'.join(choice_fields) or 'FIELD+FIELD'},answer={answer}"
    return f"--columns {_quoted(parts)}"


def question_problem(row: Row) -> str | None:
    """Return the error message for a row whose question is blank, a number or a boolean, such as
    '"question" is null; it must be a string'. Return None for all other rows."""
    names = fields.named(row, QUESTIONS) or fields.named(row, QUESTIONS_BESIDE_CHOICES)
    # Lists and objects are left out, since they may contain the question.
    bad = [name for name in names if is_blank(row[name]) or not isinstance(row[name], Collection)]
    if not names or len(bad) < len(names):
        return None
    problem = not_a_text(bad[0], row[bad[0]])
    choice_fields = _likely_choices(row)
    rest = {name: value for name, value in row.items() if name not in choice_fields}
    other = _likely_question({n: v for n, v in rest.items() if plain_name(n) not in CONTEXTS})
    if other is None or len(row[other].split()) < 2:  # a single word is hardly the question
        return problem
    option = _quoted(f"question={other}")
    return f"{problem}; if another field holds the question, add --columns {option}"


def _likely_question(texts: Mapping[str, Any]) -> str | None:
    """Return the name of the field that probably holds the question, None if there is none."""
    texts = {
        name: text
        for name, text in texts.items()
        if isinstance(text, str)
        and not is_blank(text)
        and not _may_be_answer(name)
        and _may_be_question(name)
    }
    named = (name for name in texts if plain_name(name.rpartition(".")[2]) in QUESTIONS)
    return next(named, None) or max(texts, key=lambda name: len(texts[name]), default=None)


def _may_be_answer(name: str) -> bool:
    return any(part in plain_name(name) for part in _LIKELY_ANSWERS)


def _may_be_question(name: str) -> bool:
    """Return False if a column has the name of an id or of a rationale, such as "output.rationale".
    Return True for all other names."""
    plain = plain_name(name.rpartition(".")[2])
    if plain in IDS or plain == "cot":
        return False
    return not any(part in plain_name(name) for part in _RATIONALES)


def _are_wrong(choice_fields: Sequence[str], row: Row, answer: Any) -> bool:
    """Return True if these fields probably hold only the wrong choices (distractors): the gold
    answer is a text that is in none of the fields."""
    if len(choice_fields) < 2 or not isinstance(answer, str) or _SHORT.fullmatch(answer.strip()):
        return False
    texts = {str(row[name]).strip().casefold() for name in choice_fields if name in row}
    return answer.strip().casefold() not in texts | set(map(str.casefold, choice_fields))


def unknown_header(names: Sequence[str], cells: Sequence[str]) -> str:
    """Return the error message for a table without a recognised question column. The message
    suggests a --columns option.

    names: the names of the table's columns.
    cells: the cells of the table's first record.
    """
    row = {name.strip(): cell for name, cell in zip(names, cells, strict=False) if name.strip()}
    columns = ", ".join(f'"{name}"' for name in list(row)[:_SHOWN])
    ellipsis = ", ..." if len(row) > _SHOWN else ""
    return (
        f'no column is called "question" (there is {columns}{ellipsis}); say which column is what:'
        f" {option_for(row)}"
    )


def _likely_choices(row: Row) -> tuple[str, ...]:
    for family in choice_columns.families(tuple(row)):
        return family.columns
    first_list = _first_list(row)
    if first_list:
        return first_list
    groups: dict[str, list[str]] = {}
    for name in row:
        match = _COUNTED.fullmatch(name)
        if match is not None and match[1]:
            groups.setdefault(match[1].lower(), []).append(name)
    longest = max(groups.values(), key=len, default=[])
    return tuple(longest[:26]) if len(longest) > 1 else ()


def _first_list(row: Row) -> tuple[str, ...]:
    """Return (name,) of the first field that holds a list of at least two elements. Return () if
    there is none."""
    found = (name for name, value in row.items() if isinstance(value, list) and len(value) > 1)
    return tuple(islice(found, 1))


def _quoted(text: str) -> str:
    text = " ".join(text.split())[:200]
    return f"'{text}'" if re.search(r"[^\w=,+.\-]", text) else text
