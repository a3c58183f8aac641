"""Separate the thinking of a reasoning model from its reply, if both are in one text.

In "<think>Copper is a metal.</think>Metals conduct.", the thinking is "Copper is a metal." and the
reply is "Metals conduct."
"""

from __future__ import annotations

import re
from typing import NamedTuple

# [THINK] is the tag of Magistral. "[think]" does not count, since people write it in plain text.
_TAG = re.compile(r"<(/?)think(?:ing)?>|\[(/?)(?-i:THINK)\]", re.I)


class Parts(NamedTuple):
    """The parts of a text: `reply` is the text without the thinking, and `thinking` is the
    thinking. `unclosed` is True if the text ends within the thinking, for example because the model
    ran out of tokens."""

    reply: str
    thinking: str
    unclosed: bool


def is_tag(text: str) -> bool:
    """Return True if a text is nothing but a tag that opens or closes thinking."""
    return _TAG.fullmatch(text) is not None


def split_thinking(text: str) -> Parts:
    """Split a text at the tags <think> and </think>, or variants of them, into reply and thinking.

    Either tag may be missing: chat templates put the opening tag into the prompt, and replies that
    were cut off lack the closing one.
    """
    begin, inside = 0, False
    outside, thoughts = list[str](), list[str]()
    for tag in _TAG.finditer(text):
        (thoughts if inside else outside).append(text[begin : tag.start()])
        closes = bool(tag[1] or tag[2])
        if closes and not inside:
            thoughts += outside
            outside.clear()
        inside, begin = not closes, tag.end()
    (thoughts if inside else outside).append(text[begin:])
    thinking = "\n\n".join(filter(None, map(str.strip, thoughts)))
    return Parts("".join(outside).strip(), thinking, inside)
