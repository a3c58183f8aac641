"""The inputs of the prediction benchmarks: EntailmentBank's training questions, for both stages."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

from benchmarks.training.material import DATA, flan_t5_small
from scicot import stages
from scicot.decoding.engine import Ids
from scicot.records import Question
from scicot.stages import Stage

QUESTIONS = 500
# four choices of a label token and the end token
CHOICES = [[[label, 1] for label in (3, 4, 5, 6)]]

Inputs = list[Ids]


def tokenizer() -> Any:
    from transformers import T5Tokenizer

    return T5Tokenizer.from_pretrained(str(DATA / "t5_tokenizer"))


def endless() -> Any:
    """Make a model of flan-t5-small's shape with random weights that never generates its end
    token."""
    import torch

    torch.manual_seed(0)
    model = flan_t5_small().eval()
    model.lm_head.weight.data[model.config.eos_token_id] = 0  # the end token is never the likeliest
    return model


def questions(count: int = QUESTIONS) -> list[Question]:
    from scicot.formats import to_question_row

    rows = [json.loads(line) for line in (DATA / "entailmentbank.train.jsonl").open()]
    rows_read = [Question.from_row(to_question_row(row)) for row in rows]
    random.Random(0).shuffle(rows_read)
    return rows_read[:count]


def encoded(question_rows: list[Question]) -> Inputs:
    """Return the token ids of the stage 1 inputs for these questions."""
    from scicot.models.prompt_format import Seq2Seq
    from scicot.models.truncation import encode_inputs

    inputs = [stages.rationale_input(question, Stage.RATIONALE) for question in question_rows]
    return encode_inputs(inputs, Seq2Seq(tokenizer(), frozenset({1})), 512, Counter())


def with_rationales(inputs: Inputs, rationales: list[Ids]) -> Inputs:
    """Return approximate stage 2 inputs: the stage 1 inputs with the rationales' token ids inserted
    before the end token."""
    return [
        source[:-1] + text + source[-1:] for source, text in zip(inputs, rationales, strict=True)
    ]


def random_texts(count: int, tokens: int) -> list[Ids]:
    rng = random.Random(1)
    return [[rng.randrange(3, 32_000) for _ in range(tokens)] for _ in range(count)]
