"""Find the choice that a gold answer refers to.

Examples from public data sets, for the choices A "wood", B "copper", C "glass":

    "B"   "b"   "copper"   "(B)"   "B) copper"   1 (an index from 0)   "" or null or -1 (unlabelled)

The same rules apply in every format, and to predictions too (`read_choice`):

1. A JSON string that is exactly a label is that label, whatever the texts of the choices are.
2. A JSON integer is an index from 0. An integer larger than the last index may be a label or the
   text of a choice (`_read_integer`).
3. Any other string can be the text of a choice, a label in upper or lower case, or both
   ("B) copper").
4. A string of digits that is neither a label nor the text of a choice is an index (indices.py). It
   must not have a leading zero. It must be certain whether indices count from 0 or from 1.

Blank choices before the last one have indices too.

If a row has several gold fields (`gold_fields`), the answer is the choice that all of them allow.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from scicot.formats.look_alikes import composed, difference
from scicot.formats.names import ANSWERS, plain_name
from scicot.formats.reading import Base, Positions, UncertainIndex
from scicot.row_fields import RowProblem

ChoiceRow = dict[str, Any]

# Values that replace a withheld gold answer in integer columns of test sets on the Hub.
_HIDDEN = ("-1", "-1.0", -1)
_WHOLE = re.compile(r"(?:0|[1-9][0-9]{0,3})\.0")  # "1.0", as pandas writes a 1 among floats
# "(B)", "B.", "b)" and "[B]"; "B) copper", "(B) copper", "B. copper", "B: copper", "B - copper"
_MARKED = re.compile(r"[(\[]?\s*([A-Za-z]|\d{1,2})\s*(?:[)\].:]|-(?=\s))\s*(.*)", re.DOTALL)


def is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def shortened(value: Any) -> str:
    """Return a value as Python code, shortened for a one-line message."""
    return reprlib.repr(value)


def gold_fields(row: Mapping[str, Any], names: Sequence[str] = ANSWERS) -> list[str]:
    """Return the names of the row's gold fields that are not blank, in the order of `names`."""
    return [name for name in _gold_fields(tuple(row), tuple(names)) if not is_blank(row[name])]


@lru_cache(maxsize=1024)  # cached because nearly all rows of a file have the same fields
def _gold_fields(fields: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    found = [name for name in fields if plain_name(name) in names]
    return tuple(sorted(found, key=lambda name: names.index(plain_name(name))))


@dataclass(frozen=True, slots=True)
class Meaning:
    """The choices that a gold answer may refer to.

    labels: the labels of these choices. There may be several if the gold answer is ambiguous, or if
        several choices have the same text. Empty if the gold answer is the index or the label of a
        blank cell.
    ambiguity: the reason why the gold answer is ambiguous, "" if it is clear.
    kind: the form of the gold answer, such as "labels" or "texts", for messages.
    index: True if the gold answer is or may be an index.
    """

    labels: tuple[str, ...]
    ambiguity: str = ""
    kind: str = ""
    index: bool = False


def without_fraction(value: Any, choices: Sequence[ChoiceRow]) -> Any:
    """Remove the fraction ".0" from a number: return 1 for 1.0, and "1" for the string "1.0".

    If a number is written exactly like a label or the text of a choice, return it as a string, such
    as "4.25". Return other values unchanged.
    """
    # Pandas and Parquet turn an integer column with missing values into floats.
    if isinstance(value, int) or (isinstance(value, str) and ".0" not in value):
        return value  # decided without a regular expression, since nearly all values are such
    text = str(value).strip() if isinstance(value, float | str) else ""
    if not isinstance(value, float) and not _WHOLE.fullmatch(text):
        return value
    if any(text in (choice["label"], choice["text"]) for choice in choices):
        return text
    if isinstance(value, str):
        return text.removesuffix(".0")
    return int(value) if value.is_integer() else value


def index_from(number: int, positions: Sequence[str | None], base: Base) -> Meaning | None:
    """Return the choice with the index `number`, counted from `base`. Return a Meaning without
    labels if this index is that of a blank cell, and None if no cell has this index."""
    index = number - base
    if not 0 <= index < len(positions):
        return None
    label = positions[index]
    return Meaning((label,) if label is not None else (), kind=f"index from {base}", index=True)


def extent(positions: Sequence[str | None]) -> int:
    """Return the number of choice cells without the blank ones at the end."""
    if positions and positions[-1] is not None:
        return len(positions)
    filled = [index for index, label in enumerate(positions) if label is not None]
    return filled[-1] + 1 if filled else 0


def read_choice(
    value: Any, choices: Sequence[ChoiceRow], positions: Positions = ()
) -> Meaning | None:
    """Return the choice that `value` names. `value` is a gold answer or a prediction. Return all
    candidates if `value` is ambiguous, and None if `value` names no choice."""
    if isinstance(value, int) and not isinstance(value, bool):
        positions = positions or tuple([str(choice["label"]) for choice in choices])
        return _read_integer(value, positions, choices)
    if not isinstance(value, str):
        return None
    labels = [str(choice["label"]) for choice in choices]
    if value in labels:
        return Meaning((value,), kind="labels")
    text = value.strip()
    exact = [label for label in labels if label.strip() == text]
    if len(exact) == 1:
        return Meaning((exact[0],), kind="labels")
    by_text = labels_of_text(text, choices)
    folded = [label for label in labels if label.strip().casefold() == text.casefold()]
    if len(folded) == 1 and (not by_text or folded[0] in by_text):
        return Meaning((folded[0],), kind="labels")
    if folded:
        named = tuple(dict.fromkeys((*by_text, *folded)))
        ambiguity = (
            f"which can mean choice {_either(named)}, by text or label; write the label exactly"
        )
        return Meaning(named, ambiguity)
    if by_text:
        return Meaning(by_text, kind="texts")
    return _read_marked(text, labels, choices)


def read_text(text: str, choices: Sequence[ChoiceRow]) -> Meaning | None:
    """Return the choice whose text is exactly `text`; None if there is none."""
    labels = labels_of_text(text, choices)
    return Meaning(labels, kind="texts") if labels else None


def _read_marked(
    text_with_mark: str, labels: Sequence[str], choices: Sequence[ChoiceRow]
) -> Meaning | None:
    """Read a label with brackets or punctuation: alone, as "(B)", or before the text of its choice,
    as "B) copper". Return None for anything else."""
    match = _MARKED.fullmatch(text_with_mark)
    if match is None:
        return None
    found = [label for label in labels if label.strip().casefold() == match[1].casefold()]
    text = match[2].strip()
    # A text other than the choice's own may be an explanation or a slip.
    if len(found) != 1 or (text and found[0] not in labels_of_text(text, choices, folded=True)):
        return None
    return Meaning((found[0],), kind="labels")


def _read_integer(
    value: int, positions: Sequence[str | None], choices: Sequence[ChoiceRow]
) -> Meaning | None:
    """Read an integer as an index from 0. An integer larger than the last index is read as a label
    or as the text of a choice. Return None if the integer names no choice."""
    index, count = index_from(value, positions, 0), extent(positions)
    if value < count:
        return index
    text = str(value)
    labels_named = (text,) if text in positions else labels_of_text(text, choices)
    if not labels_named:
        return index
    # With the labels 1 to 4, the integer 4 can only be a label. But 1 to 3 would be read as
    # indices, so it is unclear whether the field holds labels or indices.
    others = {*positions, *(c["text"] for c in choices if isinstance(c["text"], str))}
    if others.isdisjoint(map(str, range(count))):
        return Meaning(labels_named, kind="texts")
    ambiguity = (
        f"an integer, so an index from 0, and the last one is {count - 1}; it is also the"
        f" label or text of choice {_either(labels_named)}, so write it as a string"
    )
    return Meaning(labels_named, ambiguity)


def labels_of_text(
    text: str, choices: Sequence[ChoiceRow], *, folded: bool = False
) -> tuple[str, ...]:
    """Return the labels of all choices whose text is `text`. If `folded` is True, ignore case and
    final full stops."""

    def normalised(text: str) -> str:
        return composed(text).rstrip(".").casefold() if folded else composed(text)

    wanted = normalised(text)
    return tuple(
        [
            str(choice["label"])
            for choice in choices
            if isinstance(choice["text"], str) and normalised(choice["text"]) == wanted
        ]
    )


def agreed(row: Mapping[str, Any], meanings: Mapping[str, Meaning]) -> tuple[str, str]:
    """Return the label of a choice that all gold fields allow, and the name of the gold field that
    allows the fewest choices. `meanings` maps the name of each gold field to the choices that the
    field allows.

    Raises RowProblem if no choice is allowed by all gold fields, or if all gold fields are
    ambiguous.
    """
    if len(meanings) == 1:  # in nearly all rows
        ((name, meaning),) = meanings.items()
        if not meaning.ambiguity:
            return meaning.labels[0], name
    name = min(meanings, key=lambda name: len(meanings[name].labels))
    allowed = {field: set(meaning.labels) for field, meaning in meanings.items()}
    common = set.intersection(*allowed.values())
    if not common:
        other = next((field for field in allowed if not allowed[field] & allowed[name]), None)
        # If `name` has a choice in common with each other field, all fields are needed to show that
        # they contradict each other.
        shown = [field for field in allowed if other is None or field in (name, other)]
        descriptions = [
            f'"{field}" is {shortened(row[field])}, choice {_either(meanings[field].labels)}'
            for field in shown
        ]
        raise RowProblem(
            f"has {'two' if len(shown) == 2 else 'several'} gold answers:"
            f" {', '.join(descriptions[:-1])}, and {descriptions[-1]}; remove the wrong one"
        )
    if all(meaning.ambiguity for meaning in meanings.values()):
        problem = UncertainIndex if meanings[name].index else RowProblem
        raise problem(f'"{name}" is {shortened(row[name])}, {meanings[name].ambiguity}')
    labels = meanings[name].labels
    return next((label for label in labels if label in common), labels[0]), name


def is_hidden(value: Any) -> bool:
    """Return True for -1, "-1" and "-1.0", which stand for a withheld gold answer in test sets."""
    return not isinstance(value, bool) and value in _HIDDEN


def unread(
    row: Mapping[str, Any],
    name: str,
    choices: Sequence[ChoiceRow],
    count: int,
    blank: Meaning | None = None,
) -> RowProblem:
    """Return the error for a row whose gold answer names no choice.

    name: the field of the gold answer.
    count: the number of choices, including blank ones.
    blank: the meaning of a gold answer that is the index or the label of a blank cell. None for
        other answers.
    """
    value = row[name]
    if blank is not None and blank.kind == "label":
        return RowProblem(
            f'"{name}" is {shortened(value)}, the label of a blank choice; fill in this choice or'
            " correct the answer"
        )
    if blank is not None:
        return RowProblem(
            f'"{name}" is {shortened(value)}, an {blank.kind or "index"} that names a blank choice'
            " (blank cells are counted too); fill in this choice or correct the answer"
        )
    if isinstance(value, list) and len(value) > 1:
        return RowProblem(
            f'"{name}" is {shortened(value)}, several choices; one right answer is read'
        )
    parts = re.split(r"\s*(?:[,;&/|+]|\band\b|\bund\b)\s*", value) if isinstance(value, str) else []
    if len(parts) > 1 and all(re.fullmatch(r"[A-Za-z]|\d{1,2}", part) for part in parts):
        return RowProblem(
            f'"{name}" is {shortened(value)}, several choices; one right answer is read'
        )
    texts = [str(choice[key]) for choice in choices for key in ("label", "text")]
    look_alike = difference(value, texts) if isinstance(value, str) else ""
    if look_alike:
        return RowProblem(f'"{name}" is {shortened(value)}, {look_alike}')
    return RowProblem(
        f'"{name}" is {shortened(row[name])}, neither a label nor the text of a choice nor an'
        f" index (a JSON integer from 0 to {count - 1})"
    )


def _either(labels: Sequence[str]) -> str:
    return " or ".join(map(shortened, labels))
