"""Truncate texts to a maximum length, at the end of a sentence. A length in tokens is estimated
from the number of bytes, without a tokenizer."""

from __future__ import annotations

import re

BYTES_A_TOKEN = 4  # rule of thumb for UTF-8 text

# White space must follow, so that "3.5 m" contains no sentence end.
_SENTENCE_END = re.compile(r"[.!?][\"'”’)\]*_]{0,4}(?=\s|$)|[。！？]|(?=\n)")


def shorten(text: str, max_length: int) -> str:
    """Return the longest beginning of a text that consists of whole sentences and has at most
    `max_length` characters. If even the first sentence is longer, return as many of its words as
    fit."""
    if len(text) <= max_length:
        return text
    length = 0
    for end in _SENTENCE_END.finditer(text, 0, max_length + 1):
        if end.end() <= max_length:
            length = end.end()
    words = (
        text[:max_length] if text[max_length].isspace() else text[:max_length].rpartition(" ")[0]
    )
    return text[:length].strip() or words.strip() or text[:max_length]


def shorten_to_tokens(text: str, max_tokens: int) -> str:
    """Shorten a text to at most `max_tokens` tokens, in the same way as `shorten`. A token is
    assumed to have BYTES_A_TOKEN bytes."""
    encoded = text.encode("utf-8", "surrogatepass")
    if len(encoded) <= max_tokens * BYTES_A_TOKEN:
        return text
    prefix = encoded[: max_tokens * BYTES_A_TOKEN].decode("utf-8", "ignore")
    return shorten(text, len(prefix))
