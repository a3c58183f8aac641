"""Build the input and target texts of every kind of student: the paper's two stages and baselines.

    rationale      question + choices              -> rationale                     (stage 1)
    answer         question + choices + rationale  -> label                         (stage 2)
    direct         question + choices              -> label
    one-sequence   question + choices              -> rationale, then label
    answer-first   question + choices              -> label, then rationale
    multi-task     predict: question + choices     -> label
                   explain: question + choices     -> rationale
    shared         explain: question + choices     -> rationale
                   predict: question + choices + rationale  -> label

"rationale" and "answer" are the two stages of Sci-CoT (Ma, Jiang, Fan 2023, section 3). The others
are baselines. "direct" answers without a rationale. "one-sequence" writes a chain of thought and
the answer in one output (Ho, Schmid, Yun 2023). "answer-first" puts the answer before the
rationale, which then need not be generated in prediction. "multi-task" is distilling step by step
(Hsieh et al. 2023), with its task prefixes. "shared" is both stages in one model, selected by a
prefix.

For an encoder-decoder, a question becomes one line of text:

    question: Which conducts electricity? choices: (A) wood (B) copper rationale: Copper is a metal.

It is a single line because T5's SentencePiece turns line breaks into spaces. It contains no braces,
since T5's vocabulary lacks them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from scicot.config import AnswerAs
from scicot.records import Question
from scicot.text import one_line

# Increased whenever inputs or targets change, since a run must be used with the template with which
# it was trained.
TEMPLATE_VERSION = 1


class Stage(StrEnum):
    """The task for which a run was trained (see the table of this module)."""

    RATIONALE = "rationale"
    ANSWER = "answer"
    DIRECT = "direct"
    ONE_SEQUENCE = "one-sequence"
    ANSWER_FIRST = "answer-first"
    MULTI_TASK = "multi-task"
    SHARED = "shared"


@dataclass(frozen=True)
class Form:
    """The properties of a stage: the parts of its inputs and outputs, and texts that describe
    it."""

    command: str  # the command that trains such a run
    does: str  # verb phrase that describes its student
    reads: str
    writes: str
    answers: bool = True
    reads_rationale: bool = False
    writes_rationale: bool = False  # a rationale is generated, alone or before the answer
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
        "answers a multiple-choice question, and was trained to explain the answer after giving it"
        " (answer-first)",
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
    """The parts of a student's input. str() joins the parts into one line, which is the input of an
    encoder-decoder.

    `choices` are texts such as "(A) wood". `asks` says what the target begins with: "rationale" or
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
    """Build the input from which a student of `stage` writes a rationale for a question."""
    return _input(question, "", FORMS[stage].prefixes[1], asks="rationale")


def answer_input(
    question: Question, rationale: str | None = None, stage: Stage = Stage.ANSWER
) -> Input:
    """Build the input from which a student of `stage` answers a question. The rationale is ignored
    if students of `stage` do not read a rationale."""
    read_rationale = rationale or "" if FORMS[stage].reads_rationale else ""
    # A one-sequence student's target already contains the rationale, before the answer.
    asks = "rationale" if stage is Stage.ONE_SEQUENCE else "answer"
    return _input(question, read_rationale, FORMS[stage].prefixes[0], asks=asks)


def rationale_target(rationale: str) -> str:
    """Return the target text for a rationale, which is the rationale on one line."""
    return one_line(rationale)


def answer_target(
    question: Question,
    label: str,
    *,
    answer_as: AnswerAs = "label",
    prefix: str = "",
    suffix: str = "",
) -> str:
    """Return the target text for answering with the choice `label`. If `answer_as` is "text", the
    answer is the text of the choice, otherwise it is the label.

    If the target also contains the rationale, `prefix` is the text before the answer and `suffix`
    the text after it (see `answer_prefix` and `answer_suffix`).
    """
    answer = question.text_of(label) if answer_as == "text" else label
    return one_line(f"{prefix} {answer}{suffix}")


def answer_prefix(rationale: str | None, stage: Stage) -> str:
    """Return the text before the answer in a target of this stage: the rationale and a separator
    for one-sequence students, "" for others."""
    return one_line(f"{rationale or ''}{_MARK}") if stage is Stage.ONE_SEQUENCE else ""


def answer_suffix(stage: Stage) -> str:
    """Return the text directly after the answer in a target of this stage: the separator before the
    rationale for answer-first students, "" for others."""
    return _SUFFIX if stage is Stage.ANSWER_FIRST else ""


def written_rationale(text: str, stage: Stage) -> str:
    """Return the rationale in the `text` that a student of this stage wrote. For a one-sequence
    student the rationale is the part before the answer, for other students the whole text."""
    # The answer that a one-sequence student writes is not used: prediction scores every label.
    if stage is not Stage.ONE_SEQUENCE:
        return text
    rationale, mark, _ = f" {text} ".rpartition(_MARK)
    return (rationale if mark else text).strip()


def shortened(
    text: Input, limit: int, count: Callable[[Input], int]
) -> tuple[Input, tuple[str, ...]]:
    """Truncate an input until it has at most `limit` tokens. `count` returns the number of tokens
    of an input. Returns the input and the names of the truncated parts.

    First the end of the context is cut, then the end of the rationale, then the beginning of the
    question. Cuts are at word boundaries if possible. Choices are never cut. If the choices alone
    are too long, the result is longer than `limit`.
    """
    # The beginning of a question is often a description; what is asked comes at the end.
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
    """Return at most `length` characters from the start of a text. The cut is between two words if
    possible, otherwise within a word."""
    shortened = text[:length]
    broken = length < len(text) and not text[length].isspace()
    return (
        shortened.rpartition(" ")[0] if broken and " " in shortened.strip() else shortened.strip()
    )


def end(text: str, length: int) -> str:
    """Return at most `length` characters from the end of a text. The cut is between two words if
    possible, otherwise within a word."""
    return beginning(text[::-1], length)[::-1]


def most_that_fit(maximum: int, fits: Callable[[int], bool]) -> int:
    """Return the largest number from 1 to `maximum` for which `fits` returns True. Return 0 if
    there is no such number. If `fits` returns True for a number, it must also return True for each
    smaller number, because the search is a bisection."""
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
