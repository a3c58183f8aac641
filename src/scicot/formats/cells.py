"""Parse lists and objects that are written in a cell of a table.

    ["wood", "copper"]                                        JSON
    ['wood', 'copper']   ['wood' 'copper']                    Python and NumPy, as written by pandas
    {'text': array(['wood', 'copper'], dtype=object), ...}    Python and NumPy, as written by pandas
    wood|copper|glass    wood;copper;glass                    texts separated by | or ; or line ends

Cells are never passed to eval(): a small parser accepts only these forms.

Also parse choices that are written in the text of a question (see `choices_in`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from string import ascii_uppercase
from typing import Any

from scicot.jsonl import decode

_LARGEST = 100_000  # maximum length of a literal, in characters
_DEEPEST = 8
_TOKEN = re.compile(
    r"""\s*(?:(?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
    r"""|(?P<number>-?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?(?![\w.]))"""
    r"""|(?P<word>True|False|None|nan|array\(|dtype=(?:\w+|'[^']{0,40}')|object)"""
    r"""|(?P<mark>[\[\]{}(),:]))""",
    re.DOTALL,
)
_WORDS = {"True": True, "False": False, "None": None, "nan": None}
_SEPARATORS = ("|", ";", "\n")


def value_of(cell: str) -> Any:
    """Parse a cell as JSON, or else as a Python or NumPy literal. Raises ValueError if it is
    neither."""
    try:
        return decode(cell)
    except ValueError:
        pass
    text = cell.strip()
    if not text.startswith(("[", "{", "array(")) or len(text) > _LARGEST:
        raise ValueError("neither JSON nor a list")
    return _Literal(text).read()


def separated(cell: str) -> list[str] | None:
    """Split a cell such as "wood|copper|glass" into texts. Return None if it contains no separator,
    or if one of the texts is empty."""
    for separator in _SEPARATORS:
        parts = [part.strip() for part in cell.strip().strip(separator).split(separator)]
        if len(parts) > 1:
            return parts if all(parts) else None
    return None


class _Literal:
    """A recursive descent parser for a Python or NumPy literal."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._next = 0

    def read(self) -> Any:
        value = self._value(0)
        if self._next != len(self._tokens):
            raise ValueError("text after the end of the list")
        return value

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._next] if self._next < len(self._tokens) else ("end", "")

    def _take(self) -> tuple[str, str]:
        token = self._peek()
        self._next += 1
        return token

    def _value(self, depth: int) -> Any:
        if depth > _DEEPEST:
            raise ValueError("nested too deeply")
        kind, text = self._take()
        if kind == "string":
            # literal_eval decodes the escapes. It gets one string literal, never an expression.
            one_line = text.replace("\n", "\\n").replace("\r", "\\r")
            try:
                return str(ast.literal_eval(one_line))
            except SyntaxError as error:
                raise ValueError(f"no string ({error})") from None
        if kind == "number":
            return float(text) if re.search(r"[.eE]", text) else int(text)
        if text in _WORDS:
            return _WORDS[text]
        if text == "[":
            return self._list(depth)
        if text == "{":
            return self._object(depth)
        if text == "array(":
            return self._array(depth)
        raise ValueError(f"unexpected {text!r}")

    def _list(self, depth: int) -> list[Any]:
        values = []
        while self._peek()[1] != "]":
            values.append(self._value(depth + 1))
            if self._peek()[1] == ",":  # optional: NumPy separates items by spaces
                self._take()
        self._take()
        return values

    def _object(self, depth: int) -> dict[str, Any]:
        items: dict[str, Any] = {}
        while self._peek()[1] != "}":
            key = self._value(depth + 1)
            if self._take()[1] != ":" or isinstance(key, list | dict):
                raise ValueError("no object")
            items[str(key)] = self._value(depth + 1)
            if self._peek()[1] == ",":
                self._take()
        self._take()
        return items

    def _array(self, depth: int) -> Any:
        value = self._value(depth + 1)
        while self._peek()[1] != ")":
            if self._take()[0] not in ("word", "mark"):
                raise ValueError("no array")
            if self._next > len(self._tokens):
                raise ValueError("an array without an end")
        self._take()
        return value


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"unexpected text at character {position}")
        tokens.append((match.lastgroup or "", match[match.lastgroup or 0]))
        position = match.end()
    return tokens


# Choices in a running text

_INLINE = re.compile(r"(?<!\S)\(([A-Z]|[1-9])\)")
_INLINE_SMALL = re.compile(r"(?<!\S)\(([a-z])\)")
_IN_BRACKETS_AT_LINES = re.compile(r"^[ \t]*\(([A-Za-z])\)(?!\S)", re.MULTILINE)
_AT_LINES = re.compile(r"^[ \t]*[(\[]?([A-Z])[ \t]?[).:\]][ \t]+", re.MULTILINE)
_AT_LINES_SMALL = re.compile(r"^[ \t]*[(\[]?([a-z])[ \t]?[).:\]][ \t]+", re.MULTILINE)
_NUMBERED_LINES = re.compile(r"^[ \t]*[(\[]?([1-9])[ \t]?[).:\]][ \t]+", re.MULTILINE)
# Used only in cells known to hold choices: "a ) 38 , b ) 27" and "A. wood B. copper".
_IN_CELL = re.compile(r"(?:^|(?<=[\s,;|]))[(\[]?([A-Za-z]|[1-9])\s?[).:\]]\s*")
_BULLETS = re.compile(
    r"\n[ \t]*(?:options|choices|answer choices)[ \t]*:[ \t]*\n"
    r"((?:[ \t]*[-*•][ \t]+\S[^\n]*(?:\n|\Z))+)\s*\Z",
    re.IGNORECASE,
)
# These patterns match at the end of a text. Only its last _LAST characters are searched, so that
# the time stays linear.
_LEAD_IN = re.compile(r"\b(?:options|answer choices|choices)\s*:\Z", re.IGNORECASE)
_CUE = re.compile(r"\n\s*(?:answer|a)\s*:\Z", re.IGNORECASE)
_JOINED = re.compile(r"[\s,;](?:or|and)[\s,;]*\Z|[,;]\Z", re.IGNORECASE)
_LAST = 60

Marked = tuple[str, list[str], list[str]]  # (stem, labels, texts)


def choices_in(text: str) -> Marked | None:
    """Split a question text that contains the choices. The choices may be in the same line, as in
    "stem (A) wood (B) copper", or one per line. Return (question without choices, labels of the
    choices, texts of the choices), or None if `text` has no choices."""
    text = _without_end(text, _CUE)
    for pattern in (_INLINE, _AT_LINES, _INLINE_SMALL, _AT_LINES_SMALL, _NUMBERED_LINES):
        # Within a line, "(D)" after (A) and (B) may be part of a choice's text.
        found = _marked(text, pattern, gaps=pattern in (_AT_LINES, _AT_LINES_SMALL))
        if found is not None:
            if pattern in (_INLINE, _INLINE_SMALL):
                found = _more_at_lines(text, found)
            stem, labels, texts = found
            return _without_end(stem, _LEAD_IN).strip(), labels, _out_of_sentence(texts)
    bullets = _BULLETS.search(text)
    if bullets is not None:
        lines = [line.strip()[1:].strip() for line in bullets[1].strip().splitlines()]
        if len(lines) <= len(ascii_uppercase):
            return text[: bullets.start()].strip(), list(ascii_uppercase[: len(lines)]), lines
    return None


def _more_at_lines(text: str, found: Marked) -> Marked:
    """Find the choices of `text` that begin on lines of their own. Return them if there are more of
    them than in `found`, and if the same text stands before the first choice. Otherwise return
    `found`."""
    # If a label is missing, as in (A), (B), (D), `found` ends before the gap.
    at_lines = _marked(text, _IN_BRACKETS_AT_LINES, gaps=True)
    if at_lines is None or at_lines[0] != found[0] or len(at_lines[1]) <= len(found[1]):
        return found
    return at_lines


def _without_end(text: str, pattern: re.Pattern[str]) -> str:
    """Remove trailing white space from `text`, then a match of `pattern` at the end, then trailing
    white space again."""
    text = text.rstrip()
    match = pattern.search(text, max(0, len(text) - _LAST))
    return text[: match.start()].rstrip() if match else text


def choices_of_cell(cell: str) -> tuple[list[str], list[str]] | None:
    """Return (labels, texts) of the choices in a cell such as "a ) 38 , b ) 27" or "(A) wood (B)
    copper". None if the cell has another form."""
    found = _marked(cell, _IN_CELL)
    if found is None or found[0]:
        return None
    texts = [text.rstrip(" ,;|") for text in found[2]]
    return (found[1], texts) if all(texts) else None


def _marked(text: str, pattern: re.Pattern[str], *, gaps: bool = False) -> Marked | None:
    """Split `text` at the marks of its choices, (A), (B) and so on. Return (stem, labels, texts),
    or None if there are no such marks. If `gaps` is True, a label after B may be missing: A, B,
    D."""
    marks = list(pattern.finditer(text))
    later_labels: set[str] = set()  # labels of the marks after the current one
    # The stem may contain an (A) too, so the choices begin at the last (A) that a (B) follows.
    for start in reversed(range(len(marks))):
        label = marks[start][1]
        if label in "Aa1" and _following(label) in later_labels:
            run = _run(marks[start:], gaps=gaps)
            ends = [mark.start() for mark in run[1:]] + [len(text)]
            texts = [text[m.end() : end].strip() for m, end in zip(run, ends, strict=True)]
            return text[: run[0].start()].strip(), [mark[1] for mark in run], texts
        later_labels.add(label)
    return None


def _run(marks: Sequence[re.Match[str]], *, gaps: bool) -> list[re.Match[str]]:
    """Return the first mark, and the marks after it whose labels continue the alphabet: (A), (B),
    (C). If `gaps` is True, a label may be missing: (A), (B), (D)."""
    run: list[re.Match[str]] = []
    last = {mark[1]: index for index, mark in enumerate(marks)}
    for index, mark in enumerate(marks):
        following = _following(run[-1][1]) if run else mark[1]
        # A label is skipped only if no later mark has it.
        skipped = gaps and mark[1] == _following(following)
        if mark[1] == following or (skipped and last.get(following, -1) < index):
            run.append(mark)
    return run


def _following(label: str) -> str:
    return chr(ord(label) + 1)


def _out_of_sentence(texts: list[str]) -> list[str]:
    """Remove words that join the choices into a sentence, such as "or" in "on (A) the sand or (B)
    the ice". Without such words, return `texts` unchanged."""
    *all_but_last, last = texts
    joining_words = all_but_last[-1].rstrip()[len(_without_end(all_but_last[-1], _JOINED)) :]
    if not re.search(r"\w", joining_words):
        return texts
    separated_texts = [_without_end(text, _JOINED).rstrip(" ,;") for text in all_but_last]
    if any(text.endswith((".", "?", "!")) for text in separated_texts):
        return texts
    return [*separated_texts, last.rstrip(" .?!")]
