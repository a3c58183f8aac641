"""Encode inputs as token ids within a limit, and count what had to be cut."""

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
    """Encode each input, its end token included, shortened to `limit` tokens (stages.shortened).

    `cuts` counts the inputs that lost some of their "context", "rationale" or "question", and under
    "choices" those that stay longer than the limit because choices are never cut.
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


def describe_cuts(cuts: Counter[str], limit: int) -> list[str]:
    """Describe what was cut, in a sentence for each part."""
    sentences = {
        "context": f"lost the end of their context: they were longer than {limit} tokens",
        "rationale": f"lost the end of their rationale: they were longer than {limit} tokens",
        "question": f"lost the beginning of their question: they were longer than {limit} tokens",
        CHOICES: f"are longer than {limit} tokens by their choices alone, which are kept",
    }
    return [f"{cuts[part]} inputs {said}" for part, said in sentences.items() if cuts[part]]
