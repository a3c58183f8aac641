"""Compare the torch engine in fp32 with transformers: greedy tokens of `generate` and scores, on
500 questions, with T5's tokenizer and a model of flan-t5-small's shape."""

from __future__ import annotations

from benchmarks.predicting.material import CHOICES, asked, behind, questions
from benchmarks.training.material import flan_t5_small

_WRITTEN = 48  # tokens at most
_LOUDER = 1.6  # weights, so that texts of random weights differ from one another


def measure() -> None:
    """Print how many texts differ, and by how much scores do."""
    import torch

    from scicot.decoding.engine import Decoding
    from scicot.decoding.native_engine import NativeEngine
    from scicot.decoding.transformers_engine import TransformersEngine

    torch.manual_seed(0)
    model = flan_t5_small().eval()
    for weight in model.parameters():
        weight.data.mul_(_LOUDER if weight.dim() > 1 else 1)
    # The same tokens, and log p of some nats, as trained students have, not of hundreds.
    model.lm_head.weight.data.mul_(model.config.d_model**-0.5 / _LOUDER)
    model = model.to("cuda" if torch.cuda.is_available() else "cpu")
    first = asked(questions())
    ours = NativeEngine(model, torch.float32, batch_size=256)
    theirs = TransformersEngine(model, batch_size=64)
    greedy: list[list[int | None]] = [[None]] * len(first)
    texts, wanted = (one.generate(first, greedy, Decoding(_WRITTEN)) for one in (ours, theirs))
    distinct = len({tuple(text) for (text,) in wanted})
    differ = sum(one != other for one, other in zip(texts, wanted, strict=True))
    second = behind(first, [text for (text,) in wanted])
    scores, known = (one.score(second, CHOICES * len(second)) for one in (ours, theirs))
    apart = max(
        abs(a - b)
        for one, other in zip(scores, known, strict=True)
        for own, others in zip(one, other, strict=True)
        for a, b in zip(own, others, strict=True)
    )
    print(f"  {len(first)} texts, {distinct} of them distinct: {differ} differ")
    print(f"  {4 * len(first)} choices scored: {apart:.1e} nats apart at most")
