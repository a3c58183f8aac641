import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Recorder, write_rows

from scicot import EvaluateSettings, ScicotError, evaluate
from scicot.statistics import mcnemar_exact, wilson_interval


def prediction(n: int, predicted: str | None, **more: Any) -> dict[str, Any]:
    return {
        "id": f"q{n}",
        "question": f"Which is {n}?",
        "choices": [{"label": label, "text": f"{label}{n}"} for label in "ABCD"],
        "answer": "A",
        "meta": {"fact": f"f{n // 2}"},
        "prediction": predicted,
        **more,
    }


def rows_of(answers: str, **more: Any) -> list[dict[str, Any]]:
    return [prediction(n, None if a == "-" else a, **more) for n, a in enumerate(answers)]


def test_accuracy_counts_no_answer_as_wrong(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "mine.jsonl", rows_of("AAAB-"))
    (system,) = evaluate([file]).systems
    assert (system.name, system.questions, system.answered, system.correct) == ("mine", 5, 4, 3)
    assert system.accuracy == 0.6
    assert system.interval == wilson_interval(3, 5)
    assert (system.chance, system.oracle) == (0.25, False)


def test_the_first_is_compared_with_each_other_by_id(tmp_path: Path) -> None:
    first = write_rows(tmp_path / "first.jsonl", rows_of("AAAABBAA"))
    second = write_rows(tmp_path / "second.jsonl", rows_of("ABBAAAB-")[::-1])
    third = write_rows(tmp_path / "third.jsonl", rows_of("AAAABBAA"))
    verdict = evaluate({"one": first, "two": second, "three": third})
    comparison, same = verdict.comparisons
    assert (comparison.first, comparison.second, comparison.questions) == ("one", "two", 8)
    assert (comparison.only_first, comparison.only_second) == (4, 2)
    assert comparison.difference == pytest.approx(0.25)
    assert comparison.p_value == mcnemar_exact(4, 2)
    assert comparison.interval[0] < 0.25 < comparison.interval[1]
    unseen = wilson_interval(0, 8)[1]
    assert (same.difference, same.interval, same.p_value) == (0.0, (-unseen, unseen), 1.0)


def test_clusters_widen_the_interval_and_forbid_the_test(tmp_path: Path) -> None:
    pairs = "".join(a * 2 for a in "ABABABABAAAB")
    file = write_rows(tmp_path / "p.jsonl", rows_of(pairs))
    other = write_rows(tmp_path / "o.jsonl", rows_of("B" * len(pairs)))
    plain = evaluate([file, other])
    clustered = evaluate([file, other], settings=EvaluateSettings(cluster_by="meta.fact"))

    def width(interval: tuple[float, float]) -> float:
        return interval[1] - interval[0]

    assert width(clustered.systems[0].interval) > 1.2 * width(plain.systems[0].interval)
    assert width(clustered.comparisons[0].interval) > 1.2 * width(plain.comparisons[0].interval)
    assert clustered.comparisons[0].p_value is None
    assert evaluate([file, other], settings=EvaluateSettings(cluster_by="meta.fact")) == clustered
    right = write_rows(tmp_path / "right.jsonl", rows_of("A" * 8))
    (system,) = evaluate([right], settings=EvaluateSettings(cluster_by="meta.fact")).systems
    assert system.interval == pytest.approx(wilson_interval(4, 4)), (
        "four clusters all right are no certainty"
    )
    with pytest.raises(ScicotError, match=r"question 'q0' has no 'meta\.topic'"):
        evaluate([file], settings=EvaluateSettings(cluster_by="meta.topic"))


def test_ids_that_are_not_shared_are_named(tmp_path: Path, recorder: Recorder) -> None:
    first = write_rows(tmp_path / "first.jsonl", rows_of("AAAA"))
    second = write_rows(tmp_path / "second.jsonl", rows_of("ABAAAA")[1:])
    verdict = evaluate([first, second], reporter=recorder)
    assert verdict.comparisons[0].questions == 3
    assert [w.split("(")[1].split(")")[0] for w in recorder.warnings] == ["q0", "q4, q5"]
    far = write_rows(tmp_path / "far.jsonl", rows_of("A" * 9)[8:])
    with pytest.raises(ScicotError, match="no question in common"):
        evaluate([first, far])


def test_what_cannot_be_judged_is_said(tmp_path: Path, recorder: Recorder) -> None:
    twice = write_rows(tmp_path / "twice.jsonl", rows_of("A") * 2)
    with pytest.raises(ScicotError, match="id 'q0' comes twice"):
        evaluate([twice])
    unlabelled = [{**row, "answer": None} for row in rows_of("AB")]
    with pytest.raises(ScicotError, match="no row has a gold answer"):
        evaluate([write_rows(tmp_path / "none.jsonl", unlabelled)])
    some = write_rows(tmp_path / "some.jsonl", [*rows_of("AB")[1:], unlabelled[0]])
    assert evaluate([some], reporter=recorder).systems[0].questions == 1
    assert "1 rows without a gold answer" in recorder.warnings[0]
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
    assert "1 further samples are left out" in recorder.notes[0]
    assert "only the replies that were kept" in recorder.warnings[0]


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
    assert "Intervals resample meta.fact, not questions." in outcome.stdout
    assert "McNemar" not in outcome.stdout


def test_json_for_programs(scicot: Any, tmp_path: Path) -> None:
    mine = write_rows(tmp_path / "mine=1.jsonl", rows_of("AAB-"))
    outcome = scicot("evaluate", mine, "--json", "--level", 0.9)
    verdict = json.loads(outcome.stdout)
    assert verdict["systems"][0]["name"] == "mine=1", "a file that is there is no NAME=FILE"
    assert verdict["level"] == 0.9
    outcome = scicot("evaluate", f"a={mine}", f"a={mine}")
    assert outcome.code == 1
    assert "two files are named 'a'" in outcome.stderr
