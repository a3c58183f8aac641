"""Recognise clauses that repeat the question."""

from __future__ import annotations

from functools import lru_cache

from scicot.replies.words import WORD

_STEM = 4  # first letters that are compared: "decides" matches "decided"


def repeats_question(text: str, question: str) -> bool:
    """Return True if more than half of the longer words (at least _STEM letters) in the first
    clause of `text` also occur in the question. Words are compared by their first _STEM letters."""
    clause = text.partition(",")[0].casefold()
    words = [word for word in WORD.findall(clause) if len(word) >= _STEM]
    stems = _stems(question)
    return sum(word[:_STEM] in stems for word in words) > 0.5 * len(words)


@lru_cache(maxsize=1)  # all clauses of a reply are compared with the same question
def _stems(question: str) -> frozenset[str]:
    return frozenset(word[:_STEM] for word in WORD.findall(question.casefold()))
