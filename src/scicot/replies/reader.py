"""Parse a teacher's reply into an explanation and the choice that the reply gives as the answer.

For the choices A wood, B spoon the reply

    <think>Let me see.</think>Electricity needs free electrons. Since metal has them, the answer
    is (b) spoon.

    Q: What is the capital of France?
    A: ...

is parsed as

    ParsedReply(rationale="Electricity needs free electrons. Metal has them.", conclusion="B")

Nothing is guessed. The conclusion is None in these cases:

- The reply gives no answer.
- The last announcement in the reply names several choices, such as "The answer is A or B".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import NamedTuple

from scicot.records import Question
from scicot.replies.announcements import sentences
from scicot.replies.cleaning import explanation
from scicot.replies.conclusion import Conclusion, conclusion_of
from scicot.replies.mentions import Mentions
from scicot.replies.shortening import shorten_to_tokens
from scicot.replies.thinking import split_thinking

# Only the beginning and the end of longer texts are parsed. A model that writes five thousand words
# did not stop in time, and parsing takes up to 20 microseconds per character.
LONGEST = 30_000
ENDS = 7_500  # characters parsed at either end
_LEFT_OUT = "\n[...]\n"

# Base models continue with a question of their own, and chat models with the next turn. The
# lookahead on the first letter skips most lines quickly.
_NEXT_QUESTION = re.compile(
    r"^[ \t#*>_-]{0,8}+(?=[nqpeahu\[])(?:(?:(?:(?:ne(?:xt|w)|another) )?"
    r"(?:q(?:uestion)?|problem|exercise)[ \t]{0,2}\d{0,3}|answer choices|human|user)[*_]{0,2}:"
    r"|\[INST\])|<\|(?:im_|e(?:nd|ot))",
    re.I | re.M,
)
# "<answer>B</answer>" gives the answer, and so does "<answer>" at the start of a line; "<option>"
# in a sentence about HTML does not. "<reasoning>" and similar tags are dropped.
_TAGGED = r"(?:final[_ -]?)?(?:answer|ans|choice|option|solution|label|letter|response|result)"
_ANSWER_TAG = re.compile(
    rf"<(?P<name>{_TAGGED})(?:\s[^<>\n]{{0,40}})?>\s{{0,8}}"
    r"(?P<said>[^\s<][^<]{0,300}?)\s{0,8}</(?P=name)\s?>\s{0,8}"
    r"|^[ \t]{0,8}[<\[](?:final[_ -]?)?(?:answer|ans|choice|solution)[>\]]\s{0,8}(?=[^\s<])",
    re.I | re.M,
)
_OTHER_TAG = re.compile(
    r"</?(?:reasoning|explanation|rationale|thoughts?|analysis|reflection|steps?|output"
    r"|justification"
    r"|(?:final[_ -]?)?(?:answer|ans|choice|solution))(?:\s[^<>\n]{0,40})?>\s{0,8}",
    re.I,
)

_REFUSAL = re.compile(
    r"\W{0,8}(?:(?:(?:i['’]m|i am) (?:(?:very|so|really) )?(?:sorry|afraid)|sorry|i apologi[sz]e"
    r"|my apologies|unfortunately|as an ai\b[^.,]{0,40})[\s,.;:—-]{1,4}(?:but |that )?)?"
    r"(?:i|we)(?: (?:can['’]t|cannot|can not|won['’]t|will not|must decline|have to decline)"
    r"|(?: am|['’]m| are) (?:not able|unable|not comfortable))\b",
    re.I,
)
_REFUSAL_LENGTH = 400  # characters; a longer text is no mere refusal


# Maximum number of times that a rationale is parsed again, since after a sentence is removed,
# another one may count as the conclusion. Real replies need two rounds. A rationale that still
# changes in the last round is marked as leaking (`leaks`).
_READINGS = 6


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """A parsed reply.

    rationale: the explanation, without the announcements of the answer that could be removed.
    conclusion: the label of the choice that the reply gives as the answer, or None.
    announced: True if a sentence announces an answer ("the answer is B"). If it is False, any
        conclusion comes from the opening or closing sentence, and is unreliable if the reply was
        cut off.
    ran_on: True if the reply continued with another question. That part is ignored.
    leaks: True if the rationale still announces an answer, because the announcement could not be
        removed cleanly. A rationale that does not leak stays the same if it is parsed again.
    too_long: True if the reply without its thinking has more than LONGEST characters. Then only
        its beginning and end are searched for the conclusion, and `rationale` is empty.
    still_concludes: the conclusion that results from parsing `rationale` as a reply, or None.

    For example, `still_concludes` is "B" for the rationale "A spoon is made of metal. Metal has
    free electrons." No sentence announces an answer, so `leaks` is False. But the opening sentence
    names choice B, spoon, and no other choice. So "B" is the conclusion.
    """

    rationale: str
    conclusion: str | None
    announced: bool = True
    ran_on: bool = False
    leaks: bool = False
    too_long: bool = False
    still_concludes: str | None = None


class _Reading(NamedTuple):
    """The result of one pass over a text. `_settled` repeats such passes.

    `rationale` is the text without announcements of the answer. `announces` is True if the text
    announced an answer. `ran_on` and `too_long` have the same meaning as in ParsedReply.
    """

    rationale: str
    conclusion: Conclusion
    announces: bool
    ran_on: bool = False
    too_long: bool = False


def read_reply(text: str, question: Question) -> ParsedReply:
    """Parse a reply into the explanation and the label of its answer. Never raises an exception."""
    return _settled(_read_once(text, question), question)


def read_thinking(text: str, question: Question) -> ParsedReply:
    """Parse the thinking of a reasoning model into an explanation and the label of its answer.
    `text` is the thinking without its tags.

    A line such as "Question: ..." is skipped, because in thinking it repeats the question. (In a
    reply it begins another question, so `read_reply` ignores the text from there on.)
    """
    start = len(text) - len(text.lstrip())
    parts, end = [text[:start]], start
    for match in _NEXT_QUESTION.finditer(text, start):
        if match.start() >= end:
            parts.append(text[end : match.start()])
            line_end = text.find("\n", match.end())
            end = len(text) if line_end < 0 else line_end
    parts.append(text[end:])
    return _settled(_read_once("".join(parts), question), question)


def shortened(parsed: ParsedReply, max_tokens: int, question: Question) -> ParsedReply:
    """Return the parsed reply with its rationale truncated to at most `max_tokens` tokens, each
    counted as 4 bytes. The rationale is cut at the end of a sentence. If even the first sentence is
    too long, it is cut at the end of a word. `leaks` and `still_concludes` are set anew."""
    for _ in range(_READINGS):
        text = shorten_to_tokens(parsed.rationale, max_tokens)
        if text == parsed.rationale:
            break
        # The new last sentence may count as a verdict, so the text is parsed again.
        reparsed = read_reply(text, question)
        parsed = replace(
            parsed,
            rationale=reparsed.rationale,
            leaks=reparsed.leaks,
            still_concludes=reparsed.still_concludes,
        )
    return parsed


def _settled(first: _Reading, question: Question) -> ParsedReply:
    """Complete the parsing of a reply. `first` is the result of the first pass over the reply, and
    contains the conclusion. The rationale is then parsed as if it were a reply. This is repeated
    until the rationale no longer changes, but at most _READINGS times."""
    last, settled = first, False
    for _ in range(_READINGS):
        reparsed = _read_once(last.rationale, question)
        settled = reparsed.rationale == last.rationale
        last = reparsed
        if settled:
            break
    return ParsedReply(
        last.rationale,
        first.conclusion.label,
        first.conclusion.announced,
        first.ran_on,
        leaks=last.announces or not settled,
        too_long=first.too_long,
        still_concludes=last.conclusion.label,
    )


def _read_once(text: str, question: Question) -> _Reading:
    without_thinking = split_thinking(text).reply
    without_tags = _without_tags(without_thinking)
    reply = _without_next_question(without_tags)
    mentions = _mentions(reply, question)
    reply_sentences = sentences(mentions)
    conclusion = conclusion_of(mentions, reply_sentences)
    announces = any(sentence.announces for sentence in reply_sentences)
    if len(reply) > LONGEST:
        return _Reading("", conclusion, announces, reply != without_tags, too_long=True)
    rationale = explanation(mentions, reply_sentences, conclusion, question)
    return _Reading(rationale, conclusion, announces, reply != without_tags)


def announces_answer(rationale: str, question: Question) -> bool:
    """Return True if a rationale announces which choice is right. The filter `leaks-answer` rejects
    such rationales.

    A rationale may imply the answer or contain a choice's text: that is its purpose, and no leak.
    """
    return any(sentence.announces for sentence in sentences(_mentions(rationale, question)))


def only_choice_named(rationale: str, question: Question) -> str | None:
    """Return the label of the only choice that a rationale names, by text or label. None if it
    names no choice or several. A student can copy the answer from a rationale that names only one
    choice, without understanding the question."""
    mentions = _mentions(rationale, question)
    end = len(mentions.text)
    named = mentions.texts_in(0, end) | mentions.marked_in(0, end)
    return named.pop() if len(named) == 1 else None


def is_refusal(text: str) -> bool:
    """Return True if a reply, apart from its thinking, is only a short refusal, such as "I'm sorry,
    but I can't help with that"."""
    text = split_thinking(text).reply
    return len(text) <= _REFUSAL_LENGTH and bool(_REFUSAL.match(text))


def _mentions(text: str, question: Question) -> Mentions:
    """Prepare a text for finding the question's choices in it. If the text is longer than LONGEST
    characters, only its beginning and end are used."""
    if len(text) > LONGEST:
        text = text[:ENDS] + _LEFT_OUT + text[-ENDS:]
    return Mentions(text, question.choices, f"{question.context} {question.question}")


def _without_tags(text: str) -> str:
    """Rewrite "<answer>B</answer>" as a line "Answer: B", and remove the tags of other parts of a
    reply, such as <reasoning>."""
    if "<" not in text and "[" not in text:
        return text
    text = _ANSWER_TAG.sub(
        lambda tag: f"\nAnswer: {tag['said']}\n" if tag["said"] else "\nAnswer: ", text
    )
    return _OTHER_TAG.sub("\n", text).strip()


def _without_next_question(text: str) -> str:
    """Return the reply up to the point at which the teacher begins another question."""
    start = len(text) - len(text.lstrip())
    for match in _NEXT_QUESTION.finditer(text):
        if start < match.start():
            return text[: match.start()].rstrip(" \t\n#*>_-")
    return text
