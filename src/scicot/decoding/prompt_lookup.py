"""Prompt-lookup decoding: copy a draft of the next tokens from the source, verify it in one pass.

Rationales repeat the words of the question and the choices. Where the last tokens of a text occur
in its source, the tokens that follow them there are the draft. For a single text one forward pass
over a draft of 5 takes about as long as two decoding steps, not six, since loading the weights
dominates. Only the draft tokens that greedy decoding would have generated are kept, so the text is
the same (speculative decoding, Leviathan et al. 2023, arXiv 2211.17192, without a draft model).
"""

from __future__ import annotations

from collections.abc import Sequence

from scicot.decoding.engine import Ids

_MATCH = 2  # last tokens of the text that must occur in the source
_DRAFT = 5  # maximum length of a draft
# Drafting stops if less than _SHARE of at least _TRIED drafted tokens were accepted. It is faster
# than plain decoding from an acceptance rate of a fifth.
_TRIED, _SHARE = 15, 0.3


class PromptLookup:
    """Drafts for one text; `words` are the source's tokens."""

    def __init__(self, words: Ids) -> None:
        self._source = words
        self._drafted = self._accepted = 0

    def next(self, generated: Ids, max_length: int) -> Ids:
        """Draft at most `max_length` tokens to follow `generated`. Empty if its last tokens do not
        occur in the source, or if too few drafted tokens were accepted so far."""
        last = generated[-_MATCH:]
        poor = self._drafted >= _TRIED and self._accepted < _SHARE * self._drafted
        if len(last) < _MATCH or poor:
            return []
        for start in range(len(self._source) - _MATCH - 1, -1, -1):
            if self._source[start : start + _MATCH] == last:
                end = start + _MATCH
                return self._source[end : end + min(_DRAFT, max_length)]
        return []

    def judge(self, draft: Ids, tokens: Sequence[int]) -> Ids:
        """Return the tokens to append: the accepted start of the draft and the token after it.

        `tokens` (len(draft) + 1) are the model's likeliest tokens at the draft's positions and
        after its end. They are valid up to the first that differs from the draft.
        """
        accepted = 0
        while accepted < len(draft) and draft[accepted] == tokens[accepted]:
            accepted += 1
        self._drafted += len(draft)
        self._accepted += accepted
        return list(tokens[: accepted + 1])
