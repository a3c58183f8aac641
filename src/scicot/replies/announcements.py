"""Which sentences of a text announce an answer, and which choice each of them names.

    Wood insulates. Since metal conducts, the answer is (B) spoon.
                                                        |-------|   Claim ("B",), explicit

A choice is announced in one of a few places: after a copula or a verb of picking ("the answer is
B", "I would pick B", "the metaphor is: (B)"), before a verdict ("B is the best option"), or alone
in its sentence. Elsewhere ("(A) is much too long", a list of the options) it is only talked about.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from scicot.replies.labels import NOUN
from scicot.replies.mentions import BOUNDARY, Mention, Mentions

_LOOK_BACK = 160  # characters from the copula back to the word "answer"
_RIGHT_BEFORE = 24  # characters that the patterns ending in $ below need at most

_CUE = re.compile(
    r"(?P<pick>\b(?:choos(?:e|ing)|chose|pick(?:ed|ing)?|select(?:ed|ing)?|go(?:ing)? with|opt for"
    r"|(?:would|to|i|i['’]ll) answer)\b|\\boxed\b)|\b(?:is|are|be|was|were|equals)\b|[:\uff1a=→]",
    re.I,
)
_NAMES_ANSWER = re.compile(rf"(?<!other )(?<!another )\b{NOUN}\b", re.I)
_IS = re.compile(r"\b(?:is|are|be|was|were)(?: an?)?[\s*_(n)]{0,4}$", re.I)
# Not an announcement, or not yet: "cannot be (A)", "the wrong answer is (A)", "whether it is (A)".
_DENIED = re.compile(
    r"(?:\b(?:not|never|cannot|could|might|may|neither)|n['’]t)\s{1,3}(?:be\s{1,3})?$", re.I
)
_UNDONE = re.compile(
    rf"\b(?:wrong|incorrect|tempting) {NOUN}\b|\bwhether\b|\bif the answer\b"
    r"|\bmight (?:think|say|seem)\b",
    re.I,
)
# "strict" ends a text too: "spoon is the right answer", but not "spoon is the best conductor".
_VERDICT = re.compile(
    r"\b(?:is|was|are|as|be|remains|the)\s+(?:(?:clearly|indeed|therefore|thus|definitely)\s+)?"
    r"(?:the\s+|an?\s+|my\s+)?(?:(?:only|single|final|much)\s+)?"
    r"(?P<strict>(?:(?:correct|right|best)\s+)?(?:answer|option|choice)\b)?"
    r"(?(strict)|(?:correct\b|best\b|right(?=[.,!])"
    r"|(?:more|most|better)\b[\w ,-]{0,40}\b(?:answer|option|choice|estimate|match|fit)\b))",
    re.I,
)
# Says that an answer comes, whatever follows. "The answer must be a place where ..." does not:
# PaLM opens each of its explanations with it.
_BARE = re.compile(
    r"\b(?:the|my|correct|right|best|final) (?:answer|option|choice)\b"
    r"(?: (?:here|to|for)\b[^.!?:]{0,80}?)?[\s*_]{0,4}(?:(?:is|would be)\b(?!n['’]t| not\b)|:)"
    r"|^[\W_]{0,8}(?:final |correct )?answer[\s*_]{0,4}:",
    re.I,
)

_GAP = re.compile(r"(?:(?<=[.!?])|(?<=[.!?][\"'”’)\]*_]))\s+(?![a-z\s])|\n\s*")
_ABBREVIATION = re.compile(
    r"(?:\b(?:Dr|Mr|Mrs|Ms|Prof|St|vs|etc|Fig|No|e\.g|i\.e)|\b(?P<initial>[A-Z]))\.$"
)
_LEADS_ON = re.compile(r":[\s*_]{0,4}$")


class Claim(NamedTuple):
    """A choice announced as the answer, at text[start:end].

    labels: what is named. Several, or none that exists, are a claim that settles nothing.
    explicit: it says that this is the answer, and not merely "the metaphor is (B)".
    """

    start: int
    end: int
    labels: tuple[str, ...]
    explicit: bool

    @property
    def label(self) -> str | None:
        return self.labels[0] if len(self.labels) == 1 else None


class Sentence(NamedTuple):
    """A sentence or a line, without the space around it.

    listed: an item of a list of options.
    announces: it claims an answer, or says that one comes.
    """

    start: int
    end: int
    text: str
    claims: tuple[Claim, ...]
    listed: bool
    announces: bool

    @property
    def leads_on(self) -> bool:
        return bool(_LEADS_ON.search(self.text))


def sentences(mentions: Mentions) -> list[Sentence]:
    """The sentences of a text, in order, each with the claims that it makes."""
    listed = _listed(mentions)
    found = []
    for start, end in _spans(mentions, listed):
        claims = _claims(mentions, start, end)
        if len(claims) > 1:
            claims.sort(key=lambda claim: claim.end)
        if start in listed:
            claims = [claim for claim in claims if claim.explicit]
        text = mentions.text[start:end]
        announces = bool(claims) or bool(_BARE.search(text))
        found.append(Sentence(start, end, text, tuple(claims), start in listed, announces))
    return found


def _claims(mentions: Mentions, start: int, end: int) -> list[Claim]:
    claims = list(_after_cues(mentions, start, end))
    for verdict in _VERDICT.finditer(mentions.text, start, end):
        if labels := mentions.ending_at(verdict.start(), start, texts=bool(verdict["strict"])):
            claims.append(Claim(verdict.start(), verdict.end(), labels, explicit=True))
    if alone := mentions.label_alone(start, end):
        claims.append(Claim(alone.start, alone.end, alone.labels, explicit=False))
    return claims


def _after_cues(mentions: Mentions, start: int, end: int) -> Iterator[Claim]:
    text = mentions.text
    undone = names_answer = None
    for cue in _CUE.finditer(text, start, end):
        mention = mentions.named_from(cue.end(), end)
        # In "Option A: wood" the colon says nothing of the answer.
        if mention is None or (
            cue[0] == ":" and mentions.ending_at(cue.start(), start, texts=False)
        ):
            continue
        if undone is None or names_answer is None:
            undone = _Occurrences(_UNDONE, text, start, end)
            names_answer = _Occurrences(_NAMES_ANSWER, text, start, end)
        before = text[max(start, cue.start() - _RIGHT_BEFORE) : cue.start()]
        if undone.shortly_before(cue.start()) or _DENIED.search(before):
            continue
        explicit = bool(cue["pick"]) or names_answer.shortly_before(cue.start())
        if explicit or (mention.marked and _stands_for_is(text, cue, before, mention)):
            yield Claim(mention.start, mention.end, mention.labels, explicit)


class _Occurrences:
    """Where a pattern matches in a sentence, found once for all of the sentence's cues."""

    def __init__(self, pattern: re.Pattern[str], text: str, start: int, end: int) -> None:
        spans = [match.span() for match in pattern.finditer(text, start, end)]
        self._starts = [start for start, _ in spans]
        self._ends = [end for _, end in spans]

    def shortly_before(self, position: int) -> bool:
        """Whether one lies within the last _LOOK_BACK characters before a position."""
        index = bisect_right(self._ends, position) - 1
        return index >= 0 and self._starts[index] >= position - _LOOK_BACK


def _stands_for_is(text: str, cue: re.Match[str], before: str, mention: Mention) -> bool:
    """Any copula does; so does the colon of "the phase is: (B) full", not "Why: (A) uses slang"."""
    return cue[0] != ":" or bool(_IS.search(before) or BOUNDARY.match(text, mention.end))


def _spans(mentions: Mentions, listed: set[int]) -> Iterator[tuple[int, int]]:
    """Where sentences lie. A label's own text is never split, and "... is:" leads on to "(B)"."""
    whole = iter(mentions.labelled_spans())
    inside = next(whole, None)
    start = 0
    for gap in _GAP.finditer(mentions.text):
        while inside and inside[1] <= gap.start():
            inside = next(whole, None)
        if (inside and inside[0] < gap.start()) or _goes_on(mentions, start, gap, listed):
            continue
        if start < gap.start():
            yield start, gap.start()
        start = gap.end()
    if start < len(mentions.text):
        yield start, len(mentions.text)


def _goes_on(mentions: Mentions, start: int, gap: re.Match[str], listed: set[int]) -> bool:
    before = mentions.text[max(start, gap.start() - 12) : gap.start()]
    if gap[0].startswith("\n"):
        return (
            ":" in before
            and bool(_LEADS_ON.search(before))
            and gap.end() not in listed
            and mentions.named_from(gap.end(), len(mentions.text)) is not None
        )
    abbreviation = _ABBREVIATION.search(before)
    # "The answer is B." ends; "J. J. Thomson" goes on.
    return abbreviation is not None and abbreviation["initial"] not in mentions.labels


def _listed(mentions: Mentions) -> set[int]:
    """Where lines begin that are items of a list of options, and so announce nothing.

    "(B) spoon" above "(A) is wood" is the answer, and what is wrong with another choice; above
    "(C) cork" it is a list, as is "(A) is wood" above "(B) is metal".
    """
    listed: set[int] = set()
    previous: tuple[Mention, bool] | None = None
    for line in mentions.lines:
        if line.item is None:
            previous = None
            continue
        item = mentions.item_of(line.item)
        pure = not mentions.text[item.end : line.end].strip(" .,*_)\"'")
        if previous and item.labels != previous[0].labels:
            listed.add(item.start)
            if pure or not previous[1]:
                listed.add(previous[0].start)
        previous = (item, pure)
    return listed
