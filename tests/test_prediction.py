import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Recorder, Trained, read_rows, world_rows, write_rows

from scicot import PredictSettings, ScicotError, predict

CPU = PredictSettings(device="cpu", max_new_tokens=8)


def two_stage(trained: Trained) -> dict[str, Any]:
    return {"answer_model": trained.answer, "rationale_model": trained.rationale, "settings": CPU}


def test_both_stages_answer_in_the_order_of_the_questions(trained: Trained, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    summary = predict(trained.rows, out, **two_stage(trained))
    rows = read_rows(out)
    assert summary.predicted == len(rows) == 36
    for row, given in zip(rows, world_rows(), strict=True):
        assert {k: row[k] for k in given} == given, "the user's own fields survive"
        assert len(row["rationales"]) == 1
        assert sum(row["scores"].values()) == pytest.approx(1)
        assert row["prediction"] == max(row["scores"], key=row["scores"].get)
        assert row["confidence"] == row["scores"][row["prediction"]]
        assert row["models"]["rationale_from"] == "student"
        assert row["models"]["answer"].startswith("answer@")
        weights = row["models"]["weights"]
        assert list(weights) == [row["models"]["answer"], row["models"]["rationale"]]
        assert all(count > 100 for count in weights.values())


def test_windows_and_batches_change_nothing(trained: Trained, tmp_path: Path) -> None:
    outs = []
    for name, window, batch in (("a", 36, 36), ("b", 5, 2)):
        settings = PredictSettings(device="cpu", max_new_tokens=8, window=window, batch_size=batch)
        predict(trained.rows, tmp_path / name, **{**two_stage(trained), "settings": settings})
        outs.append(read_rows(tmp_path / name))
    for first_row, second_row in zip(*outs, strict=True):
        assert first_row["rationales"] == second_row["rationales"]
        assert first_row["scores"] == pytest.approx(second_row["scores"], abs=1e-6)


def test_a_stopped_prediction_goes_on_and_does_nothing_twice(
    trained: Trained, tmp_path: Path
) -> None:
    settings = PredictSettings(device="cpu", max_new_tokens=8, window=4)
    options = {**two_stage(trained), "settings": settings}
    straight, out = tmp_path / "straight.jsonl", tmp_path / "out.jsonl"
    predict(trained.rows, straight, **options)

    class Stopping(Recorder):
        def advance(self, steps: int = 1, **figures: Any) -> None:
            super().advance(steps)
            if self.doing == "answering" and self.steps == 12:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict(trained.rows, out, reporter=Stopping(), **options)
    with out.open("a") as stream:
        stream.write('{"id": "q10", "ques')
    summary = predict(trained.rows, out, **options)
    assert (summary.already_done, summary.predicted) == (12, 24)
    assert read_rows(out) == read_rows(straight)
    summary = predict(trained.rows, out, **options)
    assert (summary.already_done, summary.predicted) == (36, 0)


def test_a_changed_input_is_not_continued(trained: Trained, tmp_path: Path) -> None:
    rows = world_rows()
    file, out = tmp_path / "q.jsonl", tmp_path / "out.jsonl"
    predict(write_rows(file, rows[:3]), out, **two_stage(trained))
    write_rows(file, [rows[0], rows[2], rows[1]])
    with pytest.raises(ScicotError, match=r"out.jsonl:2: answers 'q1' where .*q.jsonl has 'q2'"):
        predict(file, out, **two_stage(trained))
    write_rows(file, rows[:2])
    with pytest.raises(ScicotError, match=r"out.jsonl:3: answers 'q2' where .* has ended"):
        predict(file, out, **two_stage(trained))
    summary = predict(write_rows(file, rows[:5]), out, **two_stage(trained))
    assert (summary.already_done, summary.predicted) == (3, 2)


def test_a_corrected_gold_answer_is_not_passed_over(trained: Trained, tmp_path: Path) -> None:
    rows = world_rows()[:3]
    file, out = tmp_path / "q.jsonl", tmp_path / "out.jsonl"
    predict(write_rows(file, rows), out, **two_stage(trained))
    rows[1]["answer"] = {"A": "B", "B": "A"}[rows[1]["answer"]]
    with pytest.raises(ScicotError, match="its gold answer or another field has changed"):
        predict(write_rows(file, rows), out, **two_stage(trained))


def test_labels_that_the_student_cannot_tell_apart_are_no_answer(
    trained: Trained, tmp_path: Path, recorder: Recorder
) -> None:
    choices = [{"label": "A", "text": "wood"}, {"label": " A", "text": "iron"}]
    file = write_rows(tmp_path / "q.jsonl", [{"question": "Which?", "choices": choices}])
    out = tmp_path / "out.jsonl"
    predict(file, out, answer_model=trained.direct, settings=CPU, reporter=recorder)
    (row,) = read_rows(out)
    assert (row["prediction"], row["confidence"]) == (None, None)
    assert "two choices score exactly alike" in recorder.warnings[0]


def test_force_keeps_the_old_file_until_the_students_are_there(
    trained: Trained, tmp_path: Path
) -> None:
    import shutil

    out, run = tmp_path / "out.jsonl", tmp_path / "run"
    predict(trained.rows, out, answer_model=trained.direct, settings=CPU, limit=2)
    before = out.read_bytes()
    shutil.copytree(trained.direct, run)
    (run / "config.json").write_bytes(b"torn")
    with pytest.raises(ScicotError, match=r"config\.json"):
        predict(trained.rows, out, answer_model=run, settings=CPU, force=True)
    assert out.read_bytes() == before


def test_contradictory_gold_answers_are_a_warning(trained: Trained, tmp_path: Path) -> None:
    first, *others = world_rows()[:3]
    wrong = next(c["label"] for c in first["choices"] if c["label"] != first["answer"])
    file = write_rows(tmp_path / "q.jsonl", [first, *others, {**first, "answer": wrong}])
    listener = Recorder()
    predict(file, tmp_path / "out.jsonl", **two_stage(trained), reporter=listener)
    rows = read_rows(tmp_path / "out.jsonl")
    assert [row["answer"] for row in rows] == [row["answer"] for row in (first, *others)]
    (warning,) = [text for text in listener.warnings if "contradicts" in text]
    assert warning.startswith("1 row contradicts the gold answer of an earlier row")
    assert "q.jsonl:4: has the gold answer" in warning


def test_a_damaged_row_of_an_output_is_named(trained: Trained, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    predict(trained.rows, out, answer_model=trained.direct, settings=CPU, limit=2)
    lines = out.read_bytes().splitlines(keepends=True)
    out.write_bytes(lines[0] + b'{"id": "q1"}\n')
    with pytest.raises(ScicotError, match=r"out\.jsonl:2: "):
        predict(trained.rows, out, answer_model=trained.direct, settings=CPU, limit=2)


def test_other_students_do_not_mix_into_the_file(trained: Trained, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    predict(trained.rows, out, limit=2, **two_stage(trained))
    with pytest.raises(ScicotError, match="rationale_from: was 'student', is 'none'"):
        predict(trained.rows, out, limit=2, answer_model=trained.direct, settings=CPU)


def test_given_rationales_are_read_and_marked(trained: Trained, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    settings = PredictSettings(device="cpu", rationale_from="input")
    predict(trained.rows, out, answer_model=trained.answer, settings=settings)
    for row, given in zip(read_rows(out), world_rows(), strict=True):
        assert row["rationales"] == [given["rationale"]]
        assert row["models"]["rationale_from"] == "input"
    bare = write_rows(tmp_path / "bare.jsonl", [{**world_rows()[0], "rationale": None}])
    with pytest.raises(ScicotError, match=r'bare.jsonl:1: has no "rationale"'):
        predict(bare, tmp_path / "x.jsonl", answer_model=trained.answer, settings=settings)
    assert not (tmp_path / "x.jsonl").exists()


def test_unlabelled_questions_and_other_labels_are_answered(
    trained: Trained, tmp_path: Path
) -> None:
    choices = [{"label": str(n), "text": f"metal {n}"} for n in range(1, 9)]
    rows = [{"question": "Which?", "choices": choices}]
    out = tmp_path / "out.jsonl"
    predict(write_rows(tmp_path / "q.jsonl", rows), out, **two_stage(trained))
    (row,) = read_rows(out)
    assert row["answer"] is None
    assert list(row["scores"]) == [c["label"] for c in choices]


def test_no_number_no_answer(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recorder: Recorder
) -> None:
    from scicot.students.student import Student

    def broken(self: Any, inputs: Any, candidates: Any, **_: Any) -> list[list[float]]:
        return [[math.nan] * len(texts) for texts in candidates]

    monkeypatch.setattr(Student, "score", broken)
    out = tmp_path / "out.jsonl"
    summary = predict(
        trained.rows, out, limit=2, answer_model=trained.direct, settings=CPU, reporter=recorder
    )
    assert summary.unanswered == 2
    assert [(r["prediction"], r["scores"], r["confidence"]) for r in read_rows(out)] == [
        (None, {}, None)
    ] * 2
    assert "2 questions got no answer" in recorder.warnings[1]


@pytest.mark.parametrize(
    ("answer", "rationale", "options", "said"),
    [
        ("rationale", None, {}, "is a run of train-rationale"),
        ("answer", "direct", {}, "give one made by train-rationale"),
        ("answer", None, {}, "reads rationales; give --rationale-model RUN"),
        (
            "direct",
            "rationale",
            {},
            "is a direct run, which reads no rationales; leave --rationale-model out",
        ),
        ("answer", "rationale", {"rationale_from": "none"}, "--rationale-from is none; leave"),
        ("direct", None, {"rationale_from": "input"}, "leave --rationale-from out"),
    ],
)
def test_runs_that_do_not_fit_together_are_refused_in_one_line(
    trained: Trained,
    tmp_path: Path,
    answer: str,
    rationale: str | None,
    options: dict[str, Any],
    said: str,
) -> None:
    with pytest.raises(ScicotError, match=said) as caught:
        predict(
            trained.rows,
            tmp_path / "out.jsonl",
            answer_model=getattr(trained, answer),
            rationale_model=getattr(trained, rationale) if rationale else None,
            settings=PredictSettings(device="cpu", **options),
        )
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_predict_pipes_into_evaluate_as_processes(trained: Trained) -> None:
    """stdin to stdout through both commands; predict never imports the Trainer."""
    program = (
        "import sys; from scicot_cli.main import main\n"
        "try: main()\n"
        "finally: assert not any(m.startswith('transformers.trainer') for m in sys.modules)"
    )
    students: list[str | Path] = ["--rationale-model", trained.rationale]
    students += ["--answer-model", trained.answer]
    predicted = subprocess.run(
        [sys.executable, "-c", program, "predict", "-", *students, "--max-new-tokens", "4"],
        input=trained.rows.read_bytes(), capture_output=True, env=os.environ, check=False,
    )  # fmt: skip
    assert predicted.returncode == 0, predicted.stderr
    assert len(predicted.stdout.splitlines()) == 36
    judged = subprocess.run(
        [sys.executable, "-m", "scicot_cli", "evaluate", "-", "--json"],
        input=predicted.stdout, capture_output=True, env=os.environ, check=False,
    )  # fmt: skip
    assert judged.returncode == 0, judged.stderr
    assert json.loads(judged.stdout)["systems"][0]["questions"] == 36
