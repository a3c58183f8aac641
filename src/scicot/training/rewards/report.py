"""Summarise the scored rationales of a round: rewards, signs of leaked answers, and accuracies."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import Any

from scicot.row_fields import Row
from scicot.statistics.t_distribution import student_tail
from scicot.training.rewards.scoring import counted_reward


@dataclass(frozen=True)
class RoundReport:
    """Metrics of the rationales that the students of one round wrote. Shares are from 0 to 1,
    rewards in nats. A value is None if there are no rationales or questions to compute it from."""

    round: int
    questions: int
    rationales: int
    kept: int  # rationales added to the next round's training set; 0 after the last round
    reward: float | None  # mean over all rationales
    reward_kept: float | None
    reward_teacher: float | None  # mean over the teacher's rationales of the questions
    positive: float  # share of rationales with a reward above 0
    # of the rationales, the share whose reward is at least that of the teacher's rationale of the
    # same question, both capped
    above_teacher: float | None
    leak: float | None  # mean gain in log p(gold) if the rationale is the text of the right choice
    # of the rationales with a positive reward, the share that may leak the answer: they announce
    # it, or their reward is above the cap
    leak_share: float | None
    announcing: float  # share of rationales that announce an answer
    names_one: float  # share that name exactly one choice
    names_gold: float  # share that name only the right choice
    accuracy: float  # accuracy of the answer students with the question's own greedy rationale
    accuracy_none: float  # accuracy without a rationale
    accuracy_shuffled: float | None  # accuracy with another question's rationale
    accuracy_announced: float  # accuracy with the text of the right choice as the rationale
    accuracy_teacher: float | None  # accuracy with the teacher's rationale
    # mean gain in log p(gold), in nats, of a question's own rationale over another question's, and
    # the confidence that it is above 0 (one-sided paired t-test over the questions)
    benefit: float | None
    benefit_confidence: float | None
    # False if `benefit_confidence` is too low to train on the rewards: answers then do not depend
    # enough on what a rationale says, so a positive reward says little
    informative: bool

    def to_row(self) -> Row:
        return asdict(self)

    @property
    def warning(self) -> str | None:
        """A warning if the rewards are not `informative`, else None."""
        if self.informative:
            return None
        return (
            f"round {self.round}: rewards are unreliable, because the answers hardly depend on the"
            " rationale: a question's own rationale raises log p(gold) over another question's by"
            f" {_number(self.benefit)} nats (confidence {_percent(self.benefit_confidence)}, below"
            " --reward-confidence); the next round trains only on the teacher's rationales"
        )

    @property
    def summary(self) -> str:
        """The report as one line."""
        return (
            f"round {self.round}: mean reward {_number(self.reward)} nats"
            f" (leak {_number(self.leak)}), {self.positive:.0%} of {self.rationales:,} rationales"
            f" above 0, {self.kept:,} kept; possible leaks {_percent(self.leak_share)} of those"
            f" above 0; {self.announcing:.1%} announce the answer, {self.names_one:.1%} name one"
            f" choice; accuracy with own rationale {self.accuracy:.1%}, without one"
            f" {self.accuracy_none:.1%}, with a shuffled one {_percent(self.accuracy_shuffled)},"
            f" with the right choice's text {self.accuracy_announced:.1%}, with the teacher's"
            f" {_percent(self.accuracy_teacher)}; reward of own minus shuffled"
            f" {_number(self.benefit)} nats"
        )


def report_of(
    number: int, rows: Sequence[Row], cap: float, confidence: float, *, last: bool
) -> RoundReport:
    """Summarise the scored `rows` of round `number`. Accuracies use the first sample of each
    question. `cap` is the value of --leak-cap, and `confidence` the value of --reward-confidence.

    - `informative` is False if the confidence that `_benefit` returns is below `confidence`. With
      too few questions for the test in `_benefit`, `informative` is True.
    - `kept` is 0 if `informative` is False, or if this is the `last` round.
    """
    first_samples = [row for row in rows if row["sample"] == 0]
    rewards = [row["reward"] for row in rows if row["reward"] is not None]
    positive = [row for row in rows if (row["reward"] or 0.0) > 0]
    benefit, benefit_confidence = _benefit(first_samples)
    informative = benefit_confidence is None or benefit_confidence >= confidence
    kept = [row for row in rows if informative and not last and row["kept"]]
    shuffled = [row for row in first_samples if row["answered"]["shuffled"] is not None]
    taught = [row for row in rows if row.get("reward_teacher") is not None]
    first_taught = [row for row in taught if row["sample"] == 0]
    return RoundReport(
        round=number,
        questions=len(first_samples),
        rationales=len(rows),
        kept=len(kept),
        reward=_mean(rewards),
        reward_kept=_mean(row["reward"] for row in kept),
        reward_teacher=_mean(row["reward_teacher"] for row in first_taught),
        positive=len(positive) / len(rows),
        above_teacher=_mean(
            float(_capped(row, "reward", cap) >= _capped(row, "reward_teacher", cap))
            for row in taught
            if row["reward"] is not None
        ),
        leak=_mean(row["leak"] for row in first_samples if row["leak"] is not None),
        leak_share=_mean(float(_leaks(row, cap)) for row in positive),
        announcing=fmean(row["rejected"] == "leaks-answer" for row in rows),
        names_one=fmean(row["names"] is not None for row in rows),
        names_gold=fmean(row["names"] == row["answer"] for row in rows),
        accuracy=_accuracy(first_samples, "own"),
        accuracy_none=_accuracy(first_samples, "none"),
        accuracy_shuffled=_accuracy(shuffled, "shuffled") if shuffled else None,
        accuracy_announced=_accuracy(first_samples, "announced"),
        accuracy_teacher=_accuracy(first_taught, "teacher") if first_taught else None,
        benefit=benefit,
        benefit_confidence=benefit_confidence,
        informative=informative,
    )


def _benefit(first_samples: Sequence[Row]) -> tuple[float | None, float | None]:
    """Return the mean of (reward - reward_shuffled) over the questions, in nats, and the confidence
    that the mean is above 0. The confidence is 1 - p of a one-sided paired t-test. If fewer than
    two questions have both rewards, return (None, None)."""
    pairs = [(row["reward"], row.get("reward_shuffled")) for row in first_samples]
    gains = [
        reward - shuffled
        for reward, shuffled in pairs
        if reward is not None and shuffled is not None
    ]
    if len(gains) < 2:
        return None, None
    mean, error = fmean(gains), stdev(gains) / math.sqrt(len(gains))
    if not error:
        return round(mean, 6), float(mean > 0)
    tail = student_tail(abs(mean) / error, len(gains) - 1)
    return round(mean, 6), round(1 - tail if mean > 0 else tail, 6)


def _capped(row: Row, name: str, cap: float) -> float:
    return counted_reward(row[name], row["leak"], cap)


def _leaks(row: Row, cap: float) -> bool:
    """Return True if a row's positive reward may come from a leaked answer: the rationale announces
    the answer, or the reward exceeds its cap (see counted_reward)."""
    if row["rejected"] == "leaks-answer":
        return True
    leak = row["leak"]
    return bool(leak is not None and leak > 0 and row["reward"] > cap * leak)


def _accuracy(rows: Sequence[Row], condition: str) -> float:
    return fmean(row["answered"][condition] == row["answer"] for row in rows)


def _mean(values: Iterable[Any]) -> float | None:
    numbers = list(values)
    return round(fmean(numbers), 6) if numbers else None


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:+.3f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
