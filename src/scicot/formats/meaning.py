"""Find the choice that a value names. The value may be a gold answer or a prediction.

For the choices A "wood", B "copper", C "glass", each of these values names B:

    "B"   "b"   "copper"   "(B)"   "B) copper"   1 (an index from 0)

1. A string that is exactly a label is that label, whatever the texts of the choices are. In files,
   indices.py refines this rule.
2. An integer is an index from 0. An integer larger than the last index may be a label or the text
   of a choice (`_read_integer`).
3. Any other string can be the text of a choice, a label in upper or lower case, or both
   ("B) copper").

indices.py adds the rules for strings of digits, and for indices from 1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scicot.formats.choice_set import ChoiceRow, Choices
from scicot.formats.look_alikes import composed
from scicot.formats.reading import Base
from scicot.formats.values import shortened

_WHOLE = re.compile(r"(?:0|[1-9][0-9]{0,3})\.0")  # "1.0", as pandas writes a 1 among floats
# "(B)", "B.", "b)" and "[B]"; "B) copper", "(B) copper", "B. copper", "B: copper", "B - copper"
_MARKED = re.compile(r"[(\[]?\s*([A-Za-z]|\d{1,2})\s*(?:[)\].:]|-(?=\s))\s*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Meaning:
    """The choices that a value may refer to.

    labels: the labels of these choices. There may be several if the value is ambiguous, or if
        several choices have the same text. Empty if the value is the index or the label of a choice
        without a text (a blank cell of a table).
    ambiguity: the reason why the value is ambiguous, "" if it is clear.
    kind: the form of the value, such as "labels" or "texts", for messages.
    index: True if the value is or may be an index.
    needs_evidence: True if the value is ambiguous, but the other rows of the file have not been
        read, and may show what it means.
    """

    labels: tuple[str, ...]
    ambiguity: str = ""
    kind: str = ""
    index: bool = False
    needs_evidence: bool = False


def without_fraction(value: Any, choices: Choices) -> Any:
    """Convert a number with a decimal point to the spelling that the choices use.

    - If a label or the text of a choice is the number as written, return the number as a string:
      "4.25" for 4.25 if a choice is "4.25".
    - Otherwise, remove the fraction ".0": return 1 for 1.0, and "1" for the string "1.0".

    Return all other values unchanged.
    """
    # Pandas and Parquet turn an integer column with missing values into floats.
    if isinstance(value, int) or (isinstance(value, str) and ".0" not in value):
        return value  # decided without a regular expression, since nearly all values are such
    text = str(value).strip() if isinstance(value, float | str) else ""
    if not isinstance(value, float) and not _WHOLE.fullmatch(text):
        return value
    if any(text in (choice["label"], choice["text"]) for choice in choices.rows):
        return text
    if isinstance(value, str):
        return text.removesuffix(".0")
    return int(value) if value.is_integer() else value


def index_from(base: Base, number: int, choices: Choices) -> Meaning | None:
    """Return a Meaning with the label of the choice that has the index `number`, counted from
    `base`. The Meaning has no label if the choice is a blank cell of a table. Return None if the
    index is out of range."""
    index = number - base
    if not 0 <= index < len(choices.cells):
        return None
    label = choices.cells[index]
    return Meaning((label,) if label is not None else (), kind=f"index from {base}", index=True)


def read_choice(value: Any, choices: Choices) -> Meaning | None:
    """Return the choice that `value` names, or all candidates if `value` is ambiguous. Return None
    if `value` names no choice."""
    if isinstance(value, int) and not isinstance(value, bool):
        return _read_integer(value, choices)
    if not isinstance(value, str):
        return None
    labels = [choice["label"] for choice in choices.rows]
    if value in labels:
        return Meaning((value,), kind="labels")
    text = value.strip()
    exact = [label for label in labels if label.strip() == text]
    if len(exact) == 1:
        return Meaning((exact[0],), kind="labels")
    by_text = labels_of_text(text, choices.rows)
    folded_text = text.casefold()
    folded = [label for label in labels if label.strip().casefold() == folded_text]
    if len(folded) == 1 and (not by_text or folded[0] in by_text):
        return Meaning((folded[0],), kind="labels")
    if folded:
        named = tuple(dict.fromkeys((*by_text, *folded)))
        ambiguity = (
            f"which can mean choice {either(named)} (by text, or by label ignoring case); write the"
            " label of the right choice in its exact spelling"
        )
        return Meaning(named, ambiguity)
    if by_text:
        return Meaning(by_text, kind="texts")
    return _read_marked(text, labels, choices.rows)


def read_text(text: str, choices: Choices) -> Meaning | None:
    """Return the choice whose text is `text`, or None if no choice has this text."""
    labels = labels_of_text(text, choices.rows)
    return Meaning(labels, kind="texts") if labels else None


def _read_marked(
    text_with_mark: str, labels: Sequence[str], rows: Sequence[ChoiceRow]
) -> Meaning | None:
    """Read a label with brackets or punctuation: alone, as "(B)", or before the text of its choice,
    as "B) copper". Return None for anything else."""
    match = _MARKED.fullmatch(text_with_mark)
    if match is None:
        return None
    found = [label for label in labels if label.strip().casefold() == match[1].casefold()]
    text = match[2].strip()
    # A text other than the choice's own may be an explanation or a slip.
    if len(found) != 1 or (text and found[0] not in labels_of_text(text, rows, folded=True)):
        return None
    return Meaning((found[0],), kind="labels")


def _read_integer(value: int, choices: Choices) -> Meaning | None:
    """Read an integer as an index from 0. An integer larger than the last index is read as a label
    or as the text of a choice. Return None if the integer names no choice."""
    index, count = index_from(0, value, choices), choices.extent
    if value < count:
        return index
    text = str(value)
    labels = (text,) if text in choices.cells else labels_of_text(text, choices.rows)
    if not labels:
        return index
    # With the labels 1 to 4, the integer 4 can only be a label. But 1 to 3 would be read as
    # indices, so it is unclear whether the field holds labels or indices.
    texts = [c["text"] for c in choices.rows if isinstance(c["text"], str)]
    if {*choices.cells, *texts}.isdisjoint(map(str, range(count))):
        return Meaning(labels, kind="texts")
    ambiguity = (
        f"greater than {count - 1}, the last index counted from 0, but also the label or text of"
        f" choice {either(labels)}; if this choice is meant, write it as a string"
    )
    return Meaning(labels, ambiguity)


def labels_of_text(
    text: str, rows: Sequence[ChoiceRow], *, folded: bool = False
) -> tuple[str, ...]:
    """Return the labels of all choices whose text is `text`. If `folded` is True, ignore case and
    final full stops."""
    normalised = _folded if folded else composed
    wanted = normalised(text)
    return tuple(
        [
            choice["label"]
            for choice in rows
            if isinstance(choice["text"], str) and normalised(choice["text"]) == wanted
        ]
    )


def _folded(text: str) -> str:
    return composed(text).rstrip(".").casefold()


def either(labels: Sequence[str]) -> str:
    return " or ".join(map(shortened, labels))
