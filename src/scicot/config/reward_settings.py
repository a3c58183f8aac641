"""Settings of train-rationale --reward."""

from __future__ import annotations

from dataclasses import dataclass

from scicot.config.checks import require
from scicot.config.predict_settings import SAMPLING


@dataclass(frozen=True)
class RewardSettings:
    """Settings of rewarded training: a rationale student is trained on those of its own samples
    that raise an answer student's probability of the gold choice."""

    reward: str  # the run of train-answer --folds whose fold students judge
    rounds: int = 1  # of sampling and learning, each from the student of the round before
    samples: int = 8  # rationales of each question and round; the first is the likeliest one
    keep_best: int = 2  # rationales of a question that are learnt, at most
    sample_temperature: float = SAMPLING  # that the other samples are drawn at
    reward_weight: float = 1.0  # of the kept rationales in an epoch; the teacher's weigh 1
    leak_cap: float = 0.8  # share of the leak gain above which more reward counts for nothing
    # That a question's own rationale helps more than another's, before a round is learnt from
    reward_confidence: float = 0.95

    def __post_init__(self) -> None:
        require(self.rounds >= 1, "rounds", self.rounds, "at least 1")
        require(self.samples >= 1, "samples", self.samples, "at least 1")
        require(self.keep_best >= 1, "keep-best", self.keep_best, "at least 1")
        temperature, weight = self.sample_temperature, self.reward_weight
        known = 0.001 <= temperature <= 100
        require(known, "sample-temperature", temperature, "between 0.001 and 100")
        require(0 < weight < 1e6, "reward-weight", weight, "more than 0, and finite")
        require(0 < self.leak_cap < 1e6, "leak-cap", self.leak_cap, "more than 0, and finite")
        sure = self.reward_confidence
        require(0 <= sure < 1, "reward-confidence", sure, "0 or more, and less than 1")
