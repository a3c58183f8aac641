"""Read an answer that is the label of one choice and the text of another.

With --answer-labels, the answer is read as a label. The option --answer-texts is handled in
indices.py. Without these options, the other answers in the same field of the file decide. Examples
for the answer "A" and the choices A "AB", B "A", C "0", D "B":

    other answers  the answer is read as
    "AB"           the text "A", choice B: "AB" is only a text
    "C"            the label A, choice A: "C" is only a label
    2              the label A, choice A: an index counts like a label
    "AB" and "C"   the label A, choice A: files of labels often have a few texts
    "B"            unknown: "B", too, is the label of one choice and the text of another
    none           unknown

If the form is unknown, the answer is refused. There are three exceptions, in which the answer is
read as a label:

- The answer is a prediction.
- The row itself writes the labels of its choices, as in {"A": "AB", "B": "A"}.
- The option --answer-index is given, so the answers are not texts.

In a pipe, only the earlier rows are known. If an earlier row shows that answers are labels, the
answer is read as a label. Otherwise the answer is refused, even in the three exceptions.

The rules above are for strings, such as "1". A JSON integer, such as 1, is never read as the label,
because integers often count from 0. Two rules differ for integers:

- Where a string is read as the label, an integer is read as an index (see indices.py),
  also with --answer-labels.
- If the form is unknown, an integer is always refused. The three exceptions do not apply.
"""

from __future__ import annotations

from scicot.formats.choice_set import Choices
from scicot.formats.meaning import Meaning
from scicot.formats.reading import Reading

_LABELS = "--answer-labels if they are labels"
_INDICES = "--answer-index 0 (the first choice is 0) or --answer-index 1 if they are indices"


def label_or_text(
    label: Meaning,
    text: Meaning,
    choices: Choices,
    name: str,
    reading: Reading,
    *,
    is_integer: bool = False,
) -> Meaning:
    """Decide between `label` and `text`, the two meanings of an answer in the field `name`. Return
    the right meaning, or an ambiguous Meaning if the right meaning is unknown.

    is_integer: True if the answer is a JSON integer. The three exceptions in the docstring of this
        module do not apply to integers.
    """
    # The first pass over a file only counts. What it returns is not used.
    if reading.is_counting or reading.answer_texts is False:
        return label
    counts = reading.counts_of_file(name)
    if reading.is_pipe:
        # Texts alone prove nothing here, since a later row may have a label.
        so_far = reading.counts_to_fill(name)
        kind = "labels" if so_far is not None and so_far.kind == "labels" else None
    else:
        kind = counts.kind if counts is not None else None
        is_label = choices.labels_written or reading.answer_index is not None
        if kind is None and counts is not None and not is_integer and is_label:
            kind = "labels"
    if kind is not None:
        return label if kind == "labels" else text
    ambiguity = (
        "the label of one choice and the text of another"
        f" (choice {label.labels[0]!r} by its label, choice {text.labels[0]!r} by its text), and"
        f" {_advice(reading, _INDICES if is_integer else _LABELS)}"
    )
    labels = (*label.labels, *text.labels)
    return Meaning(labels, ambiguity, needs_evidence=counts is None and not reading.is_pipe)


def number_equal_to_label(
    value: int | str,
    label: Meaning,
    text: Meaning | None,
    choices: Choices,
    name: str,
    reading: Reading,
    never_text: bool,
) -> Meaning | None:
    """Read a number that equals the label of a choice.

    - A string is this label or the text of another choice.
    - A JSON integer may be the text of another choice, but is never the label. If the integer is
      not such a text, return None. The caller then decides how to read the integer.

    If the other answers of the file must decide but do not, return an ambiguous Meaning.

    value: the number, as a string or a JSON integer.
    label: the choice with this label.
    text: the choice whose text is the number. None if no choice has this text.
    never_text: True if the data set defines that its answers are never texts.
    """
    is_string, counts = isinstance(value, str), reading.counts_to_fill(name)
    if text is None or label.labels[0] in text.labels:
        if counts is not None:
            counts.labels += is_string and text is None
        return label if is_string else None
    if counts is not None:
        counts.add(int(value), choices, is_text=True)
    if reading.is_counting:
        return label
    if is_string:
        return label if never_text else label_or_text(label, text, choices, name, reading)
    read = label_or_text(label, text, choices, name, reading, is_integer=True)
    return None if read is label else read


def _advice(reading: Reading, other_options: str) -> str:
    options = f"add --answer-texts if the answers are texts, or {other_options}"
    if not reading.is_pipe:
        return f"no other answer of the file shows which is meant; {options}"
    return (
        "no earlier answer shows that the answers are labels; standard input and pipes cannot be"
        f" read ahead, so give a file, or {options}"
    )
