"""Predictions -> a verdict: accuracy with its interval, and whether two systems really differ."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scicot import sources
from scicot.config import EvaluateSettings
from scicot.errors import ScicotError
from scicot.outputs import beside
from scicot.records import Prediction, Row, field_value
from scicot.reporting import LogReporter, Reporter, counted
from scicot.statistics import Interval, cluster_bootstrap, mcnemar_exact, wilson_interval

_NAMED = 5  # ids spelled out in a message


@dataclass(frozen=True)
class System:
    """How one file of predictions did. No answer counts as wrong."""

    name: str
    file: str
    questions: int
    answered: int
    correct: int
    accuracy: float
    interval: Interval
    chance: float  # of guessing at random among each question's choices
    oracle: bool  # it read given rationales or saw the answer: an upper bound, not a result


@dataclass(frozen=True)
class Comparison:
    """Two systems on the questions that both answered to, paired by id."""

    first: str
    second: str
    questions: int
    only_first: int  # questions only the first got right
    only_second: int
    difference: float  # accuracy of the first minus that of the second
    interval: Interval
    p_value: float | None  # McNemar's exact test; None where questions are not independent


@dataclass(frozen=True)
class Evaluation:
    """The verdict: every system, and the first one compared with each of the others."""

    systems: list[System]
    comparisons: list[Comparison]
    level: float
    cluster_by: str | None

    def to_row(self) -> Row:
        return asdict(self)


def evaluate(
    predictions: Mapping[str, sources.Source] | Sequence[sources.Source] | sources.Source,
    *,
    settings: EvaluateSettings | None = None,
    limit: int | None = None,
    skip_invalid: bool = False,
    reporter: Reporter | None = None,
) -> Evaluation:
    """Judge files of prediction rows (or rationale rows, by their conclusions).

    `predictions` maps the names of systems to their files; in a plain list a file is named by
    NAME=FILE or after itself.
    The interval is Wilson's, or with `cluster_by` a bootstrap over clusters. Raises ScicotError
    where a file holds nothing to judge, or one id twice.
    """
    settings = settings or EvaluateSettings()
    reporter = reporter or LogReporter()
    if isinstance(predictions, str | os.PathLike):
        predictions = [predictions]
    files = predictions if isinstance(predictions, Mapping) else name_files(predictions)
    if not files:
        raise ScicotError("no predictions to evaluate")
    judged = []
    for name, file in files.items():
        rows = sources.predictions(file, limit=limit, skip_invalid=skip_invalid, reporter=reporter)
        with reporter.task(f"reading {os.fspath(file)}") as task:
            judged.append(
                _Judged.of(name, os.fspath(file), counted(rows, task), settings, reporter)
            )
        _tell_rejected(file, reporter)
    first, *others = judged
    return Evaluation(
        [one.system(settings) for one in judged],
        [_compare(first, other, settings, reporter) for other in others],
        settings.level,
        settings.cluster_by,
    )


def name_files(files: Sequence[sources.Source]) -> dict[str, sources.Source]:
    """Names for files: as given by NAME=FILE, else the stem, or the path where stems are alike.

    A file whose own name holds "=" is no NAME=FILE. ScicotError where two names are the same.
    """
    pairs = [_given_name(file) for file in files]
    stems = ["stdin" if file == "-" else Path(file).stem for _, file in pairs]
    named: dict[str, sources.Source] = {}
    for (name, file), stem in zip(pairs, stems, strict=True):
        name = name or (stem if stems.count(stem) == 1 else file)
        if name in named:
            raise ScicotError(f"two files are named {name!r}; give NAME=FILE with other names")
        named[name] = file
    return named


def _given_name(file: sources.Source) -> tuple[str, str]:
    text = os.fspath(file)
    name, equals, rest = text.partition("=")
    return (name, rest) if equals and not Path(text).exists() else ("", text)


@dataclass(frozen=True)
class _Judged:
    """One system's rows, by id: right or wrong, and the cluster each belongs to."""

    name: str
    file: str
    right: dict[str, bool]
    clusters: dict[str, str]
    answered: int
    chance: float
    oracle: bool

    @classmethod
    def of(
        cls,
        name: str,
        file: str,
        rows: Iterable[Prediction],
        settings: EvaluateSettings,
        reporter: Reporter,
    ) -> _Judged:
        right: dict[str, bool] = {}
        clusters: dict[str, str] = {}
        answered, chance, unlabelled, further, oracle = 0, 0.0, 0, 0, False
        seen: set[str] = set()
        for row in rows:
            question = row.question
            if question.id in seen and "teacher" in row.models:
                further += 1
                continue
            if question.id in seen:
                raise ScicotError(f"{file}: id {question.id!r} comes twice; one row a question")
            seen.add(question.id)
            if question.answer is None:
                unlabelled += 1
                continue
            right[question.id] = row.prediction == question.answer
            clusters[question.id] = _cluster(row, settings.cluster_by, file)
            answered += row.prediction is not None
            chance += 1 / len(question.choices)
            given = row.models.get("rationale_from") == "input"
            oracle = oracle or given or bool(row.models.get("saw_answer"))
        if unlabelled:
            reporter.warn(f"{file}: {unlabelled} rows without a gold answer are left out")
        if further:
            reporter.note(f"{file}: {further} further samples are left out; the first is judged")
        if not right:
            raise ScicotError(f"{file}: no row has a gold answer to judge by")
        return cls(name, file, right, clusters, answered, chance / len(right), oracle)

    def system(self, settings: EvaluateSettings) -> System:
        count, correct = len(self.right), sum(self.right.values())
        if settings.cluster_by is None:
            interval = wilson_interval(correct, count, settings.level)
        else:
            interval = _bootstrap(list(self.right), self.right, self.clusters, settings)
        accuracy = correct / count
        return System(
            self.name,
            self.file,
            count,
            self.answered,
            correct,
            accuracy,
            interval,
            self.chance,
            self.oracle,
        )


def _cluster(row: Prediction, path: str | None, file: str) -> str:
    if path is None:
        return row.question.id
    try:
        return str(field_value(row.question.to_row(), path))
    except KeyError:
        raise ScicotError(
            f"{file}: question {row.question.id!r} has no {path!r}, which --cluster-by names"
        ) from None


def _compare(
    first: _Judged, second: _Judged, settings: EvaluateSettings, reporter: Reporter
) -> Comparison:
    shared = [identity for identity in first.right if identity in second.right]
    _tell_unshared(first, second, reporter)
    if not shared:
        raise ScicotError(f"{first.file} and {second.file} have no question in common (by id)")
    difference = {i: float(first.right[i]) - float(second.right[i]) for i in shared}
    only_first = sum(value > 0 for value in difference.values())
    only_second = sum(value < 0 for value in difference.values())
    independent = settings.cluster_by is None
    return Comparison(
        first.name,
        second.name,
        len(shared),
        only_first,
        only_second,
        (only_first - only_second) / len(shared),
        _bootstrap(shared, difference, first.clusters, settings, bounds=(-1.0, 1.0)),
        mcnemar_exact(only_first, only_second) if independent else None,
    )


def _tell_rejected(file: sources.Source, reporter: Reporter) -> None:
    """A teacher's kept rows are the ones it got right: say where the others are."""
    rejected = beside(Path(file), "rejected.jsonl")
    if rejected.exists():
        reporter.warn(
            f"{os.fspath(file)}: only the replies that were kept; judged with {rejected.name}"
            " (cat both into evaluate -) the teacher shows what it can do"
        )


def _tell_unshared(first: _Judged, second: _Judged, reporter: Reporter) -> None:
    for one, other in ((first, second), (second, first)):
        missing = [identity for identity in one.right if identity not in other.right]
        if missing:
            named = ", ".join(missing[:_NAMED]) + (", ..." if len(missing) > _NAMED else "")
            reporter.warn(
                f"{len(missing)} questions of {one.file} are not in {other.file} ({named});"
                " the comparison leaves them out"
            )


def _bootstrap(
    ids: Sequence[str],
    values: Mapping[str, Any],
    clusters: Mapping[str, str],
    settings: EvaluateSettings,
    bounds: Interval = (0.0, 1.0),
) -> Interval:
    numbers: dict[str, int] = {}
    members = [numbers.setdefault(clusters[i], len(numbers)) for i in ids]
    figures = [float(values[i]) for i in ids]
    same = figures[0]
    if all(figure == same for figure in figures):
        # Every resample is the same and would claim certainty. Each cluster then counts as the one
        # observation that it is at least; what was not seen may still be as likely as Wilson says.
        unseen = wilson_interval(0, len(numbers), settings.level)[1]
        lowest, highest = bounds
        return max(lowest, same - unseen), min(highest, same + unseen)
    return cluster_bootstrap(
        np.array(figures),
        np.array(members),
        level=settings.level,
        resamples=settings.resamples,
        seed=settings.seed,
    )
