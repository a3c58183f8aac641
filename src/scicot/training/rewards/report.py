"""Summarise the samples of a round: rewards, signs of leaked answers, and accuracies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from scicot.row_fields import Row


@dataclass(frozen=True)
class RoundReport:
    """The figures of a round, for the students whose rationales were sampled; those of round 0 were
    trained on the teacher's rationales only. Shares are from 0 to 1, rewards in nats; None if there
    is nothing to count."""

    round: int
    questions: int
    rationales: int
    kept: int  # rationales added to the next round's training set; 0 after the last round
    reward: float | None  # mean over all rationales
    reward_kept: float | None
    positive: float  # share of rationales with a reward above 0
    leak: float | None  # mean over the questions of the gain from stating the right choice
    # share of the positive rewards that may be leaks: announced, or above the cap
    leak_share: float | None
    announcing: float  # share of rationales that announce an answer
    names_one: float  # share that name exactly one choice
    names_gold: float  # share that name only the right choice
    accuracy: float  # given the question's own greedy rationale
    accuracy_none: float  # without a rationale
    accuracy_shuffled: float | None  # given another question's rationale
    accuracy_announced: float  # given the text of the right choice

    def to_row(self) -> Row:
        return asdict(self)

    @property
    def warning(self) -> str | None:
        """A warning if the rewards are noise: answers are no better given a question's own
        rationale than given another question's. Else None."""
        if self.accuracy_shuffled is None or self.accuracy > self.accuracy_shuffled:
            return None
        own, other = f"{self.accuracy:.1%}", f"{self.accuracy_shuffled:.1%}"
        return (
            f"round {self.round}: answers are no better behind a question's own rationale ({own})"
            f" than behind that of another one ({other}),"
            " so rewards are chance; train stage 1 longer on the teacher's rationales first"
        )

    @property
    def told(self) -> str:
        """The report as one line."""
        return (
            f"round {self.round}: mean reward {_number(self.reward)} nats"
            f" (leak {_number(self.leak)}), {self.positive:.0%} of {self.rationales:,} rationales"
            f" above 0, {self.kept:,} kept; leak share {_percent(self.leak_share)}, announcing"
            f" {self.announcing:.1%}, naming one choice {self.names_one:.1%}; accuracy behind own"
            f" rationale {self.accuracy:.1%}, none {self.accuracy_none:.1%}, shuffled"
            f" {_percent(self.accuracy_shuffled)}, announced {self.accuracy_announced:.1%}"
        )


def report_of(number: int, rows: Sequence[Row], cap: float, *, last: bool) -> RoundReport:
    """Summarise the scored rows of a round; accuracies use the first sample of each question."""
    firsts = [row for row in rows if row["sample"] == 0]
    rewards = [row["reward"] for row in rows if row["reward"] is not None]
    positive = [row for row in rows if (row["reward"] or 0.0) > 0]
    kept = [] if last else [row for row in rows if row["kept"]]
    shuffled = [row for row in firsts if row["answered"]["shuffled"] is not None]
    return RoundReport(
        round=number,
        questions=len(firsts),
        rationales=len(rows),
        kept=len(kept),
        reward=_mean(rewards),
        reward_kept=_mean(row["reward"] for row in kept),
        positive=len(positive) / len(rows),
        leak=_mean(row["leak"] for row in firsts if row["leak"] is not None),
        leak_share=_mean(float(_leaks(row, cap)) for row in positive),
        announcing=fmean(row["rejected"] == "leaks-answer" for row in rows),
        names_one=fmean(row["names"] is not None for row in rows),
        names_gold=fmean(row["names"] == row["answer"] for row in rows),
        accuracy=_accuracy(firsts, "own"),
        accuracy_none=_accuracy(firsts, "none"),
        accuracy_shuffled=_accuracy(shuffled, "shuffled") if shuffled else None,
        accuracy_announced=_accuracy(firsts, "announced"),
    )


def _leaks(row: Row, cap: float) -> bool:
    """Return whether a positive reward may come from leaking the answer: the rationale announces
    it, or the reward exceeds `cap` times the leak gain."""
    if row["rejected"] == "leaks-answer":
        return True
    leak = row["leak"]
    return bool(leak is not None and leak > 0 and row["reward"] > cap * leak)


def _accuracy(rows: Sequence[Row], behind: str) -> float:
    return fmean(row["answered"][behind] == row["answer"] for row in rows)


def _mean(values: Iterable[Any]) -> float | None:
    found = list(values)
    return round(fmean(found), 6) if found else None


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:+.3f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
