"""Read yes/no questions, whose rows contain no choices.

{"question": "Is copper a metal?", "passage": "...", "answer": true}      BoolQ, StrategyQA
{"question": "Does it help?", "final_decision": "maybe", ...}             PubMedQA, three choices
{"question": "Copper is a metal.", "answer": "True"}                      a table (cells are text)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scicot.formats import fields
from scicot.formats.choice_set import Choices, lettered
from scicot.formats.gold import gold_fields, is_hidden, unread
from scicot.formats.names import FURTHER_ANSWERS, plain_name

_PAIRS = (
    ("yes", "no"), ("true", "false"), ("ja", "nein"), ("wahr", "falsch"), ("richtig", "falsch"),
    ("oui", "non"), ("vrai", "faux"),
)  # fmt: skip
_DECISION = "finaldecision"


def texts_of(
    row: Mapping[str, Any], names: tuple[str, ...], *, only: bool = False
) -> tuple[tuple[str, ...], str] | None:
    """Return (texts of the choices, name of the gold field), or None if the row is not a yes/no
    question.

    The gold field is looked for under `names`, which have the form that `plain_name` returns. If
    `only` is False, it is then looked for under other usual names.
    """
    for name in gold_fields(row, names if only else (*names, *FURTHER_ANSWERS)):
        value = row[name]
        if plain_name(name) == _DECISION and isinstance(value, str):
            return ("yes", "no", "maybe"), name
        if isinstance(value, bool):
            return _PAIRS[0], name
        if isinstance(value, str):
            text = value.strip().casefold()
            for pair in _PAIRS:
                if text in pair:
                    return pair, name
    if only:
        return None
    superglue = fields.named(row, ("label",)) if fields.named(row, ("passage",)) else ()
    for name in superglue:
        if row[name] in (0, 1, "0", "1") or is_hidden(row[name]):
            return _PAIRS[0], name
    return None


def label_of(row: Mapping[str, Any], name: str, texts: tuple[str, ...]) -> str | None:
    """Return the label of the gold answer in the field `name`: A for yes, B for no, C for maybe.

    Return None if the data set hides the gold answer. Raises RowProblem if the gold answer is not
    among `texts`, the texts of the choices.
    """
    value = row[name]
    if isinstance(value, bool) or value in (0, 1, "0", "1"):
        return "A" if value in (True, 1, "1") else "B"
    if is_hidden(value):
        return None
    text = value.strip().casefold()
    if text not in texts:
        raise unread(row, name, Choices(lettered(texts)))
    return "ABC"[texts.index(text)]
