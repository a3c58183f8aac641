"""Find a field that may hold the choices of a row under a name that scicot does not know.

    {"question": "Consider (a) X and (b) Y. Which holds?", "opts_list": ["only a", "only b"], ...}
    {"question": "Is it?", "alternatives_x": ["Maybe", "Yes", "No"], "answer": "Yes"}

Without this check, the choices would be taken from the question's text, or would be yes and no. The
gold answer could then name the wrong choice, so such rows are refused.

In public data sets, yes/no questions and questions that contain their choices often have lists of
other things as well. Examples are StrategyQA ("facts", "decomposition"), PubMedQA ("MESHES"), FOLIO
("premises"), PrOntoQA ("chain_of_thought") and CommonsenseQA 2.0 ("validations"). So a list counts
only if its name is like that of choices, or if it holds the gold answer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from scicot.formats import cells, choices
from scicot.formats.gold import gold_fields
from scicot.formats.names import plain_name
from scicot.records import PREDICTION_FIELDS, QUESTION_FIELDS, RATIONALE_FIELDS
from scicot.row_fields import MAPPING, Row, RowProblem

_OWN = frozenset((*QUESTION_FIELDS, *RATIONALE_FIELDS, *PREDICTION_FIELDS))
# Parts of the names of fields that hold choices.
_CHOICES = ("opt", "choice", "alternativ", "candidate", "alts", "possible")
# Parts of the names of fields with several people's answers, among which is the gold answer.
_VOTES = ("validation", "vote", "annotat", "label")
_MOST = 10  # elements of a list that may be choices
_LONGEST = 100  # characters of such an element


def refuse_unused_list(
    row: Row, question: str, texts: Collection[str], gold_names: tuple[str, ...]
) -> None:
    """Raise RowProblem if a field that was not read may hold the choices of the row.

    question: the name of the question's field.
    texts: the choices that were read instead: those in the question's text, or yes and no.
    gold_names: the names of the gold fields, in the form that `plain_name` returns.
    """
    gold = {_folded(row[name]) for name in gold_fields(row, gold_names)}
    known = set(map(_folded, texts))
    for name, value in row.items():
        if name == question or name in _OWN or name.startswith("original."):
            continue
        elements = _elements(value)
        folded = set(map(_folded, elements))
        # Choices differ from each other, and labels without texts are no choices.
        if (
            len(folded) < max(2, len(elements))
            or folded <= known
            or all(len(e) < 2 for e in folded)
        ):
            continue
        short = len(elements) <= _MOST and all(len(element) <= _LONGEST for element in elements)
        named_so = any(part in plain_name(name) for part in _CHOICES)
        has_gold = folded & gold and not any(part in plain_name(name) for part in _VOTES)
        if (short and named_so) or has_gold:
            raise RowProblem(
                f'"{name[:40]}" may hold the choices, but {_shown(texts)} would be read as choices;'
                f" add --columns choices={name[:40]}, or remove the field if it holds"
                " something else"
            )


def _elements(value: Any) -> list[str]:
    """Return the texts of the choices that a value may hold. Return [] if the value cannot hold
    choices."""
    if isinstance(value, str) and value.lstrip().startswith(("[", "{", "array(")):
        try:
            value = cells.value_of(value)
        except ValueError:
            return []
    if isinstance(value, list) and all(isinstance(element, str) for element in value):
        return value
    objects = isinstance(value, list) and all(isinstance(entry, MAPPING) for entry in value)
    if not objects and not isinstance(value, Mapping):
        return []
    try:
        found = choices.listed(value)
    except RowProblem:
        return []
    texts = [choice["text"] for choice in found.choices.rows] if found is not None else []
    return texts if all(isinstance(text, str) for text in texts) else []


def _folded(value: Any) -> str:
    return value.strip().casefold() if isinstance(value, str) else ""


def _shown(texts: Collection[str]) -> str:
    return " and ".join(f'"{text[:30]}"' for text in list(texts)[:2])
