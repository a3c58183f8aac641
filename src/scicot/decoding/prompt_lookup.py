"""What a text might go on with: the words behind the same words of its source.

Rationales repeat the question's and the choices' words. A draft is read in one step with the token
before it, which for a single text takes about as long as two steps, not as six: the weights have to
be fetched for one as for all. What the student would have written itself is kept ("prompt lookup",
a draft model without a model in the sense of Leviathan et al. 2023, arXiv 2211.17192).
"""

from __future__ import annotations

from collections.abc import Sequence

from scicot.decoding.engine import Ids

_MATCH = 2  # tokens that have to agree
_DRAFT = 5  # tokens, at most
# Of so many drafted tokens so many have to be right, or no more are drafted: a fifth, to pay.
_TRIED, _SHARE = 15, 0.3


class PromptLookup:
    """For one text behind one source, whose words are given."""

    def __init__(self, words: Ids) -> None:
        self._source = words
        self._drafted = self._right = 0

    def next(self, written: Ids, most: int) -> Ids:
        """`most` tokens at most; none where nothing fits, or too little was right so far."""
        last = written[-_MATCH:]
        poor = self._drafted >= _TRIED and self._right < _SHARE * self._drafted
        if len(last) < _MATCH or poor:
            return []
        for place in range(len(self._source) - _MATCH - 1, -1, -1):
            if self._source[place : place + _MATCH] == last:
                behind = place + _MATCH
                return self._source[behind : behind + min(_DRAFT, most)]
        return []

    def judge(self, draft: Ids, tokens: Sequence[int]) -> Ids:
        """What is to be written: `tokens` are the likeliest ones before and behind each token of
        the draft, which hold as far as the draft agreed with them."""
        right = 0
        while right < len(draft) and draft[right] == tokens[right]:
            right += 1
        self._drafted += len(draft)
        self._right += right
        return list(tokens[: right + 1])
