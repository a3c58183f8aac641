"""Build the prompts for teachers.

For a question with the choices A wood, B spoon:

    system  You are a teacher who explains the answers to multiple-choice questions ...
    user    Question: Which of these conducts electricity?
            A. wood
            B. spoon

            In two to five sentences, explain ... Then give the answer in a last line of the form
            "Answer: X", where X is one of A, B.

The prompt asks the teacher to explain the answer as if to a pupil. It does not ask for the
model's chain of thought, since some models refuse to give that. The package scicot.replies parses
the replies.
"""

from __future__ import annotations

import string
from dataclasses import dataclass

from scicot.errors import ScicotError
from scicot.records import Choice, Question

SYSTEM = (
    "You are a teacher who explains the answers to multiple-choice questions to a student. "
    "You write plain sentences, without headings, lists or formulas that need typesetting."
)

TASK = (
    "In two to five sentences, explain to a student the facts and the reasoning that lead to the "
    "answer. Let the explanation stand on its own: do not mention the choices by their labels, and "
    "do not say in it which choice is correct. Then give the answer in a last line of the form "
    '"Answer: X", where X is one of {labels}.'
)

# STaR's rationalisation (Zelikman et al. 2022, section 3.3): with a hint that gives the answer,
# more questions get a usable rationale. But an explanation that refers to the hint teaches a
# student nothing.
HINT = (
    "Hint: the correct answer is {label}. {text}\n"
    "Reason as if you had not been told: do not mention the hint, argue from the question alone."
)

# all texts that can be part of a built-in prompt
BUILT_IN_PROMPT = "\n\n".join((SYSTEM, TASK, HINT))

REQUIRED_PLACEHOLDERS = ("question", "choices")


@dataclass(frozen=True, slots=True)
class Prompt:
    """The texts of one request to a teacher. `examples` are few-shot examples that come before
    `user`, each a pair of a user turn and an assistant turn."""

    system: str
    user: str
    examples: tuple[tuple[str, str], ...] = ()


def build_example(
    question: Question, rationale: str, *, reveal_answer: bool = False, template: str | None = None
) -> tuple[str, str]:
    """Build a few-shot example from a question and its rationale. Return (user turn, assistant
    turn).

    The user turn is built as for any question (see `build_prompt`). The assistant turn is the
    rationale and a last line "Answer: X". Raises ScicotError for a question without a gold answer.
    """
    if question.answer is None:
        raise ScicotError(
            f"example {question.id!r} has no gold answer; add one or leave the example out"
        )
    user_text = build_prompt(question, reveal_answer=reveal_answer, template=template).user
    return user_text, f"{rationale.strip()}\nAnswer: {question.answer}"


def build_prompt(
    question: Question,
    *,
    reveal_answer: bool = False,
    template: str | None = None,
    examples: tuple[tuple[str, str], ...] = (),
) -> Prompt:
    """Build the request for one rationale of a question.

    With `reveal_answer` the request includes the gold answer as a hint. `template` replaces the
    built-in prompt, both its system and its user text. Its placeholders are {question}, {choices},
    {context} and, with `reveal_answer`, {answer}; "{{" and "}}" stand for braces. `examples` are
    few-shot examples from `build_example`. Raises ScicotError if `template` is invalid, or if
    `reveal_answer` is True and the question has no gold answer.
    """
    if reveal_answer and question.answer is None:
        raise ScicotError(
            f"question {question.id!r} has no answer to reveal: ask without --reveal-answer"
        )
    if template is not None:
        return Prompt("", _fill(template, question, reveal_answer), examples)
    parts = [_stated(question), _task(question)]
    if reveal_answer:
        parts.insert(1, HINT.format(label=question.answer, text=_answer_text(question)))
    return Prompt(SYSTEM, "\n\n".join(parts), examples)


def _stated(question: Question) -> str:
    context = f"Context: {question.context.strip()}\n\n" if question.context.strip() else ""
    return f"{context}Question: {question.question.strip()}\n{_choices(question)}"


def _choices(question: Question) -> str:
    return "\n".join(f"{choice.label}. {choice.text.strip()}" for choice in question.choices)


def _task(question: Question) -> str:
    return TASK.format(labels=", ".join(question.labels))


def _answer_text(question: Question) -> str:
    return question.text_of(question.answer).strip() if question.answer is not None else ""


def check_template(template: str, *, reveal_answer: bool) -> None:
    """Raise ScicotError if a user's prompt template is invalid: if it lacks a required placeholder,
    contains an unknown one, or cannot be parsed."""
    sample_question = Question("any", "?", (Choice("A", "a"), Choice("B", "b")), answer="A")
    _fill(template, sample_question, reveal_answer)


def _fill(template: str, question: Question, reveal_answer: bool) -> str:
    """Return a template with its placeholders replaced by the parts of a question. Braces in these
    parts are not taken for placeholders. Raises ScicotError if the template is invalid."""
    values = {
        "question": question.question.strip(),
        "choices": _choices(question),
        "context": question.context.strip(),
    }
    if reveal_answer:
        values["answer"] = f"{question.answer}. {_answer_text(question)}"
    pieces = _pieces(template)
    names = [name for _, name in pieces if name is not None]
    for name in names:
        if name not in values:
            raise ScicotError(_unknown(name, tuple(values)))
    for name in REQUIRED_PLACEHOLDERS:
        if name not in names:
            raise ScicotError(f"the prompt template lacks {{{name}}}: a teacher would not see it")
    return "".join(text + (values[name] if name is not None else "") for text, name in pieces)


def _pieces(template: str) -> list[tuple[str, str | None]]:
    """Split a template into pairs (text, name of the placeholder that follows). The name is None if
    none follows. Raises ScicotError for a single brace and for a placeholder with a format."""
    try:
        parsed = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ScicotError(
            f"the prompt template cannot be read ({error}): write {{{{ and }}}} for braces"
        ) from None
    pieces: list[tuple[str, str | None]] = []
    for text, name, spec, conversion in parsed:
        if spec or conversion:
            raise ScicotError(
                f"the prompt template's {{{name}}} must not have a format or conversion; for"
                " literal braces write {{ and }}"
            )
        pieces.append((text, name))
    return pieces


def _unknown(name: str, allowed: tuple[str, ...]) -> str:
    if name == "answer":
        return (
            "the prompt template's {answer} needs --reveal-answer always; add the option or remove"
            " {answer}"
        )
    listed = ", ".join(f"{{{placeholder}}}" for placeholder in allowed)
    return (
        f"the prompt template has an unknown placeholder {{{' '.join(name.split())}}}; "
        f"known are {listed}, and {{{{ and }}}} stand for braces"
    )
