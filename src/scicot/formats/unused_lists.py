"""Find a field that may hold the choices of a row under a name that scicot does not know.

    {"question": "Consider (a) X and (b) Y. Which holds?", "opts_list": ["only a", "only b"], ...}
    {"question": "Is it?", "alternatives_x": ["Maybe", "Yes", "No"], "answer": "Yes"}

Without this check, the choices would be taken from the question's text, or would be yes and no. The
gold answer could then name the wrong choice, so such rows are refused.

In public data sets, questions of these kinds also have lists of other things. Examples are
StrategyQA ("facts", "decomposition"), PubMedQA ("MESHES"), FOLIO ("premises"), PrOntoQA
("chain_of_thought") and CommonsenseQA 2.0 ("validations").
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from scicot.formats import cells, choices
from scicot.formats.gold import gold_fields
from scicot.formats.names import CONTEXTS, plain_name
from scicot.records import PREDICTION_FIELDS, QUESTION_FIELDS, RATIONALE_FIELDS
from scicot.row_fields import MAPPING, Row, RowProblem

_OWN = frozenset((*QUESTION_FIELDS, *RATIONALE_FIELDS, *PREDICTION_FIELDS))
# Parts of the names of fields that hold something else than choices.
_OTHER = (
    "fact", "decomposition", "evidence", "validation", "alias", "tag", "mesh", "label", "keyword",
    "topic", "categor", "concept", "skill", "subject", "entit", "title", "url", "context",
    "passage", "paragraph", "sentence", "support", "premise", "proof", "rule", "knowledge",
    "source", "reference", "citation", "rationale", "explanation", "reason", "thought", "cot",
    "chain", "step", "hint", "solution", "annotat", "message", "history", "example", "shot",
    "image", "meta", "author", "note", "comment", "vote", "rating", "triple", "document", "ctx",
)  # fmt: skip
_CHOICES = ("opt", "choice", "alternativ", "candidate")  # these parts are stronger than _OTHER
_MOST = 10  # elements of a list that may be choices
_LONGEST = 100  # characters of such an element


def refuse_unused_list(
    row: Row, question: str, texts: Collection[str], gold_names: tuple[str, ...]
) -> None:
    """Raise RowProblem if a field of the row may hold the choices.

    question: the name of the question's field.
    texts: the choices that are read if no field holds them.
    gold_names: the names of the gold fields, in the form that `plain_name` returns.
    """
    gold = {_folded(row[name]) for name in gold_fields(row, gold_names)}
    known = set(map(_folded, texts))
    for name, value in row.items():
        if name == question or name in _OWN or name.startswith("original.") or _is_other(name):
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
        if short or folded & gold:
            raise RowProblem(
                f'"{name[:40]}" may hold the choices, which would be {_shown(texts)} without it;'
                f" add --columns choices={name[:40]}, or leave the field out if it holds"
                " something else"
            )


def _is_other(name: str) -> bool:
    short = plain_name(name)
    if any(part in short for part in _CHOICES):
        return False
    return short in CONTEXTS or any(part in short for part in _OTHER)


def _elements(value: Any) -> list[str]:
    """Return the texts in a value that may hold choices. Return [] if it cannot hold choices."""
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
    texts = [choice["text"] for choice in found.choices] if found is not None else []
    return texts if all(isinstance(text, str) for text in texts) else []


def _folded(value: Any) -> str:
    return value.strip().casefold() if isinstance(value, str) else ""


def _shown(texts: Collection[str]) -> str:
    return " and ".join(f'"{text[:30]}"' for text in list(texts)[:2])
