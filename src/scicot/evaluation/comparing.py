"""Compare the accuracies of two systems on the questions for which both have a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from scicot.config import EvaluateSettings
from scicot.errors import ScicotError
from scicot.evaluation.metrics import as_count, clusters_of, renumbered, resampled
from scicot.evaluation.system_answers import SystemAnswers, check_same, match_ids
from scicot.reporting import Reporter
from scicot.statistics import (
    Interval,
    holm,
    mcnemar_exact,
    questions_needed,
)

MCNEMAR, T_TEST = "McNemar", "t-test"


@dataclass(frozen=True)
class Comparison:
    """The result of comparing the systems `first` and `second` on the questions that both have."""

    first: str
    second: str
    questions: int
    # number of questions that only the first system answered right, as a mean over pairs of seeds
    only_first: float
    only_second: float
    difference: float  # accuracy of the first minus that of the second
    interval: Interval  # confidence interval of `difference`
    test: str  # T_TEST if there are clusters or several seeds, else MCNEMAR
    p_value: float
    p_adjusted: float  # after Holm's correction over all comparisons but the primary one
    primary: bool  # specified in advance (--primary), so not corrected
    level: float  # confidence level of `interval`

    @property
    def differs(self) -> bool:
        """True if the difference is significant: `p_adjusted` is below 1 - `level`, which is 0.05
        for the confidence level 0.95."""
        return self.p_adjusted < 1 - self.level

    @cached_property
    def needed(self) -> int | None:
        """The number of questions that McNemar's test needs to detect `difference` with a power of
        0.8. None if `difference` is 0 or `test` is not McNemar's."""
        if self.test != MCNEMAR:
            return None
        discordant = (self.only_first + self.only_second) / self.questions
        return questions_needed(self.difference, discordant, level=self.level)

    @property
    def verdict(self) -> str:
        """The result of the test as a clause, such as "a is better than b"."""
        if self.differs:
            better, worse = self.first, self.second
            if self.difference < 0:
                better, worse = worse, better
            return f"{better} is better than {worse}"
        statement = f"no significant difference between {self.first} and {self.second}"
        if self.p_value < 1 - self.level:
            return f"{statement} after Holm's correction for several comparisons"
        if self.needed is not None and self.needed > self.questions:
            return (
                f"{statement}; to detect a difference of this size, you would need about"
                f" {self.needed:,} questions"
            )
        if self.interval[0] > 0 or self.interval[1] < 0:
            return f"{statement} by the test, which is stricter than the interval"
        return statement

    @property
    def sentence(self) -> str:
        """The difference, its interval, the p-value and the verdict as one sentence."""
        low, high = (100 * bound for bound in self.interval)
        adjusted = ""
        if self.p_adjusted != self.p_value:
            adjusted = f", {self.p_adjusted:.2g} after Holm"
        planned = ", planned" if self.primary else ""
        return (
            f"{self.first} minus {self.second}: {100 * self.difference:+.1f} points"
            f" ({100 * self.level:g} % interval {low:+.1f} to {high:+.1f},"
            f" {self.test} p = {self.p_value:.2g}{adjusted}{planned}),"
            f" paired on {self.questions:,} questions: {self.verdict}."
        )


def compare(
    first: SystemAnswers, second: SystemAnswers, settings: EvaluateSettings, reporter: Reporter
) -> Comparison:
    """Compare two systems on the questions that both have. Raises ScicotError if they have no
    question in common, or if their gold answers to a question differ."""
    first_file, second_file = first.files[0], second.files[0]
    count, first_rows, second_rows = match_ids(
        first.ids, second.ids, first_file, second_file, reporter
    )
    if not count:
        raise ScicotError(
            f"{first_file} and {second_file} have no question in common (by id); give predictions"
            " for the same questions"
        )
    check_same(first, second, first_rows, second_rows, reporter)
    first_right, second_right = first.right[:, first_rows], second.right[:, second_rows]
    # For each question, the share of seeds with a right answer. A product of two such shares is a
    # share of the pairs of seeds, for example of the pairs in which only the first system is right.
    first_shares, second_shares = first_right.mean(axis=0), second_right.mean(axis=0)
    only_first, only_second = (
        (first_shares * (1 - second_shares)).sum(),
        (second_shares * (1 - first_shares)).sum(),
    )
    clusters = renumbered(clusters_of(first, settings), first_rows)
    estimate = resampled([first_right, second_right], [1.0, -1.0], clusters, settings)
    test, p_value = T_TEST, estimate.p_value
    if clusters is None and len(first_right) == len(second_right) == 1:
        test, p_value = MCNEMAR, mcnemar_exact(round(only_first), round(only_second))
    return Comparison(
        first.name,
        second.name,
        count,
        as_count(only_first),
        as_count(only_second),
        float(only_first - only_second) / count,
        estimate.interval,
        test,
        p_value,
        p_value,
        settings.primary == second.name,
        settings.level,
    )


def corrected(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Return `comparisons` in the same order, with `p_adjusted` set by Holm's correction. The
    comparison that was planned in advance (`primary`) is not corrected."""
    adjusted = iter(holm([c.p_value for c in comparisons if not c.primary]))
    return [c if c.primary else replace(c, p_adjusted=next(adjusted)) for c in comparisons]
