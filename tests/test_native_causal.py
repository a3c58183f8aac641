"""Causal models with the native engine, compared with the transformers engine."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from causal_models import NATIVE, tiny
from test_causal_engine import rows

from scicot.decoding import native_engine
from scicot.decoding.engine import Decoding, Ids
from scicot.decoding.native_engine import NativeEngine
from scicot.decoding.transformers_engine import TransformersEngine
from scicot.models.native import attention

DRAWS: list[list[int | None]] = [[None] if n % 3 else [None, 7 * n, 9] for n in range(24)]


def sources(count: int = 24, longest: int = 24) -> list[Ids]:
    # the first row has a single token, so its prefix is empty
    return [[5], *rows(count - 1, longest)]


def targets(count: int = 24) -> list[list[Ids]]:
    """Make targets: some share a prefix, one is a prefix of another, one occurs twice, and one is
    empty."""
    drawn = [[[*text, 1] for text in rows(3, 6, seed=n)] for n in range(count)]
    return [[*targets_of_source, [5, 6, 1], [5, 1], [5, 6, 1], [1]] for targets_of_source in drawn]


def values(scores: Sequence[Sequence[Sequence[float]]]) -> list[float]:
    return [value for scores_of_source in scores for log_p in scores_of_source for value in log_p]


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("kind", NATIVE)
def test_the_same_texts_and_scores_as_transformers(
    kind: str, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if compiled:
        pytest.importorskip("numba")
    monkeypatch.setattr("scicot.models.native.kernels.HERE", compiled)
    model, decoding = tiny(kind), Decoding(40, temperature=0.7, top_p=0.9)
    reference = TransformersEngine(model, batch_size=8)
    texts = reference.generate(sources(), DRAWS, decoding)
    assert len({tuple(text) for texts_of_source in texts for text in texts_of_source}) > 20
    scores = values(reference.score(sources(), targets()))
    for slots in ((), ("cpu",)):
        monkeypatch.setattr(native_engine, "_IN_SLOTS", slots)
        for size, tokens in ((1, None), (5, 300), (64, None)):
            engine = NativeEngine(model, torch.float32, batch_size=size, batch_tokens=tokens)
            assert engine.generate(sources(), DRAWS, decoding) == texts
            if not slots:
                assert values(engine.score(sources(), targets())) == pytest.approx(scores, abs=1e-5)
        alone = [engine.generate([source], [[None]], decoding) for source in sources()[:5]]
        assert alone == [[texts_of_source[:1]] for texts_of_source in texts[:5]]
    assert engine.generate([], [], decoding) == engine.score([], []) == []


@pytest.mark.parametrize("window", [None, 6])
@pytest.mark.parametrize("kind", NATIVE)
def test_blocks_of_long_inputs_change_no_score(
    kind: str, window: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = NativeEngine(tiny(kind), torch.float32, batch_size=8)
    for layer in engine._model.decoder._layers:  # type: ignore[attr-defined]
        layer._window = window
    whole = values(engine.score(sources(), targets()))
    monkeypatch.setattr(attention, "_MAX_BIAS", 0)
    for block in (1, 500):  # numbers in a mask: 1, and about 3 queries of a batch
        monkeypatch.setattr(attention, "_BLOCK_BIAS", block)
        assert values(engine.score(sources(), targets())) == pytest.approx(
            whole, rel=1e-6, abs=1e-5
        )


ROPE = {"rope_theta": 10_000.0}
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "linear": ("llama", {"rope_parameters": {**ROPE, "rope_type": "linear", "factor": 4.0}}),
    "llama3": (
        "llama",
        {"rope_parameters": {**ROPE, "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                             "high_freq_factor": 4.0, "original_max_position_embeddings": 32}},
    ),
    "yarn": ("qwen3", {"rope_parameters": {**ROPE, "rope_type": "yarn", "factor": 4.0,
                                           "original_max_position_embeddings": 32}}),
    "biases": ("llama", {"attention_bias": True}),
    "tied": ("qwen2", {"tie_word_embeddings": True}),
    "untied": ("gemma3_text", {"tie_word_embeddings": False}),
    "softcap": ("gemma3_text", {"final_logit_softcapping": 3.0}),
    "windows": ("qwen2", {"use_sliding_window": True, "sliding_window": 6, "max_window_layers": 1}),
    "one for all": ("llama", {"num_key_value_heads": 1}),
    "gelu": ("llama", {"hidden_act": "gelu"}),
}  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS)
def test_settings_of_configs(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, settings = VARIANTS[variant]
    model = tiny(kind, **settings)
    for weight in (
        parameter for name, parameter in model.named_parameters() if name.endswith("bias")
    ):
        torch.nn.init.normal_(weight, std=0.5)
    reference = TransformersEngine(model, batch_size=8)
    decoding = Decoding(24, temperature=0.7, top_p=0.9)
    texts = reference.generate(sources(), DRAWS, decoding)
    scores = values(reference.score(sources(), targets()))
    for slots in ((), ("cpu",)):
        monkeypatch.setattr(native_engine, "_IN_SLOTS", slots)
        engine = NativeEngine(model, torch.float32, batch_size=64)
        assert engine.generate(sources(), DRAWS, decoding) == texts
    assert values(engine.score(sources(), targets())) == pytest.approx(scores, abs=1e-5)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(("precision", "apart"), [("bfloat16", 0.05), ("int8", 0.1)])
@pytest.mark.parametrize("kind", NATIVE)
def test_less_precision_scores_nearly_alike(
    kind: str, precision: str, apart: float, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if compiled:
        pytest.importorskip("numba")
    monkeypatch.setattr("scicot.models.native.kernels.HERE", compiled)
    model = tiny(kind)
    exact, rounded = (
        NativeEngine(model, dtype, batch_size=16)
        for dtype in (torch.float32, getattr(torch, precision))
    )
    wanted, found = (values(engine.score(sources(), targets())) for engine in (exact, rounded))
    assert found != wanted
    differences = [
        abs(score - wanted_score) for score, wanted_score in zip(found, wanted, strict=True)
    ]
    assert sum(differences) / len(differences) < apart
    texts, wanted_texts = (
        engine.generate(sources(), DRAWS, Decoding(9)) for engine in (rounded, exact)
    )
    assert (
        sum(text == wanted_text for text, wanted_text in zip(texts, wanted_texts, strict=True)) > 12
    )
    assert len(rounded.generate(sources()[:1], [[None]], Decoding(9))[0][0]) <= 9


def test_several_tokens_may_end_a_text() -> None:
    model, asked = tiny("llama"), [[5, 6, 7]]
    (long,) = NativeEngine(model, torch.float32, batch_size=4).generate(
        asked, [[None]], Decoding(12)
    )[0]
    for ends, config in (([long[4], 1], 1), ([], [1, long[4]])):
        model.config.eos_token_id = config
        engine = NativeEngine(model, torch.float32, batch_size=4, ends=ends)
        (short,) = engine.generate(asked, [[None]], Decoding(12))[0]
        assert short == long[: long.index(long[4]) + 1]


@pytest.mark.parametrize("kind", ["llama", "gemma3_text"])
def test_a_text_that_repeats_its_source_takes_fewer_steps(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A random model repeats itself. The sources are ends of its own texts, so the model continues
    the repetition."""
    from scicot.models.native.causal import Decoder

    engine = NativeEngine(tiny(kind), torch.float32, batch_size=16)
    texts = engine.generate(sources(16), [[None]] * 16, Decoding(60))
    again = [text[-30:] for (text,) in texts if len(text) == 60]
    together = engine.generate(again, [[None]] * len(again), Decoding(40))
    plain, steps, tokens = Decoder.__call__, 0, 0

    def counted(self: Decoder, *given: Any) -> Any:
        nonlocal steps
        steps += 1
        return plain(self, *given)

    monkeypatch.setattr(Decoder, "__call__", counted)
    for source, wanted in zip(again, together, strict=True):
        assert engine.generate([source], [[None]], Decoding(40)) == [wanted]
        tokens += len(wanted[0])
    assert len(again) > 3
    assert steps < 0.9 * tokens


def test_no_weight_is_kept_twice_in_fp32() -> None:
    """The output layer may hold most of a model's weights."""
    model = tiny("gemma3_text", words=300)
    addresses = {weight.data_ptr() for weight in model.parameters()}
    engine = NativeEngine(model, torch.float32, batch_size=4)
    held: list[torch.Tensor] = []
    seen: set[int] = set()

    def walk(one: Any) -> None:
        if id(one) in seen or isinstance(one, torch.nn.Module):
            return
        seen.add(id(one))
        if isinstance(one, torch.Tensor):
            held.append(one)
        elif isinstance(one, dict | list | tuple):
            for inner in one.values() if isinstance(one, dict) else one:
                walk(inner)
        elif hasattr(one, "__dict__"):
            walk(vars(one))

    walk(engine._model)
    copies = [tensor for tensor in held if tensor.dim() > 1 and tensor.data_ptr() not in addresses]
    assert [tensor.shape for tensor in copies] == []
