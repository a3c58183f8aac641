"""Remove from a text the parts that state the answer. The rest explains the answer.

The question is "Is playing the flute acquired or inherited?", with the choices A "acquired" and
B "inherited". Then each of these texts becomes "It is learned by practice.":

    It is learned by practice. The answer is (A).
                               |----------------|               an announcement (announcements.py)

    It is learned by practice, so the trait is acquired.
                             |------------------------|         a verdict

    Playing the flute is acquired. It is learned by practice.
    |----------------------------|                              a verdict that repeats the question

A verdict states the answer without a phrase such as "the answer is".
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from scicot.records import Question
from scicot.replies.announcements import Sentence
from scicot.replies.conclusion import CUE, Conclusion, conclusion_of, is_chatter
from scicot.replies.mentions import Mentions
from scicot.replies.words import WORD

# A rationale with fewer words explains nothing ("Yes."); "Metal conducts." is long enough.
SHORTEST = 2
_ENOUGH = 3  # a verdict is cut only if this many words are left

_HEADING = re.compile(
    r"[\W_]{0,8}(?:(?:final|correct|step-by-step) )?"
    r"(?:answer|a|explanation|rationale|reasoning|reason|conclusion|solution)"
    r"[*_ ]{0,4}(?::[*_ ]{0,4}|$)",
    re.I,
)
_SINCE = re.compile(
    r"[\s*_]{0,8}(?:(?:so|therefore|thus|hence),? )?(?:since|because|as|given that)\s+", re.I
)
_SO = re.compile(
    r"(?:[,;]|\s[–—-]{1,2})?\s(?:and )?(?:so(?! that\b)|therefore|thus|hence|which means"
    r"|meaning)\b"
    r"|[,;]\s(?:making|which makes)\b",
    re.I,
)
_BECAUSE = re.compile(r"[\s*_\"'”’)]{0,4}[,:]?[\s–—-]{0,4}\b(?:because|since)\s+(?!of\b)", re.I)
# Marks or a list number before a "therefore" that opens a sentence.
_OPENS = re.compile(r"[\W_]{0,8}(?:(?:step )?\d{1,2}[\W_]{1,4})?", re.I)
# Words that cannot end a clause: "The statement is, therefore, a paradox", "they must therefore
# choose gold".
_OPEN_END = re.compile(
    r"\b(?:is|are|was|were|be|been|do|does|did|done|doing|must|should|will|would|can|could|may"
    r"|might|has|have|had)[\s,]*$"
)
_LAST_CUES = 3  # only this many last cues of a sentence are tried, to keep the time linear
_LONGEST_LEAD_IN = 80  # characters of a lead-in such as "Here's the complete sentence:"
# Scripts without spaces between words: each character counts as one.
_COUNTED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]|\w+")
# Words that give no reason for a choice when they stand beside it.
_COMMON = re.compile(
    r"according|all|also|and|any|are|based|because|been|being|both|but|can|choices?|correct|does|each"
    r"|for|from|given|has|have|having|here|hint|how|information|into|its?|items|more|most|must|not"
    r"|one|only|options?|other|passage|phrase|properties|provided|same|sentence|she|since|some"
    r"|statement|such|text|than|that|the|their|them|then|there|therefore|these|they|this|those|thus"
    r"|two|uses?|used|very|was|were|what|when|where|which|while|who|whose|will|with|would|yes|you"
    r"|your"
)
_SHORTEST_WORD = 3  # shorter words cannot be a reason
_STEM = 4  # first letters that are compared: "forms" matches "formed"


def count_words(text: str) -> int:
    """Count the words of a text. In scripts without spaces between words, each character counts as
    a word."""
    return sum(1 for _ in _COUNTED.finditer(text))


def explanation(
    mentions: Mentions,
    reply_sentences: Sequence[Sentence],
    conclusion: Conclusion,
    question: Question,
) -> str:
    """Return the reply without its chatter, headings, and sentences that state the answer. Each
    paragraph is one line."""
    texts = [_reasons(mentions, s) if s.announces else s.text for s in reply_sentences]
    texts = ["" if is_chatter(text) else _without_heading(text) for text in texts]
    _cut_verdict(texts, mentions, reply_sentences, conclusion, question)
    _cut_lead_ins(texts, reply_sentences)
    pieces: list[str] = []
    end = 0
    for sentence, text in zip(reply_sentences, texts, strict=True):
        if text:
            pieces += ["\n" if "\n" in mentions.text[end : sentence.start] else " ", text]
            end = sentence.end
    return "".join(pieces).strip()


def _without_heading(text: str) -> str:
    heading = _HEADING.match(text)
    return " ".join((text[heading.end() :] if heading else text).split())


def _cut_lead_ins(texts: list[str], reply_sentences: Sequence[Sentence]) -> None:
    """Replace lead-ins such as "Here's the complete sentence:" and "4." in `texts` by "" if the
    text that they introduce was removed. `texts` holds what is left of each sentence."""
    is_followed = False
    for index in range(len(texts) - 1, -1, -1):
        if not texts[index]:
            # A lead-in before a removed sentence introduces nothing any more.
            is_followed = False
            continue
        leads_on = reply_sentences[index].leads_on or _OPENS.fullmatch(texts[index])
        if leads_on and not is_followed and len(texts[index]) <= _LONGEST_LEAD_IN:
            texts[index] = ""
        is_followed = bool(texts[index])


def _cut_verdict(
    texts: list[str],
    mentions: Mentions,
    reply_sentences: Sequence[Sentence],
    conclusion: Conclusion,
    question: Question,
) -> None:
    """Replace the verdict (`conclusion.sentence`) in `texts` by its reasons, or by "" if the
    verdict gives no reasons.

    A verdict is a sentence such as "Therefore, paper is the most flexible". Do nothing if there is
    no verdict, or if the verdict must be kept, for example because too little other text would be
    left.
    """
    sentence, label = conclusion.sentence, conclusion.label
    if sentence is None or label is None:
        return
    index = reply_sentences.index(sentence)
    others = [other for other in reply_sentences if other is not sentence]
    remaining = " ".join(texts[:index] + texts[index + 1 :])
    reasons = _reasons_for_verdict(mentions, sentence, label)
    if reasons is not None:
        remaining = f"{remaining} {reasons}"
        if count_words(remaining) >= _ENOUGH and not _restates(remaining, question):
            texts[index] = reasons
    elif not _restates(sentence.text, question):
        # "Sunlight is a kind of energy." belongs to the reasoning. "Yes, the sentence is a run-on"
        # only restates the question, and so is a verdict.
        return
    elif conclusion.by_label:
        # If the rest concludes another choice, the options are discussed one by one.
        if conclusion_of(mentions, others).label in (None, label):
            texts[index] = ""
    else:
        named_elsewhere = set().union(
            *(_named(mentions, other.start, other.end) for other in others)
        )
        long_enough = count_words(remaining) >= max(_ENOUGH, count_words(texts[index]))
        if (
            label not in named_elsewhere
            and len(named_elsewhere) < 2
            and long_enough
            and not _restates(remaining, question)
        ):
            texts[index] = ""


def _reasons_for_verdict(mentions: Mentions, sentence: Sentence, label: str) -> str | None:
    """Return the reasons in a sentence that draws a conclusion.

    "It is learned, so it is acquired"                     -> "It is learned."
    "Therefore, it is acquired because it is learned"      -> "It is learned."
    "Therefore, it is acquired" (gives no reasons)         -> ""
    "It is acquired" (no word such as "so", "therefore")   -> None
    """
    text, start = sentence.text, sentence.start
    cue = CUE.search(text)
    if cue is None:
        return None
    if _OPENS.fullmatch(text, 0, cue.start()):
        if since := _SINCE.match(text, cue.start()):
            comma = text.rfind(",")
            if comma > since.end() and label not in _named(mentions, start, start + comma):
                return _as_sentence(text[since.end() : comma])
        because = _BECAUSE.search(text, cue.end())
        return _as_sentence(text[because.end() :]) if because else ""
    for match in list(_SO.finditer(text))[: -_LAST_CUES - 1 : -1]:
        # without a comma before it, as in "I was so hungry", "so" draws no conclusion
        no_comma = match[0].casefold() == " so"
        if not no_comma and label in _named(mentions, start + match.end(), sentence.end):
            head = text[: match.start()]
            return "" if _OPEN_END.search(head) else _as_sentence(head)
    return None


def _named(mentions: Mentions, start: int, end: int) -> set[str]:
    """Return the labels of the choices that text[start:end] names, by label or by text."""
    return mentions.texts_in(start, end) | mentions.marked_in(start, end)


def _restates(text: str, question: Question) -> bool:
    """Return True if a text adds nothing to the question: every content word of the text, compared
    by stem, also occurs in the question, its context or its choices."""
    question_texts = [
        question.question,
        question.context,
        *(choice.text for choice in question.choices),
    ]
    known_stems = {_stem(word) for part in question_texts for word in WORD.findall(part.casefold())}
    return all(
        _stem(word) in known_stems for word in WORD.findall(text.casefold()) if _is_content(word)
    )


def _is_content(word: str) -> bool:
    return (len(word) >= _SHORTEST_WORD and not _COMMON.fullmatch(word)) or not word.isalpha()


def _stem(word: str) -> str:
    return word[:_STEM] if word.isascii() and word.isalpha() else word


def _reasons(mentions: Mentions, sentence: Sentence) -> str:
    """Return the reasons in a sentence that announces the answer: "Metals conduct." for "Since
    metals conduct, the answer is (B)". Return "" if they cannot be separated from the
    announcement."""
    if not sentence.claims:
        return ""
    head = mentions.text[sentence.start : sentence.claims[0].start]
    tail = mentions.text[sentence.claims[-1].end : sentence.end]
    reasons = []
    if since := _SINCE.match(head):
        reasons.append(head[since.end() : max(head.rfind(","), since.end())])
    elif therefore := list(_SO.finditer(head)):
        reasons.append(head[: therefore[-1].start()])
    if because := _BECAUSE.match(tail):
        reasons.append(tail[because.end() :])
    return " ".join(_as_sentence(reason) for reason in reasons if len(reason.split()) > 1)


def _as_sentence(clause: str) -> str:
    clause = clause.strip(" \n.,;:")
    return clause[:1].upper() + clause[1:] + "."
