"""Prompts and targets as token ids: two kinds of tokenizers, plain and chat."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from causal_models import tiny

from scicot import ScicotError
from scicot.models.prompt_format import Chat, Plain, make_format
from scicot.models.truncation import encode_inputs
from scicot.stages import Input

TEXTS = (
    "Which of these conducts electricity? wood copper iron is a metal and conducts it well.",
    "Question: Rationale: Answer: (A) (B) (C) Context: it is so, and then: it isn't.",
    "é ü ≤ H2O 3.5 % copper, iron; they/them",
)
ASKED = Input(
    "Which conducts?\nTwo lines",
    ("(A) wood", "(B) copper"),
    "It is a metal.",
    "A lab.",
    asks="answer",
)
CHAT = (
    "{{ bos_token }}{% for m in messages %}<turn>{{ m['role'] }}\n{{ m['content'] }}<end>\n"
    "{% endfor %}{% if add_generation_prompt %}<turn>assistant\n{% endif %}"
)


def byte_level() -> Any:
    """Train a tokenizer like that of GPT-2, Llama 3 or Qwen, which splits a text into words before
    it merges characters."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<pad>", "</s>", "<s>", "<turn>", "<end>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(TEXTS, trainer)
    return bpe


def sentence_piece(prefix: bool) -> Any:
    """Train a tokenizer like that of Llama 2 (`prefix`: each text begins with a blank) or of Gemma
    (no `prefix`). Blanks become "▁", texts are not split before merging, and encodings begin with
    <s>."""
    from tokenizers import (
        AddedToken,
        Tokenizer,
        decoders,
        models,
        normalizers,
        processors,
        trainers,
    )

    bpe = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    replaced = normalizers.Replace(" ", "▁")
    bpe.normalizer = (
        normalizers.Sequence([normalizers.Prepend("▁"), replaced]) if prefix else replaced
    )
    bpe.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse()])
    names = ["<pad>", "</s>", "<s>", "<turn>", "<end>", "<unk>"]
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=[*names, *(f"<0x{n:02X}>" for n in range(256))],
        show_progress=False,
    )
    words = [f"▁{word}" for text in TEXTS for word in text.split()]
    bpe.train_from_iterator([*words, "\n", *TEXTS], trainer)
    bpe.add_special_tokens([AddedToken(name, special=True) for name in names])
    start = bpe.token_to_id("<s>")
    bpe.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", start)]
    )
    return bpe


def tokenizer_of(bpe: Any, template: str | None = None) -> Any:
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=bpe, pad_token="<pad>", eos_token="</s>", bos_token="<s>"
    )
    tokenizer.chat_template = template
    return tokenizer


KINDS = [byte_level, lambda: sentence_piece(True), lambda: sentence_piece(False)]
NAMES = ["byte-level", "sentencepiece, prefix", "sentencepiece"]


@pytest.mark.parametrize("bpe", KINDS, ids=NAMES)
@pytest.mark.parametrize("asks", ["answer", "rationale"])
def test_prompt_and_target_are_the_ids_of_the_whole_text(bpe: Any, asks: str) -> None:
    """Prompt and target, encoded separately, together equal the encoding of the whole text."""
    tokenizer = tokenizer_of(bpe())
    form = Plain(tokenizer, frozenset({1}))
    text = Input("Which conducts?", ("(A) wood", "(B) copper"), asks=asks)
    prompt = form.prompt(text)
    assert prompt.endswith("Answer:" if asks == "answer" else "Rationale:")
    (source,) = form.sources([text])
    for written in ("A", "copper", "it conducts well, and is a metal.", "é ≤ 3", "(B)", "a  b"):
        (target,) = form.targets([written], asks)
        assert [*source, *target[:-1]] == tokenizer(f"{prompt} {written}")["input_ids"]
        assert target[-1] == 1
    assert form.targets([""], asks) == [[1]]
    assert form.decode(form.targets(["copper", "é ≤ 3"], asks)) == ["copper", "é ≤ 3"]


def test_a_plain_prompt_is_readable_lines() -> None:
    form = Plain(tokenizer_of(byte_level()), frozenset({1}))
    assert form.prompt(ASKED) == (
        "Context: A lab.\nQuestion: Which conducts? Two lines\n(A) wood\n(B) copper\n"
        "Rationale: It is a metal.\nAnswer:"
    )


@pytest.mark.parametrize("bpe", KINDS, ids=NAMES)
def test_a_chat_prompt_is_a_turn_of_the_template(bpe: Any) -> None:
    tokenizer = tokenizer_of(bpe(), CHAT)
    form = Chat(tokenizer, frozenset({1}))
    end = tokenizer.convert_tokens_to_ids("<end>")
    assert form.ends == {1, end}
    prompt = form.prompt(ASKED)
    assert prompt.startswith("<s><turn>user\nContext: A lab.\nQuestion: ")
    assert prompt.endswith("Give the answer.<end>\n<turn>assistant\n")
    (source,) = form.sources([ASKED])
    assert source.count(2) == 1, "one <s>, the template's own"
    for written in ("B", "copper conducts"):
        (target,) = form.targets([written], "answer")
        whole = tokenizer(prompt + written, add_special_tokens=False)["input_ids"]
        assert [*source, *target] == [*whole, end]


def test_auto_takes_chat_where_a_turns_end_is_the_models_end() -> None:
    model = tiny("llama")
    chat = tokenizer_of(byte_level(), CHAT)
    assert make_format("auto", model, tokenizer_of(byte_level())).name == "plain"
    assert make_format("auto", model, chat).name == "plain", "a base model with a template"
    model.generation_config.eos_token_id = [1, chat.convert_tokens_to_ids("<end>")]
    assert make_format("auto", model, chat).name == "chat"
    assert make_format("plain", model, chat).name == "plain"
    with pytest.raises(ScicotError, match="has no chat template; use --prompt-format plain"):
        make_format("chat", model, tokenizer_of(byte_level()))
    with pytest.raises(ScicotError, match="--prompt-format seq2seq: not supported for causal"):
        make_format("seq2seq", model, chat)


def test_a_template_that_fails_is_one_line() -> None:
    broken = tokenizer_of(byte_level(), "{{ raise_exception('no such role') }}")
    with pytest.raises(ScicotError, match="its chat template fails") as raised:
        make_format("chat", tiny("llama"), broken)
    assert "\n" not in str(raised.value)


def test_what_is_too_long_loses_words_never_choices() -> None:
    form = Plain(tokenizer_of(byte_level()), frozenset({1}))
    (whole,) = form.sources([ASKED])
    cuts: Counter[str] = Counter()
    (short,) = encode_inputs([ASKED], form, len(whole) - 8, cuts)
    assert len(short) <= len(whole) - 8
    assert cuts["context"] == 1
    assert "(A) wood\n(B) copper" in form.decode([short])[0]


def test_a_tokenizer_without_an_end_token_is_refused() -> None:
    from transformers import PreTrainedTokenizerFast

    bare = PreTrainedTokenizerFast(tokenizer_object=byte_level())  # type: ignore[no-untyped-call]
    with pytest.raises(ScicotError, match="its tokenizer has no end token"):
        Plain(bare, frozenset())


def saved(folder: Path, config: dict[str, Any]) -> str:
    import json

    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"model_type": "bert", "architectures": ["BertForMaskedLM"]}, "an encoder-only model"),
        (
            {"model_type": "bert", "architectures": ["BertForSequenceClassification"]},
            "a classifier",
        ),
        ({"model_type": "vit", "architectures": ["ViTForImageClassification"]}, "cannot write"),
        (
            {"model_type": "llama", "architectures": ["LlamaForCausalLM"],
             "quantization_config": {"quant_method": "gptq", "bits": 4}},
            r"has quantised weights \(gptq\)",
        ),
        (
            {"model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"],
             "vision_config": {}, "text_config": {}},
            "is a multimodal model",
        ),
        ({"model_type": "nosuch"}, "cannot be loaded"),
    ],
)  # fmt: skip
def test_a_model_that_can_be_no_student_is_told_why(
    config: dict[str, Any], said: str, tmp_path: Path
) -> None:
    from scicot.models.pretrained import load_pretrained

    with pytest.raises(ScicotError, match=said) as raised:
        load_pretrained(saved(tmp_path / "m", config))
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 400


def test_a_gguf_file_is_refused(tmp_path: Path) -> None:
    from scicot.models.pretrained import load_pretrained

    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "model-q4.gguf").write_bytes(b"GGUF")
    with pytest.raises(ScicotError, match="q4.gguf is a GGUF file".replace(".", r"\.")):
        load_pretrained(str(tmp_path / "m"))
