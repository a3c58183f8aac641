"""Interpret gold answers that are numbers. They can be labels, texts of choices, or indices from 0
or from 1.

The base of an index, 0 or 1, comes from the option --answer-index, the definition of a published
layout, or the evidence in the file's rows (reading.Tally), in this order. If none of them
determines the base, the answer is uncertain. The base is never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from scicot.formats import printed
from scicot.formats.gold import (
    ChoiceRow,
    Meaning,
    extent,
    index_from,
    is_blank,
    read_choice,
    read_text,
    shortened,
    without_fraction,
)
from scicot.formats.reading import Base, Positions, Reading, Tally

_INDEX = re.compile(r"0|[1-9][0-9]{0,3}")  # a longer number cannot be an index of 26 choices
_LONGEST_LABEL = 4  # characters of a label with its brackets, as "(12)"
_OPTION = "--answer-index 0 (the first choice is 0) or --answer-index 1"


def meaning_of(
    value: Any,
    choices: Sequence[ChoiceRow],
    *,
    name: str,
    reading: Reading,
    base: Base | None = None,
    loose: bool = False,
    positions: Positions = (),
    letters: printed.Letters = "explicit",
) -> Meaning | None:
    """Return the choice that `value` refers to, None if it refers to no choice. `value` is the gold
    answer in the field `name`.

    If `value` is ambiguous, the result has an `ambiguity` and the labels of all candidates. If
    `value` is the index or the label of a blank cell, the result has no labels. `positions` are the
    choice cells, including blank ones (see `reading.Positions`). `letters` says where the labels of
    the choices come from.

    Indices count from `reading.answer_index`. If that is None, they count from `base`, the number
    that the data set defines. If both are None:
    - In a single row (`reading.strict` is False), `read_choice` reads `value`.
    - In a file, a string of digits may count from 0 or from 1. So may an integer if `loose` is
      True. Other integers count from 0.
    """
    if isinstance(value, float) and value.is_integer() and reading.answer_index is not None:
        value = int(value)  # an index, also if it is the text of a choice
    value = without_fraction(value, choices)
    number = _number(value)
    if number is None:
        meaning = read_choice(value, choices)
        if meaning is not None and meaning.kind == "texts" and reading.tally is not None:
            _tally(reading, name).texts += 1
        # A label with the text of its choice, such as "B) wood", is certain.
        certain = reading.by_position or len(str(value).strip()) > _LONGEST_LABEL
        return meaning if certain else _checked_letter(meaning, choices, letters)
    positions = positions or tuple([str(choice["label"]) for choice in choices])
    known_base = reading.answer_index if reading.answer_index is not None else base
    if known_base is not None:
        index = index_from(number, positions, known_base)
        if base is not None or (index is not None and index.labels):
            return index
        named = read_choice(str(number), choices)
        # The number of a blank cell may be a text, but not another choice's label.
        is_text = named is not None and named.kind == "texts"
        return named if index is None or is_text else index
    if not reading.strict:
        return _checked_number(read_choice(value, choices, positions), number, choices)
    if isinstance(value, int) and not loose:
        return _json_integer(number, choices, positions, name, reading)
    return _of_table(value, number, choices, positions, name, reading)


def _checked_letter(
    meaning: Meaning | None, choices: Sequence[ChoiceRow], letters: printed.Letters
) -> Meaning | None:
    """Return `meaning`, or an ambiguous one if letters printed in the choices contradict its label.
    An example is the label A with the choices A "B) wood" and B "A) copper"."""
    if meaning is None or meaning.kind != "labels" or meaning.ambiguity:
        return meaning
    if any(is_blank(choice["text"]) for choice in choices):
        return meaning  # Question.from_row reports the choice without a text
    candidates = printed.contradicting(meaning.labels[0], choices, letters)
    if not candidates:
        return meaning
    text = next(c["text"] for c in choices if str(c["label"]) == meaning.labels[0])
    ambiguity = (
        f"the label of choice {shortened(text)}, but other letters stand before the texts of the"
        " choices; write the whole text of the choice as the answer"
    )
    return Meaning(candidates, ambiguity)


def _checked_number(
    meaning: Meaning | None, number: int, choices: Sequence[ChoiceRow], from_zero: bool = False
) -> Meaning | None:
    """Return `meaning`, or an ambiguous one if the index `number` is printed before another choice.
    An example is the index 1 with the choices "1. wood" and "2. copper". `from_zero` is True if the
    rows of the file prove that indices count from 0."""
    if meaning is None or not meaning.index or not meaning.labels or from_zero:
        return meaning
    label = printed.label_of_number(number, choices)
    if label is None or label in meaning.labels:
        return meaning
    reason = (
        "an index from 0, but this number stands before the text of another choice; write the"
        " whole text of the choice as the answer, or"
    )
    return Meaning((*meaning.labels, label), f"{reason} give {_OPTION}", index=True)


def _number(value: Any) -> int | None:
    """Return `value` as an integer if it is an integer or a string of digits. Return None for other
    values, and for a string that cannot be an index, such as "01"."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _INDEX.fullmatch(value.strip()):
        return int(value)
    return None


def _json_integer(
    number: int,
    choices: Sequence[ChoiceRow],
    positions: Positions,
    name: str,
    reading: Reading,
) -> Meaning | None:
    """Read an integer with `read_choice`. If no choice has this index, label or text, but the
    integer equals the number of choices, return the last choice with an `ambiguity`."""
    meaning = read_choice(number, choices, positions)
    if reading.tally is not None:
        _count(_tally(reading, name), number, positions)
    named = meaning is not None and meaning.labels
    if named or not choices or number != extent(positions):
        from_zero = reading.tallies is not None and _tally_of(reading, name).base == 0
        return _checked_number(meaning, number, choices, from_zero)
    # If indices count from 1, the number of choices is the last index.
    if reading.tallies is not None and _tally_of(reading, name).zeros:
        return meaning  # the file counts from 0, so this index is out of range, or of a blank cell
    ambiguity = f"past the last index from 0, {number - 1}; do they count from 1? give {_OPTION}"
    return Meaning((str(choices[-1]["label"]),), ambiguity, index=True)


def _of_table(
    value: Any,
    number: int,
    choices: Sequence[ChoiceRow],
    positions: Positions,
    name: str,
    reading: Reading,
) -> Meaning | None:
    as_label_or_text = read_choice(str(number), choices)
    if (
        as_label_or_text is not None
        and as_label_or_text.kind == "labels"
        and isinstance(value, str)
    ):
        return as_label_or_text
    if (
        isinstance(value, int)
        and as_label_or_text is not None
        and as_label_or_text.kind == "labels"
    ):
        by_text = read_text(str(number), choices)
        if by_text is not None and by_text.labels != as_label_or_text.labels:
            return Meaning(
                (*as_label_or_text.labels, *by_text.labels),
                "a number that is the label of one choice and the text of another; write the label"
                " or the text as a string",
            )
    if as_label_or_text is None:
        # pandas writes the choice 4 as "4.0" if other cells of its column are blank
        as_label_or_text = read_text(f"{number}.0", choices)
    text = (
        as_label_or_text
        if as_label_or_text is not None and as_label_or_text.kind == "texts"
        else None
    )
    bases: tuple[Base, ...] = (0, 1)
    found = [index_from(number, positions, base) for base in bases]
    indices = [meaning for meaning in found if meaning is not None]
    if text is None and isinstance(value, str) and _are_numbers(choices):
        # The other answers of the file are labels, so this is a label that the row lacks, or the
        # file has indices after all.
        if _is_label_of_blank(number, positions):
            return Meaning((), kind="label", index=True)
        return (
            _ambiguous(indices, "none of the row's labels, which are numbers") if indices else None
        )
    if reading.tally is not None:
        tally = _tally(reading, name)
        if text is None:
            _count(tally, number, positions)
        tally.texts += text is not None and not indices
        return text or next(iter(indices), None)
    if text is not None:
        return _text_or_index(text, indices, name, reading)
    return _choose_base(indices, _tally_of(reading, name))


def _are_numbers(choices: Sequence[ChoiceRow]) -> bool:
    return all(str(choice["label"]).strip().isdecimal() for choice in choices)


def _is_label_of_blank(number: int, positions: Positions) -> bool:
    """Return True if `number` is the label of a blank cell. The labels in `positions` are numbers,
    such as "1", None and "3", and the labels of cells are consecutive."""
    first = next((int(label) - n for n, label in enumerate(positions) if label is not None), 0)
    return 0 <= number - first < len(positions) and positions[number - first] is None


def _text_or_index(
    text: Meaning, indices: Sequence[Meaning], name: str, reading: Reading
) -> Meaning | None:
    """Decide whether a number is the text of a choice or an index. If the file's rows do not decide
    this, the result has an `ambiguity`.

    `text` is the choice with this number as its text. `indices` are the choices with this number as
    their index, counted from 0 and from 1.
    """
    if all(set(meaning.labels) <= set(text.labels) for meaning in indices):
        return text
    tally = _tally_of(reading, name)
    if reading.tallies is not None and tally.all_texts:
        return text
    if reading.tallies is None or tally.texts:
        return _ambiguous([text, *indices], "which can be the text of a choice or an index")
    return _choose_base(indices, tally)


def _choose_base(candidates: Sequence[Meaning], tally: Tally) -> Meaning | None:
    """Return the choice that an index refers to, or None if `candidates` is empty.

    `candidates` are the choices at this index, counted from 0 and from 1. If there are two,
    `tally.base` selects one of them. If `tally.base` is None, the result has an `ambiguity`.
    """
    if len(candidates) < 2:
        return next(iter(candidates), None)
    if tally.base is not None:
        return candidates[tally.base]
    contradiction = " (the file has both a 0 and the number of choices)" if tally.zeros else ""
    return _ambiguous(candidates, f"an index that can count from 0 or from 1{contradiction}")


def _ambiguous(meanings: Sequence[Meaning], reason: str) -> Meaning:
    labels = tuple(dict.fromkeys(label for meaning in meanings for label in meaning.labels))
    return Meaning(labels, f"{reason}; give {_OPTION}", index=True)


def _count(tally: Tally, number: int, positions: Positions) -> None:
    if 0 <= number <= len(positions):
        tally.indices += 1
        tally.zeros += number == 0
        tally.lasts += number == len(positions)
        tally.short_lasts += number == extent(positions) < len(positions)


def _tally(reading: Reading, name: str) -> Tally:
    if reading.tally is None:
        raise ValueError("nothing is collected")
    return reading.tally.setdefault(name, Tally())


def _tally_of(reading: Reading, name: str) -> Tally:
    return (reading.tallies or {}).get(name, Tally())
