"""Inputs that went wrong before, as they are kept beside the checkout."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY, Recorder

from scicot import ReadingSettings, ScicotError, evaluate
from scicot.sources import questions

CASES = REPOSITORY.parent / "shared" / "cases"

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not on this machine")

BCDA: list[str | None] = [*"BCDABCDABC"]
READ: dict[str, tuple[list[str | None], dict[str, Any]]] = {
    "22_options_dict.json": (BCDA, {}),
    "table-12_latin1.csv": (BCDA, {"encoding": "latin-1"}),
    "table-25_unknown_answer_column.csv": (BCDA, {"columns": "answer=key"}),
    "table-5_choices_pipe.csv": (BCDA, {}),
    "table-7_index1.csv": (BCDA, {}),
    "table.parquet": (BCDA, {}),
    "table.xlsx": (BCDA, {}),
    "layout-i1.csv": (["B"], {"answer_index": 0}),
    "layout-i6.csv": (["B"], {}),
    "layout-j2.jsonl": (["B"], {"columns": "answer=label"}),
    "layout-j5.jsonl": (["1"], {}),
    "layout-j7.jsonl": (["B"], {}),
    "gold-two-names.jsonl": (["C", "2"], {}),
    "copa-layout.jsonl": (["A", "A"], {}),
    "choices-in-a-sentence.jsonl": (["B"], {}),
    "unk.jsonl": (["B", "A"], {}),
    "surrogate_row.jsonl": (["B"], {}),
}
TEXTS = {
    "layout-j12.jsonl": ["a"],
    "layout-j13.jsonl": ["a"],
    "layout-j9.jsonl": ["copper"],
    "table-17_moodle_distractors.csv": [
        "copper", "carbon dioxide", "Mercury", "100 °C", "heart", "gravity", "whale", "oxygen",
        "water", "thermometer",
    ],
}  # fmt: skip
REFUSED = {
    "layout-i1.csv": "--answer-index 0",
    "table-12_latin1.csv": "--encoding latin-1",
}


def read(name: str, **settings: Any) -> list[Any]:
    if name.endswith(".xlsx") and importlib.util.find_spec("openpyxl") is None:
        pytest.skip("openpyxl is not installed")
    reading = ReadingSettings(**settings)
    return list(questions(CASES / name, reading=reading, reporter=Recorder()))


@pytest.mark.parametrize("name", READ)
def test_a_case_is_read(name: str) -> None:
    golds, settings = READ[name]
    assert [question.answer for question in read(name, **settings)] == golds


@pytest.mark.parametrize("name", TEXTS)
def test_a_case_with_choices_in_an_order_of_chance(name: str) -> None:
    assert [question.text_of(question.answer) for question in read(name)] == TEXTS[name]


@pytest.mark.parametrize("name", REFUSED)
def test_a_case_that_is_refused_names_the_option(name: str) -> None:
    with pytest.raises(ScicotError, match=REFUSED[name]):
        read(name)


def test_choices_in_a_sentence() -> None:
    [question] = read("choices-in-a-sentence.jsonl")
    assert [choice.text for choice in question.choices] == ["the sand", "the ice"]


@pytest.mark.parametrize(
    "name", ["gold-under-another-name.jsonl", "table-25_unknown_answer_column.csv"]
)
def test_a_gold_answer_under_another_name_stops_before_anything_is_asked(
    scicot: Any, tmp_path: Path, name: str
) -> None:
    replies = tmp_path / "r.jsonl"
    replies.write_text(json.dumps({"id": "l1", "reply": "Answer: A"}) + "\n")
    out = tmp_path / "out.jsonl"
    outcome = scicot(
        "generate-rationales", CASES / name, "-o", out, "--teacher", f"recorded:{replies}"
    )
    assert outcome.code == 1
    field = "label" if name.startswith("gold") else "key"
    assert f"--columns answer={field}" in outcome.stderr
    assert not out.exists()


def test_a_label_that_is_also_a_text() -> None:
    asked = CASES / "label-is-also-a-text.questions.jsonl"
    said = CASES / "label-is-also-a-text.predictions.jsonl"
    (system,) = evaluate(said, questions=asked, reporter=Recorder()).systems
    assert (system.questions, system.correct) == (2, 2)
