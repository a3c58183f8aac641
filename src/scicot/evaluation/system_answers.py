"""Keep one system's answers in NumPy columns: a million rows take little memory and time."""

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

CHOICES, LENGTH = "choices", "length"  # group names that are computed, not fields of the row


@dataclass
class AnswerColumns:
    """The columns of one file: a value for each question with a gold answer, in file order."""

    file: str
    ids: list[str] = field(default_factory=list)
    # index of the predicted label; -1: no answer
    said: array[int] = field(default_factory=lambda: array("b"))
    gold: array[int] = field(default_factory=lambda: array("b"))
    choices: array[int] = field(default_factory=lambda: array("b"))
    confidence: array[float] = field(default_factory=lambda: array("d"))  # nan if the row has none
    of_gold: array[float] = field(default_factory=lambda: array("d"))
    squares: array[float] = field(default_factory=lambda: array("d"))  # sum of p^2
    abstained: array[int] = field(default_factory=lambda: array("b"))
    # Digests of the question and of the right choice's text, to check that rows of different files
    # with the same id are the same question.
    asked: array[int] = field(default_factory=lambda: array("q"))
    answer: array[int] = field(default_factory=lambda: array("q"))
    fields: dict[str, list[str]] = field(default_factory=dict)
    rationales: RationaleCounts = field(default_factory=RationaleCounts)
    costs: CostCounts = field(default_factory=CostCounts)
    models: Mapping[str, Any] = field(default_factory=dict)  # `models` of the first row
    oracle: bool = False

    @classmethod
    def read(cls, file: Source, rows: Iterable[Prediction], paths: Sequence[str]) -> AnswerColumns:
        """Read the rows of a file that have a gold answer, one per question, with the values of
        these fields. Raises ScicotError if a field is missing or no row has a gold answer."""
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
        self.said.append(-1 if row.prediction is None else labels.index(row.prediction))
        right = labels.index(gold)
        self.gold.append(right)
        self.choices.append(len(labels))
        scores = row.scores
        known = scores.keys() == set(labels)
        self.confidence.append(math.nan if row.confidence is None else row.confidence)
        self.of_gold.append(scores[gold] if known else math.nan)
        self.squares.append(sum([p * p for p in scores.values()]) if known else math.nan)
        self.abstained.append(row.abstained)
        # A sum, because files may have the choices in different orders.
        texts = [hash(choice.text) for choice in question.choices]
        self.asked.append(hash((question.question.strip(), sum(texts))))
        self.answer.append(texts[right])
        if not self.oracle:
            given = row.models.get("rationale_from") == "input"
            self.oracle = given or bool(row.models.get("saw_answer"))
        for path, values in self.fields.items():
            values.append(group_of(question, path, self.file))


def group_of(question: Question, path: str, file: str) -> str:
    """Return the value of the field by which a question is grouped; ScicotError if it has none."""
    if path == CHOICES:
        return str(len(question.choices))
    if path == LENGTH:
        return str(len(question.question.split()))
    try:
        value = question.field(path)
    except KeyError:
        raise ScicotError(
            f"{file}: question {question.id!r} has no {path!r}, by which rows are grouped"
        ) from None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True)
class SystemAnswers:
    """A system: its files (seeds) on the same n questions. Arrays are (seeds, n), or (n,)."""

    name: str
    files: list[str]
    ids: list[str]
    right: Floats
    said: npt.NDArray[np.int8]
    gold: npt.NDArray[np.int8]  # per seed, because files may have the choices in different orders
    asked: Ints
    answer: Ints
    choices: npt.NDArray[np.int8]
    confidence: Floats
    of_gold: Floats
    squares: Floats
    fields: dict[str, list[str]]
    abstained: int  # total over all files
    oracle: bool
    rationales: RationaleFigures | None  # of the first file
    models: Mapping[str, Any]  # of the first file
    cost: Cost | None  # mean over the files; None if it is unknown for one

    @classmethod
    def of(cls, name: str, columns: Sequence[AnswerColumns], reporter: Reporter) -> SystemAnswers:
        """Combine the files (seeds) of one system on the questions that all of them have."""
        first = columns[0]
        places = [np.arange(len(first.ids))]
        for other in columns[1:]:
            _, ours, theirs = shared(
                first.ids, other.ids, first.file, other.file, reporter, f"figures of {name!r} leave"
            )
            check_same(first, other, ours, theirs, reporter)
            kept = np.isin(places[0], ours)
            lookup = dict(zip(ours.tolist(), theirs.tolist(), strict=True))
            places = [own_places[kept] for own_places in places]
            places.append(np.array([lookup[place] for place in places[0].tolist()], int))
        if not len(places[0]):
            raise ScicotError(f"the files of {name!r} have no question in common (by id)")

        def stacked(what: str) -> npt.NDArray[np.float64]:
            pairs = zip(columns, places, strict=True)
            return np.stack([np.asarray(getattr(c, what))[rows] for c, rows in pairs])

        said, gold = stacked("said").astype(np.int8), stacked("gold").astype(np.int8)
        return cls(
            name,
            [column.file for column in columns],
            [first.ids[place] for place in places[0].tolist()],
            (said == gold).astype(float),
            said,
            gold,
            np.asarray(first.asked, np.int64)[places[0]],
            np.asarray(first.answer, np.int64)[places[0]],
            np.asarray(first.choices, np.int8)[places[0]],
            stacked("confidence"),
            stacked("of_gold"),
            stacked("squares"),
            {
                path: [values[p] for p in places[0].tolist()]
                for path, values in first.fields.items()
            },
            int(stacked("abstained").sum()),
            any(column.oracle for column in columns),
            first.rationales.figures(),
            first.models,
            mean_cost([column.costs.cost() for column in columns]),
        )


def shared(
    ids: Sequence[str],
    others: Sequence[str],
    file: str,
    other: str,
    reporter: Reporter,
    leaves: str = "comparison leaves",
) -> tuple[int, Ints, Ints]:
    """Match the question ids of two files.

    Returns the number of common ids and their indices in both files, in the order of the first.
    Ids that only one file has are listed in a warning: "the {leaves} them out".
    """
    place = {identity: number for number, identity in enumerate(others)}
    ours = [number for number, identity in enumerate(ids) if identity in place]
    theirs = [place[ids[number]] for number in ours]
    missing = {file: (ids, set(ours), other), other: (others, set(theirs), file)}
    for name, (all_ids, kept, lacking) in missing.items():
        if len(kept) < len(all_ids):
            lost = [identity for number, identity in enumerate(all_ids) if number not in kept]
            reporter.warn(
                f"{number_of(len(lost), 'question')} of {name} not in {lacking} ({some_of(lost)});"
                f" the {leaves} them out"
            )
    return len(ours), np.array(ours, int), np.array(theirs, int)


def check_same(
    first: AnswerColumns | SystemAnswers,
    second: AnswerColumns | SystemAnswers,
    ours: Ints,
    theirs: Ints,
    reporter: Reporter,
) -> None:
    """Raise ScicotError if gold answers of the same id differ; warn if the questions differ."""
    one, other = (x.file if isinstance(x, AnswerColumns) else x.files[0] for x in (first, second))
    for name in ("answer", "asked"):
        differ = np.asarray(getattr(first, name))[ours] != np.asarray(getattr(second, name))[theirs]
        if not differ.any():
            continue
        found = some_of([first.ids[place] for place in ours[differ].tolist()[:10]])
        if name == "answer":
            raise ScicotError(f"{one} and {other} disagree on the gold answer of {found}")
        reporter.warn(
            f"{number_of(int(differ.sum()), 'question')} of {one} stand in {other} in other words"
            f" or with other choices ({found}); are they the same?"
        )
