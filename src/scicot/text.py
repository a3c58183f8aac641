"""Text from outside made safe to store and to show: whole characters, one line."""

from __future__ import annotations

import re

_PAIR = re.compile(r"[\ud800-\udbff][\udc00-\udfff]")
_HALVES = re.compile(r"[\ud800-\udfff]+")


def whole_characters(text: str) -> str:
    """The text with every lone surrogate, half of a character, replaced by U+FFFD.

    A proxy that cuts an emoji in half leaves one ("\\ud83d" in JSON): Python holds it, but neither
    UTF-8 nor a tokenizer nor a server takes it. Two halves that belong together become the
    character they are.
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return _HALVES.sub(_whole, text)
    return text


def _whole(halves: re.Match[str]) -> str:
    if _PAIR.search(halves[0]) is None:
        return "\ufffd" * len(halves[0])
    return halves[0].encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def one_line(text: str, most: int) -> str:
    """The text on one line, of so many characters at most."""
    return " ".join(whole_characters(text[: 4 * most]).split())[:most]
