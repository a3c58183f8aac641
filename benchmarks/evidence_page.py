"""Write docs/evidence.md: fill evidence/template.md with the results of the grid and of cells."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cells.figures import Group
from benchmarks.cells.sets import CELL_SETS
from benchmarks.cells.table import Kind, read_cells
from benchmarks.cells.table import tables as tables_of_cells
from benchmarks.evidence_sets import SETS
from benchmarks.intervals import Floats, interval
from scicot.statistics import bootstrap

Results = list[dict[str, Any]]  # results of the seeds of a set

SOURCES = ("none", "student", "shuffled", "given")
# sources of stage 2's training rationales, with their names on the page
LEARNT = {
    "teacher": "teacher",
    "teacher, dropout": "teacher, rationale dropout 0.2",
    "in-sample": "in-sample",
    "out-of-fold": "out-of-fold",
    "mixed": "teacher and out-of-fold, 4:1",
}
OTHERS = {
    "teacher/student, generated": "two-stage, answer generated; only exact labels count",
    "teacher/5 samples": "two-stage, 5 sampled rationales averaged",
    "teacher/with folds": "two-stage, fold students write rationales too",
    "teacher, dropout/mix direct 0.3": "two-stage with rationale dropout, direct answer mixed in",
    "direct": "direct",
    "direct, generated": "direct, answer generated; only exact labels count",
    "direct, equal": "direct, as many weights and training tokens",
    "one-sequence": "one-sequence",
    "multi-task": "multi-task",
    # Descriptions of cells that share world and student with the grid.
    "answer-first": "answer first, then the rationale, of which only the answer is decoded",
    "shared": "one student for both stages, half the weights",
    "direct-2": "two seeds of direct, their scores averaged",
    "two-stage-oof": "two-stage, stage 2 on out-of-fold rationales of all training questions",
    "two-stage-both": "two-stage, stage 2 on the teacher's and out-of-fold rationales, with"
    " rationale dropout, direct answer mixed in",
}
CELLS_IN_TABLE = ("answer-first", "shared", "direct-2")  # cells that are shown in the world's table
TITLES = {
    "shipped": "The example world (shipped), fresh seeds",
    "harder": "A harder world: 700 training questions rather than 4,000",
    "scienceqa": "ScienceQA, questions without images, rationales of Llama-2-13b-chat",
    "scienceqa_grid": "ScienceQA, all sources of rationales (scienceqa_grid)",
    "openbookqa": "OpenBookQA, rationales of Flan-T5-XL, which saw the answers",
}
TRIED = {
    "scienceqa_unfiltered": "rationales kept whatever they conclude",
    "scienceqa_text": "the answer student writes the text of a choice, not its label",
    "scienceqa_small": "students of 2.4 million weights (`scratch:small`)",
    "scienceqa_exercises": "stage 2 first learns to read, from exercises",
    "scienceqa_curriculum": "the same, but first with exercises on texts of one word",
    "openbookqa_words": "OpenBookQA, the right choice's own words in place of rationales",
}


def write(folder: Path, cells: Iterable[Path], page: Path) -> None:
    """Write `page` from the results of the grid in `folder` and from `cells`, files or folders of
    cells."""
    found: defaultdict[str, Results] = defaultdict(list)
    for file in sorted(folder.glob("*-*.json")):
        result = json.loads(file.read_text())
        if result.get("done"):
            found[result["set"]].append(result)
    if not found:
        raise SystemExit(f"{folder}: no results; make evidence FRESH=1")
    groups = read_cells(path for path in cells if path.exists() or path != folder / "cells")
    _add_cells(found, groups)
    hours = sum(result["seconds"] for results in found.values() for result in results) / 3600 / 2
    parts = [_primary(found), *(_grid(name, found[name]) for name in TITLES if found[name])]
    tables = "\n".join([*parts, _tried(found)]).rstrip()
    text = (folder / "template.md").read_text()
    parts_of = {
        "hours": f"{hours:.1f}",
        "tables": tables,
        "cells": tables_of_cells(groups).rstrip(),
    }
    for name, part in parts_of.items():
        text = text.replace(f"{{{name}}}", part)
    page.write_text(text)


def _add_cells(found: dict[str, Results], groups: dict[Kind, Group]) -> None:
    """Add the cells of worlds to the grid's results that have the same student and test questions.
    Systems that these results already have are not replaced."""
    for kind, group in groups.items():
        if CELL_SETS[kind.set].real or kind.setup[1:] != (None, None, None):
            continue
        for result in found[kind.set]:
            digest = hashlib.sha256("\n".join(result["ids"]).encode()).hexdigest()[:16]
            for system, cells_of_system in group.items():
                cell = cells_of_system.get(result["seed"])
                same = cell and cell["test_sha256"] == digest and kind.student == result["student"]
                if same and system in OTHERS and system not in result["right"]:
                    result["right"][system] = [
                        int(mark) for mark in cells_of_system[result["seed"]]["right"]
                    ]


def values(results: Results, system: str, *, unseen: bool = True) -> list[Floats]:
    """Return an array over the test questions for each seed: 1 for a right answer, 0 for a wrong
    one, nan for none. With `unseen`, questions that are in the training set are nan too."""
    rows = []
    for result in results:
        right = np.full(len(result["ids"]), np.nan)
        ids = result["given"] if system.endswith("/given") else result["ids"]
        index = {identity: number for number, identity in enumerate(result["ids"])}
        right[[index[identity] for identity in ids]] = result["right"][system]
        if unseen:
            right[np.array(result["seen"], bool)] = np.nan
        rows.append(right)
    return rows


def figure(results: Results, rows: list[Floats]) -> tuple[float, float, float]:
    """Return the mean of `rows` and the ends of its interval, in percent. `rows` has an array over
    the test questions for each seed. On real sets, a question counts only if no seed has a nan for
    it."""
    if SETS[results[0]["set"]].real:
        table = _answered_by_all(np.stack(rows))
        low, high = bootstrap([table], [1.0], np.arange(table.shape[1])).interval
        return 100 * float(table.mean()), 100 * low, 100 * high
    facts = [
        np.array(result["facts"])[~np.isnan(row)] for result, row in zip(results, rows, strict=True)
    ]
    mean, low, high = interval(
        [row[~np.isnan(row)] for row in rows], [list(names) for names in facts]
    )
    return 100 * mean, 100 * low, 100 * high


def _answered_by_all(rows: Floats) -> Floats:
    """Remove the questions (columns) for which any row has a nan."""
    return rows[:, ~np.isnan(rows).any(axis=0)]


def difference(
    results: Results, first: str, second: str, **options: bool
) -> tuple[float, float, float]:
    """Return the paired accuracy difference of two systems and the ends of its interval, in
    percentage points."""
    pairs = zip(values(results, first, **options), values(results, second, **options), strict=True)
    if not SETS[results[0]["set"]].real:
        return figure(results, [a - b for a, b in pairs])
    systems = [np.stack(values(results, name, **options)) for name in (first, second)]
    first_right, second_right = np.split(_answered_by_all(np.concatenate(systems)), 2)
    low, high = bootstrap(
        [first_right, second_right], [1.0, -1.0], np.arange(first_right.shape[1])
    ).interval
    return 100 * float(first_right.mean() - second_right.mean()), 100 * low, 100 * high


def _with_interval(
    values: tuple[float, float, float], form: str = "{:.1f} ({:.1f} to {:.1f})"
) -> str:
    return form.format(*values)


def _gap(results: Results, first: str, second: str, **options: bool) -> str:
    return _with_interval(
        difference(results, first, second, **options), "{:+.1f} ({:+.1f} to {:+.1f})"
    )


def _primary(found: dict[str, Results]) -> str:
    lines = [
        "## Two stages against direct answering\n",
        "| set | seeds | questions | chance | two-stage | direct | difference | difference,"
        " questions seen in training included |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in TITLES:
        results = found[name]
        if results:
            rows = values(results, "teacher/student")
            count = int((~np.isnan(rows[0])).sum())
            seeds = " ".join(str(result["seed"]) for result in results)
            with_seen = ""
            if sum(results[0]["seen"]):
                with_seen = (
                    f"{_gap(results, 'teacher/student', 'direct', unseen=False)};"
                    f" {len(rows[0]):,} questions"
                )
            direct = _with_interval(figure(results, values(results, "direct")))
            lines.append(
                f"| {name} | {seeds} | {count} | {100 * results[0]['chance']:.1f} |"
                f" {_with_interval(figure(results, rows))} | {direct} |"
                f" {_gap(results, 'teacher/student', 'direct')} | {with_seen} |"
            )
    return "\n".join(lines) + "\n"


def _grid(name: str, results: Results) -> str:
    kept, question_count = results[0]["learnt from"]
    seeds = ", ".join(str(result["seed"]) for result in results)
    lines = [
        f"## {TITLES[name]}\n",
        f"Seed{'s' * (len(results) > 1)} {seeds}; {kept:,} rationales of"
        f" {question_count:,} training questions kept."
        " Accuracy by the [rationales that stage 2 was trained on](rationale_sources.md) (rows) and"
        " those that it read in the test (columns): none, stage 1's (`student`), those of other"
        " questions (`shuffled`), or the teacher's own (`given`, an upper bound).\n",
        f"| stage 2 trained on | {' | '.join(SOURCES)} |",
        f"| --- |{' --- |' * len(SOURCES)}",
    ]
    for training_source, training_title in LEARNT.items():
        if f"{training_source}/student" in results[0]["right"]:
            cells = [
                _with_interval(figure(results, values(results, f"{training_source}/{source}")))
                for source in SOURCES
            ]
            lines.append(f"| {training_title} | {' | '.join(cells)} |")
    lines += ["\n| system | accuracy | minus direct |", "| --- | --- | --- |"]
    for system, title in {"teacher/student": "two-stage", **OTHERS}.items():
        if all(system in result["right"] for result in results):
            gap = "" if system == "direct" else _gap(results, system, "direct")
            lines.append(
                f"| {title} | {_with_interval(figure(results, values(results, system)))} | {gap} |"
            )
        elif name == "shipped" and system in CELLS_IN_TABLE:
            command = f"python -m benchmarks.evidence run OUT {name}-SEED {system}"
            lines.append(f"| {title} | not run: `{command}` (seeds {seeds}) | |")
    return "\n".join(lines) + "\n"


# files of reading exercises, with what they contain
_EXERCISES = {"words": "with texts of one word", "exercises": "with texts of all lengths"}


def _exercised(found: dict[str, Results]) -> list[str]:
    """Return lines with the accuracies in the reading exercises that were made from test
    rationales; [] if there were no exercises."""
    lines = []
    for name, title in TRIED.items():
        for result in found[name]:
            done = [
                f"{100 * sum(right) / len(right):.1f} % {_EXERCISES.get(kind, kind)}"
                for kind, right in result["reads"].items()
            ]
            if done:
                lines.append(f"- {title}: {', then '.join(done)}")
    if not lines:
        return []
    head = (
        "\nShare of right answers in reading exercises made from the rationales of test questions"
        " (chance as for the questions themselves):\n"
    )
    return [head, *lines]


def _tried(found: dict[str, Results]) -> str:
    if not any(found[name] for name in TRIED):
        return ""
    lines = [
        "## Tried on real questions\n",
        "The last two columns show whether stage 2 uses the rationale: its accuracy when it reads"
        " the teacher's rationale of each test question, and by how much this exceeds its accuracy"
        " when it reads those of other questions.\n",
        "| tried | seeds | two-stage | direct | difference |"
        " stage 2 with the teacher's rationales | minus stage 2 with those of other questions |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, title in TRIED.items():
        results = found[name]
        if results:
            lines.append(
                f"| {title} | {' '.join(str(result['seed']) for result in results)} |"
                f" {_with_interval(figure(results, values(results, 'teacher/student')))} |"
                f" {_with_interval(figure(results, values(results, 'direct')))} |"
                f" {_gap(results, 'teacher/student', 'direct')} |"
                f" {_with_interval(figure(results, values(results, 'teacher/given')))} |"
                f" {_gap(results, 'teacher/given', 'teacher/shuffled')} |"
            )
    return "\n".join([*lines, *_exercised(found)]) + "\n"
