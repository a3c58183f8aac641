"""Read COPA (SuperGLUE's, XCOPA, Balanced COPA), which gives a premise and asks which of two
choices is more likely its cause or its effect.

{"premise": "The lamp went out.", "question": "cause", "choice1": "The bulb was broken.",
 "choice2": "The room was large.", "label": 0}

"question" is only "cause" or "effect". It is replaced by COPA's sentence, "What was the cause of
this?" or "What happened as a result?", and the premise becomes the context. The choices are
labelled A and B. Numbers would be ambiguous: COPA calls the choices "choice1" and "choice2", but
"label" is 0 for choice1.
"""

from __future__ import annotations

from collections.abc import Mapping

from scicot.formats import ai2_flat, columns, fields, general, plain_list, scicot_rows
from scicot.formats.choice_set import Choices, lettered
from scicot.formats.gold import Gold, gold_fields
from scicot.formats.names import ANSWERS
from scicot.formats.reading import PLAIN, Reading
from scicot.formats.suggested_columns import question_problem
from scicot.formats.values import is_blank
from scicot.row_fields import Row, RowProblem

# The wording of Roemmele, Bejan and Gordon 2011, section 3.
_SENTENCES = {
    "cause": "What was the cause of this?",
    "effect": "What happened as a result?",
}
_CHOICES = ("choice1", "choice2")
_GOLD = Gold((*ANSWERS, "label"), (), bases={"label": 0})


def matches(row: Row) -> bool:
    # Exact spellings only, because this runs for every row and lower-casing all names is slow.
    if not ("premise" in row or "Premise" in row or "PREMISE" in row):
        question = row.get("question") or row.get("Question") or row.get("QUESTION")
        return question in ("cause", "effect") and _CHOICES[0] in _names(row)
    names = _names(row)
    return _sentence(row, names) is not None or all(name in names for name in _CHOICES)


def convert(row: Row, reading: Reading = PLAIN) -> Row:
    names = _names(row)
    sentence = _sentence(row, names)
    premise = row[names["premise"]] if "premise" in names else None
    if is_blank(premise) or not isinstance(premise, str):
        if sentence is None:
            return _as_another_format(row, reading)
        raise RowProblem(
            '"premise", which a COPA question is about, is missing, empty or not a text'
        )
    context = row[names["context"]] if "context" in names else None
    if is_blank(context):
        context = premise
    elif isinstance(context, str):
        context = f"{context}\n{premise}"
    row = {name: value for name, value in row.items() if name.lower() not in ("premise", "context")}
    row["context"] = context
    if sentence is None:
        return _as_another_format(row, reading)
    row["question"] = sentence
    if names["question"] != "question":
        del row[names["question"]]
    if all(name in names for name in _CHOICES) and "choice3" not in names:
        return _with_two_columns(row, names, reading)
    return _as_another_format(row, reading)


def _with_two_columns(row: Row, names: Mapping[str, str], reading: Reading) -> Row:
    row = columns.cells(row)
    texts = [row.pop(names[name]) for name in _CHOICES]
    label = names.get("label", "label")
    for name in gold_fields(row):
        numbered = type(row[name]) in (int, float) and reading.answer_index is None
        if numbered and is_blank(row.get(label)):
            raise RowProblem(
                f'"{name}" is {row[name]}: COPA numbers its choices from 1 and its "label" from 0;'
                ' give the text of the choice, or a "label"'
            )
    if reading.recognised is not None:
        reading.recognised.choices = " and ".join(_CHOICES)
    return fields.labelled(row, Choices(lettered(texts)), reading=reading, gold=_GOLD)


def _as_another_format(row: Row, reading: Reading) -> Row:
    other_formats: tuple[fields.Format, ...] = (scicot_rows, ai2_flat, plain_list)
    for form in other_formats:
        if form.matches(row):
            return form.convert(row, reading)
    try:
        return general.convert(row, reading)
    except general.Unread:
        problem = question_problem(row) or "has a premise, but no question or no choices (COPA)"
        raise RowProblem(problem) from None


def _sentence(row: Row, names: Mapping[str, str]) -> str | None:
    """Return COPA's full question if the row's question is "cause" or "effect", None otherwise.
    `names` maps lower-case field names to the names in the row."""
    question = row[names["question"]] if "question" in names else None
    return _SENTENCES.get(question.strip().lower()) if isinstance(question, str) else None


def _names(row: Row) -> dict[str, str]:
    """Map the lower-case form of each field name to the name in the row."""
    return {name.lower(): name for name in row}
