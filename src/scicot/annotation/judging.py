"""Judge a reply: parse it into a rationale row, and find the reason to reject it, if there is
one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from msgspec import structs

from scicot.config import GenerateSettings
from scicot.records import Rationale
from scicot.replies import (
    BYTES_A_TOKEN,
    LONGEST,
    SHORTEST,
    ParsedReply,
    count_words,
    is_refusal,
    only_choice_named,
    read_reply,
    read_thinking,
    shorten,
    shortened,
    split_thinking,
)
from scicot.rouge import rouge_l
from scicot.teachers import Reply
from scicot.teachers.stop_reasons import Stop, kind_of
from scicot.text import normalized

# Samples of one question with at least this ROUGE-L F1 count as duplicates.
NEAR_DUPLICATE = 0.9

# reason to reject a reply without thinking if thinking is to be the rationale
NO_THINKING = "no-thinking"

_MISSING_VALUES = ("nan", "none", "null", "n a", "na")  # how data frames write a missing value
_MAX_MISSING_VALUE = 100  # characters; longer texts are not compared with these words
_SENTENCE = re.compile(r"[^.!?\n]+[.!?\n]?")
_WORD = re.compile(r"\w")
_MIN_REPEATS = 3  # repeated sentences

# An explanation that refers to the revealed answer is useless to a student, who does not see the
# answer.
_HINT_REFERENCE = re.compile(
    r"\b(?:the|this|that|your|given|provided) hint\b"
    r"|\b(?:given|provided|stated|revealed|known) (?:correct |right )?answer\b"
    r"|\b(?:told|given|informed) that the (?:correct |right )?(?:answer|choice|option)\b"
    r"|\bhint (?:says|tells|states|suggests|indicates|confirms)\b",
    re.I,
)


def judge(row: Rationale, reply: Reply, settings: GenerateSettings) -> tuple[Rationale, str | None]:
    """Parse a reply. Return (row, reason): a copy of `row` with the reply's rationale and
    conclusion, and the reason to reject the reply. The reason is None if the reply is kept.

    The conclusion is always taken from the reply's text, even if the rationale is the reply's
    thinking. The returned row also holds the raw reply and its thinking in three cases:
    - `settings.keep_replies` is True.
    - The rationale is the thinking.
    - The rationale was shortened to `settings.max_rationale_tokens`.
    """
    parts, parsed = split_thinking(reply.text), read_reply(reply.text, row.question)
    from_thinking = settings.rationale_source == "thinking"
    parsed_rationale = (
        _read_thinking(_thinking_of(reply, parts.thinking), row, settings)
        if from_thinking
        else parsed
    )
    full_rationale = parsed_rationale.rationale
    if settings.max_rationale_tokens is not None:
        parsed_rationale = shortened(parsed_rationale, settings.max_rationale_tokens, row.question)
    row = structs.replace(
        row,
        rationale=parsed_rationale.rationale,
        conclusion=parsed.conclusion,
        still_concludes=parsed_rationale.still_concludes,
    )
    was_truncated = parsed_rationale.rationale != full_rationale
    if settings.keep_replies or from_thinking or was_truncated:
        row = structs.replace(row, reply=reply.text, thinking=reply.thinking or None)
    if has_declined(reply):
        return row, "refusal"
    if parts.unclosed and from_thinking:
        return row, "truncated"
    if _was_cut(reply) and not _is_complete(parsed):
        return row, "truncated"
    if from_thinking and not has_thinking(reply):
        return row, NO_THINKING
    if parsed.too_long or parsed_rationale.too_long:
        return row, "too-long"
    return row, _rejection_reason(row, parsed_rationale, settings)


def has_declined(reply: Reply) -> bool:
    """Return True if a reply is a refusal, by its stop reason or its text."""
    return kind_of(reply.stop_reason) is Stop.DECLINED or is_refusal(reply.text)


def has_thinking(reply: Reply) -> bool:
    """Return True if a reply contains thinking, in the separate field or in <think> tags."""
    return bool(_thinking_of(reply, split_thinking(reply.text).thinking))


def _thinking_of(reply: Reply, in_text: str) -> str:
    """Return all thinking of a reply: the text that the server sent separately, followed by
    `in_text`, the parts of the reply within <think> tags."""
    separate = split_thinking(reply.thinking)  # some servers leave a tag in the separate thinking
    return "\n\n".join(filter(None, [separate.thinking, separate.reply, in_text]))


def _read_thinking(thinking: str, row: Rationale, settings: GenerateSettings) -> ParsedReply:
    """Parse thinking as a rationale."""
    # `read_thinking` reads no rationale from more than LONGEST characters. Longer thinking is
    # truncated first if the rationale will be shortened to fewer characters anyway.
    max_tokens = settings.max_rationale_tokens
    if max_tokens is not None and max_tokens * BYTES_A_TOKEN <= LONGEST:
        thinking = shorten(thinking, LONGEST)
    return read_thinking(thinking, row.question)


def _rejection_reason(
    row: Rationale, parsed_rationale: ParsedReply, settings: GenerateSettings
) -> str | None:
    """Return the reason to reject a rationale: "empty", "too-short", "repetitive",
    "wrong-conclusion" or "leaks-answer". Return None to keep it."""
    gold = row.question.answer
    if _is_blank(row.rationale):
        return "empty"
    if count_words(row.rationale) < SHORTEST:
        return "too-short"
    if _loops(row.rationale):
        return "repetitive"
    if settings.keep == "correct" and gold is not None and row.conclusion != gold:
        return "wrong-conclusion"
    return "leaks-answer" if parsed_rationale.leaks or _refers_to_hint(row) else None


def _was_cut(reply: Reply) -> bool:
    """Return True if a reply counts as cut off:

    - The stop reason says that the token limit was reached.
    - Or the reply has a text, and the stop reason does not say that the reply is complete.
    """
    # An empty reply with another reason, such as "tool_use", is not cut but empty.
    kind = kind_of(reply.stop_reason)
    incomplete = kind is not Stop.COMPLETE and bool(reply.text.strip())
    return kind is Stop.TOKEN_LIMIT or incomplete


def _is_complete(parsed: ParsedReply) -> bool:
    """Return True if a reply that was cut off contains a complete answer."""
    # `ran_on`: the model had answered, and then invented a further question, which was cut off.
    return parsed.ran_on or (parsed.announced and parsed.conclusion is not None)


def _is_blank(rationale: str) -> bool:
    short = len(rationale) <= _MAX_MISSING_VALUE
    return not rationale or (short and normalized(rationale) in _MISSING_VALUES)


def _loops(rationale: str) -> bool:
    """Return True if at least half of a rationale's sentences, and at least _MIN_REPEATS sentences,
    repeat an earlier sentence of the rationale."""
    # Small models often repeat themselves.
    with_words = [sentence for sentence in _SENTENCE.findall(rationale) if _WORD.search(sentence)]
    sentences = {" ".join(sentence.split()).casefold() for sentence in with_words}
    repeated = len(with_words) - len(sentences)
    return repeated >= _MIN_REPEATS and repeated >= len(with_words) / 2


def _refers_to_hint(row: Rationale) -> bool:
    return row.saw_answer and bool(_HINT_REFERENCE.search(row.rationale))


def repeats(rationale: str, others: Iterable[str]) -> bool:
    """Return True if a rationale is a near-duplicate of one of the rationales in `others`: their
    ROUGE-L F1 is at least NEAR_DUPLICATE."""
    return any(rouge_l(rationale, other) >= NEAR_DUPLICATE for other in others)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A reply parsed into its row, and the reason to reject the reply (`reason`, None if it is
    kept). `named` is True if the reply is kept and its rationale names only the gold choice."""

    row: Rationale
    reason: str | None
    named: bool


def verdict_on(
    row: Rationale, reply: Reply, settings: GenerateSettings, others: Sequence[str]
) -> Verdict:
    """Judge a reply as `judge` does. In addition, reject the reply if its rationale is a
    near-duplicate of one of `others`, the kept rationales of the same question."""
    row, reason = judge(row, reply, settings)
    if reason is None and repeats(row.rationale, others):
        reason = "duplicate"
    return Verdict(row, reason, reason is None and names_gold_alone(row))


def names_gold_alone(row: Rationale) -> bool:
    """Return True if a row's rationale names the gold choice and no other choice. False if the gold
    answer is unknown."""
    gold = row.question.answer
    return gold is not None and only_choice_named(row.rationale, row.question) == gold
