"""Prompt-lookup decoding: copy a draft of the next tokens from the source, and verify it in a
single forward pass.

Rationales repeat words of the question and the choices. If the last tokens of a text also occur in
its source, the tokens that follow them in the source become the draft. A draft token is accepted if
greedy decoding generates the same token; the rest of the draft is dropped. So the text is the same
as without drafts. This is speculative decoding (Leviathan et al. 2023, arXiv 2211.17192), without a
draft model.

For a single text, most of the time of a decoding step is spent on loading the weights. A forward
pass over a draft of 5 tokens takes about as long as two steps. If the whole draft is accepted, the
pass gives six tokens, the draft and the token after it, and replaces six steps.
"""

from __future__ import annotations

from collections.abc import Sequence

from scicot.decoding.engine import Ids

_MATCH = 2  # last tokens of the text that must occur in the source
_DRAFT = 5  # maximum length of a draft
# Drafting stops once at least _TRIED tokens were drafted and less than _SHARE of them accepted.
# Drafting is faster than plain decoding if at least a fifth of the drafted tokens are accepted.
_TRIED, _SHARE = 15, 0.3


class PromptLookup:
    """Drafts the next tokens of one text by copying them from the token ids of its `source`."""

    def __init__(self, source: Ids) -> None:
        self._source = source
        self._drafted = self._accepted = 0

    def next(self, generated: Ids, max_length: int) -> Ids:
        """Return a draft of the next tokens, at most `max_length`. `generated` holds the tokens of
        the text so far.

        The draft is empty in these cases:

        - The text so far has fewer than two tokens.
        - The last two tokens of `generated` do not occur side by side in the source, except perhaps
          at its end.
        - Too few tokens of the earlier drafts were accepted.
        """
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
        """Return the tokens to append to the text: the accepted beginning of a draft, and the
        model's own next token.

        `tokens` has the model's likeliest token at each position of the draft, and one at the
        position after the draft. Draft tokens are accepted up to the first position at which the
        draft and `tokens` differ.
        """
        accepted = 0
        while accepted < len(draft) and draft[accepted] == tokens[accepted]:
            accepted += 1
        self._drafted += len(draft)
        self._accepted += accepted
        return list(tokens[: accepted + 1])
