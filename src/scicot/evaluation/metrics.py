"""Metrics of one system: accuracy, calibration, abstention, accuracy by group, label bias."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from scicot.config import EvaluateSettings
from scicot.evaluation.cost import Cost
from scicot.evaluation.rationales import RationaleFigures
from scicot.evaluation.system_answers import LENGTH, SystemAnswers
from scicot.statistics import (
    Floats,
    Interval,
    Ints,
    Reliability,
    Resampled,
    bootstrap,
    brier_score,
    calibration_error_by_chance,
    expected_calibration_error,
    negative_log_likelihood,
    reliability,
    risk_coverage,
    wilson_interval,
)

COVERAGES = (0.2, 0.4, 0.6, 0.8, 1.0)
# `System.favours`: minimum difference of the shares, absolute and in standard deviations
_MIN_EXCESS, _MIN_DEVIATIONS = 0.1, 4
_MAX_DIGITS = 15  # digits up to which numbers are sorted by value
_NUMBER = re.compile(r"\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?\s*", re.ASCII)


@dataclass(frozen=True)
class Group:
    """The accuracy on one group of questions, such as all questions about physics."""

    value: str  # name of the group, such as "physics" or "12-17 words"
    questions: int
    accuracy: float
    interval: Interval


@dataclass(frozen=True)
class Calibration:
    """The calibration metrics of a system, computed from its answers that have a confidence. Values
    are means over the seeds unless the comment on a field says otherwise."""

    questions: int  # of the first seed
    ece: float  # expected calibration error, with bins of equal size
    ece_by_chance: float  # ECE expected from a perfectly calibrated system on as many questions
    brier: float | None  # from 0 to 2; None if no row has the scores of all choices
    nll: float | None  # negative log-likelihood in nats; None in the same case
    bins: Reliability  # of the first seed
    aurc: float  # area under the risk-coverage curve
    # {"20%": 0.1}: the 20 % most confident answers have an error rate of 0.1
    risk_at: dict[str, float]


@dataclass(frozen=True)
class System:
    """The metrics of one system, over one or several seeds. Questions without an answer count as
    wrong."""

    name: str
    files: list[str]
    questions: int
    answered: float  # number of questions (so are the next two), as a mean over seeds
    abstained: float
    correct: float
    accuracy: float
    interval: Interval
    accuracy_answered: float | None  # accuracy over the answered questions
    spread: float | None  # standard deviation of the accuracy over seeds
    by_seed: list[float]
    chance: float  # accuracy of guessing uniformly among each question's choices
    oracle: bool  # True if it read given rationales or saw the answer: an upper bound, not a result
    zero_shot: bool  # the answer model was not trained by scicot
    calibration: Calibration | None
    rationales: RationaleFigures | None
    rationale_from: str | None  # source of the rationales: student, input, none, shuffled
    answer_model: str | None
    cost: Cost | None  # None if the rows do not record the students' weights
    groups: dict[str, list[Group]]  # by field
    macro: dict[str, float]  # mean accuracy over the groups of each field
    # number of answers of all seeds, by position of the gold choice (rows) and of the predicted
    # choice (columns); the last column counts questions without an answer
    confusion: list[list[int]]

    @property
    def favours(self) -> tuple[int, float, float] | None:
        """The choice position that the system prefers, or None if it prefers none. Positions count
        from 1.

        The tuple is (position, share of the answers that name this position, share of the
        questions with the gold answer at this position). A position is preferred if the first share
        is significantly larger than the second, and larger by more than 0.1.
        """
        counts = np.array(self.confusion, float)[:, :-1]  # the last column: no answer
        total = counts.sum()
        if np.count_nonzero(counts.sum(axis=1)) < 2:
            return None  # all gold answers are at one position, so no preference can be measured
        answered, gold = counts.sum(axis=0) / total, counts.sum(axis=1) / total
        position = int(np.argmax(answered - gold))
        independent = total / len(self.files)  # seeds answer the same questions
        noise = math.sqrt(
            sum(p * (1 - p) for p in (answered[position], gold[position])) / independent
        )
        if answered[position] - gold[position] <= max(_MIN_EXCESS, _MIN_DEVIATIONS * noise):
            return None
        return position + 1, float(answered[position]), float(gold[position])


def system_of(answers: SystemAnswers, settings: EvaluateSettings) -> System:
    """Compute the metrics of a system from its answers, with the intervals, groups and bins that
    `settings` define."""
    answered = answers.predicted >= 0
    by_seed = answers.right.mean(axis=1)
    right = float(answers.right.sum())
    clusters = clusters_of(answers, settings)
    groups = {path: _groups(answers, path, clusters, settings) for path in settings.by}
    return System(
        answers.name,
        answers.files,
        len(answers.ids),
        as_count(answered.sum(axis=1).mean()),
        as_count(answers.abstained / len(answers.files)),
        as_count(right / len(answers.files)),
        float(by_seed.mean()),
        interval_of(answers.right, clusters, settings),
        right / float(answered.sum()) if answered.any() else None,
        float(by_seed.std(ddof=1)) if len(by_seed) > 1 else None,
        by_seed.tolist(),
        float((1 / answers.choices).mean()),
        answers.oracle,
        bool(answers.models.get("zero_shot")),
        _calibration(answers, settings),
        answers.rationales,
        answers.models.get("rationale_from"),
        answers.models.get("answer"),
        answers.cost,
        groups,
        {path: float(np.mean([g.accuracy for g in members])) for path, members in groups.items()},
        _confusion(answers, int(answers.choices.max())),
    )


def clusters_of(answers: SystemAnswers, settings: EvaluateSettings) -> Ints | None:
    """Return the cluster number of each question, shape (n,): questions with the same value of the
    field `settings.cluster_by` are in one cluster. None if no field is given; the questions are
    then treated as independent."""
    if settings.cluster_by is None:
        return None
    _, numbers = np.unique(answers.fields[settings.cluster_by], return_inverse=True)
    return numbers.astype(np.int64)


def interval_of(right: Floats, clusters: Ints | None, settings: EvaluateSettings) -> Interval:
    """Return the confidence interval of the accuracy: Wilson's interval for one seed of independent
    questions, otherwise a bootstrap interval. `right` has the shape (seeds, n): 1 for a right
    answer and 0 for a wrong one."""
    if clusters is None and len(right) == 1:
        return wilson_interval(round(right.sum()), right.size, settings.level)
    return resampled([right], [1.0], clusters, settings).interval


def resampled(
    systems: Sequence[Floats],
    weights: Sequence[float],
    clusters: Ints | None,
    settings: EvaluateSettings,
) -> Resampled:
    """Compute the confidence interval and the p-value of a weighted sum of accuracies.

    `systems` has an array of shape (seeds, questions) for each system: 1 for a right answer and 0
    for a wrong one. `weights` has one number for each system. `statistics.bootstrap` resamples
    seeds and clusters of questions. If `clusters` is None, each question is a cluster. An interval
    of zero width is widened with Wilson's interval.
    """
    numbers = np.arange(systems[0].shape[1]) if clusters is None else clusters
    estimate = bootstrap(
        systems,
        weights,
        numbers,
        level=settings.level,
        resamples=settings.resamples,
        seed=settings.seed,
    )
    low, high = estimate.interval
    if low < high:
        return estimate
    # All resamples are equal. Both sides are widened by the upper bound of Wilson's interval for 0
    # successes in as many trials as there are clusters.
    margin = wilson_interval(0, len(np.unique(numbers)), settings.level)[1]
    lowest = sum(min(weight, 0.0) for weight in weights)
    highest = sum(max(weight, 0.0) for weight in weights)
    low, high = max(lowest, low - margin), min(highest, high + margin)
    return Resampled((low, high), 1.0 if low <= 0 <= high else estimate.p_value)


def _groups(
    answers: SystemAnswers, path: str, clusters: Ints | None, settings: EvaluateSettings
) -> list[Group]:
    values = answers.fields[path]
    names = _quartiles(values) if path == LENGTH else values
    order = sorted(set(names), key=_natural_sort_key)
    members_of: dict[str, list[int]] = {name: [] for name in order}
    for index, name in enumerate(names):
        members_of[name].append(index)
    return [
        Group(
            name,
            len(members),
            float(answers.right[:, members].mean()),
            interval_of(answers.right[:, members], renumbered(clusters, members), settings),
        )
        for name, members in members_of.items()
    ]


def _natural_sort_key(name: str) -> tuple[float, list[tuple[int, str]]]:
    """Return a sort key for names: numbers come first, by value, and "a2" comes before "a10"."""
    number = float(name) if _NUMBER.fullmatch(name) else math.inf
    parts = re.split(rf"(\d{{1,{_MAX_DIGITS}}})", name)
    return number, [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def renumbered(clusters: Ints | None, rows: Sequence[int] | Ints) -> Ints | None:
    if clusters is None:
        return None
    return np.unique(clusters[rows], return_inverse=True)[1].astype(np.int64)


def _quartiles(lengths: Sequence[str]) -> list[str]:
    """Return the name of the quartile of each length, such as "12-17 words". `lengths` are numbers
    of words, written as strings."""
    numbers = np.array(lengths, int)
    edges = np.unique(np.quantile(numbers, [0.25, 0.5, 0.75], method="lower"))
    quarter = np.searchsorted(edges, numbers, side="left")
    ranges = {
        part: f"{numbers[quarter == part].min()}-{numbers[quarter == part].max()} words"
        for part in np.unique(quarter).tolist()
    }
    return [ranges[part] for part in quarter.tolist()]


def _calibration(answers: SystemAnswers, settings: EvaluateSettings) -> Calibration | None:
    """Return the calibration metrics, or None if no answer has a confidence."""
    has_confidence = ~np.isnan(answers.confidence) & (answers.predicted >= 0)
    seeds = [
        _of_seed(answers, seed, has_answer, settings)
        for seed, has_answer in enumerate(has_confidence)
        if has_answer.any()
    ]
    if not seeds:
        return None

    def mean(name: str) -> float | None:
        values = [getattr(c, name) for c in seeds if getattr(c, name) is not None]
        return float(np.mean(values)) if values else None

    # Each metric is averaged over seeds. If the answers were pooled, the overconfidence of one seed
    # and the underconfidence of another would cancel out.
    names = ("ece", "ece_by_chance", "brier", "nll", "aurc")
    risks = {share: float(np.mean([c.risk_at[share] for c in seeds])) for share in seeds[0].risk_at}
    means: dict[str, Any] = {name: mean(name) for name in names}
    return replace(seeds[0], **means, risk_at=risks)


def _of_seed(
    answers: SystemAnswers, seed: int, selected: npt.NDArray[np.bool_], settings: EvaluateSettings
) -> Calibration:
    confidence, right = answers.confidence[seed, selected], answers.right[seed, selected]
    scored = selected & ~np.isnan(answers.gold_probability[seed])
    bins = reliability(confidence, right, settings.bins)
    curve = risk_coverage(confidence, right)
    ranks = [max(0, round(share * len(confidence)) - 1) for share in COVERAGES]
    return Calibration(
        int(selected.sum()),
        expected_calibration_error(bins),
        calibration_error_by_chance(bins),
        brier_score(answers.squares[seed, scored], answers.gold_probability[seed, scored])
        if scored.any()
        else None,
        negative_log_likelihood(answers.gold_probability[seed, scored]) if scored.any() else None,
        bins,
        curve.area,
        {
            f"{share:.0%}": float(curve.risk[rank])
            for share, rank in zip(COVERAGES, ranks, strict=True)
        },
    )


def _confusion(answers: SystemAnswers, choice_count: int) -> list[list[int]]:
    """Return the confusion matrix by choice position: one row for each position of the gold choice,
    one column for each position of the predicted choice, and a last column for questions without an
    answer."""
    predicted = np.where(answers.predicted < 0, choice_count, answers.predicted).astype(int)
    cells = answers.gold.astype(int) * (choice_count + 1) + predicted
    counts = np.bincount(cells.ravel(), minlength=choice_count * (choice_count + 1))
    rows: list[list[int]] = counts.reshape(choice_count, choice_count + 1).tolist()
    return rows


def as_count(value: float) -> float:
    """Return a number as an int if it is whole, else as a float. Counts of one seed are whole;
    means of counts over seeds may not be."""
    return int(value) if float(value).is_integer() else float(value)
