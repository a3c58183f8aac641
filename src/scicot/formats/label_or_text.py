"""Read an answer that is the label of one choice and the text of another.

The other answers in the same field of the file decide. Examples for the answer "A" and the choices
A "AB", B "A", C "0", D "B":

    other answers  the answer is read as
    "AB"           the text "A", choice B: "AB" is only a text
    "C"            the label A, choice A: "C" is only a label
    2              the label A, choice A: an index counts like a label
    "B"            ambiguous: "B", too, is the label of one choice and the text of another
    "AB" and "C"   ambiguous: the file has both texts and labels
    none           ambiguous
"""

from __future__ import annotations

from scicot.formats.choice_set import Choices
from scicot.formats.meaning import Meaning
from scicot.formats.reading import Reading, Tally


def label_or_text(
    label: Meaning, text: Meaning, choices: Choices, name: str, reading: Reading
) -> Meaning:
    """Return `label` or `text`, the two meanings of an answer in the field `name`. The result is
    ambiguous if the other answers of the file do not show which is meant."""
    if reading.tally is not None:
        return label  # the first pass over a file only counts; what it returns is not used
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
