"""How a teacher's reply is read: the explanation, and the choice it settles on.

For the choices A wood, B spoon the reply

    <think>Let me see.</think>Electricity needs free electrons. Since metal has them, the answer
    is (b) spoon.

    Q: What is the capital of France?
    A: ...

reads as

    ParsedReply(rationale="Electricity needs free electrons. Metal has them.", conclusion="B")

Nothing is guessed: a reply that names two choices, or none, has the conclusion None.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from scicot.records import Question
from scicot.replies.announcements import Sentence, sentences
from scicot.replies.mentions import Mentions

# Of longer texts only the beginning and the end are read: a model that writes five thousand words
# did not stop in time, and reading takes up to 20 microseconds a character.
LONGEST = 30_000
ENDS = 7_500  # characters at either end
_LEFT_OUT = "\n[...]\n"

_THINK_TAG = re.compile(r"<(/?)think(?:ing)?>", re.I)
# Base models go on with a question of their own; chat templates leak the next turn. The look ahead
# at the first letter passes over most lines in one step.
_NEXT_QUESTION = re.compile(
    r"^[ \t#*>_-]{0,8}+(?=[nqpeahu\[])(?:(?:(?:(?:ne(?:xt|w)|another) )?"
    r"(?:q(?:uestion)?|problem|exercise)[ \t]{0,2}\d{0,3}|answer choices|human|user)[*_]{0,2}:"
    r"|\[INST\])|<\|(?:im_|e(?:nd|ot))",
    re.I | re.M,
)
_CONCLUDES = re.compile(r"\b(?:therefore|thus|hence|so|in conclusion|overall)\b", re.I)
_NEGATES = re.compile(r"\b(?:not|no|never|neither|nor|cannot|without|unlike)\b|n['’]t\b", re.I)
_CHATTER = re.compile(
    r"(?:sure|certainly|of course|okay|here['’]s why)\b|(?:[\w']{1,20}[ ,]{1,2}){0,4}[\w']{1,20}!$",
    re.I,
)
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
    r"(?:[,;]|\s[–—-]{1,2})?\s(?:and )?(?:so|therefore|thus|hence|which means|meaning)\b"
    r"|[,;]\s(?:making|which makes)\b",
    re.I,
)
_BECAUSE = re.compile(r"[\s*_\"'”’)]{0,4}[,:]?[\s–—-]{0,4}\b(?:because|since)\s+(?!of\b)", re.I)
_REFUSAL = re.compile(
    r"\W{0,8}(?:(?:(?:i['’]m|i am) (?:(?:very|so|really) )?(?:sorry|afraid)|sorry|i apologi[sz]e"
    r"|my apologies|unfortunately|as an ai\b[^.,]{0,40})[\s,.;:—-]{1,4}(?:but |that )?)?"
    r"(?:i|we)(?: (?:can['’]t|cannot|can not|won['’]t|will not|must decline|have to decline)"
    r"|(?: am|['’]m| are) (?:not able|unable|not comfortable))\b",
    re.I,
)
_REFUSAL_LENGTH = 400  # characters; what is longer says something besides


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """What a reply says: the explanation without the announcement, and the label, or None.

    Where the announcement does not come off cleanly the explanation still holds it, and `leaks`.

    `announced` is False where no sentence claims the conclusion and it was read off the opening or
    closing one. Of a reply that was cut short, only an announced conclusion means anything.
    `ran_on` is True where the reply went on to a question of its own, which is not read.
    `too_long` is True where the reply has more than LONGEST characters without its thinking. Then
    its conclusion is looked for at the beginning and the end, and `rationale` is empty.
    """

    rationale: str
    conclusion: str | None
    announced: bool = True
    ran_on: bool = False
    leaks: bool = False
    too_long: bool = False


def read_reply(text: str, question: Question) -> ParsedReply:
    """The explanation and the label that a reply settles on. Raises nothing, whatever the text."""
    whole = _without_thinking(text)
    own = _without_next_question(whole)
    mentions = _mentions(own, question)
    said = sentences(mentions)
    announced = any(sentence.claims for sentence in said)
    conclusion, told_in = _conclusion(mentions, said)
    ran_on = own != whole
    if len(own) > LONGEST:
        return ParsedReply("", conclusion, announced, ran_on, too_long=True)
    rationale = _rationale(mentions, [sentence for sentence in said if sentence is not told_in])
    # What is left may read differently once a line between is gone, so it is read again.
    for tries_left in (2, 1, 0):
        if rationale != mentions.text:
            mentions = Mentions(rationale, question.choices)
            said = sentences(mentions)
        leaks = any(sentence.announces for sentence in said)
        if not (leaks and tries_left):
            break
        rationale = _rationale(mentions, said)
    return ParsedReply(rationale, conclusion, announced, ran_on, leaks)


def announces_answer(rationale: str, question: Question) -> bool:
    """Whether a rationale still says which choice is right (filter reason leaks-answer).

    Entailing the answer, or holding a choice's text, is what a rationale is for, and no leak.
    """
    return any(sentence.announces for sentence in sentences(_mentions(rationale, question)))


def only_choice_named(rationale: str, question: Question) -> str | None:
    """The label of the one choice that a rationale names, by its text or label; None where it names
    none or several. Who reads that need not have understood the question."""
    mentions = _mentions(rationale, question)
    end = len(mentions.text)
    named = mentions.texts_in(0, end) | mentions.marked_in(0, end)
    return named.pop() if len(named) == 1 else None


def is_refusal(text: str) -> bool:
    """Whether a reply is but a short refusal in words: "I'm sorry, but I can't help with that"."""
    text = _without_thinking(text)
    return len(text) <= _REFUSAL_LENGTH and bool(_REFUSAL.match(text))


def _mentions(text: str, question: Question) -> Mentions:
    """A text, ready to be searched for choices; only both ends of it where it is too long."""
    if len(text) > LONGEST:
        text = text[:ENDS] + _LEFT_OUT + text[-ENDS:]
    return Mentions(text, question.choices)


def _without_thinking(text: str) -> str:
    """What stands outside <think>...</think>, either tag of which may be missing.

    Chat templates put the opening tag into the prompt; replies cut short lack the closing one.
    """
    outside, *rest = _THINK_TAG.split(text)
    kept, inside = [outside], False
    for slash, part in zip(rest[::2], rest[1::2], strict=True):
        if slash and not inside:
            kept.clear()
        inside = not slash
        if not inside:
            kept.append(part)
    return "".join(kept).strip()


def _without_next_question(text: str) -> str:
    """The reply up to where the teacher begins a question of its own."""
    begins = len(text) - len(text.lstrip())
    for match in _NEXT_QUESTION.finditer(text):
        if begins < match.start():
            return text[: match.start()].rstrip(" \t\n#*>_-")
    return text


def _conclusion(mentions: Mentions, said: list[Sentence]) -> tuple[str | None, Sentence | None]:
    """The label settled on and, where a sentence that claims nothing tells it, that sentence.

    The last claim counts, explicit ones before "the metaphor is (B)". Llama-2 often claims nothing
    ("(B) gum is stickier than (A) gold", "Yes, the sentence is a run-on"): then its closing
    sentence, or else its opening one, may name one choice and no other.
    """
    claims = [claim for sentence in said for claim in sentence.claims]
    if claims:
        return ([claim for claim in claims if claim.explicit] or claims)[-1].label, None
    plain = [s for s in said if not (_CHATTER.match(s.text) or s.leads_on or s.listed)]
    ends = [s for s in plain[-1:] if _CONCLUDES.search(s.text)] + plain[:1]
    for sentence in ends:
        than = mentions.text.find(" than ", sentence.start, sentence.end)
        labels = mentions.marked_in(sentence.start, than if than > 0 else sentence.end)
        if opening := mentions.opening(sentence.start, sentence.end):
            labels.update(opening.labels)
        if len(labels) == 1 and not _NEGATES.search(sentence.text):
            return labels.pop(), sentence
    for sentence in ends:
        if label := mentions.text_alone(sentence.start, sentence.end):
            return label, None
        labels = mentions.texts_in(sentence.start, sentence.end)
        if len(labels) == 1 and not _NEGATES.search(sentence.text):
            return labels.pop(), None
    return None, None


def _rationale(mentions: Mentions, said: list[Sentence]) -> str:
    """The sentences that explain, paragraphs kept as lines."""
    pieces: list[str] = []
    end = 0
    for sentence in said:
        piece = _reasons(mentions, sentence) if sentence.announces else sentence.text
        piece = "" if _CHATTER.match(piece) else _without_heading(piece)
        if piece:
            pieces += ["\n" if "\n" in mentions.text[end : sentence.start] else " ", piece]
            end = sentence.end
    return "".join(pieces).strip()


def _without_heading(text: str) -> str:
    heading = _HEADING.match(text)
    return " ".join((text[heading.end() :] if heading else text).split())


def _reasons(mentions: Mentions, sentence: Sentence) -> str:
    """The reasons that an announcing sentence gives, where they come off cleanly, else nothing."""
    if not sentence.claims:
        return ""
    head = mentions.text[sentence.start : sentence.claims[0].start]
    tail = mentions.text[sentence.claims[-1].end : sentence.end]
    reasons = []
    if since := _SINCE.match(head):
        reasons.append(head[since.end() : max(head.rfind(","), since.end())])
    elif so := list(_SO.finditer(head)):
        reasons.append(head[: so[-1].start()])
    if because := _BECAUSE.match(tail):
        reasons.append(tail[because.end() :])
    return " ".join(_as_sentence(reason) for reason in reasons if len(reason.split()) > 1)


def _as_sentence(clause: str) -> str:
    clause = clause.strip(" \n.,;:")
    return clause[:1].upper() + clause[1:] + "."
