"""The settings of train-rationale --reward."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from scicot.config.checks import one_of, require
from scicot.config.predict_settings import SAMPLING
from scicot.config.value_types import check_types

RewardAbove = Literal["teacher", "none"]


@dataclass(frozen=True)
class RewardSettings:
    """Settings of rewarded training. A rationale student samples rationales, and is then trained on
    those that raise an answer student's probability of the gold choice."""

    reward: str  # run of train-answer --folds whose fold students score the rationales
    rounds: int = 1  # rounds of sampling and training; each starts from the last one's weights
    samples: int = 8  # rationales per question and round; the first one is greedy
    keep_best: int = 2  # maximum number of rationales of a question to train on
    sample_temperature: float = SAMPLING  # sampling temperature of all samples but the first
    # The reward that a sampled rationale needs to be trained on. "none": above 0. "teacher": above
    # 0, and at least the reward of the teacher's rationale of the same question
    reward_above: RewardAbove = "teacher"
    # weight in an epoch of the student's kept rationales; the teacher's rationales have weight 1
    reward_weight: float = 1.0
    # Rewards are capped at this share of the reward that stating the right choice would get, since
    # a higher one may come from leaking the answer
    leak_cap: float = 0.8
    # The rationales of a round are trained on only if, with at least this confidence, a question's
    # own rationale helps the answer student more than another question's
    reward_confidence: float = 0.95

    def __post_init__(self) -> None:
        if isinstance(self.reward, os.PathLike):
            object.__setattr__(self, "reward", os.fspath(self.reward))
        check_types(self)
        require(self.rounds >= 1, "rounds", self.rounds, "at least 1")
        require(self.samples >= 1, "samples", self.samples, "at least 1")
        require(self.keep_best >= 1, "keep-best", self.keep_best, "at least 1")
        one_of("reward-above", self.reward_above, RewardAbove)
        temperature, weight = self.sample_temperature, self.reward_weight
        valid = 0.001 <= temperature <= 100
        require(valid, "sample-temperature", temperature, "between 0.001 and 100")
        require(0 < weight < 1e6, "reward-weight", weight, "more than 0, and less than 1,000,000")
        require(
            0 < self.leak_cap < 1e6,
            "leak-cap",
            self.leak_cap,
            "more than 0, and less than 1,000,000",
        )
        confidence = self.reward_confidence
        require(0 <= confidence < 1, "reward-confidence", confidence, "0 or more, and less than 1")
