"""Compare the torch engine in fp32 with transformers: greedy tokens of `generate` and scores, on
500 questions.

The model is the causal one in the given directory, by default one of flan-t5-small's shape with
T5's tokenizer. If texts of a causal model differ, print the difference in log-probability of the
two first differing tokens, in nats.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.predicting.material import CHOICES, Inputs, asked, behind, questions
from benchmarks.training.material import flan_t5_small

_WRITTEN = 48  # maximum number of tokens to generate
_LOUDER = 1.6  # scales weights up, since otherwise texts of random weights are all similar


def measure(directory: Path | None = None) -> None:
    """Print the number of texts that differ, and the largest difference of scores."""
    import torch

    from scicot.decoding.engine import Decoding
    from scicot.decoding.native_engine import NativeEngine
    from scicot.decoding.transformers_engine import TransformersEngine

    model, first, targets = _causal(directory) if directory else _t5()
    model = model.to("cuda" if torch.cuda.is_available() else "cpu")
    ours = NativeEngine(model, torch.float32, batch_size=256)
    theirs = TransformersEngine(model, batch_size=64 if directory is None else 16)
    greedy: list[list[int | None]] = [[None]] * len(first)
    texts, wanted = (one.generate(first, greedy, Decoding(_WRITTEN)) for one in (ours, theirs))
    distinct = len({tuple(text) for (text,) in wanted})
    differ = [
        (source, own, other)
        for source, (own,), (other,) in zip(first, texts, wanted, strict=True)
        if own != other
    ]
    print(f"  {len(first)} texts, {distinct} of them distinct: {len(differ)} differ", flush=True)
    for source, own, other in differ if directory else []:
        print(f"    preferred by {_preferred(theirs, source, own, other):.1e} nats", flush=True)
    second = behind(first, [text for (text,) in wanted])
    scores, known = (one.score(second, targets) for one in (ours, theirs))
    apart = max(
        abs(a - b)
        for one, other in zip(scores, known, strict=True)
        for own, others in zip(one, other, strict=True)
        for a, b in zip(own, others, strict=True)
    )
    choices = sum(map(len, targets))
    print(f"  {choices} choices scored: {apart:.1e} nats apart at most")


def _t5() -> tuple[Any, Inputs, Any]:
    import torch

    torch.manual_seed(0)
    model = flan_t5_small().eval()
    for weight in model.parameters():
        weight.data.mul_(_LOUDER if weight.dim() > 1 else 1)
    # The same tokens, but log p of a few nats, as in trained students, instead of hundreds.
    model.lm_head.weight.data.mul_(model.config.d_model**-0.5 / _LOUDER)
    first = asked(questions())
    return model, first, CHOICES * len(first)


def _causal(directory: Path) -> tuple[Any, Inputs, Any]:
    """Return a model, its inputs of stage 1, and the texts of each question's choices as
    targets."""
    from scicot import stages
    from scicot.models.pretrained import load_pretrained
    from scicot.models.prompt_format import encode_inputs, make_format
    from scicot.stages import Stage

    model, tokenizer = load_pretrained(str(directory))
    form = make_format("auto", model, tokenizer)
    read = questions()
    inputs = [stages.rationale_input(question, Stage.RATIONALE) for question in read]
    first = encode_inputs(inputs, form, 512, Counter())
    targets = [
        form.targets([choice.text for choice in question.choices], "answer") for question in read
    ]
    return model.eval(), first, targets


def _preferred(engine: Any, source: list[int], own: list[int], other: list[int]) -> float:
    """Return log p(token of `other`) - log p(token of `own`), in nats by `engine`, at the first
    position where the two texts differ."""
    same = next(
        (n for n, (a, b) in enumerate(zip(own, other, strict=False)) if a != b),
        min(len(own), len(other)),
    )
    tokens = [[text[same]] for text in (own, other) if same < len(text)]
    if len(tokens) < 2:
        return float("nan")  # one of the two texts ends there
    ((mine, theirs),) = engine.score([source + other[:same]], [tokens])
    return float(theirs[0] - mine[0])
