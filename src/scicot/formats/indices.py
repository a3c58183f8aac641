"""Interpret gold answers that are numbers. They can be labels, texts of choices, or indices from 0
or from 1.

The base of an index, 0 or 1, comes from the option --answer-index, the definition of a published
layout, or the evidence in the file's rows (reading.Tally), in this order. If none of them
determines the base, the answer is uncertain. The base is never guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scicot.formats import printed
from scicot.formats.gold import ChoiceRow, Meaning, read_choice, shortened, without_fraction
from scicot.formats.reading import Base, Reading, Tally

_MOST_DIGITS = 4  # a longer number is no index, since there are at most 26 choices
_OPTION = "--answer-index 0 (the first choice is 0) or --answer-index 1"


def meaning_of(
    value: Any,
    choices: Sequence[ChoiceRow],
    *,
    name: str,
    reading: Reading,
    base: Base | None = None,
    loose: bool = False,
) -> Meaning | None:
    """Return the choice that `value`, of the gold field `name`, refers to. If `value` is ambiguous,
    the result has an `ambiguity` and the labels of all candidates. If `value` refers to no choice,
    return None.

    Indices count from `reading.answer_index` or, if that is None, from `base`, the number that the
    data set defines. If both are None, a single row is read by `read_choice`. In a file
    (`reading.strict`), a string of digits may count from 0 or from 1, and so may an integer with
    `loose` (for values from a table). Other integers count from 0.
    """
    value = without_fraction(value, choices)
    number = _number(value)
    if number is None:
        meaning = read_choice(value, choices)
        if meaning is not None and meaning.kind == "texts" and reading.tally is not None:
            _tally(reading, name).texts += 1
        return _checked_letter(meaning, choices)
    known_base = reading.answer_index if reading.answer_index is not None else base
    if known_base is not None:
        return _index(number, choices, known_base) or (
            read_choice(str(number), choices) if base is None else None
        )
    if not reading.strict:
        return _checked_number(read_choice(value, choices), number, choices, Tally())
    if isinstance(value, int) and not loose:
        return _json_integer(number, choices, name, reading)
    return _of_table(value, number, choices, name, reading)


def _checked_letter(meaning: Meaning | None, choices: Sequence[ChoiceRow]) -> Meaning | None:
    """Return the meaning of a label. It is ambiguous if the letters printed in the texts of the
    choices contradict their labels, as in the choices A "B) wood" and B "A) copper"."""
    if meaning is None or meaning.kind != "labels" or meaning.ambiguity:
        return meaning
    candidates = printed.contradicting(meaning.labels[0], choices)
    if not candidates:
        return meaning
    text = next(c["text"] for c in choices if str(c["label"]) == meaning.labels[0])
    ambiguity = (
        f"the label of choice {shortened(text)}, but other letters stand before the texts of the"
        " choices; write the whole text of the choice as the answer"
    )
    return Meaning(candidates, ambiguity)


def _checked_number(
    meaning: Meaning | None, number: int, choices: Sequence[ChoiceRow], tally: Tally
) -> Meaning | None:
    """Return the meaning of an index from 0. It is ambiguous if this number is printed before
    another choice, as 1 with the choices "1. wood" and "2. copper", unless the rows of the file
    prove that indices count from 0."""
    if meaning is None or not meaning.index or tally.base == 0:
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
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        digits = value.strip()
        if digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS:
            return int(digits)
    return None


def _index(number: int, choices: Sequence[ChoiceRow], base: Base) -> Meaning | None:
    index = number - base
    if not 0 <= index < len(choices):
        return None
    return Meaning((str(choices[index]["label"]),), kind=f"index from {base}", index=True)


def _json_integer(
    number: int, choices: Sequence[ChoiceRow], name: str, reading: Reading
) -> Meaning | None:
    """Read an integer with `read_choice`. If it names no choice, but may be the last index counted
    from 1, return the last choice with an `ambiguity`."""
    meaning = read_choice(number, choices)
    if reading.tally is not None:
        _count(_tally(reading, name), number, choices)
    if meaning is not None or not choices or number != len(choices):
        return _checked_number(meaning, number, choices, _tally_of(reading, name))
    # If indices count from 1, the number of choices is the last index.
    if reading.tallies is not None and _tally_of(reading, name).zeros:
        return None  # the file counts from 0, so this index is out of range
    ambiguity = f"past the last index from 0, {number - 1}; do they count from 1? give {_OPTION}"
    return Meaning((str(choices[-1]["label"]),), ambiguity, index=True)


def _of_table(
    value: Any, number: int, choices: Sequence[ChoiceRow], name: str, reading: Reading
) -> Meaning | None:
    as_label_or_text = read_choice(str(number), choices)
    if (
        as_label_or_text is not None
        and as_label_or_text.kind == "labels"
        and isinstance(value, str)
    ):
        return as_label_or_text
    text = (
        as_label_or_text
        if as_label_or_text is not None and as_label_or_text.kind == "texts"
        else None
    )
    found = [_index(number, choices, base) for base in (0, 1)]
    indices = [meaning for meaning in found if meaning is not None]
    if reading.tally is not None:
        tally = _tally(reading, name)
        if text is None:
            _count(tally, number, choices)
        tally.texts += text is not None and not indices
        return text or next(iter(indices), None)
    if text is not None:
        return _text_or_index(text, indices, name, reading)
    return _choose_base(indices, _tally_of(reading, name))


def _text_or_index(
    text: Meaning, indices: Sequence[Meaning], name: str, reading: Reading
) -> Meaning | None:
    """Decide whether a number is the text of a choice (`text`) or an index from 0 or from 1
    (`indices`). If the file's rows do not decide it, the result has an `ambiguity`."""
    if all(meaning.labels[0] in text.labels for meaning in indices):
        return text
    tally = _tally_of(reading, name)
    if reading.tallies is not None and tally.all_texts:
        return text
    if reading.tallies is None or tally.texts:
        return _ambiguous([text, *indices], "which can be the text of a choice or an index")
    return _choose_base(indices, tally)


def _choose_base(candidates: Sequence[Meaning], tally: Tally) -> Meaning | None:
    """Return the choice that an index refers to, or None if `candidates` is empty.

    `candidates` are the choices at this index, counted from 0 and from 1. If there are two, `tally`
    selects one of them. If it cannot, the result has an `ambiguity`.
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


def _count(tally: Tally, number: int, choices: Sequence[ChoiceRow]) -> None:
    if 0 <= number <= len(choices):
        tally.indices += 1
        tally.zeros += number == 0
        tally.lasts += number == len(choices)


def _tally(reading: Reading, name: str) -> Tally:
    if reading.tally is None:
        raise ValueError("nothing is collected")
    return reading.tally.setdefault(name, Tally())


def _tally_of(reading: Reading, name: str) -> Tally:
    return (reading.tallies or {}).get(name, Tally())
