"""Rows -> (source text, target text) pairs -> token ids, with what had to be cut counted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from scicot import stages
from scicot.records import Question, Rationale
from scicot.students.encoder_decoder import cut_before_end


@dataclass(frozen=True, slots=True)
class Example:
    source: str
    target: str


def rationale_examples(rationales: Iterable[Rationale]) -> list[Example]:
    """Stage 1: question + choices -> rationale. Rows without a rationale's words are left out."""
    return [
        Example(stages.rationale_input(row.question), " ".join(row.rationale.split()))
        for row in rationales
        if row.rationale.strip()
    ]


def answer_examples(rationales: Iterable[Rationale]) -> list[Example]:
    """Stage 2: question + choices + rationale -> label. Unlabelled questions are left out."""
    return [
        Example(
            stages.answer_input(row.question, row.rationale),
            stages.answer_target(row.question.answer),
        )
        for row in rationales
        if row.question.answer is not None
    ]


def direct_examples(questions: Iterable[Question]) -> list[Example]:
    """The direct baseline: question + choices -> label. Unlabelled questions are left out."""
    return [
        Example(stages.answer_input(question, None), stages.answer_target(question.answer))
        for question in questions
        if question.answer is not None
    ]


def digest(examples: Sequence[Example]) -> str:
    """What tells two training sets apart, wherever they were read from."""
    seen = hashlib.sha256()
    for example in examples:
        seen.update(f"{example.source}\0{example.target}\0".encode("utf-8", "surrogatepass"))
    return seen.hexdigest()


@dataclass(frozen=True)
class Encoded:
    """Token ids of all examples, and how many texts were longer than allowed."""

    rows: list[dict[str, list[int]]]
    cut_sources: int
    cut_targets: int


def encode(
    examples: Sequence[Example], tokenizer: Any, max_source_tokens: int, max_target_tokens: int
) -> Encoded:
    """Tokenise; ids that are too long are cut before their end token, and counted."""
    end = tokenizer.eos_token_id
    sources = tokenizer([e.source for e in examples])["input_ids"]
    targets = tokenizer(text_target=[e.target for e in examples])["input_ids"]
    rows = [
        {
            "input_ids": cut_before_end(source, max_source_tokens, end),
            "labels": cut_before_end(target, max_target_tokens, end),
        }
        for source, target in zip(sources, targets, strict=True)
    ]
    return Encoded(
        rows,
        sum(len(source) > max_source_tokens for source in sources),
        sum(len(target) > max_target_tokens for target in targets),
    )
