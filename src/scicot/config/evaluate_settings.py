"""The settings of the command evaluate."""

from __future__ import annotations

from dataclasses import dataclass

from scicot.config.checks import require
from scicot.config.value_types import check_types


@dataclass(frozen=True)
class EvaluateSettings:
    """Settings of `evaluate`: breakdowns, planned comparison, intervals and calibration bins."""

    # field, such as "meta.fact"; questions with the same value of it form a cluster
    cluster_by: str | None = None
    # fields by which questions are grouped; "choices": number of choices, "length": words
    by: tuple[str, ...] = ()
    # the one system whose comparison with the first was planned in advance
    primary: str | None = None
    level: float = 0.95  # confidence level of the intervals
    bins: int = 10  # bins of equal size in the reliability curve
    resamples: int = 10_000  # bootstrap resamples
    per_character: bool = False  # divide logged log-likelihoods by the characters of the choice
    seed: int = 0

    def __post_init__(self) -> None:
        check_types(self)
        require(0 < self.level < 1 - 1e-9, "level", self.level, "between 0 and 1")
        require(self.bins >= 1, "bins", self.bins, "at least 1")
        require(
            100 <= self.resamples <= 10**6, "resamples", self.resamples, "from 100 to 1,000,000"
        )
        require(self.seed >= 0, "seed", self.seed, "0 or more")

    @property
    def paths(self) -> tuple[str, ...]:
        """The names of the fields in `cluster_by` and `by`, without duplicates."""
        return tuple(dict.fromkeys([*([self.cluster_by] if self.cluster_by else []), *self.by]))
