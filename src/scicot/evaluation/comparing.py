"""Two systems on the same questions: does one really do better?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from scicot.config import EvaluateSettings
from scicot.errors import ScicotError
from scicot.evaluation.figures import clusters_of, renumbered, resampled, whole
from scicot.evaluation.judged import Judged, shared
from scicot.reporting import Reporter
from scicot.statistics import (
    Interval,
    holm,
    mcnemar_exact,
    questions_needed,
)


@dataclass(frozen=True)
class Comparison:
    """Two systems on the questions that both answered to, paired by id."""

    first: str
    second: str
    questions: int
    only_first: float  # questions only the first got right; a mean over pairs of seeds
    only_second: float
    difference: float  # accuracy of the first minus that of the second
    interval: Interval
    p_value: float | None  # McNemar's exact test; None with clusters or several seeds
    p_adjusted: float | None  # Holm's, over all comparisons that are not the primary one
    primary: bool  # named before looking; its p_value needs no correction
    level: float

    @property
    def p_decisive(self) -> float | None:
        return self.p_value if self.primary else self.p_adjusted

    @property
    def differs(self) -> bool:
        """Whether the data tell the two apart: by the test where there is one, else by the
        interval."""
        if self.p_decisive is not None:
            return self.p_decisive < 1 - self.level
        return self.interval[0] > 0 or self.interval[1] < 0

    @cached_property
    def needed(self) -> int | None:
        """Independent questions that would tell this difference, 4 times in 5; None without any."""
        discordant = (self.only_first + self.only_second) / self.questions
        return questions_needed(self.difference, discordant, level=self.level)

    @property
    def verdict(self) -> str:
        """What the data support, in a sentence."""
        if self.differs:
            better, worse = self.first, self.second
            if self.difference < 0:
                better, worse = worse, better
            return f"{better} is better than {worse}"
        said = f"{self.first} and {self.second} are not distinguishable"
        if self.needed is None or self.needed <= self.questions:
            return said
        return (
            f"{said}; if the difference is what it seems, you would need about"
            f" {self.needed:,} questions"
        )


def compare(
    first: Judged, second: Judged, settings: EvaluateSettings, reporter: Reporter
) -> Comparison:
    """The first minus the second, on the questions that both have; ScicotError where they have none
    in common, or disagree on gold answers."""
    one, other = first.files[0], second.files[0]
    count, own, theirs = shared(first.ids, second.ids, one, other, reporter)
    if not count:
        raise ScicotError(f"{one} and {other} have no question in common (by id)")
    if (first.gold[own] != second.gold[theirs]).any():
        place = int(own[first.gold[own] != second.gold[theirs]][0])
        raise ScicotError(f"{one} and {other} disagree on the gold answer of {first.ids[place]!r}")
    right, wrong = first.right[:, own], second.right[:, theirs]
    # Of each question, the share of pairs of seeds of which only one got it right.
    shares, others = right.mean(axis=0), wrong.mean(axis=0)
    only_first, only_second = (shares * (1 - others)).sum(), (others * (1 - shares)).sum()
    tested = settings.cluster_by is None and len(right) == len(wrong) == 1
    clusters = renumbered(clusters_of(first, settings), own)
    return Comparison(
        first.name,
        second.name,
        count,
        whole(only_first),
        whole(only_second),
        float(right.mean() - wrong.mean()),
        resampled([right, wrong], [1.0, -1.0], clusters, settings),
        mcnemar_exact(int(only_first), int(only_second)) if tested else None,
        None,
        settings.primary in (second.name, first.name),
        settings.level,
    )


def corrected(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The same, those that are not the primary one with Holm's correction over all of them."""
    others = [one for one in comparisons if one.p_value is not None and not one.primary]
    adjusted = iter(holm([one.p_value or 0.0 for one in others]))
    return [
        replace(one, p_adjusted=next(adjusted)) if one in others else one for one in comparisons
    ]
