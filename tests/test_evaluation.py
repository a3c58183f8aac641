import json
import math
from pathlib import Path
from typing import Any

import pytest
from conftest import Recorder, write_rows
from predictions import prediction, rows_of

from scicot import EvaluateSettings, ScicotError, evaluate
from scicot.outputs import missing_parts
from scicot.statistics import wilson_interval


def test_accuracy_counts_no_answer_as_wrong(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "mine.jsonl", rows_of("AAAB-"))
    (system,) = evaluate([file]).systems
    assert (system.name, system.questions, system.answered, system.correct) == ("mine", 5, 4, 3)
    assert system.accuracy == 0.6
    assert system.interval == wilson_interval(3, 5)
    assert (system.chance, system.oracle) == (0.25, False)


def test_what_cannot_be_judged_is_said(tmp_path: Path, recorder: Recorder) -> None:
    twice = write_rows(tmp_path / "twice.jsonl", rows_of("A") * 2)
    with pytest.raises(ScicotError, match="id 'q0' occurs twice"):
        evaluate([twice])
    unlabelled = [{**row, "answer": None} for row in rows_of("AB")]
    with pytest.raises(ScicotError, match="no row has a gold answer"):
        evaluate([write_rows(tmp_path / "none.jsonl", unlabelled)])
    some = write_rows(tmp_path / "some.jsonl", [*rows_of("AB")[1:], unlabelled[0]])
    assert evaluate([some], reporter=recorder).systems[0].questions == 1
    assert recorder.warnings == [
        f"{some}: 1 of 2 rows has no gold answer, first at {some}:2; left out"
    ]
    questions = [{k: v for k, v in row.items() if k != "prediction"} for row in rows_of("A")]
    with pytest.raises(ScicotError, match=r'q.jsonl:1: has no "prediction"'):
        evaluate([write_rows(tmp_path / "q.jsonl", questions)])


def test_a_teacher_is_judged_by_its_conclusions(tmp_path: Path) -> None:
    rows = [
        {**row, "rationale": "Because.", "conclusion": label, "saw_answer": seen}
        for row, label, seen in zip(rows_of("AAA"), ["A", "B", None], [False] * 3, strict=True)
    ]
    for row in rows:
        del row["prediction"]
    (system,) = evaluate([write_rows(tmp_path / "t.jsonl", rows)]).systems
    assert (system.correct, system.answered, system.oracle) == (1, 2, False)
    (system,) = evaluate(
        [write_rows(tmp_path / "s.jsonl", [{**row, "saw_answer": True} for row in rows])]
    ).systems
    assert system.oracle


def test_a_teacher_with_samples_and_rejected_rows_is_told_apart(
    tmp_path: Path, recorder: Recorder
) -> None:
    rows = [{**row, "rationale": "So.", "conclusion": "A"} for row in rows_of("AA")]
    for row in rows:
        del row["prediction"]
    file = write_rows(tmp_path / "t.jsonl", [*rows, {**rows[0], "sample": 1}])
    write_rows(tmp_path / "t.rejected.jsonl", [])
    (system,) = evaluate(file, reporter=recorder).systems
    assert (system.questions, system.correct) == (2, 2)
    assert "1 row left out, further samples" in recorder.notes[0]
    assert "has only the accepted replies" in recorder.warnings[0]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"command": "predict", "settings": {"shard": "1/3"}, "finished": True}, "shard 1/3"),
        ({"command": "predict", "settings": {}, "finished": False}, "is not finished"),
        ({"command": "generate-rationales", "settings": {}, "finished": False}, "is not finished"),
        ({"command": "predict", "settings": {}, "finished": True}, None),
        ({"shard": "other"}, None),
        ("of another program", None),
    ],
)
def test_a_part_of_the_predictions_is_named(
    tmp_path: Path, recorder: Recorder, state: Any, said: str | None
) -> None:
    """A job array for seeds makes each `predict` answer one shard only."""
    file = write_rows(tmp_path / "seed-0.jsonl", rows_of("AB"))
    (tmp_path / "seed-0.state.json").write_text(json.dumps(state))
    assert evaluate([file], reporter=recorder).systems[0].questions == 2
    assert len(recorder.warnings) == (said is not None)
    for warning in recorder.warnings:
        assert said is not None
        assert warning.startswith(f"{file}: ")
        assert said in warning
        assert "seed-0.state.json" in warning


def test_all_shards_together_are_complete(tmp_path: Path) -> None:
    files = [write_rows(tmp_path / f"{n}.jsonl", rows_of("A")) for n in (1, 2)]
    for number, file in enumerate(files, start=1):
        state = {"command": "predict", "settings": {"shard": f"{number}/2"}, "finished": True}
        file.with_suffix(".state.json").write_text(json.dumps(state))
    assert list(missing_parts(files)) == []
    assert len(list(missing_parts(files[1:]))) == 1
    state = {"command": "predict", "settings": {"shard": "2/2", "window": 64}, "finished": True}
    files[1].with_suffix(".state.json").write_text(json.dumps(state))
    assert len(list(missing_parts(files))) == 2, "shards of two different predictions"


def test_the_current_folder_is_evaluated(
    scicot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rows(tmp_path / "a.jsonl", rows_of("AB"))
    monkeypatch.chdir(tmp_path)
    outcome = scicot("evaluate", ".")
    assert outcome.code == 0, outcome.stderr


def test_the_table_names_marks_and_explains(scicot: Any, tmp_path: Path) -> None:
    given = rows_of("AAAA", models={"rationale_from": "input"})
    mine = write_rows(tmp_path / "mine.jsonl", rows_of("AAB-"))
    oracle = write_rows(tmp_path / "given.jsonl", given)
    outcome = scicot("evaluate", f"[red]two[/red]={mine}", oracle, "--cluster-by", "meta.fact")
    assert outcome.code == 0, outcome.stderr
    assert "[red]two[/red]" in outcome.stdout, "names are text, not markup"
    assert "50.0 %" in outcome.stdout
    assert "given *" in outcome.stdout
    assert "25.0 %" in outcome.stdout
    assert "minus given: -50.0 points" in outcome.stdout
    assert (
        "Intervals resample groups of the same meta.fact, not single questions." in outcome.stdout
    )
    assert "McNemar" not in outcome.stdout


def test_json_for_programs(scicot: Any, tmp_path: Path) -> None:
    mine = write_rows(tmp_path / "mine=1.jsonl", rows_of("AAB-"))
    outcome = scicot("evaluate", mine, "--json", "--level", 0.9)
    verdict = json.loads(outcome.stdout)
    assert verdict["systems"][0]["name"] == "mine=1", "a file that is there is no NAME=FILE"
    assert verdict["level"] == 0.9
    outcome = scicot("evaluate", f"a={mine}", f"a={mine}")
    assert outcome.code == 2
    assert "is given twice; give a different file for each seed" in outcome.stderr
    assert f"{mine}: is given twice" in scicot("evaluate", mine, mine).stderr


def sure(n: int, predicted: str | None, p: float, **more: Any) -> dict[str, Any]:
    """A prediction with probability `p` for `predicted`. Other choices share the rest equally."""
    scores = dict.fromkeys("ABCD", (1 - p) / 3) | ({predicted: p} if predicted else {})
    return prediction(n, predicted, scores=scores, confidence=p, **more)


def test_calibration_and_abstention_are_told(tmp_path: Path) -> None:
    rows = [sure(n, "A" if n % 4 else "B", 0.9 if n % 4 else 0.6) for n in range(40)]
    (system,) = evaluate([write_rows(tmp_path / "p.jsonl", rows)]).systems
    calibration = system.calibration
    assert calibration is not None
    assert calibration.questions == 40
    assert calibration.ece == pytest.approx(0.25 * 0.6 + 0.75 * 0.1)
    right, wrong = 0.9, 0.4 / 3  # probabilities of the gold label
    assert calibration.nll == pytest.approx(-(0.75 * math.log(right) + 0.25 * math.log(wrong)))
    squares = 0.75 * (0.81 + 0.01 / 3) + 0.25 * (0.36 + 0.16 / 3)
    assert calibration.brier == pytest.approx(squares - 2 * (0.75 * right + 0.25 * wrong) + 1)
    assert calibration.risk_at["40%"] == 0
    assert calibration.risk_at["100%"] == pytest.approx(0.25)
    bare = write_rows(tmp_path / "bare.jsonl", rows_of("AAB"))
    assert evaluate([bare]).systems[0].calibration is None


def test_groups_lengths_and_places(tmp_path: Path) -> None:
    rows = rows_of("AAAABB--")
    for number, row in enumerate(rows):
        row["question"] = "word " * (2 + 4 * (number // 4))
        row["meta"]["subject"] = "physics" if number < 6 else "[red]biology"
    rows[7]["choices"] = rows[7]["choices"][:2]
    file = write_rows(tmp_path / "p.jsonl", rows)
    settings = EvaluateSettings(by=("meta.subject", "choices", "length"))
    (system,) = evaluate([file], settings=settings).systems
    figures = {
        path: [(group.value, group.questions, group.accuracy) for group in groups]
        for path, groups in system.groups.items()
    }
    assert figures == {
        "meta.subject": [("[red]biology", 2, 0.0), ("physics", 6, pytest.approx(4 / 6))],
        "choices": [("2", 1, 0.0), ("4", 7, pytest.approx(4 / 7))],
        "length": [("2-2 words", 4, 1.0), ("6-6 words", 4, 0.0)],
    }
    assert system.groups["meta.subject"][1].interval == wilson_interval(4, 6)
    assert system.macro["meta.subject"] == pytest.approx(1 / 3)
    assert system.accuracy_answered == pytest.approx(4 / 6)
    assert system.confusion == [[4, 2, 0, 0, 2], *[[0] * 5] * 3]
    with pytest.raises(ScicotError, match=r"has no field 'meta\.topic' to group by; available: "):
        evaluate([file], settings=EvaluateSettings(by=("meta.topic",)))
    with pytest.raises(
        ScicotError, match=r"available: meta\.fact, meta\.subject, choices, length$"
    ):
        evaluate([file], settings=EvaluateSettings(by=("subject",)))


def test_rationales_are_looked_at(tmp_path: Path) -> None:
    texts = [
        "A0 is a metal.",
        "B1 floats. So the answer is (B).",
        "A2 and B2 are alike, are alike, are alike.",
        "Nothing is said.",
    ]
    rows = [
        {**row, "rationales": [text], "rationale": "A0 is a metal."}
        for row, text in zip(rows_of("AABA"), texts, strict=True)
    ]
    figures = evaluate([write_rows(tmp_path / "p.jsonl", rows)]).systems[0].rationales
    assert figures is not None
    assert figures.rationales == 4
    assert figures.words == pytest.approx((4 + 7 + 9 + 3) / 4)
    assert figures.leaks == 0.25
    assert figures.names_one == 0.5, "the first names A, the second B"
    assert figures.agree == 0.5, "where A was predicted both times"
    assert figures.repeated == pytest.approx((2 / 7) / 4)
    assert figures.rouge_l is not None
    assert figures.rouge_l > 0.25
    bare = evaluate([write_rows(tmp_path / "bare.jsonl", rows_of("A"))]).systems[0]
    assert bare.rationales is None


def test_a_student_that_goes_by_the_place_is_told_of(tmp_path: Path) -> None:
    rows = [{**row, "answer": "AB"[n % 2]} for n, row in enumerate(rows_of("A" * 90 + "B" * 10))]
    (hint,) = evaluate(write_rows(tmp_path / "a.jsonl", rows)).hints
    assert hint.startswith(
        "a picks the choice at position 1 in 90 % of its answers, but only 50 % of the gold"
    )
    fair = [{**row, "prediction": row["answer"]} for row in rows]
    assert not evaluate(write_rows(tmp_path / "b.jsonl", fair)).hints


def test_calibration_of_seeds_does_not_cancel_out(tmp_path: Path) -> None:
    def file(name: str, sure: float) -> Path:
        more = {"scores": {"A": sure, "B": 1 - sure}, "confidence": sure}
        return write_rows(tmp_path / name, rows_of("A" * 30 + "B" * 10, **more))

    low, high = file("low.jsonl", 0.5), file("high.jsonl", 1.0)
    calibration = evaluate({"m": [low, high]}).systems[0].calibration
    assert calibration is not None
    assert calibration.ece == pytest.approx(0.25)
    assert calibration.questions == 40


def test_confidence_alone_is_enough_for_some_of_it(tmp_path: Path) -> None:
    rows = [{**row, "scores": {}, "confidence": 0.7} for row in rows_of("AAAB")]
    calibration = evaluate(write_rows(tmp_path / "a.jsonl", rows)).systems[0].calibration
    assert calibration is not None
    assert calibration.ece == pytest.approx(0.05)
    assert calibration.brier is None


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"confidence": 85}, '"confidence" must be a probability, from 0 to 1'),
        ({"confidence": True}, '"confidence" must be a probability'),
        ({"scores": {"A": 10**400}}, '"scores" must map labels to probabilities'),
        ({"scores": {"A": -2.5, "B": 3.5}}, '"scores" must map labels to probabilities'),
        ({"scores": {"A": 0.9, "B": 0.9}}, '"scores" add up to 1.8, not to 1'),
    ],
)
def test_scores_that_are_no_probabilities(tmp_path: Path, change: Any, problem: str) -> None:
    rows = rows_of("AA")
    rows[1] |= change
    with pytest.raises(ScicotError) as refused:
        evaluate(write_rows(tmp_path / "a.jsonl", rows))
    assert "a.jsonl:2: " in str(refused.value)
    assert problem in str(refused.value)


def test_groups_are_in_natural_order_and_told_of_each_system(scicot: Any, tmp_path: Path) -> None:
    values: list[Any] = ["part 10", "part 2", 7, None, True, "9" * 5000, "nan", "1e1", "-3.5"]
    rows = [{**row, "meta": {"g": values[n % 9]}} for n, row in enumerate(rows_of("A" * 18))]
    all_of = write_rows(tmp_path / "all.jsonl", rows)
    half = write_rows(tmp_path / "half.jsonl", rows[:10])
    groups = evaluate([all_of], settings=EvaluateSettings(by=("meta.g",))).systems[0].groups
    order = [group.value[:9] for group in groups["meta.g"]]
    assert order == ["-3.5", "7", "1e1", "9" * 9, "nan", "null", "part 2", "part 10", "true"]
    shown = scicot("evaluate", all_of, half, "--by", "meta.g").stdout
    assert "2 / 1" in shown


def test_a_group_with_an_empty_name_is_shown_as_empty(scicot: Any, tmp_path: Path) -> None:
    rows = [{**row, "meta": {"g": "x" * (n % 2)}} for n, row in enumerate(rows_of("AABB"))]
    shown = scicot("evaluate", write_rows(tmp_path / "p.jsonl", rows), "--by", "meta.g").stdout
    assert "(empty)" in shown


def test_names_do_not_steer_the_terminal(scicot: Any, tmp_path: Path) -> None:
    rows = [
        {**row, "id": f"\x1b[2J{n}", "meta": {"g": "\x1b[31m"}}
        for n, row in enumerate(rows_of("AAB"))
    ]
    one, two = (write_rows(tmp_path / f"{n}.jsonl", rows[n:]) for n in (0, 1))
    outcome = scicot("evaluate", one, two, "--by", "meta.g")
    assert outcome.code == 0
    assert "\x1b" not in outcome.stdout + outcome.stderr
    assert "␛[31m" in outcome.stdout
    assert "␛[2J0" in outcome.stderr
