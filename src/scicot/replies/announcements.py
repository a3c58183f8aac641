"""Find the sentences of a text that announce an answer, and the choice that each of them names.

    Wood insulates. Since metal conducts, the answer is (B) spoon.
                                                        |-------|   Claim ("B",), explicit

The bar marks a `Claim`: the place where the announced choice is named. The claim is explicit,
because the text has the word "answer". A choice is announced

    after a verb such as "pick": "I would pick B"
    after "is" or a colon, if the word "answer" comes before: "the answer is B"
    after "is" or a colon, if its label is marked (see `Mention`): "the metaphor is: (B)"
    before words such as "is the best option"
    if its label is a sentence of its own
    if its text and label end the last sentence: "... so it is copper (B)."
    if the next sentence is "This is the correct answer."
    by a correction: "No, wait: it must be (B)" (corrections.py)
    by a phrase in another language (languages.py)

Anywhere else ("(A) is much too long", a list of the options) a choice is mentioned but not
announced.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from scicot.replies.corrections import DENIED, corrections, is_correction, takes_back
from scicot.replies.labels import NOUN
from scicot.replies.languages import DENIES_BEFORE, DENIES_BEHIND, REACH, announcing
from scicot.replies.mentions import BOUNDARY, Mention, Mentions
from scicot.replies.option_lists import leads_to_list, listed_items
from scicot.replies.restated import repeats_question
from scicot.replies.sentence_spans import LEADS_ON, sentence_spans

_LOOK_BACK = 160  # characters to search back from the copula for the word "answer"
_RIGHT_BEFORE = 24  # maximum number of characters matched by the patterns below that end in $

_CUE = re.compile(
    r"(?P<pick>\b(?:choos(?:e|ing)|chose|pick(?:ed|ing)?|select(?:ed|ing)?|go(?:ing)? with|opt for"
    r"|(?:would|to|i|i['’]ll) answer|narrow(?:s|ed)?(?: it| this| that| things)? down to"
    r"|(?:leaves|leaving|left with|remaining (?:is|one is|option is))(?: us| me| you)?(?: only)?"
    r"(?: with)?(?: only| just)?)\b|\\boxed\b)|\b(?:is|are|be|was|were|equals)\b|[:\uff1a=→]",
    re.I,
)
# In "Answer B suggests that it is fun", the word belongs to the label and announces nothing.
_NAMES_ANSWER = re.compile(
    rf"(?<!other )(?<!another )\b{NOUN}\b"
    r"(?![\s*_]{0,3}[(\[\"'“]{0,2}(?-i:[A-HJ-Z]|[1-9])(?!\w))",
    re.I,
)
_IS = re.compile(r"\b(?:is|are|be|was|were)(?: an?)?[\s*_(n)]{0,4}$", re.I)
# These are not announcements either: "the wrong answer is (A)", "whether it is (A)".
_NOT_ANNOUNCED = re.compile(
    rf"\b(?:wrong|incorrect|tempting) {NOUN}\b|\bwhether\b|\bif the answer\b"
    r"|\bmight (?:think|say|seem)\b",
    re.I,
)
# If the group "strict" matches, the choice before it may be named by its text: "spoon is the right
# answer", but not "spoon is the best conductor".
_VERDICT = re.compile(
    r"\b(?:is|was|are|as|be|remains|the)\s+(?:(?:clearly|indeed|therefore|thus|definitely)\s+)?"
    r"(?:the\s+|an?\s+|my\s+)?(?:(?:only|single|final|much)\s+)?"
    r"(?P<strict>(?:(?:correct|right|best)\s+)?(?:answer|option|choice)\b)?"
    r"(?(strict)|(?:correct\b|best\b|right(?=[.,!])"
    r"|(?:more|most|better)\b[\w ,-]{0,40}\b(?:answer|option|choice|estimate|match|fit)\b))",
    re.I,
)
# A phrase that announces an answer, whatever follows it. "The answer must be a place where ..."
# does not: PaLM begins every explanation like that.
_BARE = re.compile(
    r"\b(?:the|my|correct|right|best|final) (?:answer|option|choice)\b"
    r"(?: (?:here|to|for)\b[^.!?:]{0,80}?)?[\s*_]{0,4}(?:(?:is|would be)\b(?!n['’]t| not\b)|:)"
    r"|^[\W_]{0,8}(?:final |correct )?answer[\s*_]{0,4}:",
    re.I,
)

_PLURAL = re.compile(r"\b(?:options|choices|answers|alternatives|possibilities|candidates)\b", re.I)
# The answer depends on a condition: "if it is metal, the answer is B", "B if it is metal".
_CONDITION = re.compile(
    r"\W{0,8}(?:(?:so|but|then|and|now|however|well)\b,? )?(?:if|unless|assuming|supposing|suppose"
    r"|provided|as long as|depending on|had it|were it|should it)\b"
    r"(?! (?:we|you|one|i)\b(?:['’]\w+)?(?: \w+)?"
    r" (?:look|consider|think|examine|analy[sz]e|compare|read|see|take|know|recall|remember|go"
    r"|apply|use|need|wish|check|eliminate|focus|start|want|have|say|call|rub|mix|put)\b)",
    re.I,
)
_CONDITION_AFTER = re.compile(
    r"[\s*_)\]\"'”’,;]{0,6}(?:(?:but )?only |but |or |and )?(?:if|unless|assuming|provided"
    r"|depending on|in case|as long as|on condition)\b",
    re.I,
)
_CONCLUDES = re.compile(r"\b(?:so|therefore|thus|hence|in any case|either way|regardless)\b", re.I)
_REFERS_BACK = re.compile(
    r"\W{0,8}(?:this|that|it|which)(?: one| option| choice)? (?:is|must be|would be|has to be)"
    r"(?: therefore| clearly| thus| indeed)? (?:the |our |my )?(?:correct|right|best)"
    r"(?: (?:answer|option|choice|one))?\b(?! (?:that|to|because it is not))",
    re.I,
)
_SPEAKS_AGAINST = re.compile(
    r"\b(?:not|no|never|neither|nor|cannot|without|unlike|wrong|incorrect|eliminat\w+|exclud\w+"
    r"|discard\w*|dismiss\w*|reject\w*|rul(?:e|ed|ing) out|cross\w* out)\b|n['’]t\b",
    re.I,
)


class Claim(NamedTuple):
    """A passage, text[start:end], that announces the answer.

    `labels` holds the labels of all choices that the passage names. If it names none or several,
    the claim is undecided. `explicit` is True for phrases such as "the answer is (B)" and "I pick
    B", and False for weaker ones such as "the metaphor is (B)".
    """

    start: int
    end: int
    labels: tuple[str, ...]
    explicit: bool

    @property
    def label(self) -> str | None:
        return self.labels[0] if len(self.labels) == 1 else None


class Sentence(NamedTuple):
    """A sentence or a line, without surrounding white space.

    `listed` is True for an item of a list of options. `announces` is True if the sentence states an
    answer, or says that an answer follows. `asks` is True if the sentence is a question.
    """

    start: int
    end: int
    text: str
    claims: tuple[Claim, ...]
    listed: bool
    announces: bool
    asks: bool = False

    @property
    def leads_on(self) -> bool:
        return bool(LEADS_ON.search(self.text))


def sentences(mentions: Mentions) -> list[Sentence]:
    """Split the text of `mentions` into sentences. Return them in order, each with its claims."""
    listed = listed_items(mentions)
    found: list[Sentence] = []
    claimed = False
    spans = list(sentence_spans(mentions, listed))
    for number, (start, end) in enumerate(spans):
        text = mentions.text[start:end]
        corrected = bool(found) and is_correction(found[-1].text)
        claims = _claims(mentions, start, end, claimed=claimed, corrected=corrected)
        if number == len(spans) - 1 and not claimed:
            claims += _closing(mentions, start, end, claims)
        if not claims and found and (back := _REFERS_BACK.match(text)):
            claims = _referred(mentions, start, start + back.end(), found[-1])
        if len(claims) > 1:
            claims.sort(key=lambda claim: claim.end)
        if start in listed:
            claims = [claim for claim in claims if claim.explicit]
        asks = not mentions.choices_ask and text.rstrip(" *_\"'”’)").endswith("?")
        if asks:
            claims = []
        if claimed and not claims and takes_back(text):
            claims = [Claim(start, start, (), explicit=True)]
        claimed = claimed or bool(claims)
        announces = bool(claims) or bool(_BARE.search(text))
        found.append(Sentence(start, end, text, tuple(claims), start in listed, announces, asks))
    return _contradicted(mentions, found)


def _closing(mentions: Mentions, start: int, end: int, claims: list[Claim]) -> list[Claim]:
    """Return the claim of the last sentence, text[start:end], if the sentence ends with the text of
    a choice and a label, as in "... so it is copper (option B).". Return [] in these cases:

    - The sentence does not end like this.
    - Other claims were found in the sentence (`claims`).
    - The sentence denies something, or names several labels.
    """
    found = mentions.text_with_label(start, end)
    if claims or found is None or _SPEAKS_AGAINST.search(mentions.text, start, end):
        return []
    # A sentence with several labels compares choices: "not 24 tons (A) or 24 ounces (C)."
    if len(mentions.marked_in(start, end)) > 1:
        return []
    return [Claim(found.start, found.end, found.labels, explicit=False)]


def _referred(mentions: Mentions, start: int, end: int, previous: Sentence) -> list[Claim]:
    """Return the claim of a phrase such as "This is the correct answer", text[start:end], as a list
    of one. The phrase refers to the choice that the `previous` sentence names by its label.

    Return [] in these cases:

    - The previous sentence makes a claim itself, or denies something.
    - The previous sentence names no label, or several labels.
    """
    if _SPEAKS_AGAINST.search(previous.text) or previous.claims:
        return []
    labels = mentions.marked_in(previous.start, previous.end)
    return [Claim(start, end, tuple(labels), explicit=True)] if len(labels) == 1 else []


def _contradicted(mentions: Mentions, found: list[Sentence]) -> list[Sentence]:
    """Make the last claim of a sentence undecided if the next sentence contradicts the claim.

    For example, "The answer is A. Copper." is a contradiction if copper is choice B. The claim then
    gets the labels of both choices, A and B. The list `found` is changed and returned.
    """
    for number, sentence in enumerate(found[:-1]):
        next_sentence = found[number + 1]
        between = mentions.text[sentence.end : next_sentence.start]
        if not sentence.claims or "\n" in between or next_sentence.claims:
            continue
        # Only a claim at the end of its sentence can be contradicted, and only if the next sentence
        # is the text of a choice in the same line.
        last = sentence.claims[-1]
        full_labels = mentions.whole_text(next_sentence.start, next_sentence.end)
        is_last = not mentions.text[last.end : sentence.end].strip(" .*_")
        if is_last and full_labels and last.label is not None and last.label not in full_labels:
            claim = last._replace(labels=(last.label, *full_labels))
            found[number] = sentence._replace(claims=(*sentence.claims[:-1], claim))
    return found


def _claims(
    mentions: Mentions, start: int, end: int, *, claimed: bool, corrected: bool
) -> list[Claim]:
    """Return the claims in text[start:end]: the passages that announce an answer. `claimed` is True
    if an earlier sentence announced an answer. `corrected` is True if the previous sentence
    withdrew an answer."""
    text = mentions.text
    verdicts = []
    for verdict in _VERDICT.finditer(text, start, end):
        if labels := mentions.ending_at(verdict.start(), start, texts=bool(verdict["strict"])):
            verdicts.append(Claim(verdict.start(), verdict.end(), labels, explicit=True))
    # In "B is the best answer, as wood is ...", the word "answer" announces nothing after it.
    claims = [*verdicts, *_after_cues(mentions, start, end, [(v.start, v.end) for v in verdicts])]
    claims += _in_other_languages(mentions, start, end)
    if claimed:
        claims += [
            Claim(mention.start, mention.end, mention.labels, explicit=True)
            for mention in corrections(mentions, start, end, goes_on=corrected)
        ]
    if claims:
        claims = [_unless_conditional(mentions, start, end, claim) for claim in claims]
    if label_alone := mentions.label_alone(start, end):
        claims.append(Claim(label_alone.start, label_alone.end, label_alone.labels, explicit=False))
    return claims


def _unless_conditional(mentions: Mentions, start: int, end: int, claim: Claim) -> Claim:
    """Return the claim. If the claim depends on a condition ("if it is metal, the answer is B"),
    return an undecided copy, which names no choice. Conditions stated in the question ("If Ana
    moves to Rome, ...") do not count."""
    text = mentions.text
    condition_after = _CONDITION_AFTER.match(text, claim.end, end)
    opening = _CONDITION.match(text, start, claim.start)
    if opening and _CONCLUDES.search(text, opening.end(), claim.start):
        opening = None
    if opening and repeats_question(mentions.text[opening.end() : claim.start], mentions.question):
        opening = None
    return claim._replace(labels=(), explicit=False) if condition_after or opening else claim


def _in_other_languages(mentions: Mentions, start: int, end: int) -> Iterator[Claim]:
    before_choice, after_choice = announcing()
    text = mentions.text
    for phrase in before_choice.finditer(text, start, end) if before_choice else ():
        if DENIES_BEFORE.search(text[max(start, phrase.start() - REACH) : phrase.start()]):
            continue
        if mention := mentions.named_from(phrase.end(), end):
            yield Claim(mention.start, mention.end, mention.labels, explicit=True)
    for phrase in after_choice.finditer(text, start, end) if after_choice else ():
        if DENIES_BEHIND.match(text, phrase.end(), end):
            continue
        if labels := mentions.ending_at(phrase.start(), start, texts=True):
            yield Claim(phrase.start(), phrase.end(), labels, explicit=True)


def _after_cues(
    mentions: Mentions, start: int, end: int, verdicts: Sequence[tuple[int, int]] = ()
) -> Iterator[Claim]:
    text = mentions.text
    not_announced = names_answer = None
    for cue in _CUE.finditer(text, start, end):
        mention = mentions.named_from(cue.end(), end)
        # In "Option A: wood" the colon does not announce an answer.
        if mention is None or (
            cue[0] == ":" and mentions.ending_at(cue.start(), start, texts=False)
        ):
            continue
        if not_announced is None or names_answer is None:
            not_announced = _Occurrences(_NOT_ANNOUNCED, text, start, end)
            names_answer = _Occurrences(_NAMES_ANSWER, text, start, end, verdicts)
        text_before = text[max(start, cue.start() - _RIGHT_BEFORE) : cue.start()]
        if not_announced.shortly_before(cue.start()) or DENIED.search(text_before):
            continue
        if cue[0] in (":", "\uff1a") and leads_to_list(text[start : cue.end()]):
            continue
        is_list = len(mention.labels) > 1 and not cue["pick"]
        if is_list and _PLURAL.search(text[max(start, cue.start() - 40) : cue.start()]):
            continue  # a list, such as "the options are (A) wood and (B) copper"
        explicit = bool(cue["pick"]) or names_answer.shortly_before(cue.start())
        if explicit or (mention.marked and _stands_for_is(text, cue, text_before, mention)):
            yield Claim(mention.start, mention.end, mention.labels, explicit)


class _Occurrences:
    """The positions at which a pattern matches in a sentence."""

    # The positions are found once and then used for every cue of the sentence. A cue is a word or
    # mark that may introduce a choice.

    def __init__(
        self,
        pattern: re.Pattern[str],
        text: str,
        start: int,
        end: int,
        excluded: Sequence[tuple[int, int]] = (),
    ) -> None:
        """Find the matches in text[start:end], except those within the spans `excluded`."""
        spans = [match.span() for match in pattern.finditer(text, start, end)]
        if excluded:
            spans = [span for span in spans if not any(a <= span[0] < b for a, b in excluded)]
        self._starts = [start for start, _ in spans]
        self._ends = [end for _, end in spans]

    def shortly_before(self, position: int) -> bool:
        """Find the last match of the pattern that ends at or before `position`. Return True if this
        match begins at most _LOOK_BACK characters before `position`. Return False if there is no
        match."""
        index = bisect_right(self._ends, position) - 1
        return index >= 0 and self._starts[index] >= position - _LOOK_BACK


def _stands_for_is(text: str, cue: re.Match[str], text_before: str, mention: Mention) -> bool:
    """Return True if `cue`, the word or mark before a choice, means "is". The colon in "The
    metaphor: (B)." means "is", but the colon in "Why: (A) uses slang" does not."""
    # Only a colon may have another meaning. A colon means "is" if the word "is" precedes the colon
    # ("it is: (B) full"), or if the choice after the colon ends the clause.
    return cue[0] != ":" or bool(_IS.search(text_before) or BOUNDARY.match(text, mention.end))
