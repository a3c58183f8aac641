"""Where a text names one of a question's choices, by label or by text.

    Unlike (A) wood, copper conducts.
           |------|  |----|             Mention ("A",), marked; Mention ("B",), by its text

Words are compared without case, marks and leading articles, so "a service" is found in "Service.";
what is written exactly decides only between choices of the same words. Every pattern is anchored or
bounded in length, so the time is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from scicot.records import Choice
from scicot.replies.labels import NOUN, label_patterns

_WORD = re.compile(r"[^\W_]+")
_ARTICLES = ("a", "an", "the")
# Few marks stand between the words of one choice: brackets, quotes, bold.
_NEXT_WORD = re.compile(r"[\W_]{0,12}([^\W_]{1,200})(?![^\W_])")
_ARTICLE = re.compile(r"[\W_]{0,12}(?:an?|the)\b(?=[\W_])", re.I)
_LABEL_REACH = 40  # how far back a label may begin that ends a stretch of text
_GAP = 12

# Brackets, bold, quotes, LaTeX commands: what stands around a label and ends no sentence.
_DECOR = re.compile(r"(?:\\[a-z]{1,12}(?![a-z])|[^\w.?!\\]|\\|_){0,24}")
_SKIPPED = re.compile(
    r"(?:(?:an?|the)(?=\s)|either|both|(?:most )?likely|probably|definitely|clearly|therefore"
    rf"|thus|indeed|actually|{NOUN}|number)\b",
    re.I,
)
# What may follow a choice that is named without brackets: "A.", "A because", never "A metal".
BOUNDARY = re.compile(
    r"[\s*_`$\"'”’)\]}\\]{0,8}(?:$|[.,;:!?\n(–—-]|(?:because|since|and|or|not|rather|as)\b)", re.I
)
_JOIN = re.compile(r"[\s*_\"'”’)\]]{0,4}(?:,?\s{0,2}\b(?:and|or)\b|&|/|,)", re.I)
_LOOSE_OR = re.compile(r"[^.;:!?\n()]{1,60}\bor\s{1,2}(?=[(\[])", re.I)
_SOME_LABEL = re.compile(r"[A-Za-z0-9]\s{0,2}[)\]]")


@dataclass(frozen=True, slots=True)
class Mention:
    """A choice named by its label (marked, as in "(B)", or bare) or by its text alone."""

    start: int
    end: int
    labels: tuple[str, ...]
    marked: bool


class Mentions:
    """What one text says about one question's choices."""

    def __init__(self, text: str, choices: Sequence[Choice]) -> None:
        self.text = text
        self.choices = choices
        self.labels = tuple(choice.label for choice in choices)
        self._words = {choice.label: _words_of(choice.text) for choice in choices}
        self._reach = 2 * max(len(choice.text) for choice in choices) + 64
        self._starting: dict[str, list[Choice]] = {}
        for choice in choices:
            for word in self._words[choice.label][:1]:
                self._starting.setdefault(word, []).append(choice)
        self._patterns = label_patterns(self.labels)

    def named_from(self, start: int, end: int) -> Mention | None:
        """The choice named right here, past brackets, articles and words like "option"."""
        several = noun = False
        for _ in range(5):
            start = self._past_decor(start)
            if mention := self._named_at(start, end, noun):
                mention = self._with_joined(mention, end)
                unsettled = several and len(mention.labels) == 1  # "either (B) or gold"
                return replace(mention, labels=()) if unsettled else mention
            skipped = _SKIPPED.match(self.text, start, end)
            if not skipped:
                return None
            word = skipped[0].lower()
            several = several or word in ("either", "both")
            noun = word in ("answer", "option", "choice", "letter", "number")
            start = skipped.end()
        return None

    def texts_in(self, start: int, end: int) -> set[str]:
        """Labels of the choices whose text occurs, those inside a longer one's text left out."""
        found: set[str] = set()
        position = start
        while word := _WORD.search(self.text, position, end):
            stop, labels = self._text_at(word.start())
            found.update(labels)
            position = max(stop, word.end())
        return found

    def text_alone(self, start: int, end: int) -> str | None:
        """The label of the choice whose text opens the sentence and stands off from the rest."""
        stop, labels = self._text_at(self._past_decor(start))
        stands_off = self.text[stop : stop + 1] in ("", ".", ",", "!", "\n")
        return labels[0] if len(labels) == 1 and stop <= end and stands_off else None

    def marked_in(self, start: int, end: int) -> set[str]:
        """Labels that occur written as labels: "(B)", "option B", "**B**"."""
        return {
            self._label(match["label"])
            for match in self._patterns.marked.finditer(self.text, start, end)
        }

    def labelled_spans(self) -> list[tuple[int, int]]:
        """Where a label stands with its own text, in order: no sentence ends inside."""
        lines = (self._patterns.opening.match(self.text, *line) for line in self.lines())
        spans = []
        for match in (*self._patterns.marked.finditer(self.text), *filter(None, lines)):
            stop, labels = self._text_at(self._past_decor(match.end()))
            if self._label(match["label"]) in labels:
                spans.append((match.start(), stop))
        return sorted(spans)

    def lines(self) -> Iterator[tuple[int, int]]:
        """Where lines lie, blank ones left out, without their indentation."""
        return (line.span() for line in re.finditer(r"\S[^\n]*", self.text))

    def opening(self, start: int, end: int) -> Mention | None:
        """The label, and the text that goes with it, with which a line opens: "B) spoon"."""
        match = self._patterns.opening.match(self.text, start, end)
        if not match:
            return None
        label = self._label(match["label"])
        stop, labels = self._text_at(match.end())
        return Mention(start, stop if label in labels else match.end(), (label,), marked=True)

    def label_alone(self, start: int, end: int) -> Mention | None:
        """The choice named by its label where the sentence says nothing else: "(B): spoon."."""
        mention = self.named_from(start, end)
        if mention is None or not self._patterns.at.match(self.text, mention.start, end):
            return None
        rest = self.text[mention.end : end].strip(" .!*_`$)]}\"'”’\n\\")
        return mention if not rest else None

    def ending_at(self, end: int, start: int, texts: bool) -> tuple[str, ...]:
        """Labels named right before `end`, by label or, with `texts`, by the choice's text."""
        before = self.text[max(start, end - self._reach) : end]
        if match := self._patterns.last.search(before[-_LABEL_REACH:]):
            return (self._label(match["label"]),)
        if not texts:
            return ()
        seen = [match[0].casefold() for match in _WORD.finditer(before)]
        fits = [(len(w), label) for label, w in self._words.items() if w and seen[-len(w) :] == w]
        longest = max(fits, default=(0, ""))[0]
        return tuple(label for size, label in fits if size == longest)

    def _named_at(self, start: int, end: int, noun: bool) -> Mention | None:
        stop, by_text = self._text_at(start)
        if mention := self._labelled_at(start, end, noun, stop, by_text):
            return mention
        if by_text and BOUNDARY.match(self.text, stop, end):
            return Mention(start, stop, by_text, marked=False)
        # "(F)" with four choices: the text that follows may tell which one was meant.
        if self.text[start - 1 : start] in ("(", "[") and (
            match := _SOME_LABEL.match(self.text, start, end)
        ):
            stop, by_text = self._text_at(self._past_decor(match.end()))
            return Mention(start, max(stop, match.end()), by_text, marked=True)
        return None

    def _labelled_at(
        self, start: int, end: int, noun: bool, stop: int, by_text: tuple[str, ...]
    ) -> Mention | None:
        """A label here, unless the choice text that begins here too is longer ("2" of "2 apples").

        What follows a marked label must not be another choice's text: "(B) wood" settles nothing.
        A bare one must stand off from the rest ("A metal spoon" names no A) and be no text ("2").
        """
        match = self._patterns.at.match(self.text, start, end)
        if not match:
            return None
        label, after = self._label(match["label"]), match.end()
        article = match["label"] in _ARTICLES and match["label"] != label
        marked = noun or (bool(match["close"]) and not (article and match["close"] == ":"))
        own_stop, own = self._text_at(self._past_decor(after))
        if any(self._words[label] == self._words[other] for other in own):
            return Mention(start, own_stop, (label,), marked)
        if stop > after:
            return None
        if marked:
            contradicts = own and BOUNDARY.match(self.text, own_stop, end)
            return Mention(start, after, (label, *own) if contradicts else (label,), marked)
        an_article = article and self.text[after : after + 1].isspace()
        if an_article or not BOUNDARY.match(self.text, after, end):
            return None
        return Mention(start, after, tuple(dict.fromkeys((label, *by_text))), marked)

    def _with_joined(self, mention: Mention, end: int) -> Mention:
        """ "(a) suitcase, (b) drawer or (e) dresser" names three."""
        labels, stop = mention.labels, mention.end
        while join := _JOIN.match(self.text, stop, end) or _LOOSE_OR.match(self.text, stop, end):
            start = self._past_decor(join.end())
            joined = self._named_at(start, end, noun=False)
            if not joined or not BOUNDARY.match(self.text, joined.end, end):
                break
            labels, stop = (*labels, *joined.labels), joined.end
        return replace(mention, labels=tuple(dict.fromkeys(labels)), end=stop)

    def _text_at(self, start: int) -> tuple[int, tuple[str, ...]]:
        """Where the longest choice text that begins here ends, and whose it is."""
        best = start
        found: list[Choice] = []
        article = _ARTICLE.match(self.text, start)
        for position in (start, article.end()) if article else (start,):
            word = _NEXT_WORD.match(self.text, position)
            for choice in self._starting.get(word[1].casefold(), ()) if word else ():
                stop = self._end_of(self._words[choice.label], position)
                if stop >= best > start or stop > best:
                    found = [*(found if stop == best else []), choice]
                    best = stop
        # "Dear Ms. Lee" and "dear ms. lee" are the same words: what is written exactly decides.
        window = self.text[max(0, start - _GAP) : best + _GAP]
        exact = [c for c in found if c.text.strip() in window]
        longest = max((len(c.text.strip()) for c in exact), default=0)
        exact = [c for c in exact if len(c.text.strip()) == longest]
        return best, tuple(c.label for c in exact or found)

    def _end_of(self, words: list[str], position: int) -> int:
        """Where these words, one after the other from here, end; -1 where others stand."""
        for word in words:
            match = _NEXT_WORD.match(self.text, position)
            if not match or match[1].casefold() != word:
                return -1
            position = match.end()
        return position

    def _past_decor(self, start: int) -> int:
        match = _DECOR.match(self.text, start)
        return match.end() if match else start

    def _label(self, written: str) -> str:
        if written in self.labels:  # where labels differ by case only
            return written
        return next(x for x in self.labels if re.fullmatch(re.escape(x), written, re.I))


def _words_of(text: str) -> list[str]:
    words = [match[0].casefold() for match in _WORD.finditer(text)]
    return words[1:] if len(words) > 1 and words[0] in _ARTICLES else words
