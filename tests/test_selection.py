"""The best checkpoint is selected on dev, with the same accuracy that predict gives."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Recorder, Trained, read_rows, world_rows, write_rows

from scicot import PredictSettings, ScicotError, TrainSettings, predict, train_answer
from scicot.students.manifest import Manifest, read_manifest
from scicot.training.dev_set import DevSet
from scicot.training.job import train_rationale

SETTINGS = TrainSettings(
    max_steps=12, warmup_steps=1, batch_size=8, learning_rate=0.02, eval_steps=3, device="cpu",
    max_target_tokens=24,
)  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    rows = world_rows()
    return write_rows(tmp_path / "train.jsonl", rows[:24]), write_rows(
        tmp_path / "dev.jsonl", rows[24:]
    )


def log(run: Path, figure: str) -> dict[int, float]:
    rows = read_rows(run / "training_log.jsonl")
    return {row["step"]: row[figure] for row in rows if figure in row}


def test_the_best_on_dev_is_kept_and_predict_agrees(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    run, out = tmp_path / "run", tmp_path / "out.jsonl"
    train, dev = files
    manifest = train_answer(train, run, student="scratch:tiny", settings=SETTINGS, dev=[dev])
    accuracy, loss = log(run, "dev_accuracy"), log(run, "dev_loss")
    assert sorted(accuracy) == [0, 3, 6, 9, 12]
    best = max(accuracy, key=lambda step: (accuracy[step], -loss[step]))
    assert manifest.metrics["best_step"] == best
    assert manifest.metrics["dev_accuracy"] == accuracy[best]
    cpu = PredictSettings(rationale_from="input", device="cpu")
    predict(dev, out, answer_model=run, settings=cpu)
    rows = read_rows(out)
    right = sum(row["prediction"] == row["answer"] for row in rows)
    assert right / len(rows) == accuracy[best]
    assert "best checkpoint on 12 dev rows" in (run / "README.md").read_text()
    assert (run / "loss.svg").read_text().startswith("<svg")
    assert not (run / "checkpoints").exists()


def test_a_rationale_student_is_chosen_by_loss_or_by_rouge_l(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    train, dev = files
    for by in ("loss", "rouge-l"):
        run = tmp_path / by
        settings = replace(SETTINGS, select_by=by)
        manifest = train_rationale(train, run, student="scratch:tiny", settings=settings, dev=[dev])
        loss, rouge = log(run, "dev_loss"), log(run, "dev_rouge_l")
        merit = (lambda s: -loss[s]) if by == "loss" else (lambda s: (rouge[s], -loss[s]))  # noqa: B023
        assert manifest.metrics["best_step"] == max(loss, key=merit)
        assert 0 <= manifest.metrics["dev_rouge_l"] <= 1


def test_the_dev_loss_is_that_of_the_model_itself(trained: Trained) -> None:
    import torch

    from scicot.models.pretrained import load_pretrained
    from scicot.models.prompt_format import Seq2Seq
    from scicot.records import Question
    from scicot.stages import Stage, rationale_input
    from scicot.training.examples import Lesson

    model, tokenizer = load_pretrained(str(trained.rationale))
    rows = world_rows()[:5]
    lessons = [Lesson(Question.from_row(row), row["rationale"]) for row in rows]
    measured = DevSet(lessons, Stage.RATIONALE, SETTINGS).measure(
        model, Seq2Seq(tokenizer, frozenset({1}))
    )
    total, tokens = 0.0, 0
    for lesson in lessons:
        source = tokenizer(str(rationale_input(lesson.question)), return_tensors="pt")
        labels = tokenizer(text_target=lesson.rationale, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            total += float(model.eval()(**source, labels=labels).loss) * labels.shape[1]
        tokens += labels.shape[1]
    assert measured["dev_loss"] == pytest.approx(total / tokens, rel=1e-5)


def test_patience_ends_a_training_that_gets_no_better(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([1.2, 1.0, 0.5, 0.7, 0.6, 0.8, 0.1])
    monkeypatch.setattr(
        DevSet, "measure", lambda *_: {"dev_accuracy": 0.5, "dev_loss": next(losses)}
    )
    train, dev = files
    settings = replace(SETTINGS, max_steps=18, patience=2)
    manifest = train_answer(
        train, tmp_path / "run", student="scratch:tiny", settings=settings, dev=dev
    )
    assert (manifest.metrics["steps"], manifest.metrics["best_step"]) == (12, 6)
    assert manifest.metrics["dev_loss"] == 0.5


def test_a_stopped_training_with_dev_goes_on_as_if_it_had_not_been(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    class Stopping(Recorder):
        def advance(self, steps: int = 1, **figures: Any) -> None:
            super().advance(steps)
            if self.doing == "training" and self.steps == 7:
                raise KeyboardInterrupt

    train, dev = files
    settings = replace(SETTINGS, rationale_dropout=0.3, shuffle_choices=True)
    options: dict[str, Any] = {"student": "scratch:tiny", "settings": settings, "dev": dev}

    def made(run: Path) -> tuple[bytes, dict[int, float], Manifest]:
        manifest = read_manifest(run)
        assert manifest is not None
        return (run / "model.safetensors").read_bytes(), log(run, "dev_loss"), manifest

    with pytest.raises(KeyboardInterrupt):
        train_answer(train, tmp_path / "stopped", reporter=Stopping(), **options)
    train_answer(train, tmp_path / "stopped", **options)
    train_answer(train, tmp_path / "straight", **options)
    stopped, straight = made(tmp_path / "stopped"), made(tmp_path / "straight")
    assert stopped[:2] == straight[:2]
    assert stopped[2].metrics["best_step"] == straight[2].metrics["best_step"]
    assert log(tmp_path / "stopped", "loss") == log(tmp_path / "straight", "loss")


def test_a_training_stopped_where_its_patience_ends_learns_no_more(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkpoint and the last dev evaluation are of the same step. The best step is step 0."""
    losses = iter([0.5, 0.7, 0.7, 0.1])
    monkeypatch.setattr(
        DevSet, "measure", lambda *_: {"dev_accuracy": 0.5, "dev_loss": next(losses)}
    )

    class Stopping(Recorder):
        def advance(self, steps: int = 1, **figures: Any) -> None:
            super().advance(steps)
            if self.doing == "training" and self.steps == 1:
                raise KeyboardInterrupt

    train, dev = files
    settings = replace(SETTINGS, max_steps=40, eval_steps=1, patience=1)
    options: dict[str, Any] = {"student": "scratch:tiny", "settings": settings, "dev": dev}
    with pytest.raises(KeyboardInterrupt):
        train_answer(train, tmp_path / "stopped", reporter=Stopping(), **options)
    resumed = train_answer(train, tmp_path / "stopped", **options)
    losses = iter([0.5, 0.7])
    straight = train_answer(train, tmp_path / "straight", **options)
    same = ("steps", "best_step", "dev_loss", "last_loss", "training_tokens")
    assert {n: resumed.metrics[n] for n in same} == {n: straight.metrics[n] for n in same}
    assert resumed.metrics["steps"] == 1
    assert resumed.weights_sha256 == straight.weights_sha256


def test_dev_questions_that_are_learnt_from_are_warned_of(
    files: tuple[Path, Path], tmp_path: Path, recorder: Recorder
) -> None:
    train, _ = files
    leak = [{**row, "id": f"dev-{row['id']}"} for row in world_rows()[20:30]]
    dev = write_rows(tmp_path / "leak.jsonl", leak)
    train_answer(
        train, tmp_path / "run", student="scratch:tiny", settings=replace(SETTINGS, max_steps=1),
        dev=dev, reporter=recorder,
    )  # fmt: skip
    assert recorder.warnings[0] == (
        "--dev: 10 of 10 questions have the text of training questions,"
        " 4 of them with the same context and choices too"
    )
    assert recorder.warnings[1].startswith(
        "dev: evaluated with a teacher's rationales, but predict"
    )


def test_dev_questions_with_other_gold_answers_are_warned_of(
    files: tuple[Path, Path], tmp_path: Path, recorder: Recorder
) -> None:
    train, _ = files
    rows = [{**row, "answer": "AB"[row["answer"] == "A"]} for row in world_rows()[20:22]]
    dev = write_rows(tmp_path / "dev.jsonl", [*rows, *rows, *world_rows()[24:]])
    train_answer(
        train, tmp_path / "run", student="scratch:tiny", settings=replace(SETTINGS, max_steps=1),
        dev=dev, reporter=recorder,
    )  # fmt: skip
    assert recorder.warnings[0].startswith(
        "--dev: 2 questions contradict the gold answers of training rows; the first has the gold"
        " answer "
    )


def test_dev_and_dev_fraction_are_one_too_many(files: tuple[Path, Path], tmp_path: Path) -> None:
    train, dev = files
    settings = replace(SETTINGS, dev_fraction=0.2)
    with pytest.raises(ScicotError, match="give one of the two"):
        train_answer(train, tmp_path / "r", student="scratch:tiny", settings=settings, dev=dev)


def test_the_log_is_json_without_a_made_up_epoch(trained: Trained) -> None:
    rows = read_rows(trained.answer / "training_log.jsonl")
    assert [row["step"] for row in rows if "loss" in row] == list(range(1, 9))
    assert all("epoch" not in row for row in rows)


def test_the_weights_of_the_best_step_are_what_is_saved(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from safetensors.torch import load_file

    train, dev = files
    seen: list[torch.Tensor] = []
    losses = iter([1.0, 0.9, 0.2, 0.7, 0.6])

    def measure(self: DevSet, model: Any, tokenizer: Any) -> dict[str, float]:
        seen.append(model.shared.weight.detach().clone())
        return {"dev_accuracy": 0.5, "dev_loss": next(losses)}

    monkeypatch.setattr(DevSet, "measure", measure)
    manifest = train_answer(
        train, tmp_path / "run", student="scratch:tiny", settings=SETTINGS, dev=dev
    )
    saved = load_file(tmp_path / "run" / "model.safetensors")["shared.weight"]
    assert manifest.metrics["best_step"] == 6
    assert torch.equal(saved, seen[2])
    assert not torch.equal(saved, seen[4])


def test_looking_at_dev_leaves_the_training_loss_in_the_log(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    train, dev = files
    judged: dict[str, Any] = {"dev": dev}
    for name, more in (("with", judged), ("without", {})):
        settings = SETTINGS if more else replace(SETTINGS, eval_steps=None)
        train_answer(train, tmp_path / name, student="scratch:tiny", settings=settings, **more)
    assert log(tmp_path / "with", "loss") == log(tmp_path / "without", "loss")
