"""Split a text into sentences, without separating a label from the text of its choice."""

from __future__ import annotations

import re
from collections.abc import Iterator

from scicot.replies.mentions import Mentions
from scicot.replies.option_lists import leads_to_list

_GAP = re.compile(r"(?:(?<=[.!?])|(?<=[.!?][\"'”’)\]*_]))\s+(?![a-z\s])|\n\s*")
_ABBREVIATION = re.compile(
    r"(?:\b(?:Dr|Mr|Mrs|Ms|Prof|St|vs|etc|Fig|No|e\.g|i\.e)|\b(?P<initial>[A-Z]))\.$"
)
LEADS_ON = re.compile(r":[\s*_]{0,4}$")


def sentence_spans(mentions: Mentions, listed: set[int]) -> Iterator[tuple[int, int]]:
    """Yield the (start, end) of each sentence. A sentence is never split between a label and the
    text of its choice. A line that ends in "... is:" continues with the choice on the next line."""
    labelled = iter(mentions.labelled_spans())
    span = next(labelled, None)
    start = 0
    for gap in _GAP.finditer(mentions.text):
        while span and span[1] <= gap.start():
            span = next(labelled, None)
        if (span and span[0] < gap.start()) or _goes_on(mentions, start, gap, listed):
            continue
        if start < gap.start():
            yield start, gap.start()
        start = gap.end()
    if start < len(mentions.text):
        yield start, len(mentions.text)


def _goes_on(mentions: Mentions, start: int, gap: re.Match[str], listed: set[int]) -> bool:
    text_before = mentions.text[max(start, gap.start() - 12) : gap.start()]
    if gap[0].startswith("\n"):
        return (
            ":" in text_before
            and bool(LEADS_ON.search(text_before))
            and gap.end() not in listed
            and not leads_to_list(mentions.text[start : gap.start()])
            and mentions.named_from(gap.end(), len(mentions.text)) is not None
        )
    abbreviation = _ABBREVIATION.search(text_before)
    # The sentence "The answer is B." ends here, but initials as in "J. J. Thomson" do not end one.
    return abbreviation is not None and abbreviation["initial"] not in mentions.labels
