"""Find the choices of a question in a text by comparing words, in time linear in the length of the
text.

Each different word of the choices is encoded as one character. So a sequence of words becomes a
string (`codes`), and a choice of a thousand words is compared by a single str.startswith.
"""

from __future__ import annotations

import math
import re
import sys
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from scicot.records import Choice
from scicot.replies.labels import LabelPatterns, label_patterns

WORD = re.compile(r"[^\W_]+")
ARTICLES = ("a", "an", "the")
WORD_GAP = 12  # maximum number of characters between two words of a choice: brackets, quotes, bold
_LONGEST_WORD = 200
_UNKNOWN = "\0"  # code of a word that occurs in no choice
# codes start above Latin-1, so that Python stores all strings of codes at the same width
_FIRST_CODE = 256


class ChoiceWords(NamedTuple):
    """The words of one choice, without case, punctuation and a leading article. In the string
    `codes`, each word is encoded as one character. Equal words have equal characters."""

    label: str
    text: str  # as written, stripped
    codes: str
    rest: str  # codes after the first one


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Lookup tables for finding one question's choices in a text, by their labels or by the words
    of their texts."""

    labels: tuple[str, ...]
    patterns: LabelPatterns
    choices: Mapping[str, ChoiceWords]  # by label
    starting: Mapping[str, Sequence[ChoiceWords]]  # by the code of the first word
    ending: Mapping[str, Sequence[ChoiceWords]]  # by the code of the last word
    codes: Mapping[str, str]  # code of every word in the choices, and of the articles
    articles: frozenset[str]  # codes of the articles
    leading: frozenset[str]  # codes with which a choice can begin: first words and articles
    reach: int  # characters that the longest choice can take, with marks between its words


def lexicon_of(choices: Sequence[Choice]) -> Lexicon:
    """Return the lexicon of a question's choices. The last 64 lexicons are cached."""
    return _lexicon(tuple([(choice.label, choice.text) for choice in choices]))


@lru_cache(maxsize=64)
def _lexicon(choices: tuple[tuple[str, str], ...]) -> Lexicon:
    codes: dict[str, str] = {}

    def coded(words: Iterable[str]) -> str:
        for word in words:
            codes.setdefault(word, chr(min(_FIRST_CODE + len(codes), sys.maxunicode)))
        return "".join([codes[word] for word in words])

    articles = frozenset(coded(ARTICLES))
    by_label: dict[str, ChoiceWords] = {}
    starting: dict[str, list[ChoiceWords]] = {}
    ending: dict[str, list[ChoiceWords]] = {}
    for label, text in choices:
        words = coded(_words_of(text))
        choice = by_label[label] = ChoiceWords(label, text.strip(), words, words[1:])
        if words:
            starting.setdefault(words[0], []).append(choice)
            ending.setdefault(words[-1], []).append(choice)
    labels = tuple([label for label, _ in choices])
    reach = 2 * max([len(text) for _, text in choices]) + 64
    return Lexicon(
        labels,
        label_patterns(labels),
        by_label,
        starting,
        ending,
        codes,
        articles,
        articles.union(starting),
        reach,
    )


def _words_of(text: str) -> list[str]:
    words = [word.casefold() for word in WORD.findall(text)]
    return words[1:] if len(words) > 1 and words[0] in ARTICLES else words


class TextWords:
    """The words of one text, with their positions and their codes in the `lexicon`."""

    def __init__(self, text: str, lexicon: Lexicon) -> None:
        self._text = text
        self._lexicon = lexicon
        self._starts: list[int] = []
        self._ends: list[int] = []
        # word number -> run of words that are at most WORD_GAP characters apart
        self._runs: list[int] = []
        run = previous_end = 0
        for match in WORD.finditer(text):
            start, end = match.span()
            run += start - previous_end > WORD_GAP
            previous_end = end
            self._starts.append(start)
            self._ends.append(end)
            self._runs.append(run)
        self._codes = "".join(map(self._code, self._starts, self._ends))
        self._found: dict[int, tuple[int, list[ChoiceWords]]] = {}  # cache by word number

    def _code(self, start: int, end: int) -> str:
        if end - start > _LONGEST_WORD:
            return _UNKNOWN
        return self._lexicon.codes.get(self._text[start:end].casefold(), _UNKNOWN)

    def longest_from(self, start: int, limit: int | None = None) -> tuple[int, list[ChoiceWords]]:
        """Find the longest choice text that begins at most WORD_GAP characters after `start` and
        ends at or before `limit`. Return (end, choices), or (start, []) if no choice text is found.

        `start`, `limit` and `end` are character positions. `choices` has several elements if the
        texts of several choices have the same words.
        """
        first = bisect_right(self._ends, start)
        if first == len(self._ends) or self._starts[first] - start > WORD_GAP:
            return start, []
        code = self._codes[first]
        if self._starts[first] < start:  # `start` is within a word, as in "\\boxed12"
            code = self._code(start, self._ends[first])
            end, found = self._longest(first, code)
        elif code not in self._lexicon.leading:
            return start, []
        elif first in self._found:
            end, found = self._found[first]
        else:
            end, found = self._found[first] = self._longest(first, code)
        if limit is not None and end > limit:
            end, found = self._longest(first, code, limit)
        return (end, found) if found else (start, [])

    def _longest(
        self, first: int, code: str, limit: float = math.inf
    ) -> tuple[int, list[ChoiceWords]]:
        starting = self._lexicon.starting
        end, found = self._longest_of(starting.get(code, ()), first, limit)
        if code in self._lexicon.articles and self._next_word_is_near(first):
            # The article may be part of the choice's text, or precede it.
            next_code = self._codes[first + 1]
            later_end, later_choices = self._longest_of(
                starting.get(next_code, ()), first + 1, limit
            )
            if later_end >= end:
                return later_end, [*(found if later_end == end else []), *later_choices]
        return end, found

    def _longest_of(
        self, choices: Sequence[ChoiceWords], first: int, limit: float
    ) -> tuple[int, list[ChoiceWords]]:
        """Find the longest of the `choices` whose words begin at word number `first` of the text.
        The last of these words must end at or before the character position `limit`.

        Return (character position of the end, choices), or (0, []) if no choice is found. If
        several choices have the same words, all of them are returned.
        """
        # The first words are not compared, because the caller has compared them.
        size = -1
        found: list[ChoiceWords] = []
        for choice in choices:
            last = first + len(choice.rest)
            if (
                len(choice.rest) >= size
                and self._codes.startswith(choice.rest, first + 1)
                and self._runs[first] == self._runs[last]
                and self._ends[last] <= limit
            ):
                found = [*(found if len(choice.rest) == size else []), choice]
                size = len(choice.rest)
        return (self._ends[first + size], found) if found else (0, found)

    def _next_word_is_near(self, number: int) -> bool:
        """Return True if the next word begins at most WORD_GAP characters after the end of word
        `number`, and no underscore joins the two words. Words are numbered from 0."""
        next_number = number + 1
        if next_number == len(self._ends) or self._runs[number] != self._runs[next_number]:
            return False
        return self._text[self._ends[number]] != "_"

    def ending_at(self, end: int, start: int) -> tuple[str, ...]:
        """Return the label of the longest choice whose words are the last words of text[start:end].
        Return several labels if several choices have these words, and () if there is none."""
        count = bisect_right(self._ends, end)
        longest = 0
        labels: tuple[str, ...] = ()
        for choice in self._lexicon.ending.get(self._codes[count - 1 : count], ()):
            size = len(choice.codes)
            if size < longest or size > count or self._starts[count - size] < start:
                continue
            if self._codes.startswith(choice.codes, count - size):
                labels = (*(labels if size == longest else ()), choice.label)
                longest = size
        return labels
