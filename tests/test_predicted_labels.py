"""Predictions of other tools that are numbers: labels, texts, or indices from 0 or from 1."""

import json
from pathlib import Path
from typing import Any, Literal

import pytest
from conftest import Recorder, lines, write_rows
from judging import judged

from scicot import ReadingSettings, ScicotError, evaluate


def test_an_index_that_a_table_made_a_float_is_read(tmp_path: Path, asked: Path) -> None:
    rows = [{"id": "q1", "prediction": 1.0}, {"id": "q2", "prediction": 0.0}]
    verdict, _ = judged(write_rows(tmp_path / "p.jsonl", rows), asked)
    assert verdict.systems[0].answered == 2


BEASTS = [
    {"id": f"q{n}", "question": f"Which, {n}?", "choices": ["ant", "bee", "cow"], "answer": gold}
    for n, gold in enumerate("ABC")
]


def indexed(folder: Path, *predictions: Any, suffix: str = ".csv") -> tuple[Path, Path]:
    """Write a file of these predictions and one of the questions, and return their paths."""
    asked = write_rows(folder / "beasts.jsonl", BEASTS)
    file = folder / f"theirs{suffix}"
    if suffix == ".csv":
        lines = [f"q{n},{prediction}\n" for n, prediction in enumerate(predictions)]
        file.write_text("id,prediction\n" + "".join(lines))
        return file, asked
    rows = [{"id": f"q{n}", "prediction": value} for n, value in enumerate(predictions)]
    return write_rows(file, rows), asked


@pytest.mark.parametrize(
    ("predictions", "suffix", "base"),
    [
        ((0, 1, 2), ".csv", 0),
        ((1, 2, 3), ".csv", 1),
        (("1.0", "2.0", "3.0"), ".csv", 1),
        (("0", "1", "2"), ".jsonl", 0),
        ((0, 1, 2), ".jsonl", 0),
    ],
)
def test_the_predictions_of_a_file_prove_what_they_count_from(
    tmp_path: Path, predictions: Any, suffix: str, base: int
) -> None:
    verdict, recorder = judged(*indexed(tmp_path, *predictions, suffix=suffix))
    assert (verdict.systems[0].answered, verdict.systems[0].correct) == (3, 3)
    assert any(f"predictions are read as indices from {base}" in line for line in recorder.notes)
    assert not recorder.warnings


def with_base(files: tuple[Path, Path], base: Literal[0, 1]) -> float:
    reading = ReadingSettings(answer_index=base)
    verdict = evaluate(files[0], questions=files[1], reading=reading, reporter=Recorder())
    return verdict.systems[0].correct


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_the_option_tells_what_predictions_count_from(tmp_path: Path, suffix: str) -> None:
    assert with_base(indexed(tmp_path, 1, 2, 3, suffix=suffix), 1) == 3
    assert with_base(indexed(tmp_path, 2, 1, 2, suffix=suffix), 0) == 2
    with pytest.raises(ScicotError, match=r"is '?0'?, .* nor an index from 1 \(--answer-index\)"):
        with_base(indexed(tmp_path, 0, 1, 2, suffix=suffix), 1)


def test_predictions_that_prove_nothing_ask_for_the_option(tmp_path: Path) -> None:
    with pytest.raises(ScicotError, match=r"theirs.csv:2: \"prediction\" is '1'.*--answer-index 0"):
        judged(*indexed(tmp_path, 1, 2, 1))
    with pytest.raises(
        ScicotError, match=r"theirs.jsonl:3: .*give --answer-index 1 if indices count from 1"
    ):
        judged(*indexed(tmp_path, 1, 2, 3, suffix=".jsonl"))
    _, recorder = judged(*indexed(tmp_path, 1, 2, 2, suffix=".jsonl"))
    (warning,) = recorder.warnings
    assert "read as indices from 0, but none is 0; if they count from 1, add --answer" in warning


def test_an_index_of_labels_with_a_gap_is_refused(tmp_path: Path) -> None:
    asked = tmp_path / "asked.csv"
    asked.write_text("id,question,A,B,C,D,answer\nq1,Q?,ant,,cow,dog,C\nq2,R?,ant,bee,cow,dog,A\n")
    file = tmp_path / "theirs.csv"
    file.write_text("id,prediction\nq1,C\nq2,0\n")
    assert judged(file, asked)[0].systems[0].correct == 2
    file.write_text("id,prediction\nq1,2\nq2,0\n")
    with pytest.raises(
        ScicotError, match="labels A, C, D of question 'q1' have a gap, so the choice is unclear"
    ):
        judged(file, asked)
    options = {"a": "ant", "b": None, "c": "cow", "d": "dog"}
    row = {"id": "q1", "question": "Q?", "options": options, "answer": "c"}
    asked = write_rows(tmp_path / "asked.jsonl", [row])
    with pytest.raises(ScicotError, match="labels a, c, d of question 'q1' have a gap"):
        judged(file, asked)


@pytest.mark.parametrize("base", [0, 1])
def test_an_exact_label_of_labels_with_a_gap_is_that_label(
    tmp_path: Path, base: Literal[0, 1]
) -> None:
    rows = "id,question,opt1,opt2,opt3,answer\nq1,Q?,ant,,cow,cow\nq2,R?,bee,,dog,bee\n"
    (tmp_path / "asked.csv").write_text(rows)
    (tmp_path / "theirs.csv").write_text("id,prediction\nq1,3\nq2,1.0\n")
    assert with_base((tmp_path / "theirs.csv", tmp_path / "asked.csv"), base) == 2


@pytest.mark.parametrize(
    ("choices", "golds", "right"),
    [
        ([1, 2, 3], [2, 1, 3], 3),
        (["none", 4, 5, 3], [3, 4, 5], 3),
        ([0, 1, 2], [1, 0, 2], 3),
        ([{"label": n, "text": f"t{n}"} for n in (1, 2, 3)], [2, 1, 3], 3),
    ],
)
def test_predictions_that_are_numbers_are_read_like_gold_answers(
    tmp_path: Path, choices: Any, golds: list[int], right: int
) -> None:
    """The choices or labels are numbers, so a number need not be an index from 0."""
    rows = [
        {"id": f"q{n}", "question": f"Q{n}?", "choices": choices, "answer": answer}
        for n, answer in enumerate(golds)
    ]
    asked = write_rows(tmp_path / "asked.jsonl", rows)
    predictions = [{"id": row["id"], "prediction": row["answer"]} for row in rows]
    for whole in (int, float):
        typed = [{**row, "prediction": whole(row["prediction"])} for row in predictions]
        verdict, recorder = judged(write_rows(tmp_path / "theirs.jsonl", typed), asked)
        assert verdict.systems[0].correct == right
        assert not recorder.warnings


def test_a_prediction_that_is_an_index_or_a_text_asks_for_the_option(tmp_path: Path) -> None:
    choices = [{"label": n, "text": f"t{n}"} for n in (1, 2, 3)]
    row = {"id": "q0", "question": "Q?", "choices": choices, "answer": "2"}
    asked = write_rows(tmp_path / "asked.jsonl", [row])
    file = write_rows(tmp_path / "theirs.jsonl", [{"id": "q0", "prediction": 2}])
    with pytest.raises(ScicotError, match=r"\"prediction\" is 2, an index that can count from 0"):
        judged(file, asked)
    assert with_base((file, asked), 1) == 1


def test_predictions_that_are_texts_and_labels_are_read_like_the_others(tmp_path: Path) -> None:
    questions = [
        {
            "id": name,
            "question": f"Question {name}?",
            "choices": [{"label": f"{n}", "text": text} for n, text in enumerate(texts, start=1)],
            "answer": gold,
        }
        for name, texts, gold in (("q0", ("10", "11", "12"), "3"), ("q1", ("3", "4", "5"), "1"))
    ]
    asked = write_rows(tmp_path / "asked.jsonl", questions)
    file = tmp_path / "theirs.csv"
    file.write_text("id,prediction\nq0,12\nq1,3\n")
    assert judged(file, asked)[0].systems[0].correct == 2
    file.write_text("id,prediction\nq1,3\n")
    assert judged(file, asked)[0].systems[0].correct == 0, "a label, since nothing shows a text"
    settings = ReadingSettings(answer_texts=True)
    verdict = evaluate(file, questions=asked, reading=settings, reporter=Recorder())
    assert verdict.systems[0].correct == 1


def test_predictions_that_are_labels_and_texts_change_no_gold_index(tmp_path: Path) -> None:
    questions = [
        {"id": "q0", "question": "Metal?", "choices": ["wood", "iron", "glass"], "answer": 1},
        {"id": "q1", "question": "Alloy?", "choices": ["wood", "iron", "glass"], "answer": 1},
        {"id": "q2", "question": "Vitamin?", "choices": ["A", "C", "D"], "answer": 2},
    ]
    asked = write_rows(tmp_path / "asked.jsonl", questions)
    found = zip(("q0", "q1", "q2"), ("B", "iron", "C"), strict=True)
    rows = [{"id": name, "prediction": prediction} for name, prediction in found]
    file = write_rows(tmp_path / "theirs.jsonl", rows)
    for reading in (ReadingSettings(), ReadingSettings(answer_texts=False)):
        verdict = evaluate(file, questions=asked, reading=reading, reporter=Recorder())
        assert verdict.systems[0].correct == 3


VITAMINS = {
    "id": "v",
    "question": "Which helps to see?",
    "choices": [{"label": x, "text": y} for x, y in zip("ABC", "CAK", strict=True)],
    "answer": "B",
}


@pytest.mark.parametrize("options", [[], ["--answer-texts"], ["--answer-labels"]])
@pytest.mark.parametrize("name", ["own.jsonl", "-"])
def test_a_label_in_a_row_of_predict_is_a_label(
    scicot: Any, tmp_path: Path, options: list[str], name: str
) -> None:
    asked = write_rows(tmp_path / "asked.jsonl", [VITAMINS])
    mine = write_rows(tmp_path / "own.jsonl", [{**VITAMINS, "prediction": "B", "models": {}}])
    file, stdin = (name, mine.read_text()) if name == "-" else (mine, "")
    outcome = scicot("evaluate", file, "--questions", asked, "--json", *options, stdin=stdin)
    assert outcome.code == 0, outcome.stderr
    assert json.loads(outcome.stdout)["systems"][0]["correct"] == 1


def test_predictions_of_a_pipe_that_are_only_labels_show_the_form(
    scicot: Any, tmp_path: Path
) -> None:
    asked = write_rows(tmp_path / "asked.jsonl", [BEASTS[1], VITAMINS])
    label, vitamin = {"id": "q1", "prediction": "B"}, {"id": "v", "prediction": "C"}
    read = scicot("evaluate", "-", "--questions", asked, stdin=lines(label, vitamin))
    assert read.code == 0, read.stderr
    refused = scicot("evaluate", "-", "--questions", asked, stdin=lines(vitamin, label))
    assert "cannot be read ahead, so give a file" in refused.stderr


def test_a_text_in_a_row_with_scicots_choices_is_a_text(scicot: Any, tmp_path: Path) -> None:
    asked = write_rows(tmp_path / "asked.jsonl", [VITAMINS])
    theirs = write_rows(tmp_path / "theirs.jsonl", [{**VITAMINS, "prediction": "A"}])
    outcome = scicot("evaluate", theirs, "--questions", asked, "--json", "--answer-texts")
    assert json.loads(outcome.stdout)["systems"][0]["correct"] == 1, "A is the text of choice B"


@pytest.mark.parametrize("prediction", ["c", "(B)", "B) bee", 2])
def test_every_form_of_a_label_in_a_pipe_shows_that_predictions_are_labels(
    scicot: Any, tmp_path: Path, prediction: Any
) -> None:
    asked = write_rows(tmp_path / "asked.jsonl", [BEASTS[1], VITAMINS])
    rows = lines({"id": "q1", "prediction": prediction}, {"id": "v", "prediction": "C"})
    outcome = scicot("evaluate", "-", "--questions", asked, stdin=rows)
    assert outcome.code == 0, outcome.stderr


def test_an_index_in_a_pipe_shows_that_predictions_are_no_texts(
    scicot: Any, tmp_path: Path
) -> None:
    digits = {"id": "d", "question": "How many?", "choices": ["0", "7"], "answer": "A"}
    asked = write_rows(tmp_path / "asked.jsonl", [digits, VITAMINS])
    rows = lines({"id": "d", "prediction": 0}, {"id": "v", "prediction": "C"})
    outcome = scicot("evaluate", "-", "--questions", asked, "--answer-index", "0", stdin=rows)
    assert outcome.code == 0, outcome.stderr


def test_gold_answers_of_a_pipe_of_predictions_are_counted(scicot: Any) -> None:
    plain = {"id": "v", "question": "Which helps?", "choices": ["C", "A", "K"], "answer": "C"}
    rows = lines({**BEASTS[2], "prediction": "C"}, {**plain, "prediction": "C"})
    outcome = scicot("evaluate", "-", "--json", stdin=rows)
    assert outcome.code == 0, outcome.stderr
    assert json.loads(outcome.stdout)["systems"][0]["correct"] == 2, "the gold C is a label"
