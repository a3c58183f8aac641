"""The two text-to-text functions of Sci-CoT (Ma, Jiang, Fan 2023, section 3), and nothing else.

    stage 1   question + choices              -> rationale
    stage 2   question + choices + rationale  -> the label of the answer

A question becomes one line of text:

    question: Which conducts electricity? choices: (A) wood (B) copper rationale: Copper is a metal.

One line, because T5's SentencePiece folds line breaks into blanks and lacks braces. The context
comes last and the rationale before it, so that cutting an input that is too long on its right takes
the context first, then the rationale, and the choices only when nothing else is left.
"""

from __future__ import annotations

from enum import StrEnum

from scicot.records import Question

# Changes whenever the same question would become another text: a run remembers what it was fed.
TEMPLATE_VERSION = 1


class Stage(StrEnum):
    """What a run was trained to do."""

    RATIONALE = "rationale"  # stage 1
    ANSWER = "answer"  # stage 2
    DIRECT = "direct"  # the baseline: stage 2 without a rationale


def rationale_input(question: Question) -> str:
    """What the rationale student reads; its target is the rationale itself."""
    return _text(question, rationale="")


def answer_input(question: Question, rationale: str | None) -> str:
    """What the answer student reads; without a rationale, what the direct student reads."""
    return _text(question, rationale or "")


def answer_target(label: str) -> str:
    """What the answer student writes for a choice: its label, as it stands in the input."""
    return label


def _text(question: Question, rationale: str) -> str:
    choices = " ".join(f"({choice.label}) {choice.text}" for choice in question.choices)
    parts = [f"question: {question.question}", f"choices: {choices}"]
    if rationale:
        parts.append(f"rationale: {rationale}")
    if question.context:
        parts.append(f"context: {question.context}")
    return " ".join(" ".join(parts).split())
