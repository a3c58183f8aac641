"""The report page: its contents and, in a real browser, its filters and the escaping of texts."""

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import Recorder, Trained, read_rows, write_rows

from scicot import EvaluateSettings, PredictSettings, ScicotError, evaluate, predict, stages
from scicot.models.prompt_format import PROMPT_TEXTS
from scicot.records import Prediction
from scicot.report import write_report

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
ODD = "</script><script>document.title='broken'</script> [red] \u202e\u0007 \u05d0 <img src=x>"


def rows_of(answers: str, **more: Any) -> list[dict[str, Any]]:
    return [
        {
            "id": f"q{n}",
            "question": ODD if n == 0 else f"Which is number {n}?",
            "choices": [{"label": label, "text": f"{label} of {n}"} for label in "AB"],
            "answer": "A",
            "meta": {"subject": "even" if n % 2 == 0 else "odd"},
            "rationales": [f"because of {n}"],
            "prediction": None if said == "-" else said,
            "scores": {"A": 0.9, "B": 0.1} if said == "A" else {"A": 0.3, "B": 0.7},
            "confidence": {"A": 0.9, "B": 0.7}.get(said),
            **more,
        }
        for n, said in enumerate(answers)
    ]


@pytest.fixture
def page(tmp_path: Path) -> Path:
    files = {
        "two-stage": write_rows(tmp_path / "a.jsonl", rows_of("AAAB" * 15)),
        "direct": write_rows(tmp_path / "b.jsonl", rows_of("ABB-" * 15)),
    }
    settings = EvaluateSettings(by=("meta.subject", "length"))
    verdict = evaluate(files, settings=settings)
    write_report(verdict, files, tmp_path / "report.html", settings=settings)
    return tmp_path / "report.html"


def document(page: Path) -> Any:
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>',
                         page.read_text(), re.S)  # fmt: skip
    return json.loads(data)


def test_the_page_holds_all_and_needs_nothing(page: Path) -> None:
    text = page.read_text()
    assert not re.search(r'(?:src|href)\s*=\s*"|url\(|@import|fetch\(', text)
    assert text.count("</script>") == 2
    data = document(page)
    assert len(data["questions"]) == 60
    assert data["questions"][0]["text"] == ODD
    assert data["questions"][3] == {
        "id": "q3", "text": "Which is number 3?", "context": "", "gold": 0, "groups": ["odd"],
        "choices": [["A", "A of 3"], ["B", "B of 3"]],
        "said": [
            {"place": 1, "sure": 0.7, "scores": [0.3, 0.7], "rationales": ["because of 3"]},
            {"place": None, "sure": None, "scores": [0.3, 0.7], "rationales": ["because of 3"]},
        ],
    }  # fmt: skip
    assert data["verdict"]["comparisons"][0]["verdict"] == "two-stage is better than direct"


SET = """
const count = () => +document.getElementById("found").textContent.split(" ")[0];
function set(id, value) {
  const field = document.getElementById(id);
  field.value = value;
  field.dispatchEvent(new Event("input", {bubbles: true}));
}
"""
CHECKS = """
const state = {title: document.title, all: count(),
  cards: document.querySelectorAll("#list > li").length,
  first: document.querySelector(".question").textContent, images: document.images.length,
  plots: document.querySelectorAll("svg").length};
set("answer", "wrong"); state.wrong = count();
set("system", "1"); state.wrongOfSecond = count();
set("answer", "none"); state.none = count();
set("answer", "right"); state.rightOfSecond = count();
set("answer", ""); set("agreement", "differ"); state.differ = count();
set("agreement", "none"); state.allWrong = count();
set("agreement", ""); set("group", "odd"); state.odd = count();
set("group", ""); set("system", "0"); set("low", "80"); state.sure = count();
set("low", "0"); set("search", "number 17"); state.found = count();
state.marked = document.querySelectorAll("mark").length;
set("search", ""); document.getElementById("next").click();
state.page = document.getElementById("page").textContent;
state.second = document.querySelector(".id").textContent;
const id = root => root.querySelector(".id").textContent;
state.address = location.hash;
document.getElementById("reset").click(); state.reset = [count(), location.hash];
set("order", "unsure"); state.unsure = id(document); set("order", "");
set("answer", "wrong");
const lines = csv().trim().split("\\r\\n");
state.lines = lines.length; state.csv = lines[1];
function press(key) {
  document.body.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
}
press("r"); press("j"); press("j"); state.focused = id(document.activeElement);
press("n"); state.turned = document.getElementById("page").textContent;
press("/"); state.field = document.activeElement.id;
location.replace("#question=q7"); restore(); state.linked = [count(), id(document)];
location.replace("#answer=none&system=1&group=nonsense"); restore(); state.restored = count();
beforePrint(); state.printed = document.querySelectorAll("#list > li").length;
state.closed = document.querySelectorAll("#list details:not([open])").length; afterPrint();
document.querySelector("#systems .sort").click();
const names = document.querySelectorAll("#systems tbody td:first-child");
state.sorted = [...names].map(cell => cell.textContent);
state.groupLines = document.querySelectorAll("#groups svg .name").length;
"""


def browsed(page: Path, script: str) -> dict[str, Any]:
    """Run `script` at the end of the page in a browser. Return the script's variable `state`."""
    tail = """const pre = document.createElement("pre"); pre.id = "state";
        pre.textContent = JSON.stringify(state); document.body.append(pre);"""
    tested = page.with_name("tested.html")
    tested.write_text(
        page.read_text().replace("</body>", f"<script>{script}{tail}</script></body>")
    )
    done = subprocess.run(
        [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
         f"--user-data-dir={page.parent / 'profile'}", "--virtual-time-budget=5000", "--dump-dom",
         tested.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "CONSOLE" not in done.stderr, "an error in the page"
    (found,) = re.findall(r'<pre id="state">(.*?)</pre>', done.stdout, re.S)
    state: dict[str, Any] = json.loads(html.unescape(found))
    return state


@pytest.mark.skipif(BROWSER is None, reason="no chromium here")
def test_the_page_works_in_a_browser(page: Path) -> None:
    state = browsed(page, SET + CHECKS)
    shown = "</script><script>document.title='broken'</script> [red] ⟨U+202E⟩␇ \u05d0 <img src=x>"
    assert state == {
        "title": "scicot: two-stage, direct", "all": 60, "cards": 20, "first": shown, "images": 0,
        "plots": 5, "wrong": 15, "wrongOfSecond": 45, "none": 15, "rightOfSecond": 15, "differ": 30,
        "allWrong": 15, "odd": 30, "sure": 45, "found": 1, "marked": 6, "page": "page 2 of 3",
        "second": "q20", "address": "#page=2", "reset": [60, ""], "unsure": "q3", "lines": 16,
        "csv": '"q3","Which is number 3?","(A) A of 3 (B) B of 3","A","odd",'
        '"B","false","0.7","because of 3","","false","","because of 3"',
        "focused": "q1", "turned": "page 2 of 3", "field": "search", "linked": [1, "q7"],
        "restored": 15, "printed": 15, "closed": 0, "sorted": ["two-stage", "direct", "chance"],
        "groupLines": 4,
    }  # fmt: skip


def test_the_page_says_how_the_files_were_made(tmp_path: Path, trained: Trained) -> None:
    file, page = tmp_path / "answers.jsonl", tmp_path / "page.html"
    predict(
        trained.rows,
        file,
        answer_model=trained.answer,
        rationale_model=trained.rationale,
        settings=PredictSettings(device="cpu", max_new_tokens=8),
        limit=3,
    )
    write_report(evaluate(file), file, page)
    (made,) = document(page)["made"]["systems"]
    assert made["files"][0]["command"] == "predict"
    assert made["files"][0]["inputs"] == [str(trained.rows)]
    assert [student["stage"] for student in made["students"]] == ["rationale", "answer"]
    assert made["students"][1]["metrics"]["rows"] > 0
    assert [prompt["target"] for prompt in made["prompts"]] == ["rationale", "answer"]
    if BROWSER is None:
        return
    script = "const state = {prompts: questions.map(q => promptsOf(q, 0).map(p => p.shown))};"
    rows = [Prediction.from_row(row) for row in read_rows(file)]
    assert browsed(page, script)["prompts"] == [
        [
            str(stages.rationale_input(row.question)),
            str(stages.answer_input(row.question, row.rationales[0])),
        ]
        for row in rows
    ]


@pytest.mark.parametrize("form", ["plain", "chat"])
@pytest.mark.skipif(BROWSER is None, reason="no chromium here")
def test_prompts_of_causal_students_are_those_that_they_read(tmp_path: Path, form: str) -> None:
    student = {
        "run": "answer@1", "answers": True, "stage": "answer", "student": "base",
        "prompt_format": form, "settings": {"max_source_tokens": 64}, "data": [], "metrics": {},
    }  # fmt: skip
    rows = rows_of("AB", context="one\n two", models={"answer": "answer@1"})
    rows[1] |= {"context": "", "rationales": []}
    file, page = write_rows(tmp_path / "a.jsonl", rows), tmp_path / "page.html"
    (tmp_path / "a.state.json").write_text(json.dumps({"settings": {}, "students": [student]}))
    write_report(evaluate(file), file, page)
    script = "const state = {prompts: questions.map(q => promptsOf(q, 0).map(p => p.shown))};"
    asked = [Prediction.from_row(row) for row in rows]
    inputs = [stages.answer_input(row.question, next(iter(row.rationales), None)) for row in asked]
    assert browsed(page, script)["prompts"] == [[PROMPT_TEXTS[form](text)] for text in inputs]


@pytest.mark.parametrize("state", ["no JSON", '{"students": [1, {"stage": "x"}], "inputs": 3}'])
def test_a_state_file_of_another_form_is_left_out(tmp_path: Path, state: str) -> None:
    file, page = write_rows(tmp_path / "a.jsonl", rows_of("AB")), tmp_path / "page.html"
    (tmp_path / "a.state.json").write_text(state)
    write_report(evaluate(file), file, page)
    (made,) = document(page)["made"]["systems"]
    assert (made["students"], made["prompts"]) == ([], [])


def test_a_teachers_replies_and_what_they_used_are_shown(tmp_path: Path) -> None:
    usage = {"output_tokens": 5, "cost_usd": 0.01}
    fields = {"teacher": "anthropic:x", "usage": usage}
    rows = [
        {**row, **fields, "rationale": "It is so.", "conclusion": "A", "reply": f"Answer: A {n}"}
        for n, row in enumerate(rows_of("AA"))
    ]
    for row in rows:
        del row["prediction"], row["rationales"], row["scores"], row["confidence"]
    rows[1]["reason"] = "leaks-answer"
    rows[1]["usage"] = {**usage, "input_tokens": True}  # no number, so not a 1
    file, page = write_rows(tmp_path / "a.jsonl", rows), tmp_path / "page.html"
    write_report(evaluate(file), file, page)
    data = document(page)
    assert data["made"]["systems"][0]["usage"] == {"output_tokens": 10, "cost_usd": 0.02}
    assert [q["said"][0]["reply"] for q in data["questions"]] == ["Answer: A 0", "Answer: A 1"]
    assert data["questions"][1]["said"][0]["reason"] == "leaks-answer"
    assert data["questions"][0]["said"][0]["usage"] == fields["usage"]


def test_files_may_call_choices_differently(tmp_path: Path) -> None:
    mine = rows_of("AB")
    renamed = [
        {
            **row,
            "choices": [
                {**choice, "label": "ba"[index]} for index, choice in enumerate(row["choices"])
            ],
        }
        for row in mine
    ]
    swaps = {"A": "b", "B": "a"}
    for row in renamed:
        row |= {"answer": swaps[row["answer"]], "prediction": swaps[row["prediction"]]}
        row["scores"] = {swaps[label]: p for label, p in row["scores"].items()}
    files = [write_rows(tmp_path / "a.jsonl", mine), write_rows(tmp_path / "b.jsonl", renamed)]
    page = tmp_path / "page.html"
    write_report(evaluate(files), files, page)
    for question in document(page)["questions"]:
        assert question["said"][0]["place"] == question["said"][1]["place"]
        assert question["said"][0]["scores"] == question["said"][1]["scores"]
    fewer = [{**mine[0], "choices": [*mine[0]["choices"][:1], {"label": "C", "text": "other"}]}]
    files[1] = write_rows(tmp_path / "b.jsonl", fewer)
    write_report(evaluate(files), files, page, force=True)


@pytest.mark.skipif(BROWSER is None, reason="no chromium here")
def test_a_page_of_one_system_without_groups_has_filters_too(scicot: Any, tmp_path: Path) -> None:
    mine, page = write_rows(tmp_path / "mine.jsonl", rows_of("AAB-")), tmp_path / "page.html"
    assert scicot("evaluate", mine, "--report", page).code == 0
    script = """
        const state = {};
        for (const answer of ["wrong", "right", "none"]) {
          set("answer", answer);
          state[answer] = count();
        }
        const labels = [...document.querySelectorAll("#filters label")];
        state.shown = labels.filter(label => label.offsetHeight).length;
    """
    assert browsed(page, SET + script) == {"wrong": 2, "right": 2, "none": 1, "shown": 4}


def test_what_no_report_can_be_made_of(scicot: Any, tmp_path: Path) -> None:
    mine = write_rows(tmp_path / "mine.jsonl", rows_of("AAB"))
    report = tmp_path / "r.html"
    assert scicot("evaluate", mine, "--report", report).code == 0
    first = report.read_bytes()
    outcome = scicot("evaluate", mine, "--report", report)
    assert (outcome.code, report.read_bytes()) == (1, first)
    assert "exists; choose another file, or overwrite it with --force" in outcome.stderr
    assert scicot("evaluate", mine, "--report", report, "--force").code == 0
    kept = write_rows(tmp_path / "seed.jsonl", rows_of("AAB"))
    for read in ([f"m={mine}", f"m={kept}"], [mine, "--questions", kept]):
        outcome = scicot("evaluate", *read, "--report", kept, "--force")
        assert "is the input as well" in outcome.stderr
    os.mkfifo(tmp_path / "pipe")
    for name in ("-", tmp_path / "pipe", "/dev/null"):
        outcome = scicot("evaluate", mine, "--report", name, "--force")
        assert "is not a file; name a file such as" in outcome.stderr
    outcome = scicot("evaluate", mine, "--questions", "-", "--report", tmp_path / "x.html")
    assert "--report: needs to read - twice" in outcome.stderr
    outcome = scicot("evaluate", mine, "--report", mine, "--force")
    assert "is the input as well" in outcome.stderr
    outcome = scicot("evaluate", "-", "--report", tmp_path / "x.html", stdin=mine.read_text())
    assert "--report: needs to read - twice; give a file instead of a pipe" in outcome.stderr
    with pytest.raises(ScicotError, match="is not a file"):
        write_report(evaluate(mine), [mine], tmp_path, reporter=Recorder())
