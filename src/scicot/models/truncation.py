"""Truncate inputs and rationales that have too many tokens, and count what was cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from scicot import stages
from scicot.models import characters
from scicot.models.prompt_format import Ids, PromptFormat
from scicot.stages import Input

CHOICES = "choices"  # key for inputs that are too long although all but the choices was cut
PARTS = ("context", "rationale", "question", CHOICES)  # parts of an input that is too long


def encode_inputs(
    texts: Sequence[Input], form: PromptFormat, limit: int, cuts: Counter[str]
) -> list[Ids]:
    """Encode inputs as token ids, and truncate those longer than `limit` tokens (see
    stages.shortened).

    Counts are added to `cuts`. The keys "context", "rationale" and "question" count the inputs in
    which this part was truncated. The key "choices" counts the inputs that stay longer than the
    limit because choices are never cut. Further keys count problems with characters that the
    tokenizer lacks (see characters.count).
    """
    if not texts:
        return []  # tokenizers reject an empty batch
    rows = form.sources(texts)
    for index, row in enumerate(rows):
        if len(row) > limit:
            text, lost = stages.shortened(
                texts[index], limit, lambda tried: len(form.sources([tried])[0])
            )
            rows[index] = form.sources([text])[0]
            cuts.update(lost)
            cuts[CHOICES] += len(rows[index]) > limit
    alphabet = form.alphabet
    if alphabet.unknown is not None:
        for text, row in zip(texts, rows, strict=True):
            if alphabet.replacements or alphabet.unknown in row:
                characters.count(
                    cuts, text, row, alphabet, lambda new, asks=text.asks: form.targets(new, asks)
                )
    return rows


def cut_rationales(texts: Sequence[str], form: PromptFormat, limit: int | None) -> list[str]:
    """Truncate each rationale to `limit` tokens, at a word boundary. If `limit` is None, return the
    rationales unchanged."""
    if limit is None or not texts:
        return list(texts)
    max_ids = limit + 1  # for the end token

    def tokens(text: str) -> int:
        return len(form.targets([text], "rationale")[0])

    def shortened(text: str) -> str:
        fits = stages.most_that_fit(
            len(text), lambda n: tokens(stages.beginning(text, n)) <= max_ids
        )
        return stages.beginning(text, fits)

    lengths = map(len, form.targets(list(texts), "rationale"))
    return [
        text if length <= max_ids else shortened(text)
        for text, length in zip(texts, lengths, strict=True)
    ]


def describe_cuts(cuts: Counter[str], limit: int) -> dict[str, str]:
    """Describe in sentences the problems that `encode_inputs` counted in `cuts`. `limit` is the
    maximum number of tokens of an input.

    Returns a dict with a sentence for each kind of problem that occurred, such as {"context": "3
    inputs lost the end of their context: ..."}. A key is an element of PARTS, or a key of the dict
    that `characters.describe` returns.
    """
    sentences = {
        "context": f"lost the end of their context: they were longer than {limit} tokens",
        "rationale": f"lost the end of their rationale: they were longer than {limit} tokens",
        "question": f"lost the beginning of their question: they were longer than {limit} tokens",
        CHOICES: f"still exceed {limit} tokens after truncation: choices are never truncated",
    }
    found = {part: f"{cuts[part]} inputs {text}" for part, text in sentences.items() if cuts[part]}
    return found | characters.describe(cuts)
