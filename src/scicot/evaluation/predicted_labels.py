"""Read the field "prediction" of other tools' answers by the same rules as gold answers: a label,
the text of a choice, or an index from 0 or from 1."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from string import ascii_lowercase, ascii_uppercase
from typing import Any

from scicot.evaluation import lm_eval
from scicot.formats import Reading, UncertainIndex
from scicot.formats.choice_set import Cells, Choices, choice_rows
from scicot.formats.indices import meaning_of
from scicot.formats.meaning import labels_of_text, without_fraction
from scicot.formats.values import is_blank, shortened
from scicot.records import Question
from scicot.row_fields import RowProblem

# Labels of choices in consecutive columns. More than ten columns are rare, and "F" and "T" are
# labels of their own.
_RUNS = (ascii_uppercase[:10], ascii_lowercase[:10], "123456789", "0123456789")


class PredictedLabels:
    """Reads the predictions of one file as labels of choices.

    kinds: how predictions that are indices were read, such as "index from 0".
    zeros: the number of predictions that are the index 0.
    """

    def __init__(self) -> None:
        self.kinds: set[str] = set()
        self.zeros = 0

    def read(
        self, value: Any, question: Question, reading: Reading, *, is_own: bool = False
    ) -> str | None:
        """Return the label of the choice that `value` means. Return None if `value` is blank.

        value: the content of a field "prediction".
        is_own: True if `predict` wrote the row. In such a row, a value that is exactly a label is
            always read as this label.

        Raises RowProblem if `value` does not mean exactly one choice. Raises the subclass
        UncertainIndex if the other rows of the file may show which choice is meant. Two examples:

        - `value` is an index, and it is unclear whether the index counts from 0 or from 1.
        - `is_own` is False, and `value` is the label of one choice and the text of another.
        """
        if is_blank(value):
            return None
        shown = f'"prediction" is {shortened(value)}'
        rows = choice_rows(question.labels, [choice.text for choice in question.choices])
        if is_own and value in question.labels:
            _count_label(reading)
            return str(value)
        choices = Choices(rows, _with_gaps(question.labels), labels_from="row", written=True)
        has_gap = None in choices.cells
        value = without_fraction(value, choices)
        if has_gap and _is_only_a_label(value, choices, reading):
            _count_label(reading)
            return str(value).strip()  # whatever --answer-index says about indices
        if _may_be_text_or_label(value, question):
            choices = replace(choices, numeric=True)
        meaning = meaning_of(value, choices, "prediction", reading)
        if meaning is None:
            return _loosely_named(value, question, reading, shown)
        if has_gap and meaning.index:
            raise RowProblem(
                f"{shown}, an index, but the labels {', '.join(question.labels)} of question"
                f" {question.id!r} have a gap, so the choice is unclear; write the label"
            )
        if meaning.ambiguity:
            uncertain = meaning.index or meaning.needs_evidence
            problem = UncertainIndex if uncertain else RowProblem
            raise problem(f"{shown}, {meaning.ambiguity}")
        if meaning.index and not reading.is_counting:
            _count_label(reading)  # in a pipe, it shows that later predictions are no texts
            self.kinds.add(meaning.kind)
            self.zeros += str(value) in ("0", "0.0")
        return meaning.labels[0]

    def note(self) -> str:
        """Return a note such as "numeric predictions are read as indices from 0". Return "" if no
        prediction was read as an index."""
        bases = " and ".join(sorted(kind.removeprefix("index ") for kind in self.kinds))
        return f"numeric predictions are read as indices {bases}" if bases else ""

    @property
    def doubtful(self) -> bool:
        """True if all indices were read as counting from 0 although none of them is 0."""
        return self.kinds == {"index from 0"} and not self.zeros


def _count_label(reading: Reading) -> None:
    counts = reading.counts_to_fill("prediction")
    if counts is not None:
        counts.labels += 1


def _is_only_a_label(value: Any, choices: Choices, reading: Reading) -> bool:
    """Return True if `value` is certainly a label, and not the text of a choice."""
    label = value.strip() if isinstance(value, str) else ""
    if label not in choices.cells or reading.answer_texts:
        return False
    if reading.answer_index is not None or reading.answer_texts is False:
        return True
    # In the first pass over a file, `meaning_of` counts what the values may be.
    return not reading.is_counting and not labels_of_text(label, choices.rows)


def _may_be_text_or_label(value: Any, question: Question) -> bool:
    """Return True if `value` is an integer that may be the text or the label of a choice.

    A label does not count if it is also the index of its choice, counted from 0. Such a value means
    the same choice, whether the value is read as a label or as an index.

    choices                 value    result
    (A) 10, (B) 20          10       True, because 10 is the text of a choice
    (1) wood, (2) copper    1        True, because 1 is the label of wood, which has index 0
    (0) wood, (1) copper    1        False, because 1 is the label of copper and also its index
    (A) wood, (B) copper    1        False, because 1 is neither a text nor a label
    """
    # `question` has texts and labels as strings, even if they are JSON numbers in the file.
    if not isinstance(value, int):
        return False
    number = str(value)
    if any(choice.text == number for choice in question.choices):
        return True
    return number in question.labels and str(question.labels.index(number)) != number


def _loosely_named(value: Any, question: Question, reading: Reading, shown: str) -> str:
    """Return the label that a text such as "Wood." names. Raises RowProblem if `value` names no
    choice. The error message begins with `shown`."""
    if reading.answer_texts:
        rows = choice_rows(question.labels, [choice.text for choice in question.choices])
        labels = labels_of_text(str(value), rows, folded=True)
        if len(labels) == 1:
            return labels[0]
        raise RowProblem(f"{shown}, not the text of a choice of question {question.id!r}")
    label = lm_eval.label_in(value, question) if isinstance(value, str) else None
    if label is not None:
        return label
    base = reading.answer_index
    counted = "an index from 0 or 1" if base is None else f"an index from {base} (--answer-index)"
    raise RowProblem(
        f"{shown}, neither a label ({', '.join(question.labels)}) nor the text of a choice of"
        f" question {question.id!r}, nor {counted}"
    )


@lru_cache(maxsize=256)  # cached because most questions of a file have the same labels
def _with_gaps(labels: tuple[str, ...]) -> Cells:
    """Return `labels` with None at each gap: A, None, C for the labels A and C."""
    joined = "".join(labels)
    if any(run.startswith(joined) for run in _RUNS):
        return labels
    for run in _RUNS:
        if set(labels) <= set(run) and list(labels) == sorted(labels):
            return tuple(
                label if label in labels else None for label in run[: run.index(labels[-1]) + 1]
            )
    return labels
