import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Recorder, Trained, read_rows, world_rows, write_rows

from scicot import ScicotError, TrainSettings, predict, train_answer, train_rationale
from scicot.config import PredictSettings
from scicot.students.manifest import read_manifest

FOLDS = TrainSettings(
    max_steps=3, warmup_steps=1, batch_size=8, max_target_tokens=12, device="cpu",
    folds=3, fold_by="meta.metal",
)  # fmt: skip


def ids(run: Path, split: str = "train") -> set[str]:
    return {row["id"] for row in read_rows(run / "trained_on.jsonl") if row["split"] == split}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two samples of each question. Four of the questions occur again under another id."""
    questions = world_rows()
    again = [{**row, "id": f"again-{row['id']}"} for row in questions[:4]]
    twice = [{**row, "sample": n} for row in [*questions, *again] for n in (0, 1)]
    return write_rows(tmp_path_factory.mktemp("rows") / "rows.jsonl", twice)


@pytest.fixture(scope="module")
def run(rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("folds") / "run"
    train_rationale(rows, run, student="scratch:tiny", settings=FOLDS)
    return run


def test_each_question_comes_once_per_sample_in_the_order_of_the_file(
    run: Path, rows: Path
) -> None:
    written, given = read_rows(run / "out_of_fold.jsonl"), read_rows(rows)
    assert [(row["id"], row["sample"]) for row in written] == [
        (row["id"], row["sample"]) for row in given
    ]
    assert all(row["note"] == given[n]["note"] for n, row in enumerate(written))
    assert {row["teacher"].partition("@")[0] for row in written} == {
        f"student:run/folds/{fold}" for fold in range(3)
    }


def test_no_fold_student_has_met_what_it_writes_about(run: Path) -> None:
    written = read_rows(run / "out_of_fold.jsonl")
    everything = {row["id"] for row in written}
    for fold in range(3):
        rows = [row for row in written if row["fold"] == fold]
        seen = [row for row in written if row["id"] in ids(run / "folds" / str(fold))]
        assert {row["id"] for row in rows} == everything - ids(run / "folds" / str(fold))
        assert not {r["meta"]["metal"] for r in rows} & {r["meta"]["metal"] for r in seen}
    assert ids(run) == everything
    again = {row["id"]: row["fold"] for row in written}
    assert all(again[name] == again[f"again-{name}"] for name in ("q0", "q1", "q2", "q3"))
    assert max(Counter(row["fold"] for row in written).values()) <= 32


def test_further_samples_are_drawn_and_the_first_is_greedy(run: Path) -> None:
    by_question: dict[str, list[str]] = {}
    for row in read_rows(run / "out_of_fold.jsonl"):
        by_question.setdefault(row["id"], []).append(row["rationale"])
    assert any(first != second for first, second in by_question.values())


def test_dev_rows_are_learnt_from_by_nobody_and_written_about(rows: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    settings = replace(FOLDS, dev_fraction=0.2)
    manifest = train_rationale(rows, run, student="scratch:tiny", settings=settings)
    dev = ids(run, "dev")
    assert manifest.metrics["dev_rows"] == 2 * len(dev) > 0
    for student in (run, *(run / "folds").iterdir()):
        assert ids(student, "dev") <= dev
        assert not ids(student) & dev
    written = {row["id"]: row["fold"] for row in read_rows(run / "out_of_fold.jsonl")}
    for fold in range(3):
        chosen_by = ids(run / "folds" / str(fold), "dev")
        assert chosen_by == {name for name in dev if written[name] != fold}
    assert len(read_rows(run / "out_of_fold.jsonl")) == 80


def test_folds_that_are_done_are_not_done_again(rows: Path, tmp_path: Path) -> None:
    class Stopping(Recorder):
        def note(self, message: str) -> None:
            super().note(message)
            if message.startswith("student 3 of 4"):
                raise KeyboardInterrupt

    run = tmp_path / "run"
    stopping = Stopping()
    options: dict[str, Any] = {"student": "scratch:tiny", "settings": FOLDS}
    with pytest.raises(KeyboardInterrupt):
        train_rationale(rows, run, reporter=stopping, **options)
    assert stopping.notes[0].startswith("4 students to train, 3 of them fold students: about ")
    before = (run / "folds" / "0" / "model.safetensors").stat().st_mtime_ns
    recorder = Recorder()
    train_rationale(rows, run, reporter=recorder, **options)
    assert recorder.notes[0] == "2 of 4 students are finished and not trained again"
    assert (run / "folds" / "0" / "model.safetensors").stat().st_mtime_ns == before
    recorder = Recorder()
    written = (run / "out_of_fold.jsonl").read_bytes()
    assert train_rationale(rows, run, reporter=recorder, **options).finished
    assert recorder.notes == [f"{run} is finished already and not trained again"]
    assert (run / "out_of_fold.jsonl").read_bytes() == written
    with pytest.raises(
        ScicotError, match=r"folds/0: already holds a different run \(folds: was 3, is 2\); "
    ):
        train_rationale(rows, run, student="scratch:tiny", settings=replace(FOLDS, folds=2))


def test_folds_may_be_asked_for_later(trained: Trained, rows: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    plain = replace(FOLDS, folds=0, fold_by=None)
    train_rationale(rows, run, student="scratch:tiny", settings=plain)
    weights = (run / "model.safetensors").read_bytes()
    manifest = train_rationale(rows, run, student="scratch:tiny", settings=FOLDS)
    assert (run / "model.safetensors").read_bytes() == weights
    assert manifest.metrics["out_of_fold_rows"] == 80
    assert "out_of_fold_rouge_l" in (run / "README.md").read_text()


def test_stage_2_learns_from_teacher_student_and_predicted_rows_together(
    run: Path, rows: Path, trained: Trained, tmp_path: Path, recorder: Recorder
) -> None:
    cpu = PredictSettings(device="cpu", max_new_tokens=8)
    predict(rows, tmp_path / "in_sample.jsonl", rationale_model=run, settings=cpu)
    predict(
        trained.rows, tmp_path / "predicted.jsonl",
        rationale_model=run, answer_model=trained.answer, settings=cpu,
    )  # fmt: skip
    in_sample = read_rows(tmp_path / "in_sample.jsonl")
    assert in_sample[0]["teacher"].startswith("student:run@")
    assert "prediction" not in in_sample[0]
    files = [rows, tmp_path / "in_sample.jsonl", run / "out_of_fold.jsonl"]
    settings = replace(
        FOLDS, folds=0, weights=(1.0, 1.0, 2.0, 1.0), dev_fraction=0.3, rationale_dropout=0.2,
        shuffle_choices=True,
    )  # fmt: skip
    manifest = train_answer(
        [*files, tmp_path / "predicted.jsonl"], tmp_path / "answer",
        student="scratch:tiny", settings=settings, reporter=recorder,
    )  # fmt: skip
    dev = {row["id"] for row in read_rows(run / "out_of_fold.jsonl")} & ids(
        tmp_path / "answer", "dev"
    )
    assert manifest.metrics["dev_rows"] == 2 * len(dev)
    assert any(
        note.startswith(f"dev: evaluated on {2 * len(dev)} rows;") for note in recorder.notes
    )
    assert 0 <= manifest.metrics["dev_accuracy"] <= 1


def test_seeds_have_a_run_each_and_a_summary(rows: Path, tmp_path: Path, scicot: Any) -> None:
    arguments = [
        "train-answer", rows, "-o", tmp_path / "run", "--student", "scratch:tiny", "--max-steps", 2,
        "--seeds", 2, "--seed", 5, "--device", "cpu", "--dev-fraction", 0.3,
        "--fold-by", "meta.metal",
    ]  # fmt: skip
    outcome = scicot(*arguments)
    assert outcome.code == 0
    assert "2 answer students trained; dev accuracy 0." in outcome.stderr
    summary = json.loads((tmp_path / "run" / "scicot.json").read_text())
    assert summary["seeds"] == ["seed-5", "seed-6"]
    runs = [read_manifest(tmp_path / "run" / name) for name in summary["seeds"]]
    losses = [run.metrics["dev_loss"] for run in runs if run]
    assert summary["metrics"]["dev_loss"] == pytest.approx(sum(losses) / 2)
    assert summary["metrics"]["dev_loss_sd"] == pytest.approx(abs(losses[0] - losses[1]) / 2**0.5)
    assert ids(tmp_path / "run" / "seed-5", "dev") == ids(tmp_path / "run" / "seed-6", "dev")
    assert "finished already" in scicot(*arguments).stderr
    refused = scicot("predict", rows, "--answer-model", tmp_path / "run")
    assert refused.code == 1
    assert "has 2 seeds; give one of them" in refused.stderr
    single = scicot(*arguments[:8], "--device", "cpu")
    assert (
        "already holds the runs of 2 seeds, but --seeds is 1; choose another directory"
        in single.stderr
    )


def test_fold_questions_get_rationales_and_teach_nobody(tmp_path: Path) -> None:
    """Fold questions are given at the start, or added to a finished run."""
    questions = world_rows()
    for row in questions[:2]:
        row.pop("answer")  # stage 1 needs no gold answers
    learnt = write_rows(tmp_path / "rows.jsonl", [r for r in questions if r["note"]["kept"] % 3])
    bare = [{k: v for k, v in row.items() if k != "rationale"} for row in questions]
    new = {**bare[0], "id": "new", "question": "Which one bends?", "meta": {"metal": "lead"}}
    every = write_rows(tmp_path / "questions.jsonl", [*bare, new])
    common: dict[str, Any] = {"student": "scratch:tiny", "settings": FOLDS}
    without, added, at_once = (tmp_path / name for name in ("without", "added", "at-once"))
    manifest = train_rationale(learnt, without, **common)
    recorder = Recorder()
    train_rationale(learnt, at_once, fold_questions=every, reporter=recorder, **common)
    assert "--fold-questions: 13 questions that are not among the training rows" in recorder.notes
    assert read_manifest(at_once).weights_sha256 == manifest.weights_sha256  # type: ignore[union-attr]
    written = read_rows(at_once / "out_of_fold.jsonl")
    assert len(written) == len(questions) + 1
    assert written[: len(read_rows(learnt))] == [
        {**row, "teacher": row["teacher"].replace("without", "at-once")}
        for row in read_rows(without / "out_of_fold.jsonl")
    ]
    for fold in range(3):
        met = ids(at_once / "folds" / str(fold))
        fold_ids = {row["id"] for row in written if row["fold"] == fold}
        assert not fold_ids & met
        metals = {row["meta"]["metal"] for row in questions if row["id"] in met}
        assert not {row["meta"]["metal"] for row in written if row["fold"] == fold} & metals
    without.rename(added)
    train_rationale(learnt, added, fold_questions=[every], reporter=recorder, **common)
    later = read_rows(added / "out_of_fold.jsonl")
    assert [(r["id"], r["rationale"]) for r in later] == [
        (r["id"], r["rationale"]) for r in written
    ]
    with pytest.raises(ScicotError, match=r"other training rows or other --fold-questions"):
        train_rationale(learnt, added, **common)
    for file in (added / "folds").glob("*/rationales.jsonl"):  # as the message says
        file.unlink()
    train_rationale(learnt, added, **common)
    assert len(read_rows(added / "out_of_fold.jsonl")) == len(read_rows(learnt))
    with pytest.raises(ScicotError, match="--fold-questions needs --folds"):
        train_rationale(learnt, tmp_path / "no", student="scratch:tiny", fold_questions=every)
