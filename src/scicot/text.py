"""Clean and normalise texts: replace broken characters, join lines, and remove differences of case
and punctuation before a comparison."""

from __future__ import annotations

import re
import unicodedata

_PAIR = re.compile(r"[\ud800-\udbff][\udc00-\udfff]")
_HALVES = re.compile(r"[\ud800-\udfff]+")
_NO_WORDS = re.compile(r"[^\w\s]+")
# 30 non-ASCII characters in a row, neither letters nor digits, that may be combining marks
_MARKS = re.compile(r"[^\w\s\x00-\x7f]{30}")


def whole_characters(text: str) -> str:
    """Replace every lone surrogate in a text by U+FFFD.

    A lone surrogate ("\\ud83d" in JSON) remains, for example, if a proxy cuts an emoji in half.
    Python strings can contain it, but it cannot be encoded as UTF-8, so tokenizers and servers
    reject it. Two surrogates that form a pair are joined to the character that they encode.
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return _HALVES.sub(_repaired, text)
    return text


def _repaired(halves: re.Match[str]) -> str:
    if _PAIR.search(halves[0]) is None:
        return "\ufffd" * len(halves[0])
    return halves[0].encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def one_line(text: str, max_length: int | None = None) -> str:
    """Return the text on one line: each run of white space becomes a single space, and lone
    surrogates are replaced. If `max_length` is given, the line is cut to that many characters."""
    if max_length is not None:
        text = text[: 4 * max_length]
    return " ".join(whole_characters(text).split())[:max_length]


def error_line(error: BaseException) -> str:
    """Return the message of an error on one line, or the name of the error's type if the
    message is empty."""
    return one_line(str(error)) or type(error).__name__


def normalized(text: str) -> str:
    """Normalise a text for comparing questions: texts that differ only in case, punctuation or
    white space become equal."""
    # NFKC takes quadratic time to sort a run of combining marks, so a joiner is inserted after 30,
    # as in the stream-safe text format (UAX #15).
    parted = text if text.isascii() else _MARKS.sub("\\g<0>\u034f", text)
    folded = unicodedata.normalize("NFKC", parted).casefold()
    return " ".join(_NO_WORDS.sub(" ", folded).split())
