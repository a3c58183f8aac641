"""Build students with random weights: `scratch:SIZE` is a T5, `scratch:SIZE-causal` a Llama. Their
tokenizer is trained on their training rows.

These students need no download, so examples and tests use them. They are also baselines without
pretraining.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from scicot.errors import UsageError

PREFIX = "scratch:"

# Sizes by name: arguments of T5Config, and the largest vocabulary. The number of weights (in the
# comment) assumes this vocabulary; with few texts the vocabulary is smaller.
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {  # 0.5 M
        "d_model": 64,
        "d_kv": 16,
        "d_ff": 256,
        "num_layers": 2,
        "num_decoder_layers": 2,
        "num_heads": 4,
        "dropout_rate": 0.0,  # the small synthetic data sets are underfitted, not overfitted
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

# The same sizes as decoder-only models: arguments of LlamaConfig.
_CAUSAL_SIZES: dict[str, dict[str, Any]] = {
    "tiny-causal": {  # 0.8 M
        "hidden_size": 96,
        "intermediate_size": 256,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "vocabulary": 4096,
    },
    "small-causal": {  # 3.2 M
        "hidden_size": 160,
        "intermediate_size": 448,
        "num_hidden_layers": 6,
        "num_attention_heads": 4,
        "vocabulary": 8192,
    },
    "base-causal": {  # 32 M
        "hidden_size": 448,
        "intermediate_size": 1216,
        "num_hidden_layers": 10,
        "num_attention_heads": 7,
        "vocabulary": 16384,
    },
}
ALL_SIZES = (*SIZES, *_CAUSAL_SIZES)

# T5 knows the order of tokens only from its position biases, which transformers initialises near 0
# (standard deviation d_model ** -0.5). Adam changes a weight by about the learning rate per step,
# so a fresh model ignores order for long: an answer student stayed at chance for 900 steps. With
# biases of about 2 it distinguishes positions from the first step on, and reached 99 % after 900
# steps.
_POSITION_GAIN = 16.0

_PAD, _END, _UNKNOWN = "<pad>", "</s>", "<unk>"


def build_scratch(
    spec: str, texts: Iterable[str], *, weights: int | None = None
) -> tuple[Any, Any]:
    """Return (model, tokenizer) of the student "scratch:SIZE". The model has random weights, and
    the tokenizer is trained on `texts`.

    If `weights` is given, the width is chosen so that the model has about that many weights. The
    random numbers come from torch's global generator, so seed it first. Raises UsageError for an
    unknown size.
    """
    size = size_of(spec)
    shape, build = dict({**SIZES, **_CAUSAL_SIZES}[size]), _llama if size in _CAUSAL_SIZES else _t5
    tokenizer = train_tokenizer(
        texts, shape.pop("vocabulary"), ends_every_text=size not in _CAUSAL_SIZES
    )
    if weights is not None:
        shape = _as_large_as(weights, shape, tokenizer, build)
    return build(shape, tokenizer), tokenizer


def size_of(spec: str) -> str:
    """Return the SIZE in "scratch:SIZE". Raises UsageError if it is not one of ALL_SIZES."""
    size = spec.removeprefix(PREFIX)
    if size not in ALL_SIZES:
        raise UsageError(f"--student {spec}: no such size; choose one of {', '.join(ALL_SIZES)}")
    return size


def is_causal(spec: str) -> bool:
    """Return True if "scratch:SIZE" names a decoder-only student."""
    return spec.removeprefix(PREFIX) in _CAUSAL_SIZES


def _t5(shape: dict[str, Any], tokenizer: Any) -> Any:
    from transformers import T5Config, T5ForConditionalGeneration

    # decoder_start_token_id is accepted by every config, but the stubs of T5Config lack it.
    config = T5Config(  # type: ignore[call-arg]
        **shape,
        vocab_size=len(tokenizer),
        decoder_start_token_id=tokenizer.pad_token_id,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = T5ForConditionalGeneration(config)
    for name, weight in model.named_parameters():
        if "relative_attention_bias" in name:
            weight.data.mul_(_POSITION_GAIN)
    return model


def _llama(shape: dict[str, Any], tokenizer: Any) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    # transformers initialises weights with a standard deviation of 0.02. In a narrow model,
    # attention then starts nearly uniform: on the example world a tiny answer student stayed at
    # chance for 1,000 steps, even with correct rationales. With width ** -0.5 it reached 82 % after
    # 200 steps and 100 % after 800.
    deviation = shape["hidden_size"] ** -0.5
    config = LlamaConfig(
        **shape,
        vocab_size=len(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        tie_word_embeddings=True,
        initializer_range=deviation,
        max_position_embeddings=2048,
    )
    return LlamaForCausalLM(config)


_WIDTH = ("d_model", "hidden_size")
_INNER = ("d_ff", "intermediate_size")
_HEADS = ("num_heads", "num_attention_heads")


def _as_large_as(
    weights: int, shape: dict[str, Any], tokenizer: Any, build: Callable[..., Any]
) -> dict[str, Any]:
    """Return a copy of `shape` (arguments of the model's config) with the width at which
    the model's number of weights is closest to `weights`. The number of layers stays the same."""
    import torch

    width_of, inner, heads = (
        next(name for name in names if name in shape) for names in (_WIDTH, _INNER, _HEADS)
    )

    def at(width: int) -> dict[str, Any]:
        count = max(1, round(width * shape[heads] / shape[width_of]))
        if width_of == "hidden_size":
            while width % (2 * count):  # rotary positions rotate pairs of dimensions of a head
                count -= 1
        factor = shape[inner] / shape[width_of]
        return {**shape, width_of: width, inner: round(factor * width), heads: count}

    def size(width: int) -> int:
        with torch.device("meta"):  # allocates no memory for the weights
            return int(build(at(width), tokenizer).num_parameters())

    width = 8
    while size(width + 4) <= weights:
        width += 4
    return at(min((width, width + 4), key=lambda candidate: abs(size(candidate) - weights)))


def train_tokenizer(texts: Iterable[str], vocabulary: int, *, ends_every_text: bool = True) -> Any:
    """Train a byte-level BPE tokenizer, which can encode any text, with at most `vocabulary`
    tokens. With `ends_every_text`, the tokenizer appends </s> to every text, as T5's tokenizer
    does."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE(unk_token=_UNKNOWN))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=ends_every_text)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=[_PAD, _END, _UNKNOWN],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    if ends_every_text:
        bpe.post_processor = processors.TemplateProcessing(
            single=f"$A {_END}",
            pair=f"$A {_END} $B {_END}",
            special_tokens=[(_END, bpe.token_to_id(_END))],
        )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=bpe, pad_token=_PAD, eos_token=_END, unk_token=_UNKNOWN
    )
