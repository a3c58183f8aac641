"""ROUGE-L: the overlap of two texts by their longest common subsequence of words."""

from __future__ import annotations

import re
from itertools import islice

_WORD = re.compile("[a-z0-9]+")
LONGEST = 20_000  # maximum number of words of a text that are compared


def rouge_l(candidate: str, reference: str) -> float:
    """Compute ROUGE-L F1 of two texts, from 0 to 1 (Lin 2004). The result is 2 L / (m + n). m and n
    are the numbers of words of the texts. L is the length of the longest common subsequence of
    these words.

    Words are those of Google's rouge_score without stemming: runs of a-z and 0-9 in lower case. If
    one of the texts has no words, the result is 0.0. Only the first 20,000 words of a text are
    compared, since the time is quadratic in their number: 0.1 s for 20,000.
    """
    first, second = _words(candidate), _words(reference)
    if not first or not second:
        return 0.0
    return 2 * _common(first, second) / (len(first) + len(second))


def _words(text: str) -> list[str]:
    return [match[0] for match in islice(_WORD.finditer(text.lower()), LONGEST)]


def _common(first: list[str], second: list[str]) -> int:
    """Return the length of the longest common subsequence of two lists of words, by dynamic
    programming with bit operations (Hyyrö 2004, "Bit-parallel LCS-length computation revisited").

    Each row of the table is stored as the bits of one Python int, which can have any number of
    bits. A 0 at bit i means that the length grows by 1 from column i to column i + 1.
    """
    positions: dict[str, int] = {}
    for column, word in enumerate(first):
        positions[word] = positions.get(word, 0) | 1 << column
    columns = (1 << len(first)) - 1
    row = columns
    for word in second:
        matches = row & positions.get(word, 0)
        row = (row + matches | row - matches) & columns  # drops the carry of the sum
    return len(first) - row.bit_count()
