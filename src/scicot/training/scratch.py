"""`scratch:SIZE`: a T5 with fresh weights and a vocabulary learnt from the rows it is to read.

No download, no Hub: what the examples and tests run on, and a baseline that owes nothing to
pretraining.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scicot.errors import ScicotError

PREFIX = "scratch:"

# Sizes by name: what T5Config calls them, and the largest vocabulary. Weights in millions are of
# that vocabulary; fewer texts make a smaller one.
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {  # 0.5 M
        "d_model": 64,
        "d_kv": 16,
        "d_ff": 256,
        "num_layers": 2,
        "num_decoder_layers": 2,
        "num_heads": 4,
        "dropout_rate": 0.0,  # the little worlds it is for are underfitted, not overfitted
        "vocabulary": 4096,
    },
    "small": {  # 2.4 M
        "d_model": 128,
        "d_kv": 32,
        "d_ff": 512,
        "num_layers": 3,
        "num_decoder_layers": 3,
        "num_heads": 4,
        "dropout_rate": 0.1,
        "vocabulary": 8192,
    },
    "base": {  # 31 M
        "d_model": 384,
        "d_kv": 64,
        "d_ff": 1536,
        "num_layers": 6,
        "num_decoder_layers": 6,
        "num_heads": 6,
        "dropout_rate": 0.1,
        "vocabulary": 16384,
    },
}

# T5's only sense of order are its position biases, which transformers draws near 0 (standard
# deviation d_model ** -0.5). Adam moves a weight by about the learning rate a step, so a fresh
# model sees a bag of words for long: an answer student stayed at chance for 900 steps. With biases
# of about 2 it tells places apart from the first step on, and got 99 % right after as many.
_POSITION_GAIN = 16.0

_PAD, _END, _UNKNOWN = "<pad>", "</s>", "<unk>"


def build_scratch(
    spec: str, texts: Iterable[str], *, weights: int | None = None
) -> tuple[Any, Any]:
    """(model, tokenizer) for "scratch:SIZE", the tokenizer trained on `texts`.

    With `weights` the student is as much wider (or narrower) as it takes to have about so many.
    Weights come from torch's global generator: seed it first. ScicotError for an unknown size.
    """
    from transformers import T5ForConditionalGeneration

    size = spec.removeprefix(PREFIX)
    if size not in SIZES:
        raise ScicotError(f"--student {spec}: no such size; there is {', '.join(SIZES)}")
    shape = dict(SIZES[size])
    tokenizer = train_tokenizer(texts, shape.pop("vocabulary"))
    if weights is not None:
        shape = _as_large_as(weights, shape, tokenizer)
    model = T5ForConditionalGeneration(_config(shape, tokenizer))
    for name, weight in model.named_parameters():
        if "relative_attention_bias" in name:
            weight.data.mul_(_POSITION_GAIN)
    return model, tokenizer


def _config(shape: dict[str, Any], tokenizer: Any) -> Any:
    from transformers import T5Config

    # decoder_start_token_id is a setting of every model, which the stubs of T5Config leave out.
    return T5Config(  # type: ignore[call-arg]
        **shape,
        vocab_size=len(tokenizer),
        decoder_start_token_id=tokenizer.pad_token_id,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )


def _as_large_as(weights: int, shape: dict[str, Any], tokenizer: Any) -> dict[str, Any]:
    """The shape at the width that comes nearest to so many weights; the depth stays."""
    import torch
    from transformers import T5ForConditionalGeneration

    def at(width: int) -> dict[str, Any]:
        heads = max(1, round(width * shape["num_heads"] / shape["d_model"]))
        factor = shape["d_ff"] // shape["d_model"]
        return {**shape, "d_model": width, "d_ff": factor * width, "num_heads": heads}

    def size(width: int) -> int:
        with torch.device("meta"):  # shapes without numbers
            return int(T5ForConditionalGeneration(_config(at(width), tokenizer)).num_parameters())

    width = 8
    while size(width + 4) <= weights:
        width += 4
    return at(min((width, width + 4), key=lambda near: abs(size(near) - weights)))


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> Any:
    """A byte-level BPE tokenizer that ends every text with </s>; no text is out of vocabulary."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE(unk_token=_UNKNOWN))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=[_PAD, _END, _UNKNOWN],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    bpe.post_processor = processors.TemplateProcessing(
        single=f"$A {_END}",
        pair=f"$A {_END} $B {_END}",
        special_tokens=[(_END, bpe.token_to_id(_END))],
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=bpe, pad_token=_PAD, eos_token=_END, unk_token=_UNKNOWN
    )
