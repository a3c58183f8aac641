"""Find where a text names one of a question's choices, by label or by text.

    Unlike (A) wood, copper conducts.
           |------|  |----|             Mention ("A",), marked; Mention ("B",), by its text

The first mention is marked, because "(A)" can only be a label.

Words are compared without case, punctuation and leading articles, so the choice "a service" is
found in "Service.". Choices that have the same words are told apart by their exact spelling.

The time is linear in the length of the text, because every pattern is anchored or bounded in
length, and every list of choices ("A, B or C") is read once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

from scicot.records import Choice
from scicot.replies.labels import NOUN
from scicot.replies.languages import SKIPPED
from scicot.replies.words import ARTICLES, WORD, WORD_GAP, ChoiceWords, TextWords, lexicon_of

_LINE = re.compile(r"\S[^\n]*")
_LABEL_REACH = 40  # characters to search back for the start of a label that ends a span

# Marks around a label that do not end a sentence: brackets, bold, quotes, LaTeX commands.
_DECOR = re.compile(r"(?:[^\w.?!\\]|_|\\(?:[a-z]{1,12}(?![a-z]))?){0,24}")
_SKIPPED = re.compile(
    r"(?:(?:an?|the)(?=\s)|either|both|(?:most )?likely|probably|definitely|clearly|therefore"
    rf"|thus|indeed|actually|{NOUN}|number|{SKIPPED})\b",
    re.I,
)
# Text that may follow a label without brackets: "A.", "A because", but not "A metal".
BOUNDARY = re.compile(
    r"[\s*_`$\"'”’)\]}\\]{0,8}(?:$|[.,;:!?\n(–—-]|(?:because|since|and|or|not|rather|as)\b)", re.I
)
_ARTICLE_GAP = re.compile(r"\s{1,3}(?=[\w\"'“‘*_])")
_BESIDE = re.compile(r"[\s*_]{0,3}[.(\[–—-][\s*_\"'“(]{0,4}")
_ENDS = re.compile(r"[\s*_`$\"'”’)\]}.!]{0,8}(?:$|\n)")
_JOIN = re.compile(r"[\s*_\"'”’)\]]{0,4}(?:,?\s{0,2}\b(?:and|or)\b|&|/|,)", re.I)
_LOOSE_OR = re.compile(r"[^.;:!?\n()]{1,60}\bor\s{1,2}(?=[(\[])", re.I)
_SOME_LABEL = re.compile(r"[A-Za-z0-9]\s{0,2}[)\]]")


class Mention(NamedTuple):
    """A part of a text, text[start:end], that names choices.

    `labels` are the labels of these choices. For the choices A wood and B copper:

        "(B) copper"            ("B",)
        "(A) or (B)"            ("A", "B")    a list
        "(B) wood"              ("B", "A")    label and text contradict each other
        "either (B) or silver"  ()            silver may be meant, which is not a choice
        "(F)"                   ()            F is not a label

    `marked` is True if the part has a label in a form that only labels have, such as "(B)". A bare
    "B" is not marked.
    """

    start: int
    end: int
    labels: tuple[str, ...]
    marked: bool


class Line(NamedTuple):
    """A line without its indentation. `item` is the match of the label with which the line begins,
    or None if the line does not begin with a label."""

    start: int
    end: int
    item: re.Match[str] | None


class Mentions:
    """Finds the places in one text that name one question's choices. `start` and `end` in its
    methods delimit the part of the text that is searched."""

    def __init__(self, text: str, choices: Sequence[Choice], question: str = "") -> None:
        """Prepare a text for searching. `question` is the text of the question, with its
        context."""
        self.text = text
        self._lexicon = lexicon_of(choices)
        self.labels = self._lexicon.labels
        self._patterns = self._lexicon.patterns
        self._words = TextWords(text, self._lexicon)
        self.question = question
        self.choices_ask = any(choice.text.rstrip(" \"'”’").endswith("?") for choice in choices)
        # label by its spelling in the reply
        self._label_of: dict[str, str] = {label: label for label in self.labels}
        self._joined: dict[tuple[int, int], tuple[tuple[str, ...], int]] = {}

    @cached_property
    def lines(self) -> list[Line]:
        """The lines of the text that are not blank."""
        opening = self._patterns.opening.match
        spans = [line.span() for line in _LINE.finditer(self.text)]
        return [Line(start, end, opening(self.text, start, end)) for start, end in spans]

    def named_from(self, start: int, end: int) -> Mention | None:
        """Return the first mention at or after `start`, if only brackets, articles and words like
        "option" come before it. None if something else comes first."""
        either_or_both = noun = False
        for _ in range(5):
            start = self._past_decor(start)
            if mention := self._named_at(start, end, noun):
                mention = self._with_joined(mention, end)
                # undecided, as in "either (B) or gold"
                undecided = either_or_both and len(mention.labels) == 1
                return mention._replace(labels=()) if undecided else mention
            skipped = _SKIPPED.match(self.text, start, end)
            if not skipped:
                return None
            word = skipped[0].lower()
            either_or_both = either_or_both or word in ("either", "both")
            noun = word in ("answer", "option", "choice", "letter", "number")
            start = skipped.end()
        return None

    def texts_in(self, start: int, end: int) -> set[str]:
        """Return the labels of the choices whose text occurs in text[start:end]. Choices that occur
        only inside the text of a longer choice are left out."""
        found: set[str] = set()
        position = start
        while word := WORD.search(self.text, position, end):
            stop, labels = self._text_at(word.start(), end)
            found.update(labels)
            position = max(stop, word.end())
        return found

    def label_of_opening_text(self, start: int, end: int) -> str | None:
        """Return the label of the choice whose text opens the sentence text[start:end], as in
        "Copper, not wood.". A punctuation mark or a line end must follow the text of the choice.
        Return None if there is no such choice, or if several choices have this text."""
        stop, labels = self._text_at(self._past_decor(start))
        followed_by_mark = self.text[stop : stop + 1] in ("", ".", ",", "!", "\n")
        return labels[0] if len(labels) == 1 and stop <= end and followed_by_mark else None

    def marked_in(self, start: int, end: int) -> set[str]:
        """Return the labels that occur in text[start:end] in a form that only labels have: "(B)",
        "option B", "**B**"."""
        return {
            self._label(match["label"])
            for match in self._patterns.marked.finditer(self.text, start, end)
        }

    def labelled_spans(self) -> list[tuple[int, int]]:
        """Return the (start, end) of each place where a label is followed by the text of its
        choice, such as "(B) copper". The places are ordered by position."""
        items = [line.item for line in self.lines if line.item]
        spans: list[tuple[int, int]] = []
        for match in (*items, *self._patterns.marked.finditer(self.text)):
            stop, labels = self._text_at(self._past_decor(match.end()))
            if labels and self._label(match["label"]) in labels:
                spans.append((match.start(), stop))
        return sorted(spans)

    def opening(self, start: int, end: int) -> Mention | None:
        """If the line text[start:end] opens with a label, as "B) spoon" does, return the mention of
        this label. Otherwise return None."""
        match = self._patterns.opening.match(self.text, start, end)
        return self.item_of(match) if match else None

    def item_of(self, opening: re.Match[str]) -> Mention:
        """Return the mention of the label that opens a line. `opening` is the match of this label.
        If the text of the label's choice follows, the mention includes that text."""
        label = self._label(opening["label"])
        stop, labels = self._text_at(opening.end())
        end = stop if label in labels else opening.end()
        return Mention(opening.start(), end, (label,), marked=True)

    def label_alone(self, start: int, end: int) -> Mention | None:
        """Return the mention in the sentence text[start:end], if the sentence consists only of a
        label, as in "(B).", or of a label and the text of a choice, as in "(B): spoon". Return None
        for any other sentence."""
        mention = self.named_from(start, end)
        if mention is None or not self._patterns.at.match(self.text, mention.start, end):
            return None
        rest = self.text[mention.end : end].strip(" .!*_`$)]}\"'”’\n\\")
        return mention if not rest else None

    def whole_text(self, start: int, end: int) -> tuple[str, ...]:
        """Return the labels of the choices whose text is the whole of text[start:end], apart from
        punctuation. Return () if there are none."""
        stop, labels = self._text_at(self._past_decor(start))
        return labels if not self.text[stop:end].strip(" .!*_\"'”’)") else ()

    def text_with_label(self, start: int, end: int) -> Mention | None:
        """Return the mention at the end of text[start:end], if the end consists of the text of a
        choice and a label, as in "copper (option B).". Return None for any other end. If the text
        and the label belong to different choices, the mention has the labels of both choices."""
        match = self._patterns.in_brackets.search(self.text, max(start, end - 60), end)
        if match is None:
            return None
        by_text = self._words.ending_at(
            match.start(), max(start, match.start() - self._lexicon.reach)
        )
        if not by_text:
            return None
        label = self._label(match["label"])
        labels = (label,) if label in by_text else (label, *by_text)
        return Mention(match.start(), match.end(), labels, marked=True)

    def ending_at(self, end: int, start: int, texts: bool) -> tuple[str, ...]:
        """Return the labels of the choices that are named right before the position `end`. Only
        text from `start` on is searched.

        If the text right before `end` is a label, only this label is returned. If there is no label
        and `texts` is True, the choices that are named by their text are returned. Return () if no
        choice is named.
        """
        text_before = self.text[max(start, end - _LABEL_REACH) : end]
        if match := self._patterns.last.search(text_before):
            return (self._label(match["label"]),)
        if not texts:
            return ()
        return self._words.ending_at(end, max(start, end - self._lexicon.reach))

    def _named_at(self, start: int, end: int, noun: bool) -> Mention | None:
        stop, by_text = self._text_at(start)
        if mention := self._labelled_at(start, end, noun, stop, by_text):
            return mention
        if by_text and BOUNDARY.match(self.text, stop, end):
            return Mention(start, stop, by_text, marked=False)
        # "(F)" is no label of four choices, but the text after it may name one.
        if self.text[start - 1 : start] in ("(", "[") and (
            match := _SOME_LABEL.match(self.text, start, end)
        ):
            stop, by_text = self._text_at(self._past_decor(match.end()))
            return Mention(start, max(stop, match.end()), by_text, marked=True)
        return None

    def _labelled_at(
        self, start: int, end: int, noun: bool, stop: int, by_text: tuple[str, ...]
    ) -> Mention | None:
        """Return the mention of a label at `start`, or None if there is no label. `stop` and
        `by_text` are the result of `_text_at(start)`. `noun` is True if a word such as "option"
        precedes the label."""
        match = self._patterns.at.match(self.text, start, end)
        if not match:
            return None
        label, label_end = self._label(match["label"]), match.end()
        # A label is marked if a bracket, a colon, a quotation mark, or a sign of bold type, code or
        # mathematics closes it. The colon in "a:" does not mark the label A.
        article = match["label"] in ARTICLES and match["label"] != label
        marked = noun or (bool(match["close"]) and not (article and match["close"] == ":"))
        text_end, text_labels = self._text_at(self._past_decor(label_end))
        if (
            text_labels
            and self._lexicon.choices[label].codes == self._lexicon.choices[text_labels[0]].codes
        ):
            return Mention(start, text_end, (label,), marked)
        # "2 apples" may be the text of a choice and not the label 2. But in "(A) copper" and
        # "A. copper" the A is a label, although "a copper" has the same words.
        separate = not _ARTICLE_GAP.match(self.text, match.end("label"))
        if stop > label_end and not (separate and text_labels and text_labels == by_text):
            return None
        if marked:
            # "(B) wood" names two choices if wood is not B.
            contradicts = text_labels and BOUNDARY.match(self.text, text_end, end)
            return Mention(
                start, label_end, (label, *text_labels) if contradicts else (label,), marked
            )
        # "A metal spoon" does not name A.
        an_article = article and self.text[label_end : label_end + 1].isspace()
        if an_article or not BOUNDARY.match(self.text, label_end, end):
            return None
        beside_labels = self._text_beside(label_end, end)
        if beside_labels and label not in beside_labels:
            return Mention(start, label_end, (label, *beside_labels), marked)
        # A label wins over another choice whose text is the same, because the prompt asks for
        # labels. So if the text of choice A is "B", a bare "B" is the label, but a bare "b" is
        # undecided.
        exact = match["label"] in self.labels
        labels = (label,) if exact else tuple(dict.fromkeys((label, *by_text)))
        return Mention(start, label_end, labels, marked)

    def _text_beside(self, label_end: int, end: int) -> tuple[str, ...]:
        """Find the choice text that follows a label and ends the sentence, such as "copper" in
        "A. copper" and "A (copper)". Return the labels of the choices with this text.

        The label before the text may be wrong: for "A. copper", the result is ("B",) if copper is
        choice B. Return () if no choice text follows.
        """
        begin = _BESIDE.match(self.text, label_end, end)
        if begin is None:
            return ()
        stop, labels = self._text_at(begin.end())
        return labels if _ENDS.match(self.text, stop, end) else ()

    def _with_joined(self, mention: Mention, end: int) -> Mention:
        """Return the mention, extended by the choices that are listed after it, as in "(a)
        suitcase, (b) drawer or (e) dresser"."""
        labels, stop = self._joined_from(mention.end, end)
        if stop == mention.end:
            return mention
        named = tuple(dict.fromkeys((*mention.labels, *labels)))
        return Mention(mention.start, stop, named, mention.marked)

    def _joined_from(self, start: int, end: int) -> tuple[tuple[str, ...], int]:
        """Read the rest of a list of choices, such as ", (b) drawer or (e) dresser", in
        text[start:end]. Return (labels of these choices, end of the list), or ((), start) if the
        list does not continue at `start`."""
        # The result for each position in a list is cached, since several announcements may precede
        # the same list.
        # (end of an item, labels that the next item names)
        links: list[tuple[int, tuple[str, ...]]] = []
        while (start, end) not in self._joined:
            item = self._joined_at(start, end)
            if item is None:
                self._joined[start, end] = (), start
            else:
                links.append((start, item.labels))
                start = item.end
        labels, stop = self._joined[start, end]
        for start, names in reversed(links):
            labels = tuple(dict.fromkeys((*names, *labels)))
            self._joined[start, end] = labels, stop
        return labels, stop

    def _joined_at(self, start: int, end: int) -> Mention | None:
        join = _JOIN.match(self.text, start, end) or _LOOSE_OR.match(self.text, start, end)
        if not join:
            return None
        item = self._named_at(self._past_decor(join.end()), end, noun=False)
        return item if item and BOUNDARY.match(self.text, item.end, end) else None

    def _text_at(self, start: int, limit: int | None = None) -> tuple[int, tuple[str, ...]]:
        """Find the longest choice text that begins at `start` and ends at `limit` or before. Return
        (its end, labels of the choices with this text), or (start, ()) if there is no such
        text."""
        end, found = self._words.longest_from(start, limit)
        if not found:
            return end, ()
        if len(found) > 1:
            found = self._as_written(found, start, end)
        return end, tuple([choice.label for choice in found])

    def _as_written(self, found: list[ChoiceWords], start: int, end: int) -> list[ChoiceWords]:
        """Return the choices in `found` that are spelled exactly as in text[start:end]. If there is
        no such choice, return `found`. The choices in `found` differ only in their spelling, such
        as "Dear Ms. Lee" and "dear ms. lee"."""
        window = self.text[max(0, start - WORD_GAP) : end + WORD_GAP]
        exact = [choice for choice in found if choice.text in window]
        # A spelling may contain a shorter one: "Yes!" contains "Yes".
        longest = max([len(choice.text) for choice in exact], default=0)
        return [choice for choice in exact if len(choice.text) == longest] or found

    def _past_decor(self, start: int) -> int:
        match = _DECOR.match(self.text, start)
        return match.end() if match else start

    def _label(self, spelling: str) -> str:
        """Return the question's label that `spelling` stands for. Case is ignored, unless labels
        differ only by case."""
        label = self._label_of.get(spelling)
        if label is None:
            matching = (x for x in self.labels if re.fullmatch(re.escape(x), spelling, re.I))
            label = self._label_of[spelling] = next(matching)
        return label
