"""Which engine is taken, and that it answers as the others do."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Trained, read_rows

from scicot import PredictSettings, ScicotError, predict
from scicot.outputs import state_path
from scicot.students.engines import measuring
from scicot.students.engines.choice import Choice, Wish, possible
from scicot.students.loading import choose


def test_which_engines_can(monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = 10**6, 10**8
    torch_fp32 = [Choice("torch", "fp32")]
    assert possible("t5", small, Wish()) == torch_fp32
    assert possible("bart", large, Wish()) == [Choice("transformers", "fp32")]
    assert possible("t5", small, Wish(beams=True)) == [Choice("transformers", "fp32")]
    assert possible("t5", small, Wish("transformers", "bf16")) == [Choice("transformers", "bf16")]
    whole = Wish(precision="int8")
    assert possible("t5", small, whole) == [Choice("torch", "int8")]
    assert possible("t5", large, replace(whole, draws=True)) == [Choice("torch", "int8")]
    assert torch_fp32[0] in possible("t5", large, Wish(device="cpu"))
    for kernels, instructions in ((True, True), (False, True), (True, False)):
        monkeypatch.setattr("scicot.students.engines.t5.kernels.HERE", kernels)
        monkeypatch.setattr(
            "scicot.students.engines.choice.multiplies_int8", lambda known=instructions: known
        )
        tried = Choice("torch", "int8") in possible("t5", large, Wish(device="cpu"))
        assert tried == (kernels and instructions)


@pytest.mark.parametrize(
    ("shape", "wish", "said"),
    [
        ("bart", Wish("torch"), "--engine torch: knows no bart students"),
        ("t5", Wish("torch", beams=True), "--engine torch: searches with no --beams"),
        ("t5", Wish("ctranslate2", draws=True), "--engine ctranslate2: draws no --samples"),
        ("t5", Wish("transformers", "int8"), "has no int8; take fp32 or bf16"),
        ("bart", Wish(precision="int8"), "--precision int8: no engine has it for this student"),
    ],
)
def test_what_no_engine_can(shape: str, wish: Wish, said: str) -> None:
    pytest.importorskip("ctranslate2")
    with pytest.raises(ScicotError, match=said):
        possible(shape, 10**8, wish)


def test_ctranslate2_has_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ScicotError, match=r"is not installed; pip install 'scicot\[fast\]'"):
        possible("t5", 10**8, Wish("ctranslate2"))
    assert possible("t5", 10**8, Wish(precision="int8")) == [Choice("torch", "int8")]


def test_the_fastest_is_measured_once(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("scicot.students.engines.choice.LARGE", 0)
    monkeypatch.setattr("scicot.students.engines.choice.multiplies_bf16", lambda device: True)
    measured = []
    rate = measuring._rate
    monkeypatch.setattr(measuring, "_rate", lambda *a, **k: measured.append(1) or rate(*a, **k))
    choice, rates = choose(trained.rationale, Wish(device="cpu"), writes=True)
    assert rates[str(choice)] == max(rates.values())
    assert len(measured) == len(rates) >= 2
    assert choose(trained.rationale, Wish(device="cpu"), writes=True) == (choice, rates)
    assert len(measured) == len(rates)
    choose(trained.rationale, Wish(device="cpu"), writes=False)  # another task
    assert len(measured) > len(rates)
    (tmp_path / "scicot" / "engines.json").write_text("[]")  # another's
    choose(trained.rationale, Wish(device="cpu"), writes=True)


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
    more = PredictSettings(device="cpu")  # who goes on takes the same
    predict(trained.rows, tmp_path / "1.jsonl", settings=more, **models)
    with pytest.raises(ScicotError, match="was made with other settings"):
        predict(trained.rows, tmp_path / "0.jsonl", settings=settings, **models)
