"""Print the prediction benchmark's table for a trained student, whose rationales end with an end
token instead of at the token limit."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.predicting.material import Inputs, with_rationales
from benchmarks.predicting.table import compare
from scicot import stages
from scicot.decoding.engine import Decoding
from scicot.records import Question
from scicot.stages import Stage

_MOST = 128  # maximum tokens of a rationale


def measure(run: Path, questions: Path) -> None:
    """Print the table for `run`, made by train-rationale, and a file of questions."""
    import torch

    from scicot.decoding.native_engine import NativeEngine

    model, tokenizer, rationale_inputs = inputs_of(run, questions)
    engine = NativeEngine(model.eval(), torch.float32, batch_size=256)
    texts = [
        text
        for (text,) in engine.generate(
            rationale_inputs, [[None]] * len(rationale_inputs), Decoding(_MOST)
        )
    ]
    lengths = sorted(map(len, texts))
    quantiles = ", ".join(f"{lengths[int(share * len(lengths))]}" for share in (0.1, 0.5, 0.9))
    print(f"  tokens of a rationale: {quantiles} at the 10th, 50th and 90th percentile", flush=True)
    answer_inputs, mean_length = (
        with_rationales(rationale_inputs, texts),
        sum(lengths) / len(lengths),
    )
    compare(model, tokenizer, rationale_inputs, answer_inputs, mean_length, _MOST)


def inputs_of(run: Path, questions: Path) -> tuple[Any, Any, Inputs]:
    """Return the model and the tokenizer of a run of train-rationale, and the token ids of the
    stage 1 inputs for the questions."""
    from scicot.models.pretrained import load_pretrained
    from scicot.models.prompt_format import Seq2Seq
    from scicot.models.truncation import encode_inputs

    if not (run.is_dir() and questions.is_file()):
        sys.exit(f"{run} and {questions} are not there; make quickstart makes them")
    model, tokenizer = load_pretrained(str(run))
    question_rows = [Question.from_row(json.loads(line)) for line in questions.open()]
    inputs = [stages.rationale_input(question, Stage.RATIONALE) for question in question_rows]
    form = Seq2Seq(tokenizer, frozenset({1}))
    return model, tokenizer, encode_inputs(inputs, form, 512, Counter())
