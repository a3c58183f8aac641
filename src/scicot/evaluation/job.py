"""The function `evaluate`, which computes metrics and comparisons from files of predictions."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from scicot import sources
from scicot.config import EvaluateSettings, ReadingSettings
from scicot.errors import ScicotError, UsageError
from scicot.evaluation.answers import Answers
from scicot.evaluation.as_html import table_of
from scicot.evaluation.cheapest import Cheapest, cheapest
from scicot.evaluation.comparing import Comparison, compare, corrected
from scicot.evaluation.metrics import System, system_of
from scicot.evaluation.names import name_files
from scicot.evaluation.system_answers import AnswerColumns, SystemAnswers
from scicot.outputs import beside, missing_parts
from scicot.reporting import LogReporter, Reporter, counted, some_of
from scicot.row_fields import Row


@dataclass(frozen=True)
class Evaluation:
    """The result of `evaluate`: the metrics of every system, and the comparisons of the first
    system with each of the others."""

    systems: list[System]
    comparisons: list[Comparison]
    level: float  # confidence level of all intervals
    cluster_by: str | None  # field whose values group questions into clusters
    # Accuracy of each answer student by the source of the rationales that it read, for students
    # with predictions from several sources on the same questions:
    # {"answer@1f0c": {"student": 0.9, "shuffled": 0.4, "none": 0.3}}.
    reliance: dict[str, dict[str, float]]
    # None with fewer than two systems whose cost is known.
    cheapest: Cheapest | None

    @property
    def hints(self) -> list[str]:
        """Warnings about likely mistakes in training or in the comparison, one sentence for
        each."""
        systems = {system.name: system for system in self.systems}
        hints = []
        for comparison in self.comparisons:
            pair = [systems[comparison.first], systems[comparison.second]]
            sources = [system.rationale_from for system in pair]
            single_runs = [system.name for system in pair if system.spread is None]
            if len(single_runs) == 1 and comparison.differs:
                hints.append(
                    f"{single_runs[0]} has only one seed, so it is unknown how much its accuracy"
                    " varies between seeds"
                )
            if sources == ["student", "none"] and not (
                comparison.differs and comparison.difference > 0
            ):
                hints.append(
                    f"{comparison.first} reads rationales but does not beat {comparison.second},"
                    " which reads none: its rationales may be too poor (compare with"
                    " --rationale-from input), or its answer student may ignore them"
                )
        for system in self.systems:
            if system.favours is not None:
                position, answer_share, gold_share = system.favours
                hints.append(
                    f"{system.name} picks the choice at position {position} in"
                    f" {100 * answer_share:.0f} % of its answers, but only {100 * gold_share:.0f} %"
                    " of the gold answers are there: it may be biased towards this position"
                    " (train-answer --shuffle-choices)"
                )
        return list(dict.fromkeys(hints))

    def _repr_html_(self) -> str:
        sentences = [comparison.sentence for comparison in self.comparisons]
        sentences += [self.cheapest.sentence] if self.cheapest is not None else []
        return table_of(self.systems, [*sentences, *self.hints], self.level)

    def to_dict(self) -> Row:
        """Return the result as a dict of JSON types, in the format of
        docs/schema/evaluation.schema.json."""
        row = {**asdict(self), "hints": self.hints}
        for comparison_row, comparison in zip(row["comparisons"], self.comparisons, strict=True):
            comparison_row |= {
                "sentence": comparison.sentence,
                "differs": comparison.differs,
                "questions_needed": comparison.needed,
                "verdict": comparison.verdict,
            }
        if self.cheapest is not None:
            row["cheapest"] |= {"sentence": self.cheapest.sentence}
        return row


def evaluate(
    predictions: Mapping[str, sources.Source | Sequence[sources.Source]]
    | Sequence[sources.Source]
    | sources.Source,
    *,
    questions: sources.Source | None = None,
    settings: EvaluateSettings | None = None,
    reading: ReadingSettings | None = None,
    limit: int | None = None,
    skip_invalid: bool = False,
    reporter: Reporter | None = None,
) -> Evaluation:
    """Evaluate files of predictions: compute the metrics of each system, and compare the first
    system with each of the others.

    The rows of a file may be prediction rows, rationale rows, samples logged by
    lm-evaluation-harness or Inspect, or rows with only an id and a prediction. The prediction of a
    rationale row is its conclusion.

    `predictions` maps the name of each system to its file, or to several files if the system was
    trained with several seeds. It can also be a list of files, whose entries may have the form
    NAME=FILE (see names.py).

    `questions` is a file of the questions that were asked. If it is given, gold answers come from
    this file, and its questions without a prediction count as not answered. A prediction is
    joined to a question of this file by id or, if it has no id, by the question's text and choices.
    Predictions for other questions are left out. Only the first `limit` questions of the file are
    used or, without `questions`, only the first `limit` rows of each file of predictions.

    Raises ScicotError if a file has nothing to evaluate or repeats an id, or if systems disagree on
    a gold answer.
    """
    settings = settings or EvaluateSettings()
    reporter = reporter or LogReporter()
    answers = Answers(
        questions=questions,
        per_character=settings.per_character,
        reading=reading,
        limit=limit,
        skip_invalid=skip_invalid,
        reporter=reporter,
    )
    systems = []
    for name, files in systems_of(predictions).items():
        columns = []
        for file in files:
            rows = answers.of(file)
            with reporter.task(f"reading {os.fspath(file)}") as task:
                columns.append(AnswerColumns.read(file, counted(rows, task), settings.paths))
            _warn_about_missing(file, reporter)
        systems.append(SystemAnswers.of(name, columns, reporter))
    first, *others = systems
    if settings.primary and settings.primary not in {system.name for system in others}:
        names = some_of([system.name for system in others]) or "there is none"
        raise UsageError(
            f"--primary {settings.primary}: must name one of the systems after the first ({names})"
        )
    comparisons = corrected([compare(first, other, settings, reporter) for other in others])
    return Evaluation(
        [system_of(system, settings) for system in systems],
        comparisons,
        settings.level,
        settings.cluster_by,
        _reliance(systems),
        cheapest(systems, comparisons, settings, reporter),
    )


def _reliance(systems: Sequence[SystemAnswers]) -> dict[str, dict[str, float]]:
    reliance: dict[str, dict[str, float]] = {}
    ids_by_model: dict[str, set[str]] = {}
    for system in systems:
        answer, source = system.models.get("answer"), system.models.get("rationale_from")
        if (
            answer
            and source
            and ids_by_model.setdefault(answer, set(system.ids)) == set(system.ids)
        ):
            reliance.setdefault(answer, {}).setdefault(source, float(system.right.mean()))
    return {answer: accuracies for answer, accuracies in reliance.items() if len(accuracies) > 1}


def systems_of(
    predictions: Mapping[str, sources.Source | Sequence[sources.Source]]
    | Sequence[sources.Source]
    | sources.Source,
) -> dict[str, list[sources.Source]]:
    """Return a dict from the name of each system to its files. `predictions` has any of the forms
    that `evaluate` accepts. Raises ScicotError if `predictions` is empty."""
    if not predictions:
        raise ScicotError("no predictions to evaluate")
    if not isinstance(predictions, Mapping):
        return name_files(sources.listed(predictions))
    return {name: sources.listed(files) for name, files in predictions.items()}


def _warn_about_missing(source: sources.Source, reporter: Reporter) -> None:
    """Warn if `source` may lack rows, which is so in either of these cases:

    - `source` is unfinished or a single shard, according to its state file.
    - There is a file of rejected replies beside `source`.
    """
    file = Path(source)
    if not file.is_file():
        return
    for warning in missing_parts([file]):
        reporter.warn(warning)
    rejected = beside(file, "rejected.jsonl")
    if rejected.exists():
        reporter.warn(
            f"{file}: has only the accepted replies; to measure the teacher, add the rejected ones:"
            f" cat {file} {rejected} | scicot evaluate -"
        )
