"""Store the answers of a system in NumPy arrays, so that a million rows need little memory and
time."""

from __future__ import annotations

import json
import math
import os
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from scicot.errors import ScicotError
from scicot.evaluation.cost import Cost, CostCounts, mean_cost
from scicot.evaluation.rationales import RationaleCounts, RationaleFigures
from scicot.records import Prediction, Question
from scicot.reporting import Reporter, number_of, some_of
from scicot.sources import Source
from scicot.statistics import Floats, Ints

_FIELDS_SHOWN = 12  # fields named in a message
CHOICES, LENGTH = "choices", "length"  # groupings that are computed, not fields


@dataclass
class AnswerColumns:
    """The answers of one file as columns. A column has one value for each question with a gold
    answer, in the order of the file."""

    file: str
    ids: list[str] = field(default_factory=list)
    # index of the predicted label; -1: no answer
    predicted: array[int] = field(default_factory=lambda: array("b"))
    gold: array[int] = field(default_factory=lambda: array("b"))  # index of the gold label
    choices: array[int] = field(default_factory=lambda: array("b"))  # number of choices
    confidence: array[float] = field(default_factory=lambda: array("d"))  # nan if the row has none
    # probability of the gold answer, and sum of the squared probabilities of all choices; nan if
    # the row lacks the score of a choice
    gold_probability: array[float] = field(default_factory=lambda: array("d"))
    squares: array[float] = field(default_factory=lambda: array("d"))
    abstained: array[int] = field(default_factory=lambda: array("b"))
    # Digests of the question and of the right choice's text, to check that rows of different files
    # with the same id are the same question.
    question_hash: array[int] = field(default_factory=lambda: array("q"))
    answer_hash: array[int] = field(default_factory=lambda: array("q"))
    fields: dict[str, list[str]] = field(default_factory=dict)
    rationales: RationaleCounts = field(default_factory=RationaleCounts)
    costs: CostCounts = field(default_factory=CostCounts)
    models: Mapping[str, Any] = field(default_factory=dict)  # `models` of the first row
    oracle: bool = False

    @classmethod
    def read(cls, file: Source, rows: Iterable[Prediction], paths: Sequence[str]) -> AnswerColumns:
        """Read the predictions `rows` of a file, except those for questions without a gold answer.
        `paths` are additional fields of a question to store, such as "meta.subject". Raises
        ScicotError if a question lacks one of these fields, or if no question has a gold answer.
        """
        column = cls(os.fspath(file), fields={path: [] for path in paths})
        for row in rows:
            if row.question.answer is not None:
                column._add(row, row.question, row.question.answer)
        if not column.ids:
            raise ScicotError(f"{column.file}: no row has a gold answer to judge by")
        return column

    def _add(self, row: Prediction, question: Question, gold: str) -> None:
        labels = question.labels
        self.models = self.models or row.models
        self.rationales.add(row)
        self.costs.add(row)
        self.ids.append(question.id)
        self.predicted.append(-1 if row.prediction is None else labels.index(row.prediction))
        gold_index = labels.index(gold)
        self.gold.append(gold_index)
        self.choices.append(len(labels))
        scores = row.scores
        has_all_scores = len(scores) == len(labels) and scores.keys() == {*labels}
        self.confidence.append(math.nan if row.confidence is None else row.confidence)
        self.gold_probability.append(scores[gold] if has_all_scores else math.nan)
        self.squares.append(sum([p * p for p in scores.values()]) if has_all_scores else math.nan)
        self.abstained.append(row.abstained)
        # The hashes are summed because files may have the choices in different orders.
        texts = [hash(choice.text) for choice in question.choices]
        self.question_hash.append(hash((question.question.strip(), sum(texts))))
        self.answer_hash.append(texts[gold_index])
        if not self.oracle:
            from_input = row.models.get("rationale_from") == "input"
            self.oracle = from_input or bool(row.models.get("saw_answer"))
        for path, values in self.fields.items():
            values.append(group_of(question, path, self.file))


def group_of(question: Question, path: str, file: str) -> str:
    """Return the value by which a question is grouped, as a string.

    path: one of

        - the path of a field of the question, such as "meta.subject". The value is the content of
          the field.
        - CHOICES. The value is the number of choices.
        - LENGTH. The value is the number of words in the question's text.

    Raises ScicotError if the question does not have the field. The message names `file`.
    """
    if path == CHOICES:
        return str(len(question.choices))
    if path == LENGTH:
        return str(len(question.question.split()))
    try:
        value = question.field(path)
    except KeyError:
        paths = [*question.field_paths(), CHOICES, LENGTH]
        raise ScicotError(
            f"{file}: question {question.id!r} has no field {path!r} to group by; available:"
            f" {some_of(paths, _FIELDS_SHOWN)}"
        ) from None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True)
class SystemAnswers:
    """The answers of one system to n questions. The system has one file for each seed, and the
    questions are those that all its files have.

    The arrays `right`, `predicted`, `gold`, `confidence`, `gold_probability` and `squares` have the
    shape (seeds, n), all other arrays (n,). Fields without a comment are described in
    AnswerColumns.
    """

    name: str
    files: list[str]
    ids: list[str]
    right: Floats  # 1 for a right answer, 0 for a wrong one
    predicted: npt.NDArray[np.int8]
    gold: npt.NDArray[np.int8]  # per seed, because files may have the choices in different orders
    question_hash: Ints
    answer_hash: Ints
    choices: npt.NDArray[np.int8]
    confidence: Floats
    gold_probability: Floats
    squares: Floats
    fields: dict[str, list[str]]
    abstained: int  # total over all files
    oracle: bool
    rationales: RationaleFigures | None  # of the first file
    models: Mapping[str, Any]  # of the first file
    cost: Cost | None  # mean over the files; None if it is unknown for one

    @classmethod
    def of(cls, name: str, columns: Sequence[AnswerColumns], reporter: Reporter) -> SystemAnswers:
        """Combine the files of a system, which has one file per seed. Only questions that all
        files have are kept. Raises ScicotError if there are no such questions, or if files disagree
        on a gold answer."""
        first = columns[0]
        indices = [np.arange(len(first.ids))]
        for other in columns[1:]:
            _, first_rows, other_rows = match_ids(
                first.ids, other.ids, first.file, other.file, reporter, f"figures of {name!r} leave"
            )
            check_same(first, other, first_rows, other_rows, reporter)
            in_both = np.isin(indices[0], first_rows)
            other_row_of = dict(zip(first_rows.tolist(), other_rows.tolist(), strict=True))
            indices = [file_indices[in_both] for file_indices in indices]
            indices.append(np.array([other_row_of[index] for index in indices[0].tolist()], int))
        if not len(indices[0]):
            raise ScicotError(
                f"the files of {name!r} have no question in common (by id); give predictions for"
                " the same questions, one file for each seed"
            )

        def stacked(column_name: str) -> npt.NDArray[np.float64]:
            pairs = zip(columns, indices, strict=True)
            return np.stack([np.asarray(getattr(c, column_name))[rows] for c, rows in pairs])

        predicted, gold = stacked("predicted").astype(np.int8), stacked("gold").astype(np.int8)
        return cls(
            name,
            [column.file for column in columns],
            [first.ids[index] for index in indices[0].tolist()],
            (predicted == gold).astype(float),
            predicted,
            gold,
            np.asarray(first.question_hash, np.int64)[indices[0]],
            np.asarray(first.answer_hash, np.int64)[indices[0]],
            np.asarray(first.choices, np.int8)[indices[0]],
            stacked("confidence"),
            stacked("gold_probability"),
            stacked("squares"),
            {
                path: [values[index] for index in indices[0].tolist()]
                for path, values in first.fields.items()
            },
            int(stacked("abstained").sum()),
            any(column.oracle for column in columns),
            first.rationales.figures(),
            first.models,
            mean_cost([column.costs.cost() for column in columns]),
        )


def match_ids(
    first_ids: Sequence[str],
    second_ids: Sequence[str],
    first_file: str,
    second_file: str,
    reporter: Reporter,
    clause: str = "comparison leaves",
) -> tuple[int, Ints, Ints]:
    """Find the question ids that two files have in common.

    Returns (number of common ids, their indices in `first_ids`, their indices in `second_ids`). The
    common ids are in the order of `first_ids`. Warns if an id is in one file only. The warning ends
    with "the {clause} them out", for example "the comparison leaves them out".
    """
    second_index = {identity: index for index, identity in enumerate(second_ids)}
    first_rows = [index for index, identity in enumerate(first_ids) if identity in second_index]
    second_rows = [second_index[first_ids[index]] for index in first_rows]
    sides = {
        first_file: (first_ids, set(first_rows), second_file),
        second_file: (second_ids, set(second_rows), first_file),
    }
    for file, (all_ids, common, other_file) in sides.items():
        if len(common) < len(all_ids):
            missing = [identity for index, identity in enumerate(all_ids) if index not in common]
            reporter.warn(
                f"{number_of(len(missing), 'question')} of {file} missing from {other_file}"
                f" ({some_of(missing)}); the {clause} them out"
            )
    return len(first_rows), np.array(first_rows, int), np.array(second_rows, int)


def check_same(
    first: AnswerColumns | SystemAnswers,
    second: AnswerColumns | SystemAnswers,
    first_rows: Ints,
    second_rows: Ints,
    reporter: Reporter,
) -> None:
    """Check that two files or two systems have the same question for each common id. Raises
    ScicotError if gold answers differ. Warns if texts or choices differ.

    first_rows: the index of each common id in `first`.
    second_rows: the index of each common id in `second`, in the same order.
    """
    first_file, second_file = (
        answers.file if isinstance(answers, AnswerColumns) else answers.files[0]
        for answers in (first, second)
    )
    for name in ("answer_hash", "question_hash"):
        differ = (
            np.asarray(getattr(first, name))[first_rows]
            != np.asarray(getattr(second, name))[second_rows]
        )
        if not differ.any():
            continue
        examples = some_of([first.ids[index] for index in first_rows[differ].tolist()[:10]])
        if name == "answer_hash":
            raise ScicotError(
                f"{first_file} and {second_file} disagree on the gold answer of {examples}"
            )
        reporter.warn(
            f"{second_file}: {number_of(int(differ.sum()), 'question')} with another text or other"
            f" choices than in {first_file} ({examples}); are the ids right?"
        )
