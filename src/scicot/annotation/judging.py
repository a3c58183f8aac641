"""Judge a reply: read it into its row, and say why it is not fit to learn from, if it is not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from scicot.config import GenerateSettings
from scicot.records import Rationale
from scicot.replies import (
    SHORTEST,
    ParsedReply,
    count_words,
    is_refusal,
    only_choice_named,
    read_reply,
)
from scicot.rouge import rouge_l
from scicot.teachers import Reply
from scicot.text import normalized

# Two samples of one question that share so much (ROUGE-L F1) teach the same.
NEAR_DUPLICATE = 0.9

_NOTHING = ("nan", "none", "null", "n a", "na")  # as data frames write what is missing
_LONGEST_NOTHING = 100  # characters, of such a word and the marks around it
_SENTENCE = re.compile(r"[^.!?\n]+[.!?\n]?")
_WORD = re.compile(r"\w")
_AGAIN = 3  # sentences that were said before

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
    row = replace(
        row,
        rationale=parsed.rationale,
        conclusion=parsed.conclusion,
        still_concludes=parsed.still_concludes,
    )
    gold = row.question.answer
    if reply.stop_reason == "refusal" or is_refusal(reply.text):
        reason = "refusal"
    elif reply.stop_reason == "max_tokens" and not _came_to_an_end(parsed):
        reason = "truncated"
    elif parsed.too_long:
        reason = "too-long"
    elif _says_nothing(row.rationale):
        reason = "empty"
    elif count_words(row.rationale) < SHORTEST:
        reason = "too-short"
    elif _turns_round(row.rationale):
        reason = "repetitive"
    elif settings.keep == "correct" and gold is not None and row.conclusion != gold:
        reason = "wrong-conclusion"
    elif parsed.leaks or _leans(row):
        reason = "leaks-answer"
    else:
        return row, None
    return row, reason


def _came_to_an_end(parsed: ParsedReply) -> bool:
    """Return whether a reply cut off at max_tokens is complete enough: it had announced its answer,
    or gone on to another question."""
    return parsed.ran_on or (parsed.announced and parsed.conclusion is not None)


def _says_nothing(rationale: str) -> bool:
    short = len(rationale) <= _LONGEST_NOTHING
    return not rationale or (short and normalized(rationale) in _NOTHING)


def _turns_round(rationale: str) -> bool:
    """Return whether at least half of the sentences, and at least _AGAIN, repeat an earlier
    sentence, as in looping output of small models."""
    spoken = [sentence for sentence in _SENTENCE.findall(rationale) if _WORD.search(sentence)]
    sentences = {" ".join(sentence.split()).casefold() for sentence in spoken}
    again = len(spoken) - len(sentences)
    return again >= _AGAIN and again >= len(spoken) / 2


def _leans(row: Rationale) -> bool:
    return row.saw_answer and bool(_LEANS.search(row.rationale))


def repeats(rationale: str, others: Iterable[str]) -> bool:
    """Return whether a rationale is a near-duplicate of another sample of its question: ROUGE-L of
    at least NEAR_DUPLICATE."""
    return any(rouge_l(rationale, other) >= NEAR_DUPLICATE for other in others)


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
    """Return whether the gold choice is the only one that a rationale names; False without a gold
    answer."""
    gold = row.question.answer
    return gold is not None and only_choice_named(row.rationale, row.question) == gold
