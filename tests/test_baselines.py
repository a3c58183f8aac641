from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Recorder, Trained, read_rows, write_rows
from safetensors.numpy import load_file

from scicot import (
    PredictSettings,
    ScicotError,
    TrainSettings,
    predict,
    train_answer,
    train_rationale,
)
from scicot.decoding.engine_spec import EngineRequest
from scicot.models.truncation import cut_rationales
from scicot.stages import Stage
from scicot.students.loading import load_student

TINY = TrainSettings(max_steps=4, warmup_steps=1, batch_size=8, max_target_tokens=24, device="cpu")
CPU = PredictSettings(device="cpu", max_new_tokens=16)


@pytest.mark.parametrize(
    "method", ["direct", "one-sequence", "answer-first", "multi-task", "shared"]
)
def test_a_baseline_answers_alone(trained: Trained, tmp_path: Path, method: str) -> None:
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
    writes = method in ("one-sequence", "shared")
    assert all(len(row["rationales"]) == writes for row in rows)
    assert rows[0]["models"]["rationale_from"] == ("student" if writes else "none")
    if method == "shared":
        return
    with pytest.raises(ScicotError, match=f"is a {method} run, which reads no rationales; leave"):
        predict(trained.rows, out, answer_model=run, rationale_model=trained.rationale)


def test_a_one_sequence_answer_is_the_likelihood_of_the_whole(
    trained: Trained, tmp_path: Path
) -> None:
    """The answer that the student writes after its rationale is ignored. Every label is scored."""
    from scicot.records import Question
    from scicot.stages import rationale_input
    from scicot.students.answering import softmax

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


def test_a_shared_student_is_both_stages(trained: Trained, tmp_path: Path) -> None:
    """Given as the answer model alone, the run writes the rationales too."""
    run = tmp_path / "run"
    settings = replace(TINY, rationale_dropout=0.5)
    train_answer(trained.rows, run, student="scratch:tiny", method="shared", settings=settings)

    def rows(name: str, *, settings: PredictSettings = CPU, **models: Any) -> list[dict[str, Any]]:
        predict(trained.rows, tmp_path / name, settings=settings, **models)
        return read_rows(tmp_path / name)

    alone = rows("alone.jsonl", answer_model=run)
    twice = rows("twice.jsonl", answer_model=run, rationale_model=run)
    assert alone == twice
    assert alone[0]["models"]["rationale"] == alone[0]["models"]["answer"]
    written = rows("written.jsonl", rationale_model=run)
    assert [row["rationale"] for row in written] == [row["rationales"][0] for row in alone]
    other = rows("other.jsonl", answer_model=run, rationale_model=trained.rationale)
    assert other[0]["models"]["rationale"].startswith("rationale@")
    given = rows("given.jsonl", settings=replace(CPU, rationale_from="input"), answer_model=run)
    assert given[0]["rationales"] == [alone[0]["rationale"]]
    none = rows("none.jsonl", settings=replace(CPU, rationale_from="none"), answer_model=run)
    assert none[0]["rationales"] == []
    shuffled = replace(CPU, rationale_from="shuffled")
    moved = rows("shuffled.jsonl", settings=shuffled, answer_model=run)
    assert sorted(row["rationales"][0] for row in moved) == sorted(
        row["rationales"][0] for row in alone
    )
    mixed = rows("mixed.jsonl", settings=replace(CPU, mix_direct=0.5), answer_model=run)
    for row, behind, without in zip(mixed, alone, none, strict=True):
        for label, score in row["scores"].items():
            both = behind["scores"][label] + without["scores"][label]
            assert score == pytest.approx(both / 2)


def test_the_answers_of_several_students_are_averaged(trained: Trained, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_answer(
        trained.rows, run, student="scratch:tiny", method="direct",
        settings=replace(TINY, seeds=2),
    )  # fmt: skip
    seeds = [run / "seed-0", run / "seed-1"]
    with pytest.raises(ScicotError, match="seed-0, or several by repeating --"):
        predict(trained.rows, tmp_path / "no.jsonl", answer_model=run, settings=CPU)
    for name, models in (("0", seeds[0]), ("1", seeds[1]), ("both", seeds)):
        predict(trained.rows, tmp_path / name, answer_model=models, settings=CPU)
    first_rows, second_rows, both = (read_rows(tmp_path / name) for name in ("0", "1", "both"))
    assert both[0]["models"]["answer"] == " + ".join(
        rows[0]["models"]["answer"] for rows in (first_rows, second_rows)
    )
    for row, first, second in zip(both, first_rows, second_rows, strict=True):
        mean = {
            label: (first["scores"][label] + second["scores"][label]) / 2 for label in row["scores"]
        }
        assert row["scores"] == pytest.approx(mean)
    out = tmp_path / "no.jsonl"
    with pytest.raises(
        ScicotError, match="runs that read rationales cannot be combined with runs that do not"
    ):
        predict(trained.rows, out, answer_model=[seeds[0], trained.answer], settings=CPU,
                rationale_model=trained.rationale)  # fmt: skip


@pytest.mark.parametrize("method", ["answer-first", "shared"])
def test_a_stopped_baseline_goes_on_to_the_same_weights(
    trained: Trained, tmp_path: Path, method: str
) -> None:
    class Stopping(Recorder):
        def advance(self, steps: int = 1, **figures: Any) -> None:
            super().advance(steps)
            if self.doing == "training" and self.steps == 3:
                raise KeyboardInterrupt

    options: dict[str, Any] = {"student": "scratch:tiny", "method": method, "settings": TINY}
    with pytest.raises(KeyboardInterrupt):
        train_answer(trained.rows, tmp_path / "a", reporter=Stopping(), **options)
    again = Recorder()
    train_answer(trained.rows, tmp_path / "a", reporter=again, **options)
    assert any("resuming from step 3" in note for note in again.notes)
    train_answer(trained.rows, tmp_path / "b", **options)
    stopped, straight = (load_file(tmp_path / name / "model.safetensors") for name in "ab")
    assert all((stopped[name] == straight[name]).all() for name in straight)


def test_the_weight_of_the_direct_answer_is_fitted_on_dev(trained: Trained, tmp_path: Path) -> None:
    from scicot.students.manifest import read_manifest

    run, out = tmp_path / "run", tmp_path / "out.jsonl"
    rows = [{**row, "teacher": "student:x", "fold": 0} for row in read_rows(trained.rows)]
    file = write_rows(tmp_path / "student.jsonl", rows)
    common: dict[str, Any] = {"student": "scratch:tiny"}
    settings = replace(TINY, rationale_dropout=0.5, dev_fraction=0.3, fold_by="meta.metal")
    train_answer(file, run, settings=settings, **common)
    manifest = read_manifest(run)
    assert manifest is not None
    weight = manifest.mix_direct
    assert weight is not None
    assert 0 <= weight <= 1
    models: dict[str, Any] = {"answer_model": run, "rationale_model": trained.rationale}
    auto = replace(CPU, mix_direct="auto")
    predict(trained.rows, out, settings=auto, **models)
    fixed = tmp_path / "fixed.jsonl"
    predict(trained.rows, fixed, settings=replace(CPU, mix_direct=weight), **models)
    assert out.read_bytes() == fixed.read_bytes()
    with pytest.raises(ScicotError, match="--mix-direct auto: no weight was fitted for"):
        predict(trained.rows, out, settings=auto, **{**models, "answer_model": trained.answer})
    with pytest.raises(ScicotError, match="--mix-direct is much; it must be between 0 and 1, or"):
        replace(CPU, mix_direct="much")


def test_the_mixture_weight_of_the_highest_likelihood() -> None:
    from scicot.training.mixture_weight import fit_mixture_weight

    assert fit_mixture_weight([0.9, 0.8], [0.5, 0.5]) == 0
    assert fit_mixture_weight([0.5, 0.0], [0.6, 0.7]) == 1
    assert fit_mixture_weight([0.9, 0.1], [0.1, 0.9]) == 0.5
    assert fit_mixture_weight([0.5], [0.5]) == 0, "of equals the smallest"


def test_equal_weights_and_tokens(trained: Trained, tmp_path: Path, recorder: Recorder) -> None:
    from scicot.students.manifest import read_manifest

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
    assert recorder.notes[0].startswith("--equal-to rationale@")
    again = train_answer(
        trained.rows, tmp_path / "run", student="scratch:tiny", method="direct",
        equal_to=both, settings=replace(TINY, max_steps=None), reporter=recorder,
    )  # fmt: skip
    assert again == manifest


def test_soft_labels_take_what_teachers_concluded(
    trained: Trained, tmp_path: Path, recorder: Recorder
) -> None:
    settings = replace(TINY, soft_labels=0.5)
    common: dict[str, Any] = {"student": "scratch:tiny", "settings": settings, "method": "direct"}
    with pytest.raises(ScicotError, match='--soft-labels: no row has a label as its "conclusion"'):
        train_answer(trained.rows, tmp_path / "none", **common)
    rows = read_rows(trained.rows)
    right = [{**row, "conclusion": row["answer"], "sample": 0} for row in rows]
    other = [{**row, "conclusion": "AB"[row["answer"] == "A"], "sample": 1} for row in rows[:9]]
    file = write_rows(tmp_path / "right.jsonl", right)
    train_answer(file, tmp_path / "right", reporter=recorder, **common)
    assert "every conclusion is the gold answer" in recorder.warnings[0]
    file = write_rows(tmp_path / "votes.jsonl", [*right, *other])
    train_answer(file, tmp_path / "votes", reporter=recorder, **common)
    assert "--soft-labels: for 9 of 36 rows" in " ".join(recorder.notes)
    train_answer(file, tmp_path / "two", reporter=recorder, **{**common, "method": "two-stage"})
    assert "--soft-labels: for 18 of 45 rows" in " ".join(recorder.notes)


def test_a_rationale_is_as_long_in_predict_as_in_training(trained: Trained, tmp_path: Path) -> None:
    run, answer = tmp_path / "rationale", tmp_path / "answer"
    settings = replace(TINY, max_rationale_tokens=3)
    common: dict[str, Any] = {"student": "scratch:tiny", "settings": settings}
    train_rationale(trained.rows, run, **common)
    train_answer(trained.rows, answer, **common)
    out = tmp_path / "out.jsonl"
    on_cpu = PredictSettings(device="cpu")
    predict(trained.rows, out, answer_model=answer, rationale_model=run, settings=on_cpu)
    student = load_student(run, EngineRequest(device="cpu"), max_source_tokens=512)
    for row in read_rows(out):
        ids = student.form.targets(row["rationales"], "rationale")[0]
        assert len(ids) <= 4, "three and the end"
    given, short = tmp_path / "given.jsonl", tmp_path / "short.jsonl"
    read = replace(on_cpu, rationale_from="input")
    predict(trained.rows, given, answer_model=answer, settings=read)
    cut = cut_rationales([row["rationale"] for row in read_rows(trained.rows)], student.form, 3)
    rows = [{**r, "rationale": text} for r, text in zip(read_rows(trained.rows), cut, strict=True)]
    file = write_rows(tmp_path / "cut.jsonl", rows)
    predict(file, short, answer_model=answer, settings=read)
    assert [row["scores"] for row in read_rows(given)] == [
        pytest.approx(row["scores"]) for row in read_rows(short)
    ]


@pytest.mark.parametrize(
    ("method", "settings", "said"),
    [
        ("direct", {"weights": (1.0,)}, "--weights: has no effect on direct students"),
        ("direct", {"rationale_dropout": 0.5}, "--rationale-dropout: has no effect on direct"),
        ("two-stage", {"select_by": "rouge-l"}, "--select-by rouge-l: has no effect on answer"),
        ("two-stage", {"weights": (1.0, 2.0)}, "--weights: 2 numbers for 1 files"),
        ("two-stage", {"patience": 2}, "--patience: needs dev rows"),
        ("best", {}, "--method best: no such method; choose one of two-stage, direct"),
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
        ("paper", "--report-to paper: no such tracker; choose one of tensorboard, wandb, trackio"),
    ):
        with pytest.raises(ScicotError, match=said):
            train_answer(nowhere, tmp_path / "run", student="scratch:tiny", report_to=[name])
