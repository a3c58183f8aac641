"""Judge a reply from its text alone. It can be slow, so it may run in a thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scicot.annotation.judging import judge, repeats
from scicot.config import GenerateSettings
from scicot.records import Rationale
from scicot.replies import only_choice_named
from scicot.teachers import Reply


@dataclass(frozen=True, slots=True)
class Verdict:
    """A reply read into its row. `reason` is None where it is fit to learn from; `named`: its
    rationale names the gold choice and no other."""

    row: Rationale
    reason: str | None
    named: bool


def verdict_on(
    row: Rationale, reply: Reply, settings: GenerateSettings, others: Sequence[str]
) -> Verdict:
    """Judge a reply, also against the kept rationales of the same question."""
    row, reason = judge(row, reply, settings)
    if reason is None and repeats(row.rationale, others):
        reason = "duplicate"
    return Verdict(row, reason, reason is None and names_gold_alone(row))


def names_gold_alone(row: Rationale) -> bool:
    """Whether a rationale names the gold choice and no other."""
    gold = row.question.answer
    return gold is not None and only_choice_named(row.rationale, row.question) == gold
