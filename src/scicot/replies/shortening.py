"""Truncate texts at the end of a sentence, to a number of tokens estimated without a tokenizer."""

from __future__ import annotations

import re

BYTES_A_TOKEN = 4  # rule of thumb for UTF-8 text

# White space must follow, so that "3.5 m" contains no sentence end.
_SENTENCE_END = re.compile(r"[.!?][\"'”’)\]*_]{0,4}(?=\s|$)|[。！？]|(?=\n)")


def shorten(text: str, most: int) -> str:
    """Return as many whole sentences from the start of a text as fit into `most` characters; if the
    first sentence does not fit, as many of its words."""
    if len(text) <= most:
        return text
    kept = 0
    for end in _SENTENCE_END.finditer(text, 0, most + 1):
        if end.end() <= most:
            kept = end.end()
    words = text[:most] if text[most].isspace() else text[:most].rpartition(" ")[0]
    return text[:kept].strip() or words.strip() or text[:most]


def shorten_to_tokens(text: str, most: int) -> str:
    """Return the first sentences of a text, at most `most` tokens of BYTES_A_TOKEN bytes each."""
    encoded = text.encode("utf-8", "surrogatepass")
    if len(encoded) <= most * BYTES_A_TOKEN:
        return text
    within = encoded[: most * BYTES_A_TOKEN].decode("utf-8", "ignore")
    return shorten(text, len(within))
