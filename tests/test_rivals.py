from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Recorder, Trained, read_rows

from scicot import PredictSettings, ScicotError, TrainSettings, predict, train_answer
from scicot.decoding.engine_spec import EngineRequest
from scicot.stages import Stage

TINY = TrainSettings(max_steps=4, warmup_steps=1, batch_size=8, max_target_tokens=24, device="cpu")
CPU = PredictSettings(device="cpu", max_new_tokens=16)


@pytest.mark.parametrize("method", ["direct", "one-sequence", "multi-task"])
def test_a_rival_answers_alone(trained: Trained, tmp_path: Path, method: str) -> None:
    run, out = tmp_path / "run", tmp_path / "out.jsonl"
    settings = replace(TINY, dev_fraction=0.2, fold_by="meta.metal")
    manifest = train_answer(
        trained.rows, run, student="scratch:tiny", method=method, settings=settings
    )
    assert manifest.stage is Stage(method)
    assert 0 <= manifest.metrics["dev_accuracy"] <= 1
    predict(trained.rows, out, answer_model=run, settings=CPU)
    rows = read_rows(out)
    assert all(sum(row["scores"].values()) == pytest.approx(1) for row in rows)
    assert all(len(row["rationales"]) == (method == "one-sequence") for row in rows)
    source = "student" if method == "one-sequence" else "none"
    assert rows[0]["models"]["rationale_from"] == source
    with pytest.raises(ScicotError, match=f"is a {method} run, which reads no rationales; leave"):
        predict(trained.rows, out, answer_model=run, rationale_model=trained.rationale)


def test_a_one_sequence_answer_is_the_likelihood_of_the_whole(
    trained: Trained, tmp_path: Path
) -> None:
    """What it said after its rationale is not read: every label is scored behind it."""
    from scicot.records import Question
    from scicot.stages import rationale_input
    from scicot.students.answering import softmax
    from scicot.students.loading import load_student

    run, out = tmp_path / "run", tmp_path / "out.jsonl"
    train_answer(trained.rows, run, student="scratch:tiny", method="one-sequence", settings=TINY)
    predict(trained.rows, out, answer_model=run, settings=CPU, limit=3)
    student = load_student(run, EngineRequest(device="cpu", batch_size=1), max_source_tokens=512)
    for row in read_rows(out):
        question = Question.from_row(row)
        (rationale,) = row["rationales"]
        wholes = [f"{rationale} answer: {label}".strip() for label in question.labels]
        (scores,) = student.score([rationale_input(question)], [wholes])
        assert list(row["scores"].values()) == pytest.approx(softmax(scores), abs=1e-5)


def test_equal_weights_and_tokens(trained: Trained, tmp_path: Path, recorder: Recorder) -> None:
    from scicot.students.runs import read_manifest

    both = [trained.rationale, trained.answer]
    manifest = train_answer(
        trained.rows, tmp_path / "run", student="scratch:tiny", method="direct",
        equal_to=both, settings=replace(TINY, max_steps=None), reporter=recorder,
    )  # fmt: skip
    metrics = [read_manifest(run).metrics for run in both]  # type: ignore[union-attr]
    assert manifest.metrics["weights"] == pytest.approx(sum(m["weights"] for m in metrics), rel=0.1)
    assert manifest.metrics["training_tokens"] == pytest.approx(
        sum(m["training_tokens"] for m in metrics), rel=0.02
    )
    assert recorder.notes[0].startswith("equal to rationale@")
    again = train_answer(
        trained.rows, tmp_path / "run", student="scratch:tiny", method="direct",
        equal_to=both, settings=replace(TINY, max_steps=None), reporter=recorder,
    )  # fmt: skip
    assert again == manifest


@pytest.mark.parametrize(
    ("method", "settings", "said"),
    [
        ("direct", {"weights": (1.0,)}, "--weights: means nothing where the student is direct"),
        ("direct", {"rationale_dropout": 0.5}, "--rationale-dropout: means nothing where"),
        ("two-stage", {"folds": 3}, "--folds: means nothing where the student is answer"),
        ("two-stage", {"select_by": "rouge-l"}, "--select-by rouge-l: means nothing"),
        ("two-stage", {"weights": (1.0, 2.0)}, "--weights: 2 numbers for 1 files"),
        ("two-stage", {"patience": 2}, "--patience: nothing to judge by"),
        ("best", {}, "--method best: no such method; there is two-stage, direct"),
    ],
)
def test_what_makes_no_sense_is_said(
    trained: Trained, tmp_path: Path, method: str, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ScicotError, match=said):
        train_answer(
            trained.rows, tmp_path / "run", student="scratch:tiny", method=method,
            settings=replace(TINY, **settings),
        )  # fmt: skip


def test_a_tracker_that_is_not_there_is_said_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    nowhere = tmp_path / "nowhere.jsonl"
    for name, said in (
        ("wandb", r"--report-to wandb: not installed; pip install 'scicot\[wandb\]'"),
        ("paper", "--report-to paper: no such tracker; there is tensorboard, wandb, trackio"),
    ):
        with pytest.raises(ScicotError, match=said):
            train_answer(nowhere, tmp_path / "run", student="scratch:tiny", report_to=[name])
