"""Find the choice that a text gives as the answer. The choice is taken from a sentence that
announces the answer or, if there is no such sentence, from the opening or closing sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from scicot.replies.announcements import Sentence
from scicot.replies.mentions import Mentions

CUE = re.compile(r"\b(?:therefore|thus|hence|so|in conclusion|overall)\b", re.I)
_NEGATES = re.compile(
    r"\b(?:not|no|never|neither|nor|cannot|without|unlike|eliminat\w+|exclud\w+|discard\w*|dismiss\w*"
    r"|reject\w*|rul(?:e|ed|ing) out|cross\w* (?:out|off)|depends on whether)\b|n['’]t\b"
    r"|\b(?:is|are|was|were) (?:incorrect|wrong)\b",
    re.I,
)
# "The answer must be something that is watched", as PaLM begins, is a requirement and no answer.
_REQUIRES = re.compile(
    r"\W{0,8}the (?:correct |right |best )?(?:answer|choice|option)"
    r" (?:must|should|has to|needs to)\b",
    re.I,
)
_THAN = re.compile(r"\sthan\s")
# Chatter: "Sure!", "I'll select the mammal.", "I can help you with that.".
_CHATTER = re.compile(
    r"(?:sure|certainly|of course|okay|here['’]s why|ah,? ?ha|hmm+|wow|great|perfect)[^\w]{0,3}$"
    r"|(?:sure|certainly|of course|okay)[,!]? (?=i['’ ]|let|here)[^.!?:;\n]{0,60}[.!:]{0,3}$"
    r"|(?:(?:that['’]s a |what a )?(?:great|good|nice|interesting|excellent)"
    r" (?:question|choice|job)"
    r"|(?:i['’]m )?(?:happy|glad) to help|you['’]re welcome|good luck|thank you|thanks"
    r"|i hope (?:this|that) helps)\b[^.!?:;,\n]{0,30}!$"
    r"|(?:i(?:['’]ll| will| can|['’]d be (?:happy|glad) to|['’]m going to)|let me|let['’]s)"
    r" (?:know|help|assist|select|choose|pick|answer|identify|find|complete|solve|analy[sz]e"
    r"|think|start|begin)\b"
    r"[^.!?:;,\n]{0,60}[.!]{0,3}$"
    r"|i (?:choose|pick|select)\b[^\w]{0,8}$",
    re.I,
)


class Conclusion(NamedTuple):
    """The choice that a text gives as the answer.

    `label` is the label of the choice, or None if the text gives no single choice. `announced` is
    True if a sentence announces an answer ("the answer is B").

    `sentence` and `by_label` are set only if the choice was derived from the opening or closing
    sentence. `sentence` is that sentence. `by_label` is True if the sentence names the choice by
    its label, and False if it names only the text of the choice.
    """

    label: str | None = None
    announced: bool = False
    sentence: Sentence | None = None
    by_label: bool = False


def is_chatter(text: str) -> bool:
    """Return True if a sentence is small talk ("Sure, let me help") and says nothing about the
    question."""
    return bool(_CHATTER.match(text))


def conclusion_of(mentions: Mentions, reply_sentences: Sequence[Sentence]) -> Conclusion:
    """Find the choice that these sentences give as the answer.

    The last explicit announcement counts ("the answer is (B)"). If there is none, the last weaker
    announcement counts ("the metaphor is (B)").

    Replies of some models, such as Llama-2, often have no announcement. For a reply without
    announcements, the closing and the opening sentence are examined. The closing sentence is
    skipped if it has no word such as "therefore". The first of these cases that applies decides:

    1. The closing sentence names one choice by its label.
    2. The opening sentence names one choice by its label.
    3. The closing sentence names one choice by its text.
    4. The opening sentence names one choice by its text ("Yes, the sentence is a run-on").

    A sentence does not count if it names several choices, or has a word such as "not". There are
    two exceptions:

    - In the cases 1 and 2, labels after "than" are ignored: "(B) gum is stickier than (A) gold"
      names only B.
    - In the cases 3 and 4, a sentence that begins with the text of a choice and a punctuation mark
      always names this choice: "Copper, not wood." names only copper.
    """
    claims = [claim for sentence in reply_sentences for claim in sentence.claims]
    if claims:
        last = ([claim for claim in claims if claim.explicit] or claims)[-1]
        return Conclusion(last.label, announced=True)
    candidates = [
        s for s in reply_sentences if not (is_chatter(s.text) or s.leads_on or s.listed or s.asks)
    ]
    ends = [s for s in candidates[-1:] if CUE.search(s.text)] + candidates[:1]
    ends = [s for s in ends if not _REQUIRES.match(s.text)]
    for sentence in ends:
        than = _THAN.search(mentions.text, sentence.start, sentence.end)
        labels = mentions.marked_in(sentence.start, than.start() if than else sentence.end)
        if opening := mentions.opening(sentence.start, sentence.end):
            labels.update(opening.labels)
        if len(labels) == 1 and not _NEGATES.search(sentence.text):
            return Conclusion(labels.pop(), sentence=sentence, by_label=True)
    for sentence in ends:
        if label := mentions.label_of_opening_text(sentence.start, sentence.end):
            return Conclusion(label, sentence=sentence)
        labels = mentions.texts_in(sentence.start, sentence.end)
        if len(labels) == 1 and not _NEGATES.search(sentence.text):
            return Conclusion(labels.pop(), sentence=sentence)
    return Conclusion()
