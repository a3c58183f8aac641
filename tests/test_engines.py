"""Engines give the same results as transformers' `generate` and forward pass."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import SHARED, needs_shared_data, read_rows

from scicot import ScicotError
from scicot.decoding.engine import Decoding, Ids
from scicot.decoding.engine_spec import EngineRequest
from scicot.students.loading import choose_engine

WORDS = 300
SHAPE = {
    "vocab_size": WORDS, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 3,
    "decoder_start_token_id": 0, "dropout_rate": 0.0,
}  # fmt: skip
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "t5": ("T5", {}),
    "flan": ("T5", {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}),
    "mt5": ("MT5", {}),
    "umt5": ("UMT5", {}),
}


def model(kind: str) -> Any:
    """Make a T5 with random weights, large enough to give different texts."""
    import torch
    import transformers

    name, kind_config = KINDS[kind]
    config = getattr(transformers, f"{name}Config")(**{**SHAPE, **kind_config})
    torch.manual_seed(1)
    made = getattr(transformers, f"{name}ForConditionalGeneration")(config).eval()
    for weight in made.parameters():
        weight.data.mul_(2.5 if weight.dim() > 1 else 1)
    return made


def sources(count: int = 40) -> list[Ids]:
    dice = random.Random(0)
    return [
        [*(dice.randrange(3, WORDS) for _ in range(dice.randrange(1, 30))), 1] for _ in range(count)
    ]


def targets(count: int = 40) -> list[list[Ids]]:
    """Make targets: some share a prefix, one is a prefix of another, and one occurs twice."""
    dice = random.Random(1)
    drawn = [
        [[*(dice.randrange(3, WORDS) for _ in range(dice.randrange(1, 6))), 1] for _ in range(3)]
        for _ in range(count)
    ]
    return [[*targets_of_source, [5, 6, 1], [5, 1], [5, 6, 1]] for targets_of_source in drawn]


def values(scores: Sequence[Sequence[Sequence[float]]]) -> list[float]:
    return [value for scores_of_source in scores for log_p in scores_of_source for value in log_p]


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_texts_and_scores_as_transformers(
    kind: str, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    if compiled:
        pytest.importorskip("numba")
    monkeypatch.setattr("scicot.models.native.kernels.HERE", compiled)

    from scicot.decoding.native_engine import NativeEngine
    from scicot.decoding.transformers_engine import TransformersEngine

    network = model(kind)
    reference = TransformersEngine(network, batch_size=8)
    draws = [[None] if n % 3 else [None, 7 * n, 9] for n in range(40)]
    decoding = Decoding(70, temperature=0.7, top_p=0.9)
    texts = reference.generate(sources(), draws, decoding)
    assert len({tuple(text) for texts_of_source in texts for text in texts_of_source}) > 40
    scores = values(reference.score(sources(), targets()))
    for size, tokens in ((1, None), (5, 300), (64, None)):
        engine = NativeEngine(network, torch.float32, batch_size=size, batch_tokens=tokens)
        assert engine.generate(sources(), draws, decoding) == texts
        assert values(engine.score(sources(), targets())) == pytest.approx(scores, abs=2e-3)
    assert engine.generate([], [], decoding) == engine.score([], []) == []


@pytest.mark.parametrize("kind", ["flan", "mt5"])
def test_drafts_change_no_text(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from scicot.decoding.native_engine import NativeEngine
    from scicot.decoding.prompt_lookup import PromptLookup

    reference = model(kind)
    asked = sources(12)
    endless = NativeEngine(reference, torch.float32, batch_size=16)
    for (text,) in endless.generate(asked, [[None]] * 12, Decoding(70)):
        reference.config.eos_token_id = text[50]
    engine = NativeEngine(reference, torch.float32, batch_size=16)
    together = engine.generate(asked, [[None]] * 12, Decoding(70))
    assert max(len(text) for (text,) in together) == 70
    assert min(len(text) for (text,) in together) < 70
    dice, drafted = random.Random(0), []
    for source, (text,) in zip(asked, together, strict=True):

        def next_(self: PromptLookup, written: Ids, most: int, text: Ids = text) -> Ids:
            assert written == text[: len(written)]
            draft = text[len(written) : len(written) + dice.randrange(7)]
            if draft and dice.random() < 0.5:  # wrong from a random position on
                draft[dice.randrange(len(draft)) :] = [3, 4]
            drafted.append(len(draft[:most]))
            return draft[:most]

        monkeypatch.setattr(PromptLookup, "next", next_)
        assert engine.generate([source], [[None]], Decoding(70)) == [[text]]
    assert len(drafted) < sum(len(text) for (text,) in together) / 1.5


def test_what_is_drafted() -> None:
    from scicot.decoding.prompt_lookup import PromptLookup

    drafts = PromptLookup([5, 6, 7, 8, 9, 10, 11, 12, 5, 6, 9])
    assert drafts.next([5], 9) == drafts.next([8, 7], 9) == drafts.next([6, 9], 9) == []
    assert drafts.next([5, 6], 9) == [9]  # their last occurrence counts
    assert drafts.next([2, 6, 7], 9) == [8, 9, 10, 11, 12]
    assert drafts.next([2, 6, 7], 1) == [8]
    assert drafts.next([2, 6, 7], 0) == []
    assert drafts.judge([8, 9, 10], [8, 9, 4, 3]) == [8, 9, 4]
    assert drafts.judge([8], [8, 2]) == [8, 2]
    for _ in range(5):
        assert drafts.judge([8, 9, 10], [4, 4, 4, 4]) == [4]
    assert drafts.next([2, 6, 7], 9) == []  # too few drafted tokens were accepted


@needs_shared_data
def test_the_same_tokens_for_500_questions() -> None:
    import torch
    import transformers

    from scicot.decoding.native_engine import NativeEngine
    from scicot.decoding.transformers_engine import TransformersEngine

    tokenizer = transformers.T5Tokenizer.from_pretrained(str(SHARED / "t5_tokenizer"))
    rows = read_rows(SHARED / "entailmentbank.train.jsonl")[:500]
    texts = [
        " ".join([row["question"], *(choice["text"] for choice in row["choices"])]) for row in rows
    ]
    asked = tokenizer(texts)["input_ids"]
    assert max(map(len, asked)) > 3 * min(map(len, asked))
    shape = {**SHAPE, **KINDS["flan"][1], "vocab_size": 32128, "d_model": 64, "d_kv": 16}
    torch.manual_seed(0)
    network = transformers.T5ForConditionalGeneration(transformers.T5Config(**shape))
    network.eval()  # type: ignore[no-untyped-call]
    for weight in network.parameters():
        weight.data.mul_(2 if weight.dim() > 1 else 1)
    reference = TransformersEngine(network, batch_size=100)
    engine = NativeEngine(network, torch.float32, batch_size=256)
    draws: list[list[int | None]] = [[None]] * 500
    wanted = reference.generate(asked, draws, Decoding(24))
    assert len({tuple(text) for (text,) in wanted}) > 250
    assert engine.generate(asked, draws, Decoding(24)) == wanted
    letters = [[[letter, 1] for letter in (71, 272, 205, 309)]] * 500
    scores = values(reference.score(asked, letters))
    assert values(engine.score(asked, letters)) == pytest.approx(scores, abs=1e-4)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(("half", "apart"), [("bfloat16", 0.05), ("int8", 0.15)])
@pytest.mark.parametrize("kind", KINDS)
def test_less_precision_scores_nearly_alike(
    kind: str, half: str, apart: float, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    if compiled:
        pytest.importorskip("numba")
    monkeypatch.setattr("scicot.models.native.kernels.HERE", compiled)

    from scicot.decoding.native_engine import NativeEngine

    reference = model(kind)
    for weight in reference.parameters():
        weight.data.mul_(0.4 if weight.dim() > 1 else 1)
    exact, rounded = (
        NativeEngine(reference, kind, batch_size=16)
        for kind in (torch.float32, getattr(torch, half))
    )
    wanted, found = (values(engine.score(sources(), targets())) for engine in (exact, rounded))
    assert found != wanted
    differences = [
        abs(score - wanted_score) for score, wanted_score in zip(found, wanted, strict=True)
    ]
    assert sum(differences) / len(differences) < apart
    assert len(rounded.generate(sources(), [[None]] * 40, Decoding(9))) == 40


@pytest.mark.parametrize("words", [100, 128, 1000])
def test_fp32_decides_which_token_is_the_likeliest(
    words: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from scicot.models.native import lm_head
    from scicot.models.native.lm_head import LMHead

    torch.manual_seed(0)
    weight, states = torch.randn(words, 32), torch.randn(2000, 32)
    wanted = (states @ weight.T).argmax(-1)
    for kind in (torch.float32, torch.bfloat16, torch.int8):
        assert torch.equal(LMHead(weight, kind, torch.ones(32)).likeliest(states), wanted)
        head = LMHead(weight, kind, None)  # no copy is made, so the last tokens do not fill a block
        assert head.logits(states[:1]).shape == (1, words)
        assert torch.equal(head.likeliest(states), wanted)
        monkeypatch.setattr(lm_head, "_PART", 256)  # so that the vocabulary has several parts
        assert torch.equal(LMHead(weight, kind, None).likeliest(states), wanted)
        monkeypatch.undo()


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_of_long_inputs_change_no_score(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from scicot.decoding.native_engine import NativeEngine
    from scicot.models.native import attention

    engine = NativeEngine(model(kind), torch.float32, batch_size=8)
    whole = values(engine.score(sources(), targets()))
    texts = engine.generate(sources(), [[None]] * 40, Decoding(10))
    monkeypatch.setattr(attention, "_MAX_BIAS", 0)
    for block in (1, 500, 2000):  # numbers in a bias: 1, about 2 and all queries of a short row
        monkeypatch.setattr(attention, "_BLOCK_BIAS", block)
        assert values(engine.score(sources(), targets())) == pytest.approx(whole, abs=2e-3)
        assert engine.generate(sources(), [[None]] * 40, Decoding(10)) == texts


def test_attention_in_blocks_is_the_same() -> None:
    import torch

    from scicot.models.native.attention import attended, attended_in_blocks

    q, keys, values_of_keys = torch.randn(3, 2, 4, 50, 8)
    bias = torch.randn(2, 4, 50, 50)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("scicot.models.native.attention._BLOCK_BIAS", 2 * 4 * 50 * 7)
        blocks = attended_in_blocks(q, keys, values_of_keys, lambda a, b: bias[:, :, a:b], 4)
    assert torch.allclose(blocks, attended(q, keys, values_of_keys, bias), rtol=0, atol=1e-6)


def test_a_very_long_input_needs_no_attention_matrix_in_memory() -> None:
    """The whole matrix of 5,000 tokens would have 75 million numbers."""
    import torch

    from scicot.models.native import attention
    from scicot.models.native.t5 import Encoder

    biases: list[int] = []
    attend = attention.attended

    def watched(q: Any, keys: Any, rest: Any, bias: Any) -> Any:
        biases.append(bias.numel())
        return attend(q, keys, rest, bias)

    with pytest.MonkeyPatch.context() as patched, torch.inference_mode():
        patched.setattr(attention, "attended", watched)
        ids = torch.randint(3, WORDS, (1, 5_000))
        Encoder(model("t5"), torch.float32)(ids, torch.tensor([5_000]))
    assert max(biases) <= attention._BLOCK_BIAS


def test_scoring_goes_on_with_less_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from scicot.decoding.native_engine import NativeEngine
    from scicot.models.native.lm_head import LMHead

    engine = NativeEngine(model("t5"), torch.float32, batch_size=8)
    wanted = values(engine.score(sources(), targets()))
    plain = LMHead.logits

    def small(self: Any, states: Any) -> Any:
        if len(states) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return plain(self, states)

    monkeypatch.setattr(LMHead, "logits", small)
    assert values(engine.score(sources(), targets())) == pytest.approx(wanted, abs=2e-3)


@pytest.mark.parametrize("text", ["{}", "[]", "{"])
def test_a_config_that_tells_of_no_model(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ScicotError, match=r"cannot be loaded|has no model_type"):
        choose_engine(tmp_path, EngineRequest(device="cpu"), writes=True)


def converted(tmp_path: Path, kind: str) -> tuple[Any, Any, Path]:
    from transformers import T5Tokenizer

    reference = model(kind)
    reference.resize_token_embeddings(32_128)
    reference.save_pretrained(tmp_path)
    reference.name_or_path = str(tmp_path)
    return reference, T5Tokenizer.from_pretrained(SHARED / "t5_tokenizer"), tmp_path


@needs_shared_data
@pytest.mark.parametrize("kind", ["t5", "flan"])
def test_ctranslate2_says_and_scores_the_same(kind: str, tmp_path: Path) -> None:
    import torch

    pytest.importorskip("ctranslate2")
    from scicot.decoding.conversion import converted as convert
    from scicot.decoding.ctranslate2_engine import CTranslate2Engine
    from scicot.decoding.native_engine import NativeEngine

    reference, tokenizer, run = converted(tmp_path, kind)
    exact = NativeEngine(reference, torch.float32, batch_size=16)
    folder = convert(reference, tokenizer, run)
    assert convert(reference, tokenizer, run) == folder
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    engine = CTranslate2Engine(folder, 1, precision="fp32", batch_tokens=None)
    decoding, draws = Decoding(20), [[None]] * 40
    assert engine.generate(sources(), draws, decoding) == exact.generate(sources(), draws, decoding)
    found, wanted = (values(scorer.score(sources(), targets())) for scorer in (engine, exact))
    assert found == pytest.approx(wanted, abs=1e-3, rel=1e-4)


@needs_shared_data
def test_a_conversion_that_scores_otherwise_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test scales the outputs of flan-t5, as CTranslate2's own converter wrongly does."""
    pytest.importorskip("ctranslate2")
    from scicot.decoding import conversion

    reference, tokenizer, run = converted(tmp_path, "flan")
    monkeypatch.setattr(conversion, "_scale", lambda config: config.d_model**-0.5)
    with pytest.raises(
        ScicotError, match=r"gives different scores \(by .* nats\); use --engine torch"
    ):
        conversion.converted(reference, tokenizer, run)
    assert not list((run / "ctranslate2").iterdir())
