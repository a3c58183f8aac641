"""Recognise rows that have a rationale and the id of its question, but not the question itself."""

from __future__ import annotations

from collections.abc import Iterable

from scicot.formats.names import IDS, plain_name

TEXTS = ("rationale", "reply")


def advice_for(names: Iterable[str], file: str, rationale_field: str | None = None) -> str | None:
    """Return an error message for a row with the fields `names`, which says how to add the question
    to each rationale. Return None for any other row.

    `file` is the name of the row's file, and `rationale_field` the field that --columns maps to the
    rationale.
    """
    names = list(names)
    plain = {plain_name(name) for name in names}
    has_question = any(name == "question" or "choice" in name for name in plain)
    if has_question or not plain & set(IDS):
        return None
    if "prediction" in plain or not (plain & set(TEXTS) or rationale_field in names):
        return None
    option = f" --columns rationale={rationale_field}" if rationale_field in names else ""
    return (
        "has a rationale and an id, but no question; add the questions by: scicot"
        f" generate-rationales QUESTIONS -o OUT --teacher recorded:{file}{option}"
    )
