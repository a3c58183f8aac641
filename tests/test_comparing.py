"""Comparisons of systems: matched ids, clusters, several seeds, and the verdict."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Recorder, write_rows
from predictions import rows_of

from scicot import EvaluateSettings, ScicotError, evaluate
from scicot.statistics import holm, mcnemar_exact, questions_needed, wilson_interval


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
    with pytest.raises(ScicotError, match=r"question 'q0' has no field 'meta\.topic'"):
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


def test_several_seeds_are_one_system(tmp_path: Path, recorder: Recorder) -> None:
    answers = ["AAAABBBB", "AAAAAABB", "AAAAAAAB"]
    seeds = [
        write_rows(tmp_path / f"{n}.jsonl", rows_of(letters)) for n, letters in enumerate(answers)
    ]
    other = write_rows(tmp_path / "other.jsonl", rows_of("BBBBBBBB")[::-1])
    verdict = evaluate({"mine": seeds, "other": other}, reporter=recorder)
    mine, alone = verdict.systems
    assert mine.by_seed == [0.5, 0.75, 0.875]
    assert mine.accuracy == pytest.approx(17 / 24)
    assert mine.spread == pytest.approx(np.std([0.5, 0.75, 0.875], ddof=1))
    assert alone.spread is None
    (comparison,) = verdict.comparisons
    assert comparison.difference == pytest.approx(17 / 24)
    assert comparison.only_first == pytest.approx(17 / 3)
    assert comparison.only_second == 0
    assert comparison.test == "t-test"
    assert comparison.interval[0] < 17 / 24 < comparison.interval[1]
    write_rows(seeds[1], rows_of("AAAAAABB")[1:])
    shorter = evaluate({"mine": seeds}, reporter=recorder).systems[0]
    assert shorter.questions == 7
    assert shorter.by_seed[0] == pytest.approx(3 / 7)
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
    assert close.verdict.startswith(
        "no significant difference between mine and near; to detect a difference of this size, you"
        " would need about "
    )
    assert clear.verdict == "mine is better than far"
    assert [close.p_adjusted, clear.p_adjusted] == pytest.approx(
        holm([close.p_value, clear.p_value])
    )
    planned = evaluate([mine, near, far], settings=EvaluateSettings(primary="far"))
    assert [comparison.primary for comparison in planned.comparisons] == [False, True]
    assert planned.comparisons[1].p_adjusted == clear.p_value
    assert planned.comparisons[0].p_adjusted == close.p_value
    with pytest.raises(
        ScicotError, match=r"--primary mine: must name one of the systems after the first \(near\)"
    ):
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
    assert itself.code == 2
    assert "belongs to the first system itself" in itself.stderr
    fine = write_rows(tmp_path / "fine.jsonl", rows_of("A" * 40))
    seeds = [f"mine={good}", f"mine={fine}", f"base={bad}"]
    assert scicot("evaluate", *seeds, "--fail-if-worse-than", f"base={bad}").code == 0
    behind = [f"mine={bad}", f"base={good}", f"base={fine}"]
    assert scicot("evaluate", *behind, "--fail-if-worse-than", f"base={fine}").code == 1
    rows = json.loads(scicot("evaluate", bad, good, "--json").stdout)
    assert rows["comparisons"][0]["verdict"] == "good is better than bad"


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
    assert verdict.hints[0].startswith("two reads rationales but does not beat direct")
    assert evaluate([two, weak]).hints == []
    shown = scicot("evaluate", two, shuffled, direct).stdout
    assert (
        "answer@1, accuracy by source of the rationales: student 75.0 %, shuffled 50.0 %." in shown
    )
    assert "hint: two reads rationales" in shown


@pytest.mark.parametrize("right", range(10))
def test_a_system_that_another_one_contains_is_compared(tmp_path: Path, right: int) -> None:
    """The difference equals the share of questions on which the two systems disagree. A rounding
    error must not make the difference larger (in floating point, 0.8 - 0.7 > 0.1)."""
    files = [
        write_rows(tmp_path / f"{n}.jsonl", rows_of("A" * n + "B" * (10 - n))) for n in (right, 10)
    ]
    (comparison,) = evaluate(files).comparisons
    assert comparison.difference == (right - 10) / 10
    json.dumps(evaluate(files).to_dict())


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
    outcome = scicot("evaluate", bad, "--fail-if-worse-than", f"x={bad}")
    assert "belongs to the first system itself" in outcome.stderr
    again = tmp_path / "." / "good.jsonl"
    assert (
        scicot("evaluate", bad, good, "--fail-if-worse-than", again, "--json").stdout.count(
            '"primary"'
        )
        == 1
    ), "one comparison, though the file is spelled twice"
    with pytest.raises(ScicotError, match="is given twice; give a different file"):
        evaluate([f"m={bad}", f"m={tmp_path / 'x' / '..' / 'bad.jsonl'}"])


def test_what_decides_is_said(tmp_path: Path) -> None:
    mine = write_rows(tmp_path / "mine.jsonl", rows_of("A" * 40))
    near = write_rows(tmp_path / "near.jsonl", rows_of("A" * 34 + "B" * 6))
    others = [write_rows(tmp_path / f"{n}.jsonl", rows_of("A" * 39 + "B")) for n in range(3)]
    alone, *_ = evaluate([mine, near]).comparisons
    assert alone.differs
    among, *_ = evaluate([mine, near, *others]).comparisons
    assert among.verdict.endswith("after Holm's correction for several comparisons")
    clusters = [f"f{n}" for n in range(6) for _ in range(5)]
    rows = [
        {**row, "meta": {"c": cluster}}
        for row, cluster in zip(rows_of("A" * 30), clusters, strict=True)
    ]
    worse = [{**row, "prediction": "B" if n % 5 == 0 else "A"} for n, row in enumerate(rows)]
    files = [
        write_rows(tmp_path / f"{n}.jsonl", file_rows) for n, file_rows in enumerate((rows, worse))
    ]
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
    assert (
        "lone has only one seed, so it is unknown how much its accuracy varies between seeds"
        in hints
    )


def test_the_same_id_for_another_question_is_told_of(tmp_path: Path, recorder: Recorder) -> None:
    rows = rows_of("AAB")
    mine = write_rows(tmp_path / "mine.jsonl", rows)
    other = write_rows(tmp_path / "o.jsonl", [{**rows[0], "question": "Another?"}, *rows[1:]])
    evaluate([mine, other], reporter=recorder)
    assert "1 question with another text or other choices than in" in recorder.warnings[-1]
    assert "(q0); are the ids right?" in recorder.warnings[-1]
    turned = [{**row, "choices": row["choices"][::-1]} for row in rows]
    (comparison,) = evaluate([mine, write_rows(tmp_path / "t.jsonl", turned)]).comparisons
    assert comparison.difference == 0, "another order of the choices is the same question"
