"""Answers of other tools: rows with an id and a prediction, and logs of lm-evaluation-harness."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Recorder, lines, write_rows
from judging import ASKED, judged

from scicot import ScicotError, evaluate


def test_rows_of_an_id_and_an_answer(tmp_path: Path, asked: Path) -> None:
    rows = [
        {"id": "q3", "prediction": " b "},
        {"id": "q1", "prediction": "a copper wire", "rationale": "A copper wire conducts."},
        {"id": "q2", "prediction": ""},
        {"id": "q9", "prediction": "A"},
    ]
    verdict, recorder = judged(write_rows(tmp_path / "theirs.jsonl", rows), asked)
    (system,) = verdict.systems
    assert (system.questions, system.answered, system.correct) == (3, 2, 1)
    assert system.rationales is not None
    assert system.rationales.agree == 1
    assert any(
        "1 row whose question is not in the question file, or is answered by an earlier row"
        " (first: 'q9')" in line
        for line in recorder.warnings
    )


def test_what_has_no_answer_counts_as_not_answered(tmp_path: Path, asked: Path) -> None:
    file = tmp_path / "theirs.csv"
    file.write_text("id,prediction\nq1,B\n")
    verdict, recorder = judged(file, asked)
    assert (verdict.systems[0].questions, verdict.systems[0].answered) == (3, 1)
    assert verdict.systems[0].accuracy == pytest.approx(1 / 3)
    assert recorder.warnings == [
        f"{file}: no usable row for 2 questions (q2, q3), counted as not answered"
    ]
    limited = evaluate(file, questions=asked, limit=1, reporter=Recorder())
    assert limited.systems[0].questions == 1, "a limit is of questions"


def test_gold_answers_come_from_the_questions(tmp_path: Path, asked: Path) -> None:
    blind = [
        {**row, "answer": None, "prediction": "A", "scores": {"A": 0.9, "B": 0.1}} for row in ASKED
    ]
    file = write_rows(tmp_path / "blind.jsonl", blind)
    verdict, _ = judged(file, asked, by=("choices",))
    assert verdict.systems[0].correct == 2
    assert verdict.systems[0].groups["choices"][0].questions == 3
    turned = [{**blind[0], "choices": ["a copper wire", "wood"]}]
    with pytest.raises(ScicotError, match="'q1' has other choices than in the --questions file"):
        judged(write_rows(tmp_path / "turned.jsonl", turned), asked)


def test_questions_that_are_predictions_themselves_lend_no_answer(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "p.jsonl", [{**row, "prediction": "A"} for row in ASKED])
    verdict, _ = judged(write_rows(tmp_path / "t.jsonl", [{"id": "q1", "prediction": "B"}]), file)
    assert (verdict.systems[0].answered, verdict.systems[0].correct) == (1, 1)


# Predictions that are indices


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (
            {"id": "q1", "prediction": "C"},
            "neither a label (A, B) nor the text of a choice of question 'q1'",
        ),
        ({"id": "q1", "prediction": True}, "is True, neither a label (A, B) nor the text"),
        ({"prediction": "A"}, 'has neither an "id" nor a complete question'),
        ({"id": "q1"}, 'has no "prediction"'),
    ],
)
def test_what_is_no_answer(tmp_path: Path, asked: Path, row: Any, problem: str) -> None:
    file = write_rows(tmp_path / "bad.jsonl", [row])
    with pytest.raises(ScicotError) as refused:
        judged(file, asked)
    assert problem in str(refused.value)
    assert "bad.jsonl:1" in str(refused.value)


def test_an_answer_without_its_question_says_what_to_do(scicot: Any, tmp_path: Path) -> None:
    file = write_rows(tmp_path / "theirs.jsonl", [{"id": "q1", "prediction": "B"}])
    outcome = scicot("evaluate", file)
    assert outcome.code == 1
    assert "has no question; give the question file with --questions" in outcome.stderr


def sample(number: int, likelihoods: list[float], **more: Any) -> dict[str, Any]:
    """A row as version 0.4.13 of the harness writes it."""
    doc = {
        "id": ASKED[number]["id"],
        "question": ASKED[number]["question"],
        "choices": {"text": ASKED[number]["choices"], "label": ["A", "B"]},
        "answerKey": "BAA"[number],
    }
    arguments = {
        f"gen_args_{index}": {"arg_0": "Question: ...", "arg_1": f" {text}"}
        for index, text in enumerate(doc["choices"]["text"])
    }
    responses = [[str(value), "False"] for value in likelihoods]
    return {
        "doc_id": number, "doc": doc, "target": str("AB".index(doc["answerKey"])),
        "arguments": arguments, "resps": [[response] for response in responses],
        "filtered_resps": responses, "filter": "none", "metrics": ["acc", "acc_norm"], **more,
    }  # fmt: skip


def test_a_log_of_likelihoods(tmp_path: Path) -> None:
    rows = [sample(0, [-8.0, -9.0]), sample(1, [-1.0, -3.0]), sample(2, [-4.0, -2.0])]
    file = write_rows(tmp_path / "samples.jsonl", rows)
    verdict, _ = judged(file, None)
    assert [verdict.systems[0].correct, verdict.systems[0].questions] == [1, 3]
    calibration = verdict.systems[0].calibration
    assert calibration is not None
    assert calibration.questions == 3
    per_character, _ = judged(file, None, per_character=True)
    assert per_character.systems[0].correct == 2, "-9/13 is more than -8/4"


def test_a_log_of_texts_is_read_through_its_first_filter(tmp_path: Path) -> None:
    replies = ["It conducts. The answer is (B).", "cork", "[invalid]"]
    rows = [
        sample(number, [], resps=[[f"Let me think. {reply}"]], filtered_resps=[reply], filter=name)
        for number, reply in enumerate(replies)
        for name in ("strict", "flexible")
    ]
    verdict, recorder = judged(write_rows(tmp_path / "samples.jsonl", rows), None)
    assert (verdict.systems[0].answered, verdict.systems[0].correct) == (2, 2)
    assert any(
        "3 rows left out, from filters other than 'strict'" in line for line in recorder.notes
    )


def test_a_report_shows_what_was_judged(scicot: Any, tmp_path: Path) -> None:
    """Two filters find different answers, and each document lists the filters in another order."""

    def read(number: int, reply: str, name: str) -> dict[str, Any]:
        return sample(number, [], resps=[[reply]], filtered_resps=[reply], filter=name)

    rows = [
        read(0, "B", "strict"),
        read(0, "A", "loose"),
        read(1, "B", "loose"),
        read(1, "A", "strict"),
    ]
    file, report = write_rows(tmp_path / "samples.jsonl", rows), tmp_path / "r.html"
    outcome = scicot("evaluate", file, "--report", report, "--json")
    assert json.loads(outcome.stdout)["systems"][0]["correct"] == 2
    text = report.read_text()
    data = json.loads(text.partition('id="data">')[2].partition("</script>")[0])
    assert [shown["said"][0]["place"] for shown in data["questions"]] == [1, 0]


def test_a_log_of_a_task_whose_documents_are_no_question_rows(tmp_path: Path) -> None:
    """For example HellaSwag, which the harness logs as a prompt and its continuations."""
    rows = [sample(n, [-1.0, -2.0]) for n in range(3)]
    for number, row in enumerate(rows):
        row["doc"] = {"ctx": ASKED[number]["question"], "endings": ASKED[number]["choices"]}
        row["doc_hash"] = f"hash{number}"
    verdict, _ = judged(write_rows(tmp_path / "samples.jsonl", rows), None)
    assert (verdict.systems[0].questions, verdict.systems[0].correct) == (3, 2)


def test_a_document_that_comes_twice_counts_twice(tmp_path: Path) -> None:
    rows = [sample(0, [-9.0, -1.0]), {**sample(0, [-1.0, -9.0]), "doc_id": 9}]
    verdict, _ = judged(write_rows(tmp_path / "samples.jsonl", rows), None)
    assert (verdict.systems[0].questions, verdict.systems[0].correct) == (2, 1)
    rows[1]["doc"] = {**rows[1]["doc"], "question": "Another?"}
    with pytest.raises(ScicotError, match="id 'q1' occurs twice; keep one row per id"):
        judged(write_rows(tmp_path / "samples.jsonl", rows), None)


def test_a_log_from_standard_input(scicot: Any) -> None:
    log = lines(sample(0, [-9.0, -1.0]), sample(1, [-1.0, -9.0]))
    outcome = scicot("evaluate", "-", "--json", stdin=log)
    assert outcome.code == 0, outcome.stderr
    assert json.loads(outcome.stdout)["systems"][0]["questions"] == 2


def test_a_log_of_two_runs_is_refused(tmp_path: Path) -> None:
    rows = [sample(n, [-1.0, -2.0]) for n in range(3)]
    with pytest.raises(ScicotError, match="document 0 comes twice; is it a log of two runs"):
        judged(write_rows(tmp_path / "samples.jsonl", rows * 2), None)


def test_a_log_without_ids_is_joined_by_its_words(tmp_path: Path, asked: Path) -> None:
    rows = [sample(n, [-1.0, -2.0]) for n in range(3)]
    for row in rows:
        del row["doc"]["id"]
        row["doc"]["choices"]["label"] = ["1", "2"]
        row["doc"]["answerKey"] = "12"["AB".index(row["doc"]["answerKey"])]
    verdict, recorder = judged(write_rows(tmp_path / "samples.jsonl", rows), asked)
    assert (verdict.systems[0].questions, verdict.systems[0].correct) == (3, 2)
    assert not recorder.warnings


def test_labels_are_those_that_a_row_shows(tmp_path: Path, asked: Path) -> None:
    """The same choices in the same order, called by other labels."""
    choices = [
        {"label": label, "text": text}
        for label, text in zip("BA", ASKED[0]["choices"], strict=True)
    ]
    row = {"id": "q1", "question": "Conducts?", "choices": choices, "answer": None}
    scores = {"A": 0.9, "B": 0.1}
    file = write_rows(tmp_path / "p.jsonl", [{**row, "prediction": "A", "scores": scores}])
    verdict, _ = judged(file, asked)
    assert verdict.systems[0].correct == 1
    assert verdict.systems[0].confusion == [[0, 0, 2], [0, 1, 0]]


def test_questions_with_a_teacher_lend_no_conclusion(tmp_path: Path) -> None:
    rows = [{**row, "rationale": "So.", "conclusion": "B", "teacher": "t"} for row in ASKED]
    asked = write_rows(tmp_path / "asked.jsonl", rows)
    misnamed = write_rows(tmp_path / "p.jsonl", [{"id": "q1", "pred": "A"}])
    with pytest.raises(ScicotError, match='has no "prediction"'):
        judged(misnamed, asked)
    verdict, _ = judged(write_rows(tmp_path / "p.jsonl", [{"id": "q1", "prediction": "B"}]), asked)
    assert (verdict.systems[0].answered, verdict.systems[0].correct) == (1, 1)


def test_a_table_of_answers_holds_confidence_too(tmp_path: Path, asked: Path) -> None:
    file = tmp_path / "theirs.csv"
    scores = '"{""A"": 0.2, ""B"": 0.8}"'
    file.write_text(f"ID;Prediction;scores;confidence\nq1;(b);{scores};0.8\nq2;Cork.;;\nq3;;;\n")
    verdict, _ = judged(file, asked)
    (system,) = verdict.systems
    assert (system.answered, system.correct) == (2, 2)
    assert system.calibration is not None
    assert system.calibration.ece == pytest.approx(0.2)


def test_a_prediction_is_read_as_a_gold_answer_is(tmp_path: Path) -> None:
    questions: list[dict[str, Any]] = [
        {"id": "q1", "question": "Which?", "choices": ["B", "A"], "answer": "A"},
        {"id": "q2", "question": "Which?", "choices": ["one", "two"], "answer": 1},
    ]
    asked = write_rows(tmp_path / "q.jsonl", questions)
    rows: list[dict[str, Any]] = [
        {"id": "q1", "prediction": "A"},
        {"id": "q2", "prediction": 1},
    ]
    verdict, _ = judged(write_rows(tmp_path / "p.jsonl", rows), asked)
    assert verdict.systems[0].correct == 2


def test_a_log_joins_other_systems_by_id(tmp_path: Path, asked: Path) -> None:
    log = write_rows(tmp_path / "samples.jsonl", [sample(n, [-1.0, -2.0]) for n in range(3)])
    ours = write_rows(tmp_path / "ours.jsonl", [{**row, "prediction": "A"} for row in ASKED])
    verdict = evaluate([log, ours], questions=asked, reporter=Recorder())
    assert verdict.comparisons[0].questions == 3
    assert verdict.comparisons[0].difference == 0


@pytest.mark.parametrize(
    ("choices", "target", "correct"),
    [
        (["B) wood", "A) copper"], "0", 1),
        (["B) wood", "A) copper"], "1", 0),
        (["B. wood", "A. copper"], "0", 1),
    ],
)
def test_the_target_of_a_log_settles_what_letters_in_the_choices_mean(
    tmp_path: Path, choices: list[str], target: str, correct: int
) -> None:
    doc = {"id": "q1", "question": "Conducts?", "choices": choices, "answer": "A"}
    log = [{**sample(0, [-1.0, -2.0]), "doc": doc, "target": target}]
    verdict, _ = judged(write_rows(tmp_path / "samples.jsonl", log), None)
    assert (verdict.systems[0].questions, verdict.systems[0].correct) == (1, correct)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"filtered_resps": []}, '"filtered_resps" is empty'),
        ({"filtered_resps": [["-1", "False"]] * 3}, "has 3 log-likelihoods for 2 choices"),
        ({"filtered_resps": [["x", "False"]] * 2}, "holds no log-likelihoods"),
        ({"filtered_resps": [["nan", "False"]] * 2}, "holds a NaN"),
        ({"target": "0"}, "the log seems to have the choices in another order"),
        ({"doc": {"id": "q1"}, "arguments": {}}, "has no complete question"),
        ({"arguments": {}}, '"arguments" lacks the texts of the choices'),
    ],
)
def test_broken_logs(tmp_path: Path, change: Any, problem: str) -> None:
    file = write_rows(tmp_path / "samples.jsonl", [{**sample(0, [-8.0, -9.0]), **change}])
    with pytest.raises(ScicotError) as refused:
        judged(file, None, per_character=True)
    assert problem in str(refused.value)


def test_the_report_holds_questions_from_elsewhere(
    scicot: Any, tmp_path: Path, asked: Path
) -> None:
    file = write_rows(tmp_path / "t.jsonl", [{"id": "q1", "prediction": "B"}])
    report = tmp_path / "r.html"
    outcome = scicot("evaluate", file, "--questions", asked, "--report", report, "--json")
    assert outcome.code == 0
    assert outcome.stderr.count("no usable row for 2 questions") == 1, "told once"
    text = report.read_text()
    data = json.loads(text.partition('id="data">')[2].partition("</script>")[0])
    assert [shown["id"] for shown in data["questions"]] == ["q1", "q2", "q3"]
    assert json.loads(outcome.stdout)["systems"][0]["confusion"] == [[0, 0, 2], [0, 1, 0]]


def test_sparse_rows_of_predictions_are_answers(tmp_path: Path, recorder: Any) -> None:
    """In a table of questions, rows with few filled cells are left out as headings. In a table of
    ids and predictions they are answers."""
    questions = [
        {"id": f"q{n}", "question": f"{n}?", "choices": ["a", "b"], "answer": "A"} for n in (1, 2)
    ]
    asked = write_rows(tmp_path / "questions.jsonl", questions)
    table = tmp_path / "p.csv"
    table.write_text("id,prediction,confidence,note,model\nq1,A,,,\nq2,A,0.9,,m\n")
    (system,) = evaluate([str(table)], questions=asked, reporter=recorder).systems
    assert (system.questions, system.accuracy) == (2, 1.0)


def test_tables_of_questions_and_answers_in_another_encoding(tmp_path: Path, scicot: Any) -> None:
    asked, table = tmp_path / "q.csv", tmp_path / "p.csv"
    asked.write_text("id,question,A,B,answer\né1,Fließt?,Öl,Eis,A\n", encoding="latin-1")
    table.write_text("id,prediction\né1,Öl\n", encoding="latin-1")
    lines, others = tmp_path / "p.jsonl", tmp_path / "answers"
    for file, encoding in ((lines, "utf-8"), (others, "latin-1")):
        file.write_text('{"id": "é1", "prediction": "Öl"}\n', encoding=encoding)
    options = ("--questions", asked, "--encoding", "latin-1", "--json")
    outcome = scicot("evaluate", table, lines, others, *options)
    assert outcome.code == 0, outcome.stderr
    assert [system["accuracy"] for system in json.loads(outcome.stdout)["systems"]] == [1.0] * 3


def test_an_id_of_the_questions_is_shown_if_no_row_has_one(tmp_path: Path, asked: Path) -> None:
    file = write_rows(tmp_path / "theirs.jsonl", [{"id": 1, "prediction": "A"}])
    with pytest.raises(
        ScicotError, match=r"\(first: '1'; ids in the question file look like 'q1'\)"
    ):
        judged(file, asked)
