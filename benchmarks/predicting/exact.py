"""Compare the torch engine in fp32 with transformers on 500 questions: greedy texts, and scores.

The model is the causal model in the given directory. Without a directory, it has flan-t5-small's
shape, random weights and T5's tokenizer. For each text of a causal model that differs, also print
by how many nats transformers prefers its own token, at the first position that differs.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.predicting.material import CHOICES, Inputs, encoded, questions, with_rationales
from benchmarks.training.material import flan_t5_small

_GENERATED = 48  # maximum number of tokens to generate
_WEIGHT_SCALE = 1.6  # scales weights up, since otherwise texts of random weights are all similar


def measure(directory: Path | None = None) -> None:
    """Print the number of texts that differ, and the largest difference of scores."""
    import torch

    from scicot.decoding.engine import Decoding
    from scicot.decoding.native_engine import NativeEngine
    from scicot.decoding.transformers_engine import TransformersEngine

    model, rationale_inputs, targets = _causal(directory) if directory else _t5()
    model = model.to("cuda" if torch.cuda.is_available() else "cpu")
    native = NativeEngine(model, torch.float32, batch_size=256)
    reference = TransformersEngine(model, batch_size=64 if directory is None else 16)
    greedy: list[list[int | None]] = [[None]] * len(rationale_inputs)
    texts, expected = (
        engine.generate(rationale_inputs, greedy, Decoding(_GENERATED))
        for engine in (native, reference)
    )
    distinct = len({tuple(text) for (text,) in expected})
    differ = [
        (source, text, expected_text)
        for source, (text,), (expected_text,) in zip(rationale_inputs, texts, expected, strict=True)
        if text != expected_text
    ]
    print(
        f"  {len(rationale_inputs)} texts, {distinct} of them distinct: {len(differ)} differ",
        flush=True,
    )
    for source, text, expected_text in differ if directory else []:
        print(
            f"    preferred by {_preferred(reference, source, text, expected_text):.1e} nats",
            flush=True,
        )
    answer_inputs = with_rationales(rationale_inputs, [text for (text,) in expected])
    scores, expected_scores = (
        engine.score(answer_inputs, targets) for engine in (native, reference)
    )
    difference = max(
        abs(a - b)
        for our_scores_of_source, their_scores_of_source in zip(
            scores, expected_scores, strict=True
        )
        for our_scores, their_scores in zip(
            our_scores_of_source, their_scores_of_source, strict=True
        )
        for a, b in zip(our_scores, their_scores, strict=True)
    )
    choices = sum(map(len, targets))
    print(f"  {choices} choices scored: {difference:.1e} nats apart at most")


def _t5() -> tuple[Any, Inputs, Any]:
    import torch

    torch.manual_seed(0)
    model = flan_t5_small().eval()
    for weight in model.parameters():
        weight.data.mul_(_WEIGHT_SCALE if weight.dim() > 1 else 1)
    # The same tokens, but log p of a few nats, as in trained students, instead of hundreds.
    model.lm_head.weight.data.mul_(model.config.d_model**-0.5 / _WEIGHT_SCALE)
    rationale_inputs = encoded(questions())
    return model, rationale_inputs, CHOICES * len(rationale_inputs)


def _causal(directory: Path) -> tuple[Any, Inputs, Any]:
    """Return the model in `directory`, its stage 1 inputs, and the choices' texts as targets."""
    from scicot import stages
    from scicot.models.pretrained import load_pretrained
    from scicot.models.prompt_format import make_format
    from scicot.models.truncation import encode_inputs
    from scicot.stages import Stage

    model, tokenizer = load_pretrained(str(directory))
    form = make_format("auto", model, tokenizer)
    read_questions = questions()
    inputs = [stages.rationale_input(question, Stage.RATIONALE) for question in read_questions]
    rationale_inputs = encode_inputs(inputs, form, 512, Counter())
    targets = [
        form.targets([choice.text for choice in question.choices], "answer")
        for question in read_questions
    ]
    return model.eval(), rationale_inputs, targets


def _preferred(engine: Any, source: list[int], text: list[int], expected: list[int]) -> float:
    """Return log p(token of `expected`) - log p(token of `text`), computed by `engine`, in nats, at
    the first position where these texts differ; nan if one of them ends there."""
    same = next(
        (n for n, (a, b) in enumerate(zip(text, expected, strict=False)) if a != b),
        min(len(text), len(expected)),
    )
    tokens = [[text[same]] for text in (text, expected) if same < len(text)]
    if len(tokens) < 2:
        return float("nan")  # one of the two texts ends there
    ((log_p_text, log_p_expected),) = engine.score([source + expected[:same]], [tokens])
    return float(log_p_expected[0] - log_p_text[0])
