"""Recognise rows that have a rationale and the id of its question, but not the question itself."""

from __future__ import annotations

from collections.abc import Iterable

from scicot.formats.names import IDS, plain_name

TEXTS = ("rationale", "reply")


def advice_for(names: Iterable[str], file: str, rationale_field: str | None = None) -> str | None:
    """If a row has a rationale and an id, but neither a question nor a prediction, return an error
    message that says how to add the question. Otherwise return None.

    `names` are the names of the row's fields, and `file` is the name of its file. `rationale_field`
    is the field that --columns gives for the rationale, or None.
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
