"""Recognise rows that have a rationale and the id of its question, but not the question itself."""

from __future__ import annotations

from collections.abc import Iterable

from scicot.formats.names import ANSWERS, IDS, plain_name
from scicot.records import RATIONALE_FIELDS

TEXTS = ("rationale", "reply")
# Names of further fields of such rows, in the form of `plain_name`. A blank name is that of the
# index that pandas writes. In a row with any other field, this field may hold the question.
_SIDE_FIELDS = frozenset(
    map(
        plain_name,
        (
            *(*RATIONALE_FIELDS, *IDS, *ANSWERS, "label", "meta", "index", "", "Unnamed: 0"),
            *("reason", "error", "fold", "model", "stop_reason", "finish_reason", "reasoning"),
            *("reasoning_content", "temperature", "seed", "cost", "tokens", "date", "timestamp"),
            *("source", "subject", "split", "topic", "category", "dataset"),
        ),
    )
)


def advice_for(names: Iterable[str], file: str, rationale_field: str | None = None) -> str | None:
    """Return an error message for a row that has a rationale and an id, but no question. The
    message says how to add the question. Return None for any other row.

    `names` are the names of the row's fields, and `file` is the name of its file. `rationale_field`
    is the field that --columns gives for the rationale, or None.
    """
    names = list(names)
    plain = {plain_name(name) for name in names if name != rationale_field}
    if not plain <= _SIDE_FIELDS or not plain & set(IDS):
        return None
    if not (plain & set(TEXTS) or rationale_field in names):
        return None
    option = f" --columns rationale={rationale_field}" if rationale_field in names else ""
    return (
        "has a rationale and an id, but no question; add the questions with: scicot"
        f" generate-rationales QUESTIONS -o OUT --teacher recorded:{file}{option}"
    )
