"""Read the gold answer of a row, which may be in several fields.

Examples from public data sets, for the choices A "wood", B "copper", C "glass":

    "B"   "b"   "copper"   "(B)"   "B) copper"   1 (an index from 0)   "" or null or -1 (unlabelled)

Each field is read by meaning.py and indices.py. If a row has several gold fields, the answer is the
choice that all of them allow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from scicot.formats.choice_set import Choices
from scicot.formats.indices import meaning_of
from scicot.formats.look_alikes import difference
from scicot.formats.meaning import Meaning, either
from scicot.formats.names import ANSWERS, FURTHER_ANSWERS, NEVER_TEXTS, plain_name
from scicot.formats.reading import PLAIN, Base, Reading, UncertainIndex
from scicot.formats.values import is_blank, shortened
from scicot.row_fields import RowProblem

# Values that replace a withheld gold answer in integer columns of test sets on the Hub.
_HIDDEN = ("-1", "-1.0", -1)
_PADDED = re.compile(r"0\d{1,3}")  # a number with a leading zero
# Fields of these names hold the gold answer in some files, and a mark (right or wrong) in others.
_MARKS = frozenset({"correct", "richtig", "correcta"})


@dataclass(frozen=True, slots=True, eq=False)  # hashable, by identity
class Gold:
    """The fields of a row that may hold the gold answer. Their names are in the form that
    `plain_name` returns.

    names: the fields that are read first.
    secondary: the fields that are read after those in `names`.
    bases: maps a field to the number from which its indices count, 0 or 1. It has
        no entry for a field if the data set does not define this number.
    single: True if the gold answer may be wrapped in a list of one element.
    never_texts: the fields that never hold the text of a choice, only labels or indices.
    """

    names: tuple[str, ...] = ANSWERS
    secondary: tuple[str, ...] = FURTHER_ANSWERS
    bases: Mapping[str, Base] = field(default_factory=dict)
    single: bool = False
    never_texts: Set[str] = NEVER_TEXTS


GOLD = Gold()
NOT_TEXTS = "if answers are labels or indices, leave out --answer-texts"


def gold_fields(row: Mapping[str, Any], names: tuple[str, ...] = ANSWERS) -> list[str]:
    """Return the names of the row's gold fields that are not blank, in the order of `names`."""
    return [name for name in _in_order(tuple(row), names) if not is_blank(row[name])]


@lru_cache(maxsize=1024)  # cached because nearly all rows of a file have the same fields
def _in_order(fields: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    found = [name for name in fields if plain_name(name) in names]
    return tuple(sorted(found, key=lambda name: names.index(plain_name(name))))


@lru_cache(maxsize=1024)
def _fields_of(
    gold: Gold, fields: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...], Set[str]]:
    """Return three collections: the members of `fields` in `gold.names`, in `gold.secondary` and in
    `gold.never_texts`. `fields` are the names of a row's fields."""
    never_texts = frozenset(name for name in fields if plain_name(name) in gold.never_texts)
    return _in_order(fields, gold.names), _in_order(fields, gold.secondary), never_texts


def is_hidden(value: Any) -> bool:
    """Return True for -1, "-1" and "-1.0", which stand for a withheld gold answer in test sets."""
    return not isinstance(value, bool) and value in _HIDDEN


def read_gold(
    row: Mapping[str, Any], choices: Choices, gold: Gold = GOLD, reading: Reading = PLAIN
) -> tuple[str | None, str | None]:
    """Return (gold label, name of its field), or (None, None) if the row has no gold answer.

    Raises RowProblem if the gold fields contradict each other, or if the gold answer is ambiguous.
    Also raises RowProblem if the row has gold answers, but none of them names a choice.
    """
    meanings: dict[str, Meaning] = {}
    unread_field, blank = "", None
    names, further_names, never_texts = _fields_of(gold, tuple(row))
    fields = [name for name in names if not is_blank(row[name])]
    secondary = [name for name in further_names if not is_blank(row[name])]
    if fields and secondary:
        secondary = [name for name in secondary if plain_name(name) not in _MARKS]
    for name in (*fields, *secondary):
        value = row[name]
        if gold.single and isinstance(value, list) and len(value) == 1:
            value = value[0]
        if is_hidden(value):
            continue
        base = gold.bases.get(plain_name(name)) if gold.bases else None
        meaning = meaning_of(value, choices, name, reading, base, never_text=name in never_texts)
        if meaning is not None and meaning.labels:
            meanings[name] = meaning
        # In a secondary field, a list, an object or a boolean is probably no gold answer.
        elif name in fields or not isinstance(value, list | dict | bool):
            blank = blank if unread_field else meaning
            unread_field = unread_field or name
    if meanings:
        label, name = agreed(row, meanings)
        kinds, kind = reading.kinds, meanings[name].kind
        is_new = kinds is not None and kind not in kinds.get(name, ())
        if is_new or reading.recognised is not None:
            _note(name, kind, reading)
        return label, name
    if unread_field:
        base = gold.bases.get(plain_name(unread_field))
        base = reading.answer_index if reading.answer_index is not None else base
        texts_only = reading.answer_texts is True
        raise unread(row, unread_field, choices, blank, texts_only=texts_only, base=base)
    return None, None


def _note(name: str, kind: str, reading: Reading) -> None:
    """Record the gold field `name` and the form of its answer, for messages."""
    recognised, kinds = reading.recognised, reading.kinds
    if kinds is not None and kind not in kinds.get(name, ()):
        kinds.setdefault(name, set()).add(kind)
    if recognised is not None:
        recognised.answer, recognised.kind = name, kind
        recognised.kinds = (kinds or {}).get(name, frozenset())


def agreed(row: Mapping[str, Any], meanings: Mapping[str, Meaning]) -> tuple[str, str]:
    """Return (label of the choice that all gold fields allow, name of the field that allows the
    fewest choices). `meanings` maps the name of each gold field to the choices that it allows.

    Raises RowProblem in two cases:

    - The fields have no choice in common.
    - Every field is ambiguous (even if the fields have only one choice in common).
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
            f'"{field}" is {shortened(row[field])}, choice {either(meanings[field].labels)}'
            for field in shown
        ]
        raise RowProblem(
            f"has {'two' if len(shown) == 2 else 'several'} gold answers:"
            f" {', '.join(descriptions[:-1])}, and {descriptions[-1]}; remove the wrong one"
        )
    if all(meaning.ambiguity for meaning in meanings.values()):
        uncertain = meanings[name].index or any(m.needs_evidence for m in meanings.values())
        problem = UncertainIndex if uncertain else RowProblem
        raise problem(f'"{name}" is {shortened(row[name])}, {meanings[name].ambiguity}')
    labels = meanings[name].labels
    return next((label for label in labels if label in common), labels[0]), name


def unread(
    row: Mapping[str, Any],
    name: str,
    choices: Choices,
    blank: Meaning | None = None,
    *,
    texts_only: bool = False,
    base: Base | None = None,
) -> RowProblem:
    """Return the error for a row whose gold answer names no choice, or a choice with a blank cell.

    name: the field of the gold answer.
    blank: the meaning of the gold answer if the answer is the index or the label of a choice with
        a blank cell. Otherwise None.
    texts_only: True if --answer-texts excludes labels and indices.
    base: the number from which --answer-index or the data set counts indices. None if neither
        defines it.
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
        return RowProblem(f'"{name}" is {shortened(value)}, several answers; give exactly one')
    parts = re.split(r"\s*(?:[,;&/|+]|\band\b|\bund\b)\s*", value) if isinstance(value, str) else []
    if len(parts) > 1 and all(re.fullmatch(r"[A-Za-z]|\d{1,2}", part) for part in parts):
        return RowProblem(f'"{name}" is {shortened(value)}, several answers; give exactly one')
    texts = [str(choice[key]) for choice in choices.rows for key in ("label", "text")]
    look_alike = difference(value, texts) if isinstance(value, str) else ""
    if look_alike:
        return RowProblem(f'"{name}" is {shortened(value)}, {look_alike}')
    if isinstance(value, str) and _PADDED.fullmatch(value.strip()):
        without_zero = value.strip().lstrip("0") or "0"
        return RowProblem(
            f'"{name}" is {shortened(value)}, neither a label nor the text of a choice; if it is'
            f" an index, write {without_zero}, without a leading zero"
        )
    if texts_only:
        return RowProblem(f'"{name}" is {shortened(value)}, not the text of a choice; {NOT_TEXTS}')
    number = "a JSON integer" if base is None else "a number"
    first = base or 0
    return RowProblem(
        f'"{name}" is {shortened(row[name])}, neither a label nor the text of a choice nor an'
        f" index ({number} from {first} to {len(choices.cells) - 1 + first})"
    )
