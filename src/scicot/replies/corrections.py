"""Find sentences that correct an answer announced earlier, such as "No, wait: it must be (B)"."""

from __future__ import annotations

import re
from collections.abc import Iterator

from scicot.replies.mentions import Mention, Mentions

# "cannot be (A)" is no announcement.
DENIED = re.compile(
    r"(?:\b(?:eliminat|exclud|discard|dismiss|reject)\w{0,5}|\b(?:rul|cross)\w{0,3} (?:out|off)"
    r"|\b(?:not|never|cannot|could|might|may|neither)|n['’]t)\s{1,3}(?:be\s{1,3})?$",
    re.I,
)
_CORRECTS = re.compile(
    r"(?:^|(?<=[.!?,;:–—-]\s)|(?<=[.!?,;:–—-])|(?<=\n))[\s*_\"'“(]{0,4}(?:but )?"
    r"(?:(?:oh|ah|oops|hmm+|sorry|no(?=\s{0,2}[,.:;!?…–—-])"
    r"|wait|hold on|actually|correction|rather|instead|i mean|i meant|or rather|scratch that"
    r"|make (?:that|it)|on second thought|on reflection|let me correct (?:that|myself|this)"
    r"|i (?:made a mistake|was wrong|misspoke|take that back|stand corrected)"
    r"|that(?:['’]s| is| was) (?:wrong|not right|incorrect|a mistake))\b[\s,.:;!?…–—-]{0,4}){1,6}",
    re.I,
)
_MUST_BE = re.compile(
    # "that is (A)" may refer to another option.
    r"\b(?:(?:it|answer)(?:['’]s| is| was)|(?:it|this|that|answer|which)"
    r"(?: must be| should be| has to be| would be| can only be| needs to be| should have been))"
    r"(?: actually| really| instead| in fact| clearly)?\b",
    re.I,
)
_TAKES_BACK = re.compile(
    r"\W{0,8}(?:(?:oh|ah|hmm+|no|wait|but|actually|sorry|oops|hold on)\b[\s,.!…–—-]{1,4}){0,4}"
    r"(?:that(?:['’]s| is| was| can['’]t be| cannot be)(?: not)?"
    r" (?:all |quite |actually )?(?:wrong|right|incorrect|correct|a mistake|true)"
    r"|i (?:made a mistake|was wrong|misspoke|take that back)|i(?:['’]m| am) not sure"
    r"|scratch that|let me (?:re(?:think|consider|do|check)|think again|start over))\b"
    r"(?![^.!?\n]{0,12}\byes\b)",
    re.I,
)
_DENIES_RIGHT = re.compile(
    r"not|can['’]t|cannot|wrong|incorrect|mistake|scratch|let me|misspoke|sure|back", re.I
)
_ENDS_HERE = re.compile(r"[\s*_)\]\"'”’]{0,4}(?:$|[.!;\n(–—]|,? (?:because|since|as)\b)", re.I)


def is_correction(text: str) -> bool:
    """Return True if a sentence withdraws an answer and says nothing else, like "No, wait."."""
    return bool(_CORRECTS.fullmatch(text))


def takes_back(text: str) -> bool:
    """Return True if a sentence begins by denying the answer before it, like "But that is not
    right."."""
    found = _TAKES_BACK.match(text)
    return found is not None and bool(_DENIES_RIGHT.search(found[0]))


def corrections(mentions: Mentions, start: int, end: int, *, goes_on: bool) -> Iterator[Mention]:
    """Yield the choices in text[start:end] that replace an answer announced earlier, as in
    "Actually, B." and "No, it must be B". `goes_on` is True if the previous sentence withdrew that
    answer, so that no word such as "actually" is needed."""
    text = mentions.text
    openings = [opening.end() for opening in _CORRECTS.finditer(text, start, end)]
    for begin in [start] if goes_on else openings[:1]:
        mention = mentions.named_from(begin, end)
        if mention and _ENDS_HERE.match(text, mention.end, end):
            yield mention
        for copula in _MUST_BE.finditer(text, begin, end):
            mention = mentions.named_from(copula.end(), end)
            if mention is None or not _ENDS_HERE.match(text, mention.end, end):
                continue
            if not DENIED.search(text[max(start, copula.start() - 24) : copula.end()]):
                yield mention
