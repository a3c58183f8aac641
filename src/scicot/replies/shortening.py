"""Truncate texts at the end of a sentence, to a number of tokens estimated without a tokenizer."""

from __future__ import annotations

import re

BYTES_A_TOKEN = 4  # rule of thumb for UTF-8 text

# White space must follow, so that "3.5 m" contains no sentence end.
_SENTENCE_END = re.compile(r"[.!?][\"'”’)\]*_]{0,4}(?=\s|$)|[。！？]|(?=\n)")


def shorten(text: str, max_length: int) -> str:
    """Return as many whole sentences from the start of a text as fit into `max_length` characters;
    if the first sentence does not fit, as many of its words."""
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
    """Return the first sentences of a text, at most `max_tokens` tokens of BYTES_A_TOKEN bytes
    each."""
    encoded = text.encode("utf-8", "surrogatepass")
    if len(encoded) <= max_tokens * BYTES_A_TOKEN:
        return text
    prefix = encoded[: max_tokens * BYTES_A_TOKEN].decode("utf-8", "ignore")
    return shorten(text, len(prefix))
