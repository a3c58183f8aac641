"""Read scicot's own rows: those in data/*.jsonl and in every file that scicot writes.

{"id": "q1", "question": "Which conducts electricity?",
 "choices": [{"label": "A", "text": "wood"}, {"label": "B", "text": "copper"}], "answer": "B"}
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from scicot.formats import fields, printed
from scicot.formats.choice_set import Choices, are_numeric
from scicot.formats.choices import has_mark, listed
from scicot.formats.gold import GOLD, Gold, gold_fields, is_hidden
from scicot.formats.meaning import either
from scicot.formats.names import ANSWERS, FURTHER_ANSWERS, plain_name
from scicot.formats.reading import PLAIN, Reading
from scicot.formats.values import are_strings, is_text_or_number, shortened
from scicot.row_fields import MAPPING, Row, RowProblem

# scicot's own schema and the official files of ARC define that these fields hold a label
_GOLD = Gold(never_texts=GOLD.never_texts | set(ANSWERS))
_ALL_GOLD = (*ANSWERS, *FURTHER_ANSWERS)


@lru_cache(maxsize=256)  # cached because nearly all rows of a file have the same fields
def _has_second_gold(names: tuple[str, ...]) -> bool:
    """Return True if a row has a gold field besides "answer", such as "answerKey"."""
    return any(plain_name(name) in ANSWERS for name in names if name != "answer")


def matches(row: Row) -> bool:
    """Return True if "choices" is a list in scicot's own layout. Also return True for a list that
    no format can read, since `Question.from_row` then describes the error."""
    choices = row.get("choices")
    if not isinstance(choices, list):
        return False
    if not choices:
        return True
    if isinstance(choices[0], dict):  # the first choice nearly always decides
        return _has_own_keys(choices[0], row) or not _has_other_keys(choices)
    return not (are_strings(choices) or all(map(is_text_or_number, choices)))


def _has_own_keys(choice: Row, row: Row) -> bool:
    """Return True if a choice has a label and a text as in scicot's own rows."""
    if "label" not in choice or "text" not in choice:
        return False
    # If marks such as "is_correct" are the only gold answer, general.py must read the row.
    if len(choice) == 2 or not has_mark(choice):
        return True
    return not all(is_hidden(row[name]) for name in gold_fields(row, _ALL_GOLD))


def _has_other_keys(choices: list[Any]) -> bool:
    if not all(isinstance(choice, dict) for choice in choices):
        return False
    found = listed(choices)
    return found is not None and len(found.choices.rows) > 1


def convert(row: Row, reading: Reading = PLAIN) -> Row:
    """Convert a row to scicot's schema.

    Raises RowProblem if the gold answer cannot be read, or if the row gives two different gold
    answers: one in a field, and another by marking a choice as right.
    """
    converted = _converted(row, reading)
    first = next(iter(row["choices"]), None)
    # Choices of the largest files have only a label and a text, so no mark.
    if isinstance(first, dict) and len(first) > 2 and has_mark(first):
        _check_marks(row["choices"], converted.get("answer"), reading)
    return converted


def _check_marks(choices: list[Any], answer: Any, reading: Reading) -> None:
    """Raise RowProblem if choices are marked as right, and `answer` is another choice."""
    if reading.columns is not None and reading.columns.maps("answer"):
        return  # the mapped field is the only source of the answer
    found = listed(choices)
    right = found.right if found is not None else ()
    if right and answer is not None and answer not in right:
        raise RowProblem(
            f"has two gold answers: the answer is choice {shortened(answer)}, and choice"
            f" {either(right)} is marked as right; remove the wrong one"
        )


def _converted(row: Row, reading: Reading) -> Row:
    choices, answer = row["choices"], row.get("answer")
    if isinstance(row.get("question"), str) and isinstance(answer, str):
        for choice in choices:
            if isinstance(choice, dict) and choice.get("label") == answer:
                if _has_second_gold(tuple(row)) or _has_other_type(choices):
                    break
                if reading.columns is not None and not _is_certain(answer, choices, reading):
                    break
                return row  # nothing to convert, as in nearly all rows of the largest files
    if not all(map(_is_choice, choices)):
        return row
    numeric = are_numeric([c["label"] for c in choices], [c["text"] for c in choices])
    # If --columns maps columns to choices, the labels are those of the columns, and the answer need
    # not be a label.
    written = reading.cells is None
    found = Choices(list(map(_with_strings, choices)), numeric=numeric, written=written)
    gold = _GOLD if written else GOLD
    return fields.labelled(row, found, reading=reading, gold=gold)


def _is_certain(answer: str, choices: list[Any], reading: Reading) -> bool:
    """Return True if `answer`, the label of a choice, can be used without converting the row.
    Return False if `answer` may have another meaning, or if the answers of the file are being
    counted. `choices` are the choices of the row after --columns was applied."""
    assert reading.columns is not None
    in_columns = reading.cells is not None
    if in_columns and printed.contradicting(answer, choices, dots=False):
        return False
    if not in_columns and not reading.columns.maps("answer"):
        return True
    is_text = any(isinstance(c["text"], str) and c["text"].strip() == answer for c in choices)
    counted = reading.is_counting or reading.is_pipe  # only converted rows are counted
    return not counted and not is_text


def _has_other_type(choices: list[Any]) -> bool:
    """Return True if the text of a choice is not a string."""
    # This runs for each row, so the types are not checked one by one.
    try:
        return {type(choice["text"]) for choice in choices} != {str}
    except (KeyError, TypeError):
        return False  # Question.from_row reports the choice without a text


def _is_choice(value: Any) -> bool:
    return (
        isinstance(value, MAPPING)
        and is_text_or_number(value.get("label"))
        and is_text_or_number(value.get("text"))
    )


def _with_strings(choice: Row) -> Row:
    """Convert the label and the text of a choice to strings."""
    label, text = choice["label"], choice["text"]
    if isinstance(label, str) and isinstance(text, str):
        return choice
    return {**choice, "label": str(label), "text": str(text)}
