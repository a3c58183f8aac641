"""--force replaces a run, and continues if it was stopped. A run with other weights, data or input
template is another run."""

import dataclasses
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Recorder, Trained, world_rows, write_rows

from scicot import ScicotError, TrainSettings, train_answer, train_rationale
from scicot.models.weights import model_sha256
from scicot.stages import Stage
from scicot.students.manifest import Manifest, read_manifest
from scicot.training import replacement

TINY = TrainSettings(
    max_steps=3, warmup_steps=1, batch_size=8, max_target_tokens=12, device="cpu", jobs=1
)
FORCED: dict[str, Any] = {"student": "scratch:tiny", "force": True}


class Stopping(Recorder):
    """Stops after a step of a student, counted from 0."""

    def __init__(self, student: int, step: int) -> None:
        super().__init__()
        self._student, self._step, self._trained = student, step, -1

    def task(self, description: str, total: int | None = None) -> Recorder:
        self._trained += description == "training"
        return super().task(description, total)

    def advance(self, steps: int = 1, **figures: Any) -> None:
        super().advance(steps)
        if self.doing == "training" and (self._trained, self.steps) == (self._student, self._step):
            raise KeyboardInterrupt


def weights(run: Path) -> bytes:
    return (run / "model.safetensors").read_bytes()


def manifest_of(run: Path) -> Manifest:
    manifest = read_manifest(run)
    assert manifest is not None
    return manifest


@pytest.mark.parametrize(
    ("several", "student", "first"),
    [
        ({}, 0, "run"),
        ({"folds": 2, "fold_by": "meta.metal"}, 1, "run"),
        ({"seeds": 2}, 1, "run/seed-0"),
    ],
)
def test_a_stopped_force_continues_when_it_is_repeated(
    trained: Trained, tmp_path: Path, several: dict[str, Any], student: int, first: str
) -> None:
    """The second student is stopped, if there are several, so the first one is finished."""
    run, former = tmp_path / "run", tmp_path / ".run.replaced"
    settings = replace(TINY, **several)
    shutil.copytree(trained.rationale, run)
    before = weights(run)
    with pytest.raises(KeyboardInterrupt):
        train_rationale(
            trained.rows, run, settings=settings, reporter=Stopping(student, 2), **FORCED
        )
    assert weights(former) == before
    recorder = Recorder()
    with pytest.raises(KeyboardInterrupt):
        train_rationale(trained.rows, run, settings=settings, reporter=Stopping(0, 3), **FORCED)
    assert weights(former) == before, "kept by a second stop"
    train_rationale(trained.rows, run, settings=settings, reporter=recorder, **FORCED)
    assert f"{run}: resuming the training that an earlier --force started" in recorder.notes
    assert "resuming from step 3" in recorder.notes
    assert not former.exists()
    train_rationale(trained.rows, tmp_path / "other" / "run", settings=settings, **FORCED)
    assert weights(tmp_path / first) == weights(tmp_path / "other" / first)


def test_a_force_with_other_settings_starts_over_and_keeps_the_former_run(
    trained: Trained, tmp_path: Path
) -> None:
    run, former = tmp_path / "run", tmp_path / ".run.replaced"
    shutil.copytree(trained.rationale, run)
    before = weights(run)
    with pytest.raises(KeyboardInterrupt):
        train_rationale(trained.rows, run, settings=TINY, reporter=Stopping(0, 2), **FORCED)
    other, stopping = replace(TINY, seed=1), Stopping(0, 1)
    with pytest.raises(KeyboardInterrupt):
        train_rationale(trained.rows, run, settings=other, reporter=stopping, **FORCED)
    assert not any("resuming from step" in note for note in stopping.notes)
    assert weights(former) == before
    assert train_rationale(trained.rows, run, settings=other, **FORCED).settings["seed"] == 1
    assert not former.exists()


def test_answer_as_auto_with_force_tries_the_forms_again(trained: Trained, tmp_path: Path) -> None:
    """The run that is replaced has a form that a trial on other data may have chosen."""
    run = tmp_path / "run"
    settings = replace(TINY, answer_as="auto", dev_fraction=0.2, fold_by="meta.metal")
    recorder = Recorder()
    train_answer(trained.rows, run, settings=settings, **FORCED)
    train_answer(trained.rows, run, settings=settings, reporter=recorder, **FORCED)
    assert any(note.startswith("--answer-as auto: ") for note in recorder.notes)
    stopping = Stopping(2, 2)  # the students 0 and 1 are those of the trial
    with pytest.raises(KeyboardInterrupt):
        train_answer(trained.rows, run, settings=settings, reporter=stopping, **FORCED)
    recorder = Recorder()
    train_answer(trained.rows, run, settings=settings, reporter=recorder, **FORCED)
    assert not any(note.startswith("--answer-as auto: ") for note in recorder.notes)
    assert "resuming from step 2" in recorder.notes


def test_a_student_directory_with_other_weights_makes_another_run(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained.answer, "model")
    train_answer(trained.rows, "run", student="model", settings=TINY)
    recorder = Recorder()
    for path in ("./model", str(tmp_path / "model")):
        train_answer(trained.rows, "run", student=path, settings=TINY, reporter=recorder)
    finished = f"{tmp_path / 'run'} is finished already and not trained again"
    assert recorder.notes == [finished] * 2
    shutil.rmtree("model")
    shutil.copytree(trained.direct, "model")
    with pytest.raises(ScicotError, match=r"already holds a different run \(student: was 'model "):
        train_answer(trained.rows, "run", student="model", settings=TINY)


@pytest.mark.parametrize("size", [None, 1000])
def test_a_finished_run_with_damaged_weights_is_refused(
    trained: Trained, tmp_path: Path, size: int | None
) -> None:
    """`size` is that of the damaged file. It is None if the file is missing."""
    run, settings = tmp_path / "run", replace(TINY, folds=2, fold_by="meta.metal")
    train_rationale(trained.rows, run, student="scratch:tiny", settings=settings)
    for folder, remedy in (
        (run / "folds" / "1", f"or delete {run / 'folds'} to retrain all fold students"),
        (run, "or replace the run with --force"),
    ):
        file = folder / "model.safetensors"
        content = file.read_bytes()
        if size is None:
            file.unlink()
        else:
            file.write_bytes(content[:size])
        with pytest.raises(ScicotError, match="its weights are missing or damaged") as refused:
            train_rationale(trained.rows, run, student="scratch:tiny", settings=settings)
        assert str(refused.value) == (
            f"-o {folder}: its weights are missing or damaged; copy the run again if it is"
            f" a copy, {remedy}"
        )
        file.write_bytes(content)


def test_a_fold_question_with_the_id_of_another_training_question_is_refused(
    trained: Trained, tmp_path: Path
) -> None:
    other = {**world_rows()[0], "question": "Which one bends?"}
    file = write_rows(tmp_path / "other.jsonl", [other])
    settings = replace(TINY, folds=2, fold_by="meta.metal")
    with pytest.raises(ScicotError, match="two different questions have the id 'q0'"):
        train_rationale(
            trained.rows, tmp_path / "run", student="scratch:tiny", settings=settings,
            fold_questions=file,
        )  # fmt: skip


def test_a_run_of_another_input_template_is_another_run(trained: Trained, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_answer(trained.rows, run, student="scratch:tiny", settings=TINY)
    manifest = json.loads((run / "scicot.json").read_text())
    (run / "scicot.json").write_text(json.dumps({**manifest, "template": 0}))
    with pytest.raises(
        ScicotError, match=r"already holds a different run \(input template: was 0, is 1\)"
    ):
        train_answer(trained.rows, run, student="scratch:tiny", settings=TINY)
    assert train_answer(trained.rows, run, settings=TINY, **FORCED).template == 1


@pytest.mark.parametrize("complete", [False, True])
def test_of_two_runs_the_complete_one_is_kept(tmp_path: Path, complete: bool) -> None:
    """A stopped --force left two folders. If out_of_fold.jsonl is missing, the run itself is not
    complete, so the former run is kept."""
    run, former = tmp_path / "run", tmp_path / ".run.replaced"
    for folder in (run / "seed-0", run / "seed-0" / "folds" / "0", run, former):
        folder.mkdir(parents=True, exist_ok=True)
        settings = {**dataclasses.asdict(TINY), "folds": 1 if folder.name == "seed-0" else 0}
        seeds = ["seed-0"] if folder == run else []
        Manifest(Stage.RATIONALE, folder.name, settings, (), finished=True, seeds=seeds).write(
            folder
        )
    if complete:
        (run / "seed-0" / "out_of_fold.jsonl").write_text("")
    replacement.begin(run, Recorder())
    kept = read_manifest(former)
    assert kept is not None
    assert kept.student == ("run" if complete else ".run.replaced")
    assert list(run.iterdir()) == []


def test_another_tokenizer_is_another_student(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "tokenizer.json").write_text("{}")
    before = model_sha256(tmp_path)
    (tmp_path / "README.md").write_text("no part of the model")
    assert model_sha256(tmp_path) == before
    (tmp_path / "tokenizer.json").write_text('{"other": 1}')
    assert model_sha256(tmp_path) != before
