"""The choice of the engine; all engines give the same answers."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Trained, read_rows

from scicot import PredictSettings, ScicotError, predict
from scicot.decoding import speed
from scicot.decoding.engine_spec import EngineRequest, EngineSpec, candidate_engines
from scicot.outputs import state_path
from scicot.students.loading import choose_engine

T5, BART = {"model_type": "t5"}, {"model_type": "bart"}


def test_which_engines_can(monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = 10**6, 10**8
    torch_fp32 = [EngineSpec("torch", "fp32")]
    assert candidate_engines(T5, small, EngineRequest()) == torch_fp32
    assert candidate_engines(BART, large, EngineRequest()) == [EngineSpec("transformers", "fp32")]
    assert candidate_engines(T5, small, EngineRequest(beams=True)) == [
        EngineSpec("transformers", "fp32")
    ]
    assert candidate_engines(T5, small, EngineRequest("transformers", "bf16")) == [
        EngineSpec("transformers", "bf16")
    ]
    whole = EngineRequest(precision="int8")
    assert candidate_engines(T5, small, whole) == [EngineSpec("torch", "int8")]
    assert candidate_engines(T5, large, replace(whole, samples=True)) == [
        EngineSpec("torch", "int8")
    ]
    assert torch_fp32[0] in candidate_engines(T5, large, EngineRequest(device="cpu"))
    for kernels, instructions in ((True, True), (False, True), (True, False)):
        monkeypatch.setattr("scicot.models.native.kernels.HERE", kernels)
        monkeypatch.setattr(
            "scicot.decoding.engine_spec.multiplies_int8", lambda known=instructions: known
        )
        tried = EngineSpec("torch", "int8") in candidate_engines(
            T5, large, EngineRequest(device="cpu")
        )
        assert tried == (kernels and instructions)


def test_which_causal_models_our_loop_knows() -> None:
    def engine(kind: str, **settings: Any) -> str:
        config = {"model_type": kind, **settings}
        return candidate_engines(config, 10**6, EngineRequest())[0].engine

    for kind in ("llama", "qwen2", "qwen3", "gemma3_text"):
        assert engine(kind) == "torch"
    yarn = {"rope_type": "yarn", "factor": 2.0}
    both = {"full_attention": {"rope_type": "default"}, "sliding_attention": yarn}
    supported: list[dict[str, Any]] = [
        {"rope_scaling": None},
        {"rope_scaling": {"type": "linear", "factor": 2.0}},
        {"rope_parameters": yarn},
        {"rope_parameters": both},
        {"final_logit_softcapping": 30.0},
    ]
    assert {engine("llama", **settings) for settings in supported} == {"torch"}
    unknown: list[dict[str, Any]] = [
        {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0}},
        {"rope_parameters": {**both, "full_attention": {"rope_type": "longrope"}}},
        {"rope_parameters": {**yarn, "partial_rotary_factor": 0.5}},
        {"mlp_bias": True},
        {"use_bidirectional_attention": True},
        {"quantization_config": {"quant_method": "gptq"}},
    ]
    assert {engine("llama", **settings) for settings in unknown} == {"transformers"}
    assert engine("gpt2") == "transformers"
    every = candidate_engines({"model_type": "llama"}, 10**8, EngineRequest(device="cpu"))
    assert EngineSpec("torch", "fp32") in every
    assert EngineSpec("torch", "int8") not in every
    with pytest.raises(ScicotError, match="supports int8 only for T5 students"):
        candidate_engines(
            {"model_type": "llama"}, 10**8, EngineRequest("torch", precision="int8", device="cpu")
        )
    message = (
        "--engine torch: does not support rotary position embeddings of type dynamic; leave it out"
    )
    with pytest.raises(ScicotError, match=message):
        candidate_engines({"model_type": "llama", **unknown[0]}, 1, EngineRequest("torch"))


@pytest.mark.parametrize(
    ("shape", "wish", "said"),
    [
        ("bart", EngineRequest("torch"), "--engine torch: does not support bart students"),
        ("t5", EngineRequest("torch", beams=True), "--engine torch: does not support --beams"),
        (
            "t5",
            EngineRequest("ctranslate2", samples=True),
            "--engine ctranslate2: does not support sampling",
        ),
        (
            "t5",
            EngineRequest("transformers", "int8"),
            "does not support --precision int8; use fp32 or bf16",
        ),
        (
            "bart",
            EngineRequest(precision="int8"),
            "--precision int8: no engine supports it for this student on cpu",
        ),
    ],
)
def test_what_no_engine_can(shape: str, wish: EngineRequest, said: str) -> None:
    pytest.importorskip("ctranslate2")
    with pytest.raises(ScicotError, match=said):
        candidate_engines({"model_type": shape}, 10**8, wish)


def test_ctranslate2_has_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ScicotError, match=r"is not installed; pip install 'scicot\[fast\]'"):
        candidate_engines(T5, 10**8, EngineRequest("ctranslate2"))
    assert candidate_engines(T5, 10**8, EngineRequest(precision="int8")) == [
        EngineSpec("torch", "int8")
    ]


def test_the_fastest_is_measured_once(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("scicot.decoding.engine_spec.LARGE", 0)
    monkeypatch.setattr("scicot.decoding.engine_spec.multiplies_bf16", lambda device: True)
    measured = []
    rate = speed._rate

    def counted(*args: Any, **options: Any) -> float:
        measured.append(1)
        return rate(*args, **options)

    monkeypatch.setattr(speed, "_rate", counted)
    choice, rates = choose_engine(trained.rationale, EngineRequest(device="cpu"), writes=True)
    assert rates[str(choice)] == max(rates.values())
    assert len(measured) == len(rates) >= 2
    assert choose_engine(trained.rationale, EngineRequest(device="cpu"), writes=True) == (
        choice,
        rates,
    )
    assert len(measured) == len(rates)
    # scoring is measured separately from generating
    choose_engine(trained.rationale, EngineRequest(device="cpu"), writes=False)
    assert len(measured) > len(rates)
    (tmp_path / "scicot" / "engines.json").write_text("[]")  # another program's file
    choose_engine(trained.rationale, EngineRequest(device="cpu"), writes=True)


@pytest.mark.parametrize(
    ("engine", "precision"),
    [("torch", "bf16"), ("torch", "int8"), ("transformers", "fp32"), ("ctranslate2", "fp32")],
)
def test_predict_answers_alike_with_any_engine(
    trained: Trained, tmp_path: Path, engine: Any, precision: Any
) -> None:
    if engine == "ctranslate2":
        pytest.importorskip("ctranslate2")
    models: Any = {"answer_model": trained.answer, "rationale_model": trained.rationale}
    found = []
    for number, settings in enumerate(
        (
            PredictSettings(device="cpu"),
            PredictSettings(device="cpu", engine=engine, precision=precision),
        )
    ):
        out = tmp_path / f"{number}.jsonl"
        predict(trained.rows, out, settings=settings, **models)
        found.append([row["prediction"] for row in read_rows(out)])
    assert found[0] == found[1]
    state = json.loads(state_path(tmp_path / "1.jsonl").read_text())
    assert set(state["settings"]["engines"].values()) == {f"{engine} in {precision}"}
    more = PredictSettings(device="cpu")  # a resumed output keeps the engine
    predict(trained.rows, tmp_path / "1.jsonl", settings=more, **models)
    with pytest.raises(ScicotError, match="was made with other settings"):
        predict(trained.rows, tmp_path / "0.jsonl", settings=settings, **models)
