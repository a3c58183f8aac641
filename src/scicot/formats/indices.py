"""Read a gold answer or a prediction that may be a number: a label, the text of a choice, or an
index from 0 or from 1.

A number is read by the first of these rules that applies:

1. If the data set defines the base of its indices, the number is an index.
2. With --answer-texts, the number is the text of a choice.
3. With --answer-index, the number is an index. If no choice has this index, the number is a label
   or a text.
4. If the row is read alone, without a file (`Reading.from_file` is False), `read_choice` decides.
5. If `Choices.numeric` is False, a JSON integer is an index from 0. If no choice has this index,
   the integer is a label or a text.
6. A string that is exactly a label is this label. If it is also the text of another choice,
   label_or_text.py decides, unless the data set defines that its answers are labels.
7. For every other number, the other answers in the same field of the file decide how the number
   is read. A base is never guessed.

Answers that are not numbers, such as "B" and "copper", are read by meaning.py. The rules 2 and 6
apply to them too.

Examples of the rules 5 and 7, for choices in a list:

    choices              answer  other answers  the answer is read as
    wood, copper, glass  1                      copper: an integer is an index from 0
    wood, copper, glass  "1"     "0"            copper: the 0 proves that indices count from 0
    wood, copper, glass  "1"     "3"            wood: the 3 proves that indices count from 1
    wood, copper, glass  "1"     "2"            ambiguous: indices may count from 0 or from 1
    2, 3, 4              "2"     "3"            the text 2: every answer is the text of a choice
    2, 3, 4              "2"     "0"            the text 4: the 0 is no text, but an index from 0
    2, 3, 4              "2"     "0", "4"       ambiguous: the 0 is no text, and the 4 is no index

Examples of rule 6, for choices in columns named option1, option2 and option3, so that the labels
are 1, 2 and 3:

    wood, copper, glass  "2"                    copper: a label
    4, 1, 9              "1"     "9"            the text 1: the 9 can only be a text
    4, 1, 9              "1"     "2"            the label 1 (choice 4): the 2 can only be a label
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from scicot.formats import printed
from scicot.formats.choice_set import Choices
from scicot.formats.label_or_text import label_or_text, number_equal_to_label
from scicot.formats.meaning import Meaning, index_from, read_choice, read_text, without_fraction
from scicot.formats.names import plain_name
from scicot.formats.reading import Base, Reading, Tally
from scicot.formats.values import is_blank, is_text_or_number, shortened

_INDEX = re.compile(r"0|[1-9][0-9]{0,3}")  # a longer number cannot be an index of 26 choices
_LONGEST_LABEL = 4  # characters of a label with its brackets, as "(12)"
_OPTION = "--answer-index 0 (the first choice is 0) or --answer-index 1"
_TEXTS = f"--answer-texts if the answers are texts, or {_OPTION} if they are indices"


def meaning_of(
    value: Any,
    choices: Choices,
    name: str,
    reading: Reading,
    base: Base | None = None,
    *,
    never_text: bool = False,
) -> Meaning | None:
    """Return the choice that `value` names. Return None if `value` names no choice.

    name: the field that holds `value`.
    base: the number from which the data set counts indices. None if the data set does not define
        this number.
    never_text: True if the data set defines that this field holds no texts of choices. A label is
        then read as a label, even if it is also the text of another choice.

    If `value` is ambiguous, the result has an `ambiguity` and the labels of all candidates. If
    `value` is the index or the label of a choice whose cell in a table is blank, the result is a
    Meaning without labels, not None.
    """
    option = reading.answer_index
    if isinstance(value, float) and value.is_integer() and option is not None:
        value = int(value)  # an index, also if it is the text of a choice
    value = without_fraction(value, choices)
    if reading.answer_texts and base is None and not never_text:
        return _only_text(value, choices)
    number = _number(value)
    if number is None:
        return _not_a_number(value, choices, name, reading, never_text)
    if base is not None:
        return index_from(base if option is None else option, number, choices)
    if option is not None:
        return _by_option(option, number, choices, reading.counts_to_fill(name))
    if not reading.from_file:
        return _check_number(read_choice(value, choices), number, choices)
    if isinstance(value, int) and not choices.numeric:
        return _json_integer(number, choices, name, reading)
    return _by_other_rows(value, choices, name, reading, never_text)


def _number(value: Any) -> int | None:
    """Return `value` as an integer if it may be an index. Return None for other values, such as
    "01"."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _INDEX.fullmatch(value.strip()):
        return int(value)
    return None


def _not_a_number(
    value: Any, choices: Choices, name: str, reading: Reading, never_text: bool
) -> Meaning | None:
    meaning, counts = read_choice(value, choices), reading.counts_to_fill(name)
    if meaning is None:
        meaning = _named_by_column(value, choices)
        if counts is not None:
            counts.labels += meaning is not None
        return meaning
    is_label = meaning.kind == "labels"
    text = _also_text(value, choices) if is_label and reading.from_file else None
    if counts is not None:
        counts.texts += meaning.kind == "texts"
        counts.only_texts += meaning.kind == "texts"
        counts.labels += is_label and text is None
    is_other = text is not None and meaning.labels[0] not in text.labels
    if text is not None and is_other and not never_text and not reading.by_position:
        meaning = label_or_text(meaning, text, choices, name, reading)
    # A label with the text of its choice, such as "B) wood", is certain.
    certain = reading.by_position or len(str(value).strip()) > _LONGEST_LABEL
    return meaning if certain else _check_label(meaning, choices)


def _also_text(label: str, choices: Choices) -> Meaning | None:
    """Return the choice whose text is `label`, or None if no choice has this text."""
    try:  # a quick check first, since nearly no label is a text
        if label.strip() not in [choice["text"].strip() for choice in choices.rows]:
            return None
    except AttributeError:
        pass  # a text is not a string, which Question.from_row reports
    return read_text(label, choices)


def _only_text(value: Any, choices: Choices) -> Meaning | None:
    """Read a string or a number as the text of a choice. Return None if no choice has this text."""
    if not is_text_or_number(value):
        return None
    text = read_text(str(value), choices)
    # pandas writes the choice 4 as "4.0" if other cells of its column are blank
    return read_text(f"{value}.0", choices) if text is None and _number(value) is not None else text


def _named_by_column(value: Any, choices: Choices) -> Meaning | None:
    """Return the choice whose column has the name `value`, such as "Option B"."""
    if not choices.columns or not isinstance(value, str):
        return None
    label = choices.columns.get(plain_name(value))
    if label is None or label not in choices.cells:
        return None
    return Meaning((label,), kind="labels")


def _check_label(meaning: Meaning, choices: Choices) -> Meaning:
    """Return an ambiguous Meaning if letters printed in the choices contradict the label of
    `meaning`. Otherwise return `meaning`.

    An example is the label A with the choices A "B) wood" and B "A) copper".
    """
    if meaning.kind != "labels" or choices.labels_from == "texts":
        return meaning
    if any(is_blank(choice["text"]) for choice in choices.rows):
        return meaning  # Question.from_row reports the choice without a text
    (label,) = meaning.labels
    candidates = printed.contradicting(label, choices.rows, dots=choices.labels_from == "order")
    if not candidates:
        return meaning
    text = next(choice["text"] for choice in choices.rows if choice["label"] == label)
    ambiguity = (
        f"the label of choice {shortened(text)}, but the letters printed in the texts of the"
        " choices differ from the labels; write the whole text of the choice as the answer"
    )
    return Meaning(candidates, ambiguity)


def _check_number(meaning: Meaning | None, number: int, choices: Choices) -> Meaning | None:
    """Return an ambiguous Meaning if `number`, as an index, means one choice, but is printed in
    front of the text of another choice. Otherwise return `meaning`.

    An example is the number 1 with the choices "1. wood" and "2. copper". As an index from 0, the
    number means copper, but 1 is printed in front of wood.
    """
    if meaning is None or not meaning.index or not meaning.labels:
        return meaning
    label = printed.label_of_number(number, choices.rows)
    if label is None or label in meaning.labels:
        return meaning
    reason = (
        "an index from 0, but the text of another choice begins with this number; write the"
        " whole text of the choice as the answer, or"
    )
    return Meaning((*meaning.labels, label), f"{reason} give {_OPTION}", index=True)


def _by_option(base: Base, number: int, choices: Choices, counts: Tally | None) -> Meaning | None:
    index = index_from(base, number, choices)
    if counts is not None and read_text(str(number), choices) is None:
        counts.indices += index is not None
    if index is not None and index.labels:
        return index
    named = read_choice(str(number), choices)
    # The number of a blank cell may be a text, but not another choice's label.
    is_text = named is not None and named.kind == "texts"
    return named if index is None or is_text else index


def _json_integer(number: int, choices: Choices, name: str, reading: Reading) -> Meaning | None:
    """Read an integer as an index from 0. If no choice has this index, read the integer as a label
    or a text.

    The result is ambiguous if no choice has this index, label or text, but the integer equals the
    number of choices. The integer may then be a mistake, or the index of the last choice, counted
    from 1.
    """
    counts, in_file = reading.counts_to_fill(name), reading.counts_of_file(name)
    if counts is not None:
        counts.add(number, choices)
    meaning = read_choice(number, choices)
    if (meaning is not None and meaning.labels) or not choices.rows or number != choices.extent:
        from_zero = in_file is not None and in_file.base == 0
        return meaning if from_zero else _check_number(meaning, number, choices)
    if in_file is not None and in_file.zeros:
        return meaning  # the file counts from 0, so this index is out of range, or of a blank cell
    ambiguity = (
        f"one more than {number - 1}, the last index counted from 0; give --answer-index 1 if"
        " indices count from 1, else --answer-index 0"
    )
    return Meaning((choices.rows[-1]["label"],), ambiguity, index=True)


def _by_other_rows(
    value: int | str, choices: Choices, name: str, reading: Reading, never_text: bool
) -> Meaning | None:
    """Read a number by the rules 6 and 7 at the top of this file."""
    number = int(value)
    text = read_text(str(number), choices)
    named = read_choice(str(number), choices)
    if named is not None and named.kind == "labels":
        read = number_equal_to_label(value, named, text, choices, name, reading, never_text)
        if read is not None:
            return read
        # An integer is not the label itself, but the index of a choice.
        text = text if text is not None and named.labels[0] in text.labels else None
        return _text_or_index(value, text, choices, name, reading, has_label=True)
    # pandas writes the choice 4 as "4.0" if other cells of its column are blank
    text = read_text(f"{number}.0", choices) if named is None else text
    return _text_or_index(value, text, choices, name, reading)


def _text_or_index(
    value: int | str,
    text: Meaning | None,
    choices: Choices,
    name: str,
    reading: Reading,
    *,
    has_label: bool = False,
) -> Meaning | None:
    """Decide whether a number is an index or the text of a choice.

    text: the choice whose text is this number, None if there is none.
    has_label: True if the number is also the label of a choice.
    """
    number = int(value)
    found = (index_from(0, number, choices), index_from(1, number, choices))
    indices = [meaning for meaning in found if meaning is not None]
    if text is None and isinstance(value, str) and _are_numbers(choices):
        return _not_among_labels(number, choices, indices)
    counts, in_file = reading.counts_to_fill(name), reading.counts_of_file(name)
    if counts is not None:
        if text is None or has_label:
            counts.add(number, choices, is_text=text is not None)
        counts.texts += text is not None and not indices
        counts.only_texts += text is not None and not has_label
    if reading.is_counting:
        return text or next(iter(indices), None)
    if text is not None and _is_text(text, indices, name, reading):
        return text
    if text is not None and (in_file is None or in_file.texts):
        return _ambiguous([text, *indices], "which can be the text of a choice or an index", _TEXTS)
    return _choose_base(indices, in_file or Tally(), text)


def _is_text(text: Meaning, indices: Sequence[Meaning], name: str, reading: Reading) -> bool:
    """Return True if a number is certainly the text of a choice, and not an index.

    text: the choice whose text is the number.
    indices: the choices that the number means as an index from 0 and as an index from 1.
    """
    if all(set(index.labels) <= set(text.labels) for index in indices):
        return True  # as an index, the number would mean the same choice
    # Of a pipe, the whole file is never known: a later row may have an index.
    in_file = reading.counts_of_file(name)
    return in_file is not None and in_file.has_no_index


def _are_numbers(choices: Choices) -> bool:
    return all(choice["label"].strip().isdecimal() for choice in choices.rows)


def _not_among_labels(number: int, choices: Choices, indices: Sequence[Meaning]) -> Meaning | None:
    """Read a number that is not a label of `choices`, in a row whose labels are all numbers.

    - If the number is the label of a blank cell, return a Meaning without labels. For example, 3 is
      the label of a blank cell if the labels of the other cells are 1, 2 and 4.
    - If the number may be an index, return an ambiguous Meaning.
    - Otherwise return None.
    """
    cells = choices.cells
    # The labels of cells are consecutive numbers, such as "1", None and "3".
    first = next((int(label) - n for n, label in enumerate(cells) if label is not None), 0)
    if 0 <= number - first < len(cells) and cells[number - first] is None:
        return Meaning((), kind="label", index=True)
    reason = "which is not a label in this row, although all its labels are numbers"
    return _ambiguous(indices, reason) if indices else None


def _choose_base(indices: Sequence[Meaning], counts: Tally, text: Meaning | None) -> Meaning | None:
    """Return the choice that a number means as an index. Return None if `indices` is empty.

    indices: the choices that the number can mean as an index. If there are two, the first is
        counted from 0 and the second from 1. In this case, `counts` decide. If `counts` prove no
        base, the result is ambiguous.
    text: the choice whose text is the same number, or None. An ambiguous result includes this
        choice.
    """
    if len(indices) < 2:
        return next(iter(indices), None)
    if counts.base is not None:
        return indices[counts.base]
    contradiction = (
        " (the file has both 0 and an index equal to the number of choices)" if counts.zeros else ""
    )
    reason = f"an index that can count from 0 or from 1{contradiction}"
    if text is None:
        return _ambiguous(indices, reason)
    return _ambiguous([text, *indices], f"the text of a choice, or {reason}", _TEXTS)


def _ambiguous(meanings: Sequence[Meaning], reason: str, options: str = _OPTION) -> Meaning:
    labels = tuple(dict.fromkeys(label for meaning in meanings for label in meaning.labels))
    return Meaning(labels, f"{reason}; give {options}", index=True)
