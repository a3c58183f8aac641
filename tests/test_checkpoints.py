"""A stopped training goes on from its last complete checkpoint that is not damaged."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Recorder, world_rows, write_rows

from scicot import TrainSettings, train_answer
from scicot.students.manifest import read_manifest
from scicot.training.fitting import checkpoints

STEPS = 4
OPTIONS: dict[str, Any] = {
    "student": "scratch:tiny",
    # a checkpoint after every step
    "settings": TrainSettings(
        max_steps=STEPS, warmup_steps=1, batch_size=8, eval_steps=1, device="cpu",
        checkpoint_minutes=1e-9,
    ),
}  # fmt: skip


def stopped(train: Path, dev: Path, run: Path) -> Path:
    """Train in `run` until step 3, and return its last checkpoint. There is one of step 2, too."""

    class Stopping(Recorder):
        def advance(self, steps: int = 1, **figures: Any) -> None:
            super().advance(steps)
            if self.doing == "training" and self.steps == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_answer(train, run, dev=dev, reporter=Stopping(), **OPTIONS)
    return run / "checkpoints" / "checkpoint-3"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path, str]:
    """Training rows, dev rows, a stopped run, and the hash of the weights of a whole run."""
    folder = tmp_path_factory.mktemp("world")
    train = write_rows(folder / "train.jsonl", world_rows()[:24])
    dev = write_rows(folder / "dev.jsonl", world_rows()[24:])
    stopped(train, dev, folder / "stopped")
    straight = train_answer(train, folder / "straight", dev=dev, **OPTIONS)
    return train, dev, folder / "stopped", str(straight.weights_sha256)


def cut_off(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:100])


def emptied(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


@pytest.mark.parametrize(
    ("damage", "name", "problem"),
    [
        (cut_off, "model.safetensors", "model.safetensors is damaged"),
        (emptied, "model.safetensors", "its weights are missing or damaged"),
        (cut_off, "optimizer.pt", "optimizer.pt is damaged"),
        (emptied, "optimizer.pt", "optimizer.pt is damaged"),
        (Path.unlink, "optimizer.pt", "optimizer.pt is missing"),
        (Path.unlink, "rng_state.pth", "rng_state.pth is missing"),
        (emptied, "trainer_state.json", "trainer_state.json is damaged"),
        (emptied, "whole", "whole is damaged"),
    ],
)
def test_a_damaged_checkpoint_is_passed_over_with_a_warning(
    world: tuple[Path, Path, Path, str],
    tmp_path: Path,
    damage: Callable[[Path], None],
    name: str,
    problem: str,
) -> None:
    train, dev, begun, weights = world
    run = shutil.copytree(begun, tmp_path / "run")
    last = run / "checkpoints" / "checkpoint-3"
    damage(last / name)
    recorder = Recorder()
    manifest = train_answer(train, run, dev=dev, reporter=recorder, **OPTIONS)
    assert f"{last}: {problem}; the training goes on from step 2" in recorder.warnings
    assert manifest.weights_sha256 == weights
    assert not (run / "checkpoints").exists()


def test_without_an_intact_checkpoint_the_training_starts_over(
    world: tuple[Path, Path, Path, str], tmp_path: Path
) -> None:
    train, dev, begun, weights = world
    run = shutil.copytree(begun, tmp_path / "run")
    for step in (2, 3):
        cut_off(run / "checkpoints" / f"checkpoint-{step}" / "optimizer.pt")
    recorder = Recorder()
    manifest = train_answer(train, run, dev=dev, reporter=recorder, **OPTIONS)
    (warning,) = [text for text in recorder.warnings if "damaged" in text]
    assert warning.endswith("optimizer.pt is damaged; the training starts from the beginning")
    assert (manifest.weights_sha256, manifest.metrics["steps"]) == (weights, STEPS)


def test_best_weights_that_are_missing_are_found_again(
    world: tuple[Path, Path, Path, str], tmp_path: Path
) -> None:
    train, dev, begun, weights = world
    run = shutil.copytree(begun, tmp_path / "run")
    for file in (run / "checkpoints").glob("best-*.pt"):
        file.unlink()
    recorder = Recorder()
    manifest = train_answer(train, run, dev=dev, reporter=recorder, **OPTIONS)
    assert any("the best weights so far, is missing" in text for text in recorder.warnings)
    assert manifest.weights_sha256 == weights


def test_half_a_checkpoint_is_passed_over(
    world: tuple[Path, Path, Path, str], tmp_path: Path
) -> None:
    """A checkpoint without a marker file is no damaged checkpoint: its writing was interrupted."""
    train, dev, begun, weights = world
    run = shutil.copytree(begun, tmp_path / "run")
    (run / "checkpoints" / "checkpoint-3" / checkpoints.COMPLETE_MARKER).unlink()
    recorder = Recorder()
    manifest = train_answer(train, run, dev=dev, reporter=recorder, **OPTIONS)
    assert "resuming from step 2" in recorder.notes
    assert not any("checkpoint" in text for text in recorder.warnings)
    assert manifest.weights_sha256 == weights
    assert checkpoints.last_usable(tmp_path / "none", None, recorder) is None


def test_a_checkpoint_of_an_earlier_version_is_used(
    world: tuple[Path, Path, Path, str], tmp_path: Path
) -> None:
    """Its marker file is empty."""
    train, dev, begun, weights = world
    run = shutil.copytree(begun, tmp_path / "run")
    (run / "checkpoints" / "checkpoint-3" / checkpoints.COMPLETE_MARKER).write_bytes(b"")
    recorder = Recorder()
    manifest = train_answer(train, run, dev=dev, reporter=recorder, **OPTIONS)
    assert "resuming from step 3" in recorder.notes
    assert manifest.weights_sha256 == weights


def test_the_seconds_of_all_processes_are_counted(
    world: tuple[Path, Path, Path, str], tmp_path: Path
) -> None:
    train, dev, begun, _ = world
    run = shutil.copytree(begun, tmp_path / "run")
    marker = run / "checkpoints" / "checkpoint-3" / checkpoints.COMPLETE_MARKER
    text = marker.read_text()
    before = checkpoints.train_seconds(marker.parent)
    marker.write_text(text.replace(f'"train_seconds": {before}', '"train_seconds": 1000.5'))
    manifest = train_answer(train, run, dev=dev, **OPTIONS)
    assert manifest.metrics["train_seconds"] > 1000.5
    assert read_manifest(run) == manifest
