"""Existing files in a run's place are never mixed with it, and only deleted if they are a run."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Recorder, Trained, read_rows, world_rows, write_rows

from scicot import ScicotError, TrainSettings, predict, train_answer, train_rationale
from scicot.config import PredictSettings
from scicot.students.manifest import read_manifest

TINY = TrainSettings(max_steps=2, warmup_steps=1, batch_size=8, max_target_tokens=12, device="cpu")
FOLDS = replace(TINY, folds=2, fold_by="meta.metal")
SCRATCH: dict[str, Any] = {"student": "scratch:tiny"}


def test_seeds_of_another_training_are_refused(trained: Trained, tmp_path: Path) -> None:
    run = tmp_path / "run"
    two = replace(TINY, seeds=2)
    train_answer(trained.rows, run, settings=two, **SCRATCH)
    with pytest.raises(
        ScicotError, match=r"already holds different runs \(seeds: were seed-0, seed-1, are"
    ):
        train_answer(trained.rows, run, settings=replace(two, seed=5), **SCRATCH)
    with pytest.raises(ScicotError, match=r"already holds different runs .*stage: was 'answer'"):
        train_rationale(trained.rows, run, settings=two, **SCRATCH)
    before = (run / "seed-1" / "model.safetensors").stat().st_mtime_ns
    summary = train_answer(trained.rows, run, settings=replace(two, seeds=3), **SCRATCH)
    assert summary.seeds == ["seed-0", "seed-1", "seed-2"]
    assert (run / "seed-1" / "model.safetensors").stat().st_mtime_ns == before


def test_seeds_and_folds_together(trained: Trained, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_rationale(trained.rows, run, settings=replace(FOLDS, seeds=2), **SCRATCH)
    for seed in ("seed-0", "seed-1"):
        rows = read_rows(run / seed / "out_of_fold.jsonl")
        assert len(rows) == 36
        assert rows[0]["teacher"].startswith(f"student:{seed}/folds/")


def test_inputs_within_the_run_are_refused(trained: Trained, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_rationale(trained.rows, run, settings=FOLDS, **SCRATCH)
    inputs: list[dict[str, Any]] = [
        {"rationales": run / "out_of_fold.jsonl", "student": "scratch:tiny"},
        {"rationales": trained.rows, "student": str(run)},
        {"rationales": trained.rows, "student": "scratch:tiny", "equal_to": [run]},
        {"rationales": trained.rows, "student": "scratch:tiny", "dev": [run / "out_of_fold.jsonl"]},
    ]
    for options in inputs:
        with pytest.raises(
            ScicotError, match=r"is inside the output directory \(-o .*run\); choose another"
        ):
            train_answer(run=run, settings=replace(TINY, max_steps=None), force=True, **options)
    assert (run / "out_of_fold.jsonl").exists()


@pytest.mark.parametrize("stale", [False, True])
def test_force_deletes_nothing_but_runs(trained: Trained, tmp_path: Path, stale: bool) -> None:
    run = tmp_path / "run"
    if stale:
        shutil.copytree(trained.rationale, tmp_path / ".run.replaced")
    run.mkdir()
    (run / "thesis.tex").write_text("years of work")
    with pytest.raises(ScicotError, match="is not a scicot run"):
        train_rationale(trained.rows, run, settings=TINY, force=True, **SCRATCH)
    assert (run / "thesis.tex").exists()
    shutil.rmtree(run)
    run.write_text("a file")
    with pytest.raises(ScicotError, match="is a file; choose another directory"):
        train_rationale(trained.rows, run, settings=TINY, force=True, **SCRATCH)


def test_force_sets_a_finished_run_aside_whatever_an_earlier_one_left(
    trained: Trained, tmp_path: Path
) -> None:
    """The older run, which an earlier --force set aside, is replaced by the finished run."""
    run, older = tmp_path / "run", tmp_path / ".run.replaced"
    shutil.copytree(trained.rationale, run)
    shutil.copytree(trained.answer, older)
    kept = (run / "model.safetensors").read_bytes()

    class Stopping(Recorder):
        def advance(self, steps: int = 1, **figures: Any) -> None:
            if self.doing == "training":
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_rationale(
            trained.rows, run, settings=TINY, force=True, reporter=Stopping(), **SCRATCH
        )
    assert (older / "model.safetensors").read_bytes() == kept


def test_force_follows_a_link(trained: Trained, tmp_path: Path) -> None:
    shutil.copytree(trained.rationale, tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    train_rationale(trained.rows, tmp_path / "link", settings=TINY, force=True, **SCRATCH)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real"]
    manifest = read_manifest(tmp_path / "real")
    assert manifest is not None
    assert manifest.metrics["steps"] == 2


def test_a_start_that_was_killed_binds_nobody(trained: Trained, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / ".scicot.json.x1y2z3_4.tmp").write_text("{")
    train_rationale(trained.rows, run, settings=TINY, **SCRATCH)
    assert not list(run.glob(".*"))


def test_checkpoints_left_in_a_finished_run_are_swept_up(trained: Trained, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_rationale(trained.rows, run, settings=TINY, **SCRATCH)
    (run / "checkpoints" / "checkpoint-1").mkdir(parents=True)
    train_rationale(trained.rows, run, settings=TINY, **SCRATCH)
    assert not (run / "checkpoints").exists()


def test_what_an_earlier_version_began_is_not_gone_on_with(
    trained: Trained, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    train_rationale(trained.rows, run, settings=TINY, **SCRATCH)
    # a checkpoint folder without a layout.json
    (run / "checkpoints" / "checkpoint-1").mkdir(parents=True)
    manifest = json.loads((run / "scicot.json").read_text())
    (run / "scicot.json").write_text(json.dumps({**manifest, "finished": False}))
    with pytest.raises(ScicotError, match="started by an earlier scicot"):
        train_rationale(trained.rows, run, settings=TINY, **SCRATCH)


def test_a_corrected_gold_answer_reaches_out_of_fold_rows_of_a_run_that_was_moved(
    tmp_path: Path,
) -> None:
    rows = world_rows()
    file = write_rows(tmp_path / "rows.jsonl", rows)
    train_rationale(file, tmp_path / "a", settings=FOLDS, **SCRATCH)
    (tmp_path / "a").rename(tmp_path / "b")
    rows[0] = {**rows[0], "answer": "A", "note": "corrected"}
    write_rows(file, rows)
    train_rationale(file, tmp_path / "b", settings=FOLDS, **SCRATCH)
    row = read_rows(tmp_path / "b" / "out_of_fold.jsonl")[0]
    assert (row["answer"], row["note"]) == ("A", "corrected")
    assert row["teacher"].startswith("student:b/folds/")


def test_two_questions_of_one_id_are_refused(tmp_path: Path) -> None:
    rows = world_rows()[:4]
    rows[1]["id"] = rows[0]["id"]
    file = write_rows(tmp_path / "rows.jsonl", rows)
    with pytest.raises(ScicotError, match="two different questions have the id 'q0'"):
        train_rationale(file, tmp_path / "run", settings=TINY, **SCRATCH)


def test_two_gold_answers_of_one_question_in_two_files_are_refused(tmp_path: Path) -> None:
    rows = world_rows()[:4]
    other = next(c["label"] for c in rows[0]["choices"] if c["label"] != rows[0]["answer"])
    first = write_rows(tmp_path / "a.jsonl", rows)
    second = write_rows(tmp_path / "b.jsonl", [{**rows[0], "answer": other}])
    with pytest.raises(ScicotError, match=r"b.jsonl:1: .* but an earlier row has"):
        train_rationale([first, second], tmp_path / "run", settings=TINY, **SCRATCH)


def test_a_students_rationales_replace_whatever_a_row_said(
    trained: Trained, tmp_path: Path
) -> None:
    """The input rows have rationales of an earlier prediction, and then also a fold."""
    cpu = PredictSettings(device="cpu", max_new_tokens=6)
    out = [tmp_path / f"{n}.jsonl" for n in range(3)]
    predict(
        trained.rows, out[0], rationale_model=trained.rationale, answer_model=trained.answer,
        settings=cpu, limit=4,
    )  # fmt: skip
    predict(out[0], out[1], rationale_model=trained.rationale, settings=cpu)
    (row, *_) = read_rows(out[1])
    assert not {"prediction", "rationales", "models", "scores"} & row.keys()
    write_rows(out[2], [{**r, "fold": 1} for r in read_rows(out[1])])
    predict(out[2], tmp_path / "in_sample.jsonl", rationale_model=trained.rationale, settings=cpu)
    assert "fold" not in read_rows(tmp_path / "in_sample.jsonl")[0]
    train_answer(out[1], tmp_path / "run", settings=TINY, **SCRATCH)
