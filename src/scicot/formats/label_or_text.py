"""Decide whether an answer that is the label of one choice and the text of another is a label or a
text.

An example is the answer "A" for these choices:

    A "AB"   B "A"   C "0"   D "B"

The other answers of the file decide. If one of them is only a text, such as "AB", and none is only
a label or an index, the answer is a text. In the opposite case it is a label.
"""

from __future__ import annotations

from scicot.formats.choice_set import Choices
from scicot.formats.meaning import Meaning
from scicot.formats.reading import Reading, Tally


def label_or_text(
    label: Meaning, text: Meaning, choices: Choices, name: str, reading: Reading
) -> Meaning:
    """Return `label` or `text`, the two meanings of an answer in the field `name`, as the other
    answers of the file show. If they do not show it, the result is ambiguous. In the first pass
    over a file, return `label`, which is not counted."""
    if reading.tally is not None:
        return label
    evidence = reading.evidence(name)
    kind = (evidence or Tally()).kind
    if kind == "labels":
        return label
    if kind == "texts":
        return text
    found = "both kinds of answers" if kind == "both" else "no other answer that shows which"
    # Labels that are numbers count from 0 or from 1. With letters, the number does not matter.
    base = 0 if choices.cells[0] == "0" else 1
    ambiguity = (
        "the label of one choice and the text of another"
        f" (choice {label.labels[0]!r} by its label, choice {text.labels[0]!r} by its text), and"
        f" the file has {found}; give --answer-texts"
        f" if the answers are texts, or --answer-index {base} if they are labels"
    )
    labels = (*label.labels, *text.labels)
    return Meaning(labels, ambiguity, needs_evidence=evidence is None)
