"""Input and target texts of every kind of student: the paper's two stages and their baselines.

    rationale      question + choices              -> rationale                     (stage 1)
    answer         question + choices + rationale  -> label                         (stage 2)
    direct         question + choices              -> label
    one-sequence   question + choices              -> rationale, then label
    answer-first   question + choices              -> label, then rationale
    multi-task     predict: question + choices     -> label
                   explain: question + choices     -> rationale
    shared         explain: question + choices     -> rationale
                   predict: question + choices + rationale  -> label

The first two are Sci-CoT (Ma, Jiang, Fan 2023, section 3). The others are baselines: answering
directly; chain-of-thought in one output (Ho, Schmid, Yun 2023); the answer before its explanation,
which need not be generated at prediction; distilling step by step (Hsieh et al. 2023), with its
task prefixes; and both stages in one model, selected by prefix.

A question becomes one line of text:

    question: Which conducts electricity? choices: (A) wood (B) copper rationale: Copper is a metal.

It is a single line because T5's SentencePiece turns line breaks into spaces; it also lacks braces.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from scicot.config import AnswerAs
from scicot.records import Question
from scicot.text import one_line

# Increased whenever inputs or targets change, since a run must get the texts it was trained on.
TEMPLATE_VERSION = 1


class Stage(StrEnum):
    """The task that a run was trained for."""

    RATIONALE = "rationale"
    ANSWER = "answer"
    DIRECT = "direct"
    ONE_SEQUENCE = "one-sequence"
    ANSWER_FIRST = "answer-first"
    MULTI_TASK = "multi-task"
    SHARED = "shared"


@dataclass(frozen=True)
class Form:
    """Static properties of a stage."""

    command: str  # the command that trains such a run
    does: str  # verb phrase for messages
    reads: str
    writes: str
    answers: bool = True
    reads_rationale: bool = False
    writes_rationale: bool = False  # whether its output contains a rationale
    # Task prefixes of the inputs: (for an answer, for a rationale).
    prefixes: tuple[str, str] = ("", "")


_QUESTION = "question: ... choices: (A) ... (B) ..."
_TASKS = ("predict: ", "explain: ")

FORMS = {
    Stage.RATIONALE: Form(
        "train-rationale",
        "writes a rationale for a multiple-choice question (stage 1 of Sci-CoT)",
        _QUESTION,
        "the rationale",
        answers=False,
        writes_rationale=True,
    ),
    Stage.ANSWER: Form(
        "train-answer",
        "answers a multiple-choice question with the help of a rationale (stage 2 of Sci-CoT)",
        f"{_QUESTION} rationale: ...",
        "the label",
        reads_rationale=True,
    ),
    Stage.DIRECT: Form(
        "train-answer",
        "answers a multiple-choice question directly (the baseline without a rationale)",
        _QUESTION,
        "the label",
    ),
    Stage.ONE_SEQUENCE: Form(
        "train-answer",
        "writes a rationale and then the answer, in one output (one-sequence chain-of-thought)",
        _QUESTION,
        "the rationale, answer: and the label",
        writes_rationale=True,
    ),
    Stage.MULTI_TASK: Form(
        "train-answer",
        "answers a multiple-choice question, and was also trained to explain it"
        " (multi-task, distilling step by step)",
        f"predict: {_QUESTION}",
        "the label",
        prefixes=_TASKS,
    ),
    Stage.ANSWER_FIRST: Form(
        "train-answer",
        "answers a multiple-choice question, and learnt to explain the answer behind it",
        _QUESTION,
        "the label, rationale: and the rationale",
    ),
    Stage.SHARED: Form(
        "train-answer",
        "writes a rationale for a multiple-choice question, and answers with its help (both stages"
        " of Sci-CoT in one model)",
        f"explain: {_QUESTION}, or predict: {_QUESTION} rationale: ...",
        "the rationale, or the label",
        reads_rationale=True,
        writes_rationale=True,
        prefixes=_TASKS,
    ),
}

Cut = Callable[[str, int], str]

_MARK = " answer: "  # separates rationale and label in a one-sequence output
_SUFFIX = " rationale:"  # separates label and rationale in an answer-first output


@dataclass(frozen=True, slots=True)
class Input:
    """A student's input in its parts; str() gives the single line for an encoder-decoder.

    `choices` are "(A) wood", "(B) copper". `asks` is the first part of the target: "rationale" or
    "answer".
    """

    question: str
    choices: tuple[str, ...]
    rationale: str = ""
    context: str = ""
    task: str = ""  # task prefix (Form.prefixes)
    asks: str = "answer"
    id: str = field(default="", compare=False)  # id of the question, for messages

    def __str__(self) -> str:
        parts = [
            f"{self.task}question: {self.question} choices: {' '.join(self.choices)}",
            f"rationale: {self.rationale}" if self.rationale else "",
            f"context: {self.context}" if self.context else "",
        ]
        return one_line(" ".join(parts))


def rationale_input(question: Question, stage: Stage = Stage.RATIONALE) -> Input:
    """Build the input from which a student writes a rationale."""
    return _input(question, "", FORMS[stage].prefixes[1], asks="rationale")


def answer_input(
    question: Question, rationale: str | None = None, stage: Stage = Stage.ANSWER
) -> Input:
    """Build the input from which a student answers; the rationale is used only by stages that read
    one."""
    read_rationale = rationale or "" if FORMS[stage].reads_rationale else ""
    # A one-sequence student's target already contains the rationale, before the answer.
    asks = "rationale" if stage is Stage.ONE_SEQUENCE else "answer"
    return _input(question, read_rationale, FORMS[stage].prefixes[0], asks=asks)


def rationale_target(rationale: str) -> str:
    """Return the target text of a rationale: the rationale on one line."""
    return one_line(rationale)


def answer_target(
    question: Question,
    label: str,
    *,
    answer_as: AnswerAs = "label",
    prefix: str = "",
    suffix: str = "",
) -> str:
    """Return the target text of a choice: its label or text. If the output also holds the
    rationale, `prefix` precedes the answer and `suffix` follows it (see `answer_prefix` and
    `answer_suffix`)."""
    answer = question.text_of(label) if answer_as == "text" else label
    return one_line(f"{prefix} {answer}{suffix}")


def answer_prefix(rationale: str | None, stage: Stage) -> str:
    """Return the text before the answer in a target: for a one-sequence student the rationale and
    a marker, else ""."""
    return one_line(f"{rationale or ''}{_MARK}") if stage is Stage.ONE_SEQUENCE else ""


def answer_suffix(stage: Stage) -> str:
    """Return the text between the answer and the rationale of an answer-first student; "" for
    stages whose output ends with the answer."""
    return _SUFFIX if stage is Stage.ANSWER_FIRST else ""


def written_rationale(text: str, stage: Stage) -> str:
    """Return the rationale in a student's output. The answer that a one-sequence student writes
    after it is ignored: every label is scored instead."""
    if stage is not Stage.ONE_SEQUENCE:
        return text
    rationale, mark, _ = f" {text} ".rpartition(_MARK)
    return (rationale if mark else text).strip()


def shortened(
    text: Input, limit: int, count: Callable[[Input], int]
) -> tuple[Input, tuple[str, ...]]:
    """Truncate an input until `count` (its number of tokens) is at most `limit`; return it with the
    names of the truncated parts.

    The end of the context is cut first, then the end of the rationale, then the beginning of the
    question, since the actual question comes last; at word boundaries if possible. Choices are
    never cut: if they alone are too long, the result is longer than `limit`.
    """
    lost: list[str] = []
    for part in ("context", "rationale", "question"):
        full_text = getattr(text, part)
        cut = end if part == "question" else beginning

        def keeping(
            length: int, cut: Cut = cut, full_text: str = full_text, part: str = part
        ) -> Input:
            changed: dict[str, Any] = {part: cut(full_text, length)}
            return replace(text, **changed)  # noqa: B023  (not kept)

        length = most_that_fit(len(full_text), lambda n: count(keeping(n)) <= limit)
        if length < len(full_text):
            text = keeping(length)
            lost.append(part)
        if count(text) <= limit:
            break
    return text, tuple(lost)


def beginning(text: str, length: int) -> str:
    """Return at most `length` characters from the start of a text, without a partial word at the
    end."""
    shortened = text[:length]
    broken = length < len(text) and not text[length].isspace()
    return (
        shortened.rpartition(" ")[0] if broken and " " in shortened.strip() else shortened.strip()
    )


def end(text: str, length: int) -> str:
    """Return at most `length` characters from the end of a text, without a partial word at the
    start."""
    return beginning(text[::-1], length)[::-1]


def most_that_fit(maximum: int, fits: Callable[[int], bool]) -> int:
    """Return the largest number up to `maximum` for which `fits` is True, by bisection; 0 if there
    is none."""
    low, high = 0, maximum
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low


def _input(question: Question, rationale: str, task: str, *, asks: str) -> Input:
    choices = tuple(f"({choice.label}) {choice.text}" for choice in question.choices)
    return Input(question.question, choices, rationale, question.context, task, asks, question.id)
