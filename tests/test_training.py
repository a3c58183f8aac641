import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Recorder, Trained, world_rows, write_rows

from scicot import ScicotError, TrainSettings, train_answer, train_rationale
from scicot.stages import Stage
from scicot.students.manifest import read_manifest

TINY = TrainSettings(max_steps=2, warmup_steps=1, batch_size=8, device="cpu")


def weights(run: Path) -> bytes:
    return (run / "model.safetensors").read_bytes()


def test_a_run_is_an_ordinary_model_directory(trained: Trained) -> None:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    model = AutoModelForSeq2SeqLM.from_pretrained(trained.rationale)
    tokenizer = AutoTokenizer.from_pretrained(trained.rationale)
    assert model.config.vocab_size == len(tokenizer)
    text = "question: What is it? Ωé (A)"
    ids = tokenizer(text)["input_ids"]
    assert ids[-1] == tokenizer.eos_token_id
    assert str(tokenizer.decode(ids, skip_special_tokens=True)).strip() == text


def test_the_manifest_and_the_card_tell_how_it_was_made(trained: Trained) -> None:
    manifest = read_manifest(trained.answer)
    assert manifest is not None
    assert (manifest.stage, manifest.finished) == (Stage.ANSWER, True)
    assert manifest.settings["max_steps"] == 8
    assert manifest.metrics["steps"] == 8
    assert manifest.metrics["rows"] == 36
    assert len(manifest.weights_sha256 or "") == 64
    assert manifest.data[0]["file"] == str(trained.rows)
    card = (trained.answer / "README.md").read_text()
    assert "rationale: ...` -> the label" in card
    assert str(manifest.data[0]["sha256"]) in card
    assert not (trained.answer / "checkpoints").exists()


def test_a_finished_run_is_not_trained_again_and_another_is_refused(
    trained: Trained, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    options: dict[str, Any] = {"student": "scratch:tiny", "settings": TINY}
    first = train_rationale([trained.rows], run, **options)
    stamp = (run / "model.safetensors").stat().st_mtime_ns
    assert train_rationale([trained.rows], run, **options) == first
    assert (run / "model.safetensors").stat().st_mtime_ns == stamp
    other = TrainSettings(max_steps=3, warmup_steps=1, batch_size=8, device="cpu")
    with pytest.raises(ScicotError, match=r"max_steps: was 2, is 3"):
        train_rationale([trained.rows], run, student="scratch:tiny", settings=other)
    with pytest.raises(ScicotError, match=r"stage: was 'rationale', is 'answer'"):
        train_answer([trained.rows], run, **options)
    rows = write_rows(tmp_path / "rows.jsonl", world_rows()[:9])
    with pytest.raises(ScicotError, match="training rows: was"):
        train_rationale([rows], run, **options)
    forced = train_rationale([rows], run, force=True, **options)
    assert forced.metrics["rows"] == 9


def test_the_same_seed_gives_the_same_weights(trained: Trained, tmp_path: Path) -> None:
    for name in ("a", "b"):
        train_answer([trained.rows], tmp_path / name, student="scratch:tiny", settings=TINY)
    other = TrainSettings(max_steps=2, warmup_steps=1, batch_size=8, device="cpu", seed=1)
    train_answer([trained.rows], tmp_path / "c", student="scratch:tiny", settings=other)
    assert weights(tmp_path / "a") == weights(tmp_path / "b") != weights(tmp_path / "c")


def test_a_stopped_training_goes_on_from_its_checkpoint(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    settings = TrainSettings(max_steps=6, warmup_steps=1, batch_size=8, device="cpu")

    class Stopping(Recorder):
        def advance(self, steps: int = 1, **figures: Any) -> None:
            super().advance(steps)
            if self.doing == "training" and self.steps == 4:
                raise KeyboardInterrupt

    run = tmp_path / "stopped"
    options: dict[str, Any] = {"student": "scratch:tiny", "settings": settings}
    with pytest.raises(KeyboardInterrupt):
        train_rationale([trained.rows], run, reporter=Stopping(), **options)
    manifest = read_manifest(run)
    assert manifest is not None
    assert not manifest.finished
    recorder = Recorder()
    train_rationale([trained.rows], run, reporter=recorder, **options)
    assert any("resuming from step 4" in note for note in recorder.notes)
    train_rationale([trained.rows], tmp_path / "straight", **options)
    assert weights(run) == weights(tmp_path / "straight")


def test_force_keeps_the_old_run_until_the_new_one_is_done(
    trained: Trained, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    options: dict[str, Any] = {"settings": TINY, "force": True}
    train_rationale(trained.rows, run, student="scratch:tiny", **options)
    before = weights(run)
    with pytest.raises(ScicotError, match="no such directory"):
        train_rationale(trained.rows, run, student="./nowhere", **options)
    assert weights(run) == before

    class Stopping(Recorder):
        def advance(self, steps: int = 1, **figures: Any) -> None:
            if self.doing == "training":
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_rationale(trained.rows, run, student="scratch:tiny", reporter=Stopping(), **options)
    assert weights(tmp_path / ".run.replaced") == before
    train_rationale(trained.rows, run, student="scratch:tiny", **options)
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_a_loss_that_is_no_number_is_no_run(trained: Trained, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    model = AutoModelForSeq2SeqLM.from_pretrained(trained.direct)
    torch.nn.init.constant_(model.shared.weight, float("nan"))
    model.save_pretrained(tmp_path / "student")
    AutoTokenizer.from_pretrained(trained.direct).save_pretrained(tmp_path / "student")
    run = tmp_path / "run"
    with pytest.raises(ScicotError, match="the loss is NaN or infinite"):
        train_rationale(trained.rows, run, student=str(tmp_path / "student"), settings=TINY)
    manifest = read_manifest(run)
    assert manifest is not None
    assert not manifest.finished


def test_a_start_that_failed_does_not_bind_the_next_one(trained: Trained, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(ScicotError):
        train_rationale(trained.rows, run, student="no/such", settings=TINY)
    assert train_rationale(trained.rows, run, student="scratch:tiny", settings=TINY).finished


def test_rejected_rows_are_not_learnt_from(trained: Trained, tmp_path: Path) -> None:
    row = {**world_rows()[0], "request": "1f", "reason": "wrong-conclusion"}
    file = write_rows(tmp_path / "r.rejected.jsonl", [row])
    with pytest.raises(ScicotError, match=r"jsonl:1: was rejected \(wrong-conclusion\)"):
        train_rationale(file, tmp_path / "run", student="scratch:tiny", settings=TINY)


def test_others_may_read_the_weights(trained: Trained) -> None:
    assert (trained.answer / "model.safetensors").stat().st_mode == (
        trained.answer / "config.json"
    ).stat().st_mode


def test_students_train_in_fp32_whatever_their_file_holds(trained: Trained, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    from scicot.models.pretrained import load_pretrained

    model = AutoModelForSeq2SeqLM.from_pretrained(trained.direct).to(torch.bfloat16)
    model.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(trained.direct).save_pretrained(tmp_path)
    assert load_pretrained(str(tmp_path))[0].dtype is torch.float32


def test_a_place_that_holds_something_else_is_left_alone(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    for force in (False, True):
        with pytest.raises(ScicotError, match="is not a scicot run"):
            train_rationale(
                [trained.rows], tmp_path, student="scratch:tiny", settings=TINY, force=force
            )
    assert (tmp_path / "thesis.tex").exists()


@pytest.mark.parametrize(
    ("student", "said"),
    [
        ("scratch:gigantic", "no such size; choose one of tiny"),
        ("no/such-model", "student no/such-model: cannot be loaded"),
        ("./nowhere", "student ./nowhere: there is no such directory"),
        ("./weights.gguf", "is a GGUF file"),
    ],
)
def test_a_student_that_cannot_be_had(
    trained: Trained, tmp_path: Path, student: str, said: str
) -> None:
    with pytest.raises(ScicotError, match=said) as caught:
        train_rationale([trained.rows], tmp_path / "run", student=student, settings=TINY)
    assert "\n" not in str(caught.value)


def test_a_device_that_is_not_there_is_said_first(trained: Trained, tmp_path: Path) -> None:
    settings = TrainSettings(device="cuda:9")
    with pytest.raises(ScicotError, match="--device cuda:9: not available here"):
        train_answer([trained.rows], tmp_path / "r", student="scratch:tiny", settings=settings)


def test_rows_that_teach_nothing_are_counted(tmp_path: Path, recorder: Recorder) -> None:
    rows = world_rows()[:4]
    rows[0]["answer"] = None
    rows[1]["rationale"] = "Because."
    file = write_rows(tmp_path / "rows.jsonl", rows)
    manifest = train_answer(
        [file], tmp_path / "run", student="scratch:tiny", settings=TINY, reporter=recorder
    )
    assert manifest.metrics["rows"] == 3
    assert recorder.warnings == [
        f"{file}: 1 of 4 rows has no gold answer, first at {file}:1; left out"
    ]
    unlabelled = write_rows(tmp_path / "none.jsonl", [rows[0]])
    with pytest.raises(ScicotError, match="no row has a gold answer to learn from "):
        train_answer([unlabelled], tmp_path / "none", student="scratch:tiny", settings=TINY)


def test_the_direct_baseline_reads_each_question_once(tmp_path: Path) -> None:
    rows = world_rows()[:4]
    twice = [*rows, *({**row, "sample": 1} for row in rows)]
    file = write_rows(tmp_path / "rows.jsonl", twice)
    manifest = train_answer(
        [file], tmp_path / "run", student="scratch:tiny", method="direct", settings=TINY
    )
    assert (manifest.stage, manifest.metrics["rows"]) == (Stage.DIRECT, 4)


def test_the_trainer_prints_nothing_to_stdout(
    scicot: Any, trained: Trained, tmp_path: Path
) -> None:
    outcome = scicot(
        "train-answer", trained.rows, "-o", tmp_path / "run", "--student", "scratch:tiny",
        "--max-steps", 1, "--device", "cpu",
    )  # fmt: skip
    assert (outcome.code, outcome.stdout) == (0, "")
    assert "answer student trained on 36 rows, 1 steps" in outcome.stderr


def test_train_rationale_as_a_process(trained: Trained, tmp_path: Path) -> None:
    """The only test that starts a real training process, to check import, exit code and files."""
    run = tmp_path / "run"
    done = subprocess.run(
        [sys.executable, "-m", "scicot_cli", "train-rationale", trained.rows, "-o", run,
         "--student", "scratch:tiny", "--max-steps", "1", "--device", "cpu"],
        capture_output=True, text=True, env=os.environ, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert json.loads((run / "scicot.json").read_text())["finished"] is True
