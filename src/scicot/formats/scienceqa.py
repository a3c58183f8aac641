"""Read ScienceQA, whose rows have a list of choices, the index of the answer, and a hint that
serves as the context.

{"question": "Is cutting hair a good or a service?", "choices": ["a service", "a good"],
 "answer": 0, "hint": "", "image": null, "task": "closed choice", "grade": "grade2",
 "subject": "social science", "topic": "economics", "category": "Basic economic principles",
 "skill": "Goods and services", "lecture": "...", "solution": "...", "split": "train"}

The data set's problems.json is one object that maps ids to such rows. The reader of the file adds
the "id".
"""

from __future__ import annotations

from collections.abc import Mapping

from scicot.formats import fields, plain_list
from scicot.formats.reading import PLAIN, Reading
from scicot.formats.values import is_blank
from scicot.row_fields import Row, RowProblem

_META = ("subject", "topic", "category", "skill", "grade", "split", "task")


def matches(row: Row) -> bool:
    """Return True if a row has the fields of ScienceQA."""
    # The hint becomes the context. A "hint" alone is not enough to recognise ScienceQA: in other
    # data sets the hint gives the answer away.
    return "hint" in row and ("image" in row or "lecture" in row) and plain_list.matches(row)


def convert(row: Row, reading: Reading = PLAIN) -> Row:
    if row.get("image"):
        raise fields.NotText("the question is about an image")
    row = dict(row)
    mapped = reading.columns is not None and reading.columns.maps("context")
    if is_blank(row.get("context")) and not mapped:
        row["context"] = row.pop("hint") or ""
    given_meta = row.pop("meta", None) or {}
    if not isinstance(given_meta, Mapping):
        raise RowProblem('"meta" must be an object')
    meta = {name: row.pop(name) for name in _META if name in row}
    return plain_list.convert({**row, "meta": {**meta, **given_meta}}, reading)
