import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Recorder, write_rows

from scicot import EvaluateSettings, ScicotError, evaluate
from scicot.statistics import holm, mcnemar_exact, questions_needed, wilson_interval


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


def test_clusters_widen_the_interval_and_are_what_is_tested(tmp_path: Path) -> None:
    pairs = "".join(a * 2 for a in "ABABABABAAAB")
    file = write_rows(tmp_path / "p.jsonl", rows_of(pairs))
    other = write_rows(tmp_path / "o.jsonl", rows_of("B" * len(pairs)))
    plain = evaluate([file, other])
    clustered = evaluate([file, other], settings=EvaluateSettings(cluster_by="meta.fact"))

    def width(interval: tuple[float, float]) -> float:
        return interval[1] - interval[0]

    assert width(clustered.systems[0].interval) > 1.2 * width(plain.systems[0].interval)
    assert width(clustered.comparisons[0].interval) > 1.2 * width(plain.comparisons[0].interval)
    assert (clustered.comparisons[0].test, plain.comparisons[0].test) == ("t-test", "McNemar")
    assert clustered.comparisons[0].p_value > plain.comparisons[0].p_value
    assert clustered.comparisons[0].needed is None
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
    assert "1 row without a gold answer" in recorder.warnings[0]
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
    assert "is named twice; several files are several seeds" in outcome.stderr


def sure(n: int, predicted: str | None, p: float, **more: Any) -> dict[str, Any]:
    """A prediction with probabilities: p for the predicted label, the rest shared."""
    scores = dict.fromkeys("ABCD", (1 - p) / 3) | ({predicted: p} if predicted else {})
    return prediction(n, predicted, scores=scores, confidence=p, **more)


def test_calibration_and_abstention_are_told(tmp_path: Path) -> None:
    rows = [sure(n, "A" if n % 4 else "B", 0.9 if n % 4 else 0.6) for n in range(40)]
    (system,) = evaluate([write_rows(tmp_path / "p.jsonl", rows)]).systems
    own = system.calibration
    assert own is not None
    assert own.questions == 40
    assert own.ece == pytest.approx(0.25 * 0.6 + 0.75 * 0.1)
    right, wrong = 0.9, 0.4 / 3  # probabilities of the gold label
    assert own.nll == pytest.approx(-(0.75 * math.log(right) + 0.25 * math.log(wrong)))
    squares = 0.75 * (0.81 + 0.01 / 3) + 0.25 * (0.36 + 0.16 / 3)
    assert own.brier == pytest.approx(squares - 2 * (0.75 * right + 0.25 * wrong) + 1)
    assert own.risk_at["40%"] == 0
    assert own.risk_at["100%"] == pytest.approx(0.25)
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
    told = {
        path: [(group.value, group.questions, group.accuracy) for group in own]
        for path, own in system.groups.items()
    }
    assert told == {
        "meta.subject": [("[red]biology", 2, 0.0), ("physics", 6, pytest.approx(4 / 6))],
        "choices": [("2", 1, 0.0), ("4", 7, pytest.approx(4 / 7))],
        "length": [("2-2 words", 4, 1.0), ("6-6 words", 4, 0.0)],
    }
    assert system.groups["meta.subject"][1].interval == wilson_interval(4, 6)
    assert system.macro["meta.subject"] == pytest.approx(1 / 3)
    assert system.accuracy_answered == pytest.approx(4 / 6)
    assert system.confusion == [[4, 2, 0, 0, 2], *[[0] * 5] * 3]
    with pytest.raises(ScicotError, match=r"has no 'meta\.topic', by which rows are grouped"):
        evaluate([file], settings=EvaluateSettings(by=("meta.topic",)))


def test_several_seeds_are_one_system(tmp_path: Path, recorder: Recorder) -> None:
    answers = ["AAAABBBB", "AAAAAABB", "AAAAAAAB"]
    seeds = [write_rows(tmp_path / f"{n}.jsonl", rows_of(own)) for n, own in enumerate(answers)]
    other = write_rows(tmp_path / "other.jsonl", rows_of("BBBBBBBB")[::-1])
    verdict = evaluate({"mine": seeds, "other": other}, reporter=recorder)
    mine, alone = verdict.systems
    assert mine.by_seed == [0.5, 0.75, 0.875]
    assert mine.accuracy == pytest.approx(17 / 24)
    assert mine.spread == pytest.approx(np.std([0.5, 0.75, 0.875], ddof=1))
    assert alone.spread is None
    (comparison,) = verdict.comparisons
    assert comparison.difference == pytest.approx(17 / 24)
    assert (comparison.only_first, comparison.only_second) == (pytest.approx(17 / 3), 0)
    assert comparison.test == "t-test"
    assert comparison.interval[0] < 17 / 24 < comparison.interval[1]
    write_rows(seeds[1], rows_of("AAAAAABB")[1:])
    shorter = evaluate({"mine": seeds}, reporter=recorder).systems[0]
    assert (shorter.questions, shorter.by_seed[0]) == (7, pytest.approx(3 / 7))
    assert recorder.warnings[-1].startswith("1 question of")
    assert recorder.warnings[-1].endswith("the figures of 'mine' leave them out")
    write_rows(seeds[2], [{**row, "answer": "C"} for row in rows_of("AAAAAAAB")])
    with pytest.raises(ScicotError, match="disagree on the gold answer of q0, q1, q2"):
        evaluate({"mine": seeds})


def test_what_the_data_support_is_said(tmp_path: Path) -> None:
    mine = write_rows(tmp_path / "mine.jsonl", rows_of("A" * 70 + "B" * 30))
    near = write_rows(tmp_path / "near.jsonl", rows_of("A" * 63 + "B" * 30 + "A" * 5 + "BB"))
    far = write_rows(tmp_path / "far.jsonl", rows_of("A" * 20 + "B" * 80))
    verdict = evaluate([mine, near, far])
    close, clear = verdict.comparisons
    assert not close.differs
    assert close.needed == questions_needed(0.02, 0.12)
    assert "not distinguishable; if the difference is what it seems, you would need about" in (
        close.verdict
    )
    assert clear.verdict == "mine is better than far"
    assert [close.p_adjusted, clear.p_adjusted] == pytest.approx(
        holm([close.p_value, clear.p_value])
    )
    planned = evaluate([mine, near, far], settings=EvaluateSettings(primary="far"))
    assert [one.primary for one in planned.comparisons] == [False, True]
    assert planned.comparisons[1].p_adjusted == clear.p_value
    assert planned.comparisons[0].p_adjusted == close.p_value
    with pytest.raises(ScicotError, match="--primary mine: no such system behind the first"):
        evaluate([mine, near], settings=EvaluateSettings(primary="mine"))


def test_systems_that_disagree_on_gold_are_not_compared(tmp_path: Path) -> None:
    mine = write_rows(tmp_path / "mine.jsonl", rows_of("AAB"))
    theirs = rows_of("AAB")
    theirs[1]["answer"] = "B"
    other = write_rows(tmp_path / "other.jsonl", theirs)
    with pytest.raises(ScicotError, match="disagree on the gold answer of q1"):
        evaluate([mine, other])


def test_exit_codes_for_checks(scicot: Any, tmp_path: Path) -> None:
    good = write_rows(tmp_path / "good.jsonl", rows_of("A" * 40))
    bad = write_rows(tmp_path / "bad.jsonl", rows_of("A" * 10 + "B" * 30))
    assert scicot("evaluate", good, "--min-accuracy", 0.9).code == 0
    outcome = scicot("evaluate", bad, "--min-accuracy", 0.5)
    assert outcome.code == 1
    assert "bad: accuracy 0.25 is below --min-accuracy 0.5" in outcome.stderr
    assert "25.0 %" in outcome.stdout, "the table is printed all the same"
    worse = scicot("evaluate", bad, "--fail-if-worse-than", good)
    assert worse.code == 1
    assert "good is better than bad (--fail-if-worse-than)" in worse.stderr
    assert scicot("evaluate", good, "--fail-if-worse-than", bad).code == 0
    itself = scicot("evaluate", good, bad, "--fail-if-worse-than", good)
    assert itself.code == 1
    assert "is of the first system itself" in itself.stderr
    fine = write_rows(tmp_path / "fine.jsonl", rows_of("A" * 40))
    seeds = [f"mine={good}", f"mine={fine}", f"base={bad}"]
    assert scicot("evaluate", *seeds, "--fail-if-worse-than", f"base={bad}").code == 0
    behind = [f"mine={bad}", f"base={good}", f"base={fine}"]
    assert scicot("evaluate", *behind, "--fail-if-worse-than", f"base={fine}").code == 1
    rows = json.loads(scicot("evaluate", bad, good, "--json").stdout)
    assert rows["comparisons"][0]["verdict"] == "good is better than bad"


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
    own = evaluate([write_rows(tmp_path / "p.jsonl", rows)]).systems[0].rationales
    assert own is not None
    assert own.rationales == 4
    assert own.words == pytest.approx((4 + 7 + 9 + 3) / 4)
    assert own.leaks == 0.25
    assert own.names_one == 0.5, "the first names A, the second B"
    assert own.agree == 0.5, "where A was predicted both times"
    assert own.repeated == pytest.approx((2 / 7) / 4)
    assert own.rouge_l is not None
    assert own.rouge_l > 0.25
    bare = evaluate([write_rows(tmp_path / "bare.jsonl", rows_of("A"))]).systems[0]
    assert bare.rationales is None


def test_a_student_that_goes_by_the_place_is_told_of(tmp_path: Path) -> None:
    rows = [{**row, "answer": "AB"[n % 2]} for n, row in enumerate(rows_of("A" * 90 + "B" * 10))]
    (hint,) = evaluate(write_rows(tmp_path / "a.jsonl", rows)).hints
    assert hint.startswith(
        "a names choice 1 in 90 % of its answers, and the right one stands there in 50 %"
    )
    fair = [{**row, "prediction": row["answer"]} for row in rows]
    assert not evaluate(write_rows(tmp_path / "b.jsonl", fair)).hints


def test_reliance_and_a_hint_where_rationales_do_not_help(tmp_path: Path, scicot: Any) -> None:
    def file(name: str, answers: str, source: str, answer: str = "answer@1") -> Path:
        models = {"answer": answer, "rationale_from": source}
        return write_rows(tmp_path / f"{name}.jsonl", rows_of(answers, models=models))

    two = file("two", "AAAB" * 10, "student")
    shuffled = file("shuffled", "AABB" * 10, "shuffled")
    direct = file("direct", "AAAB" * 10, "none", "direct@2")
    weak = file("weak", "ABBB" * 10, "none", "direct@3")
    verdict = evaluate([two, shuffled, direct])
    assert verdict.reliance == {"answer@1": {"student": 0.75, "shuffled": 0.5}}
    assert verdict.hints[0].startswith("two reads rationales and does not beat direct")
    assert evaluate([two, weak]).hints == []
    shown = scicot("evaluate", two, shuffled, direct).stdout
    assert "answer@1 by whose rationales it read: student 75.0 %, shuffled 50.0 %." in shown
    assert "hint: two reads rationales" in shown


@pytest.mark.parametrize("right", range(10))
def test_a_system_that_another_one_contains_is_compared(tmp_path: Path, right: int) -> None:
    """As floats, 0.8 - 0.7 is more than 1 / 10."""
    files = [
        write_rows(tmp_path / f"{n}.jsonl", rows_of("A" * n + "B" * (10 - n))) for n in (right, 10)
    ]
    (comparison,) = evaluate(files).comparisons
    assert comparison.difference == (right - 10) / 10
    json.dumps(evaluate(files).to_row())


def test_the_first_file_is_the_first_system(scicot: Any, tmp_path: Path) -> None:
    bad = write_rows(tmp_path / "bad.jsonl", rows_of("B" * 40))
    good = write_rows(tmp_path / "good.jsonl", rows_of("A" * 40))
    assert scicot("evaluate", bad, f"base={good}", "--min-accuracy", "0.9").code == 1
    verdict = evaluate([bad, f"base={good}"])
    assert [system.name for system in verdict.systems] == ["bad", "base"]
    gate = scicot("evaluate", bad, "--fail-if-worse-than", f"base={good}", "--json")
    assert gate.code == 1
    (comparison,) = json.loads(gate.stdout)["comparisons"]
    assert (comparison["second"], comparison["primary"]) == ("base", True)
    own = scicot("evaluate", bad, "--fail-if-worse-than", f"x={bad}")
    assert "is of the first system itself" in own.stderr
    again = tmp_path / "." / "good.jsonl"
    assert (
        scicot("evaluate", bad, good, "--fail-if-worse-than", again, "--json").stdout.count(
            '"primary"'
        )
        == 1
    ), "one comparison, though the file is spelled twice"
    with pytest.raises(ScicotError, match="is named twice"):
        evaluate([f"m={bad}", f"m={tmp_path / 'x' / '..' / 'bad.jsonl'}"])


def test_calibration_of_seeds_does_not_cancel_out(tmp_path: Path) -> None:
    def file(name: str, sure: float) -> Path:
        more = {"scores": {"A": sure, "B": 1 - sure}, "confidence": sure}
        return write_rows(tmp_path / name, rows_of("A" * 30 + "B" * 10, **more))

    low, high = file("low.jsonl", 0.5), file("high.jsonl", 1.0)
    calibration = evaluate({"m": [low, high]}).systems[0].calibration
    assert calibration is not None
    assert calibration.ece == pytest.approx(0.25)
    assert calibration.questions == 40


def test_what_decides_is_said(tmp_path: Path) -> None:
    mine = write_rows(tmp_path / "mine.jsonl", rows_of("A" * 40))
    near = write_rows(tmp_path / "near.jsonl", rows_of("A" * 34 + "B" * 6))
    others = [write_rows(tmp_path / f"{n}.jsonl", rows_of("A" * 39 + "B")) for n in range(3)]
    alone, *_ = evaluate([mine, near]).comparisons
    assert alone.differs
    among, *_ = evaluate([mine, near, *others]).comparisons
    assert among.verdict.endswith("once several comparisons are allowed for (Holm)")
    clusters = [f"f{n}" for n in range(6) for _ in range(5)]
    rows = [
        {**row, "meta": {"c": own}} for row, own in zip(rows_of("A" * 30), clusters, strict=True)
    ]
    worse = [{**row, "prediction": "B" if n % 5 == 0 else "A"} for n, row in enumerate(rows)]
    files = [write_rows(tmp_path / f"{n}.jsonl", own) for n, own in enumerate((rows, worse))]
    same, *_ = evaluate(files, settings=EvaluateSettings(cluster_by="meta.c")).comparisons
    assert same.interval[0] < 0, "every cluster alike: what was not seen may still be"
    assert (same.p_value, same.differs) == (1.0, False)


def test_one_run_against_several_is_told_of(tmp_path: Path) -> None:
    seeds = [
        write_rows(tmp_path / f"s{n}.jsonl", rows_of("A" * (39 - n) + "B" * (n + 1)))
        for n in range(3)
    ]
    lone = write_rows(tmp_path / "lone.jsonl", rows_of("B" * 40))
    hints = evaluate({"m": seeds, "lone": lone}).hints
    assert "lone is one run, and nothing tells how others of its seeds would do" in hints


def test_confidence_alone_is_enough_for_some_of_it(tmp_path: Path) -> None:
    rows = [{**row, "scores": {}, "confidence": 0.7} for row in rows_of("AAAB")]
    calibration = evaluate(write_rows(tmp_path / "a.jsonl", rows)).systems[0].calibration
    assert calibration is not None
    assert (calibration.ece, calibration.brier) == (pytest.approx(0.05), None)


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
    values: list[Any] = ["part 10", "part 2", 7, None, True, "9" * 5000]
    rows = [{**row, "meta": {"g": values[n % 6]}} for n, row in enumerate(rows_of("A" * 12))]
    all_of = write_rows(tmp_path / "all.jsonl", rows)
    half = write_rows(tmp_path / "half.jsonl", rows[:7])
    groups = evaluate([all_of], settings=EvaluateSettings(by=("meta.g",))).systems[0].groups
    told = [group.value[:9] for group in groups["meta.g"]]
    assert told == ["7", "9" * 9, "null", "part 2", "part 10", "true"]
    shown = scicot("evaluate", all_of, half, "--by", "meta.g").stdout
    assert "2 / 1" in shown


def test_the_same_id_for_another_question_is_told_of(tmp_path: Path, recorder: Recorder) -> None:
    rows = rows_of("AAB")
    mine = write_rows(tmp_path / "mine.jsonl", rows)
    other = write_rows(tmp_path / "o.jsonl", [{**rows[0], "question": "Another?"}, *rows[1:]])
    evaluate([mine, other], reporter=recorder)
    assert "1 question of" in recorder.warnings[-1]
    assert "in other words or with other choices (q0); are they the same?" in recorder.warnings[-1]
    turned = [{**row, "choices": row["choices"][::-1]} for row in rows]
    (comparison,) = evaluate([mine, write_rows(tmp_path / "t.jsonl", turned)]).comparisons
    assert comparison.difference == 0, "another order of the choices is the same question"


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
