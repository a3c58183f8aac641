"""Inputs -> token ids within a limit, with what had to be cut counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from scicot import stages
from scicot.stages import Input

CHOICES = "choices"  # counted where they alone are longer than the limit, which they may be


def encode_inputs(
    inputs: Sequence[Input], tokenizer: Any, limit: int, cuts: Counter[str]
) -> list[list[int]]:
    """Token ids of each input, its end token included, as stages.shortened fits it into `limit`.

    `cuts` gets 1 more for each part ("context", "rationale", "question") that an input lost some
    of, and for "choices" where an input stays longer than the limit for the sake of its choices.
    """
    if not inputs:
        return []  # a tokenizer takes no empty batch
    rows: list[list[int]] = tokenizer([str(text) for text in inputs])["input_ids"]
    for place, row in enumerate(rows):
        if len(row) > limit:
            text, lost = stages.shortened(
                inputs[place], limit, lambda words: len(tokenizer(words)["input_ids"])
            )
            rows[place] = tokenizer(str(text))["input_ids"]
            cuts.update(lost)
            cuts[CHOICES] += len(rows[place]) > limit
    return rows


def told(cuts: Counter[str], limit: int) -> list[str]:
    """What was cut, a sentence for each part."""
    sentences = {
        "context": f"lost the end of their context: they were longer than {limit} tokens",
        "rationale": f"lost the end of their rationale: they were longer than {limit} tokens",
        "question": f"lost the beginning of their question: they were longer than {limit} tokens",
        CHOICES: f"are longer than {limit} tokens by their choices alone, which are kept",
    }
    return [f"{cuts[part]} inputs {said}" for part, said in sentences.items() if cuts[part]]
