"""Outputs and --force: a command that is stopped and repeated continues, and a refused command
leaves the existing output as it is."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Recorder, Trained, read_rows, world_rows, write_rows
from test_annotation import QUESTIONS, ScriptedTeacher
from test_prediction import CPU

from scicot import PredictSettings, ScicotError, generate_rationales, predict

SMALL_WINDOWS = PredictSettings(device="cpu", max_new_tokens=8, window=4)


class Stopping(Recorder):
    """Stops a prediction after two windows."""

    def advance(self, steps: int = 1, **figures: Any) -> None:
        super().advance(steps)
        if self.doing == "answering" and self.steps >= 8:
            raise KeyboardInterrupt


def state_of(out: Path) -> Any:
    return json.loads(out.with_suffix(".state.json").read_text())


def stop_at(question: str, questions: Path, out: Path) -> None:
    """Ask with --force, and stop before the reply to a question."""
    teacher = ScriptedTeacher({question: KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        generate_rationales(questions, out, teacher=teacher, force=True)


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "questions.jsonl", QUESTIONS)


def test_a_stopped_prediction_with_force_continues(trained: Trained, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    options: dict[str, Any] = {"answer_model": trained.direct, "settings": SMALL_WINDOWS}
    predict(trained.rows, out, **options)
    straight = out.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        predict(trained.rows, out, reporter=Stopping(), force=True, **options)
    assert len(read_rows(out)) == 8
    again = Recorder()
    summary = predict(trained.rows, out, reporter=again, force=True, **options)
    assert (summary.already_done, summary.predicted) == (8, 28)
    assert "that an earlier --force started" in " ".join(again.notes)
    assert out.read_bytes() == straight
    assert "forced" not in state_of(out)
    # the output is finished, so --force begins anew
    assert predict(trained.rows, out, force=True, **options).predicted == 36


def test_a_stopped_prediction_with_force_and_other_settings_starts_over(
    trained: Trained, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    direct: dict[str, Any] = {"answer_model": trained.direct, "settings": SMALL_WINDOWS}
    with pytest.raises(KeyboardInterrupt):
        predict(trained.rows, out, reporter=Stopping(), force=True, **direct)
    options: dict[str, Any] = {"answer_model": trained.answer, "rationale_model": trained.rationale}
    summary = predict(trained.rows, out, settings=CPU, force=True, **options)
    assert (summary.already_done, summary.predicted) == (0, 36)


def test_a_stopped_teacher_run_with_force_pays_nothing_twice(
    questions: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    generate_rationales(questions, out, teacher=ScriptedTeacher())
    stop_at("q3", questions, out)
    second = ScriptedTeacher()
    generate_rationales(questions, out, teacher=second, force=True)
    assert [question for question, _ in second.asked] == ["q3", "q4", "q5"]
    third = ScriptedTeacher()
    generate_rationales(questions, out, teacher=third, force=True)
    assert len(third.asked) == 6


def test_a_forced_run_that_was_stopped_before_its_first_row_is_still_known(
    questions: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    for stopped_at in ("q0", "q2"):
        stop_at(stopped_at, questions, out)
    last = ScriptedTeacher()
    generate_rationales(questions, out, teacher=last, force=True)
    assert [question for question, _ in last.asked] == ["q2", "q3", "q4", "q5"]


def test_a_stopped_run_with_force_and_a_damaged_row_starts_over(
    questions: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    stop_at("q3", questions, out)
    out.write_bytes(b"{torn}\n" + out.read_bytes())
    teacher = ScriptedTeacher()
    generate_rationales(questions, out, teacher=teacher, force=True)
    assert len(teacher.asked) == len(read_rows(out)) == 6


def test_a_stopped_run_with_force_and_other_questions_starts_over(
    questions: Path, tmp_path: Path
) -> None:
    out, others = tmp_path / "out.jsonl", write_rows(tmp_path / "others.jsonl", QUESTIONS[4:])
    stop_at("q3", questions, out)
    generate_rationales(others, out, teacher=ScriptedTeacher(), force=True)
    assert [row["id"] for row in read_rows(out)] == ["q4", "q5"]


def test_a_refused_prediction_leaves_the_state_file_as_it_is(
    trained: Trained, tmp_path: Path
) -> None:
    out, other = tmp_path / "out.jsonl", tmp_path / "other.jsonl"
    options: dict[str, Any] = {"answer_model": trained.direct, "settings": SMALL_WINDOWS}
    predict(trained.rows, out, **options)
    before = out.read_bytes(), state_of(out)
    rows = world_rows()
    label = next(c["label"] for c in rows[0]["choices"] if c["label"] != rows[0]["answer"])
    for changed in (rows[::-1], rows[:20], [{**rows[0], "answer": label}, *rows[1:]]):
        write_rows(other, changed)
        with pytest.raises(ScicotError, match="choose another output"):
            predict(other, out, **options)
        assert (out.read_bytes(), state_of(out)) == before


@pytest.mark.parametrize(
    ("given", "problem"), [("", "has no rows, so"), ('{"bad": 1}\n', "not a question row")]
)
def test_force_with_a_pipe_of_no_question_keeps_the_output(
    trained: Trained, tmp_path: Path, given: str, problem: str
) -> None:
    out = tmp_path / "out.jsonl"
    predict(trained.rows, out, answer_model=trained.direct, settings=CPU, limit=2)
    before = out.read_bytes(), state_of(out)
    command = [sys.executable, "-m", "scicot_cli", "predict", "-", "-o", str(out), "--force"]
    options = ["--answer-model", str(trained.direct), "--device", "cpu"]
    done = subprocess.run([*command, *options], input=given, capture_output=True, text=True)
    assert done.returncode == 1
    assert problem in done.stderr
    assert (out.read_bytes(), state_of(out)) == before


def test_force_with_a_pipe_of_no_question_keeps_paid_rationales(
    questions: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    generate_rationales(questions, out, teacher=ScriptedTeacher())
    before = out.read_bytes(), state_of(out)
    command = [sys.executable, "-m", "scicot_cli", "generate-rationales", "-", "-o", str(out)]
    replies = write_rows(tmp_path / "replies.jsonl", [{"id": "q0", "reply": "So.\nAnswer: A"}])
    options = ["--teacher", f"recorded:{replies}", "--force"]
    done = subprocess.run([*command, *options], input="", capture_output=True, text=True)
    assert done.returncode == 1
    assert "has no rows, so" in done.stderr
    assert (out.read_bytes(), state_of(out)) == before
