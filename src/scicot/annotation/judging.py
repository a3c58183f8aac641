"""Whether a reply is fit to learn from: read into its row, with the reason where it is not."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from scicot.config import GenerateSettings
from scicot.records import Rationale
from scicot.replies import announces_answer, is_refusal, read_reply
from scicot.rouge import rouge_l
from scicot.teachers import Reply

# Two samples of one question that share so much (ROUGE-L F1) teach the same.
NEAR_DUPLICATE = 0.9

# An explanation that leans on what the teacher was told explains nothing to whoever is not told.
_LEANS = re.compile(
    r"\b(?:the|this|that|your|given|provided) hint\b"
    r"|\b(?:given|provided|stated|revealed|known) (?:correct |right )?answer\b"
    r"|\b(?:told|given|informed) that the (?:correct |right )?(?:answer|choice|option)\b"
    r"|\bhint (?:says|tells|states|suggests|indicates|confirms)\b",
    re.I,
)


def judge(row: Rationale, reply: Reply, settings: GenerateSettings) -> tuple[Rationale, str | None]:
    """Read a reply into its row, with the reason why it is not fit to learn from, or None."""
    parsed = read_reply(reply.text, row.question)
    row = replace(row, rationale=parsed.rationale, conclusion=parsed.conclusion)
    gold = row.question.answer
    if reply.stop_reason == "refusal" or is_refusal(reply.text):
        reason = "refusal"
    elif reply.stop_reason == "max_tokens" and not (parsed.announced and parsed.conclusion):
        reason = "truncated"
    elif not row.rationale:
        reason = "empty"
    elif settings.keep == "correct" and gold is not None and row.conclusion != gold:
        reason = "wrong-conclusion"
    elif announces_answer(row.rationale, row.question) or _leans(row):
        reason = "leaks-answer"
    else:
        return row, None
    return row, reason


def _leans(row: Rationale) -> bool:
    return row.saw_answer and bool(_LEANS.search(row.rationale))


def repeats(rationale: str, others: Iterable[str]) -> bool:
    """Whether another sample of the same question says the same in nearly the same words."""
    return any(rouge_l(rationale, other) >= NEAR_DUPLICATE for other in others)
