"""The cells of the evidence: questions, commands, runs, and the page of their results."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from conftest import REPOSITORY, read_rows, write_rows

from benchmarks.cells.cell import Options, OutOfTime, run_cell, run_cells
from benchmarks.cells.figures import best_baseline, cheapest, half_width
from benchmarks.cells.questions import prepare
from benchmarks.cells.sets import CELL_SETS
from benchmarks.cells.systems import SYSTEMS, Experiment
from benchmarks.cells.table import read_cells, tables
from scicot.text import normalized

ONE_STEP = Options(rows=24, test_rows=6, max_steps=1, device="cpu")


def question(n: int, **more: Any) -> dict[str, Any]:
    choices = [{"label": label, "text": f"{label}{n}"} for label in "ABCD"]
    asked = {"id": f"q{n}", "question": f"Which is number {n}?", "choices": choices, "answer": "A"}
    return {**asked, **more}


def taught(n: int, **more: Any) -> dict[str, Any]:
    return question(n, rationale=f"It is A{n}, as one sees.", teacher="t", saw_answer=True, **more)


def replied(n: int, answer: str) -> dict[str, Any]:
    reply = f"Number {n} stands there.\nAnswer: {answer}"
    return taught(n, reply=reply, conclusion=answer)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Files with the names of the real sets."""
    folder = tmp_path / "data"
    folder.mkdir()
    many = range(200)
    again = [taught(7, id="another id")]  # a test question whose text is in the training set
    write_rows(folder / "openbookqa_flant5xl.train.jsonl", [taught(n) for n in many])
    write_rows(
        folder / "openbookqa_flant5xl.dev.jsonl", [taught(n) for n in range(500, 520)] + again
    )
    write_rows(folder / "csqa_palm.train.jsonl", [replied(n, "AB"[n % 2]) for n in many])
    write_rows(folder / "arc_easy.train.jsonl", [question(n) for n in many])
    write_rows(folder / "arc_challenge.train.jsonl", [question(n) for n in range(200, 300)])
    for kind, first in (("easy", 500), ("challenge", 510)):
        questions = [question(n) for n in range(first, first + 10)]
        write_rows(folder / f"arc_{kind}.dev.jsonl", questions)
    # The same questions under other ids; one has another gold answer, and one is not in ARC.
    wrong = [taught(3, id="e3", answer="B"), taught(900)]
    experts = [taught(n, id=f"e{n}") for n in range(50, 60)]
    write_rows(folder / "entailmentbank.train.jsonl", experts + wrong)
    write_rows(folder / "arc_challenge_flant5xl.train.jsonl", [taught(n) for n in range(200, 300)])
    write_rows(folder / "arc_challenge_flant5xl.dev.jsonl", [taught(n) for n in range(510, 520)])
    return folder


def texts(file: Path) -> set[str]:
    return {normalized(row["question"]) for row in read_rows(file)}


@pytest.mark.parametrize("name", ["openbookqa", "arc", "commonsenseqa"])
def test_no_question_is_on_two_sides(name: str, data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "questions"
    about = prepare(folder, CELL_SETS[name], 0, data, None, None)
    train, dev, test = (texts(folder / f"{part}.jsonl") for part in ("train", "dev", "test"))
    assert train
    assert dev
    assert test
    assert not train & dev
    trained_texts = "".join(
        "1" if normalized(row["question"]) in train | dev else "0"
        for row in read_rows(folder / "test.jsonl")
    )
    assert about["seen"] == trained_texts
    assert trained_texts.count("1") == (name == "openbookqa")
    for row in read_rows(folder / "test.jsonl") + read_rows(folder / "train.jsonl"):
        assert not {"rationale", "reply"} & row.keys()
    for part in ("teacher", "teacher_dev", "tutor"):
        asked = {"teacher": train, "teacher_dev": dev, "tutor": test}[part]
        assert texts(folder / f"{part}.jsonl") <= asked
        assert about["sizes"][part] == len(read_rows(folder / f"{part}.jsonl"))


def test_what_sets_are_made_of(data: Path, tmp_path: Path) -> None:
    csqa = prepare(tmp_path / "csqa", CELL_SETS["commonsenseqa"], 0, data, None, None)["sizes"]
    assert csqa["train"] + csqa["dev"] + csqa["test"] == 200
    assert 30 <= csqa["test"] <= 70
    assert csqa["tutor"] == csqa["test"], "the tutor is kept whatever it concludes"
    kept = read_rows(tmp_path / "csqa" / "teacher.jsonl")
    assert {row["id"] for row in kept} == {
        row["id"]
        for row in read_rows(tmp_path / "csqa" / "train.jsonl")
        if int(row["id"][1:]) % 2 == 0
    }
    other_seed = prepare(tmp_path / "seed", CELL_SETS["commonsenseqa"], 1, data, None, None)
    assert texts(tmp_path / "seed" / "test.jsonl") == texts(tmp_path / "csqa" / "test.jsonl")
    assert other_seed["test_sha256"]
    prepare(tmp_path / "arc", CELL_SETS["arc"], 0, data, None, None)
    rows = read_rows(tmp_path / "arc" / "teacher.jsonl")
    rows += read_rows(tmp_path / "arc" / "teacher_dev.jsonl")
    assert {row["id"] for row in rows} == {f"q{n}" for n in (*range(50, 60), *range(200, 300))}
    for rows_of_train in (40, 20):
        prepare(tmp_path / f"{rows_of_train}", CELL_SETS["arc"], 0, data, rows_of_train, 5)
    small = texts(tmp_path / "40" / "train.jsonl")
    assert texts(tmp_path / "20" / "train.jsonl") < small
    assert len(small) == 40


def test_missing_sets_are_an_error_of_one_line(tmp_path: Path) -> None:
    for more, problem in (
        ([], "give --student DIR"),
        (["--student", "scratch:tiny", "--data", str(tmp_path)], "no such file; name the folder"),
    ):
        done = subprocess.run(
            [*(sys.executable, "-m", "benchmarks.evidence", "run", str(tmp_path / "out")),
             *("arc-0", "direct", *more)],
            capture_output=True, text=True, cwd=REPOSITORY, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert problem in done.stderr


@pytest.mark.parametrize("name", ["scienceqa", "shipped"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_scicot_understands_the_commands_of_each_system(name: str, system: str) -> None:
    """The commands are parsed, not run, so that a wrong option is found without a GPU."""
    app = importlib.import_module("scicot_cli.app").app
    at = Experiment(Path("out"), CELL_SETS[name], 0, "/models/student", {"train": 3000})
    spec = SYSTEMS[system]
    commands = [step.command for step in spec.steps(at)]
    commands.append(["predict", at.file("test"), "-o", "out.jsonl", *spec.predict(at)])
    group = typer.main.get_command(app)
    for command, *options in commands:
        group.commands[command].make_context(command, options)  # type: ignore[attr-defined]


def test_a_cell_is_done_once_and_tells_what_the_page_needs(tmp_path: Path) -> None:
    with pytest.raises(OutOfTime):
        run_cell(tmp_path, "shipped-3", "direct", ONE_STEP, seconds=0.01)
    assert run_cells(tmp_path, "shipped-3", ["zero-shot", "direct"], ONE_STEP) == 1, (
        "a student with random weights has no zero-shot, and direct is done all the same"
    )
    file = tmp_path / "shipped-3.direct.json"
    cell = json.loads(file.read_text())
    assert (cell["set"], cell["seed"], cell["system"]) == ("shipped", 3, "direct")
    assert len(cell["right"]) == len(cell["clusters"]) == 6
    assert set(cell["right"]) <= {"0", "1"}
    assert cell["accuracy"] == pytest.approx(cell["right"].count("1") / 6)
    assert cell["training_tokens"] > 0
    assert cell["cost"]["weights"] > 100_000
    assert str(tmp_path) not in file.read_text(), "commands are those of any machine"
    before = file.stat().st_mtime_ns
    steps = [step.read_text() for step in sorted((tmp_path / "shipped-3" / "steps").glob("*.json"))]
    assert run_cells(tmp_path, "shipped-3", ["direct"], ONE_STEP) == 0
    assert file.stat().st_mtime_ns == before
    file.unlink()
    assert run_cells(tmp_path, "shipped-3", ["direct"], ONE_STEP) == 0
    again = [step.read_text() for step in sorted((tmp_path / "shipped-3" / "steps").glob("*.json"))]
    assert (again, json.loads(file.read_text())) == (steps, cell), "nothing is trained twice"
    with pytest.raises(SystemExit, match="was begun with --rows 24"):
        run_cells(tmp_path, "shipped-3", ["direct"], Options(rows=30, test_rows=6, max_steps=1))


def cell(system: str, seed: int, right: str, dev: str = "", **more: Any) -> dict[str, Any]:
    fields = {
        "set": "scienceqa", "seed": seed, "system": system, "student": "gemma", "rows": None,
        "test_rows": None, "max_steps": None, "chance": 0.25, "test_sha256": "1f", "right": right,
        "sizes": {"train": 90, "teacher": 70, "dev": 10, "teacher_dev": 8, "test": 40, "tutor": 4},
        "seen": "0" * 30 + "1" * 10, "clusters": None, "dev_right": dev, "training_tokens": 1000,
        "prediction_seconds": 3.0, "cost": {"weights": 10**8, "words": 20.0, "work": 1e9},
        "device": "a GPU",
    }  # fmt: skip
    return {**fields, **more}


def write_cells(folder: Path, *cells: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    for cell_row in cells:
        name = f"{cell_row['set']}-{cell_row['seed']}.{cell_row['system']}.json"
        (folder / name).write_text(json.dumps(cell_row))
    return folder


def test_the_page_compares_with_the_baseline_that_is_best_on_dev(tmp_path: Path) -> None:
    dear = {"cost": {"weights": 2 * 10**8, "words": 50.0, "work": 4e9}}
    good, fair = "1" * 24 + "0" * 6, "1" * 12 + "0" * 18
    cells = [
        *(cell("two-stage", seed, good + "1" * 10, "1" * 6 + "0" * 4, **dear) for seed in (0, 1)),
        *(cell("direct", seed, fair + "0" * 10, "1" * 8 + "0" * 2) for seed in (0, 1)),
        cell("answer-first", 0, "1" * 40, "1" * 5 + "0" * 5),
        cell("given", 0, "1" * 4 + "-" * 36),
    ]
    others = [
        {**row, "set": "openbookqa"} for row in cells if row["system"] in ("two-stage", "direct")
    ]
    found = read_cells([write_cells(tmp_path / "cells", *cells, *others)])
    group = next(iter(found.values()))
    assert best_baseline(group) == "direct", "chosen by dev alone, not by the test questions"
    page = tables(found)
    assert "| scienceqa | gemma | 90 | 0 1 | direct | 30 | +40.0 (" in page
    assert "; 40 questions | ±22.6 points (only one of the two is right on 40 %) |" in page
    assert "| all 2 sets | gemma | | 0 1 | as above | 60 | +40.0 (" in page
    assert "| two-stage | 80.0 (" in page
    assert "| *given* (seeds 1 not run) | 100.0 (" in page
    run = "python -m benchmarks.evidence run OUT scienceqa-0 shared --student DIR"
    assert f"| shared | not run: `{run}` |" in page
    assert "device.sh OUT evidence arc SEED" in page
    assert "device.sh OUT evidence scienceqa SEED" not in page
    assert (
        "It is ±2.8 points with 1,000 questions and ±3.9 with 500, if 20 % of the questions are"
        " answered correctly by only one of the two systems." in page
    )
    assert half_width(1000, 0.2) == pytest.approx(2.77, abs=0.01)
    assert cheapest(group).startswith("two-stage is the most accurate; every cheaper")
    close = [cell("direct", seed, "1" * 23 + "0" * 17, "1" * 10) for seed in (0, 1)]
    again = read_cells([write_cells(tmp_path / "cells", *close)])
    best_value = cheapest(next(iter(again.values())))
    assert best_value.startswith("direct is the cheapest system that is not significantly worse")
    assert "two-stage (two-stage minus direct: +3.3 points, " in best_value


def test_cells_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    folder = write_cells(tmp_path / "a", cell("direct", 0, "1" * 40))
    with pytest.raises(SystemExit, match="another cell of the same system and seed"):
        read_cells([folder, write_cells(tmp_path / "b", cell("direct", 0, "0" * 40))])
    other_test = write_cells(tmp_path / "c", cell("shared", 0, "1" * 40, test_sha256="2e"))
    with pytest.raises(SystemExit, match="other test questions"):
        read_cells([folder, other_test])
    with pytest.raises(SystemExit, match="no such file or folder"):
        read_cells([tmp_path / "nosuch"])


def test_a_pilot_has_a_table_of_its_own(tmp_path: Path) -> None:
    pilot = cell("direct", 0, "1" * 40, rows=500, test_rows=40)
    page = tables(read_cells([write_cells(tmp_path, pilot)]))
    assert "gemma, 500 training questions (a pilot)" in page
    assert "two-stage --student DIR --rows 500 --test-rows 40`" in page
    assert "Not run yet: no set has cells of two-stage and of a baseline." in page
    assert "device.sh OUT evidence scienceqa SEED" in page, "the whole set is still to be run"
