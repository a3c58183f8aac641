"""Train the grid of scratch students, on example worlds and on real questions; resumable.

The grid of each set and seed has two axes. The first is the rationales that stage 2 is trained on:
the teacher's, in-sample ones (those that stage 1 writes for its own training questions),
out-of-fold ones, or a mixture. The second is the rationales that stage 2 reads in the test: none,
stage 1's, those of other questions, or the tutor's. Baselines are trained and tested as well.
OUT/SET-SEED.json records which test questions each system answered correctly.

Real questions are read from the folder that SCICOT_DATA names. The .dev files there are the test
sets; the dev sets are split off the .train files.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.evidence_sets import SETS, Set
from benchmarks.exercises import write_exercises
from benchmarks.lab import Lab, rows, side_by_side
from scicot import GenerateSettings, TrainSettings, generate_rationales, train_rationale
from scicot.text import normalized

REPOSITORY = Path(__file__).parents[1]
DATA = Path(os.environ.get("SCICOT_DATA", REPOSITORY.parent / "shared" / "data"))
DROPOUT = 0.2


def run(name: str, out: Path) -> None:
    """Run one set and seed; finished parts are skipped."""
    set_name, _, seed = name.rpartition("-")
    grid_set, start = SETS[set_name], time.monotonic()
    base = TrainSettings(
        batch_size=16, learning_rate=2e-3, max_target_tokens=grid_set.longest, seed=int(seed),
        device="cpu", dev_fraction=0.1 if grid_set.real else 0.0, shuffle_choices=False,
    )  # fmt: skip
    lab = Lab.at(
        out / name, base, 32, set=set_name, seed=int(seed), seconds=0.0, student=grid_set.student
    )
    lab.folder.mkdir(parents=True, exist_ok=True)
    teacher, test, tutor = _questions(lab, grid_set)
    earlier_seconds = float(
        lab.results["seconds"]
    )  # seconds of the steps that were finished earlier
    settings = replace(base, max_steps=grid_set.steps[0], folds=grid_set.folds)
    if grid_set.folds and not grid_set.real:
        settings = replace(settings, fold_by="meta.block")
    stage_1 = lab.folder / "runs" / "rationale"
    train_rationale(teacher, stage_1, student=grid_set.student, settings=settings)
    options: dict[str, Any] = {"shuffle_choices": grid_set.shuffle, "answer_as": grid_set.answer_as}
    readers = {"teacher": _reader(lab, grid_set, teacher, tutor, options)}
    direct = lab.train_answer("direct", [teacher], grid_set.steps[1], method="direct", **options)
    lab.judge("direct", test, answer_model=direct)
    if grid_set.folds:
        readers |= _readers(lab, grid_set, teacher, stage_1, options)
    written_by_stage_1 = lab.predict(test, "written", rationale_model=stage_1)
    rationale_files = {
        "student": written_by_stage_1,
        "shuffled": _shuffled(written_by_stage_1),
        "given": tutor,
    }
    for training_source, reader in readers.items():
        lab.judge(f"{training_source}/none", test, answer_model=reader, rationale_from="none")
        for source, file in rationale_files.items():
            lab.judge(
                f"{training_source}/{source}", file, answer_model=reader, rationale_from="input"
            )
    lab.judge_generated("teacher/student, generated", written_by_stage_1, readers["teacher"])
    lab.judge_generated("direct, generated", written_by_stage_1, direct)
    two_stage: dict[str, Any] = {"answer_model": readers["teacher"], "rationale_model": stage_1}
    lab.judge("teacher/5 samples", test, samples=5, **two_stage)
    if grid_set.folds:
        lab.judge("teacher/with folds", test, with_folds=True, **two_stage)
        dropped = {**two_stage, "answer_model": readers["teacher, dropout"]}
        lab.judge("teacher, dropout/mix direct 0.3", test, mix_direct=0.3, **dropped)
        _train_baselines(lab, grid_set, teacher, test, [stage_1, readers["teacher"]], options)
    lab.results["seconds"] = earlier_seconds + time.monotonic() - start
    lab.results["done"] = True
    lab.save()


def _reader(lab: Lab, grid_set: Set, teacher: Path, tutor: Path, options: dict[str, Any]) -> Path:
    """Train the answer student on the teacher's rationales. If the set has reading exercises, train
    the student first on the exercises, then on exercises and rationales together."""
    if not grid_set.exercises:
        return lab.train_answer("teacher", [teacher], grid_set.steps[1], **options)
    files = [lab.folder / f"{name}.jsonl" for name in ("words", "exercises")][
        -len(grid_set.exercises) :
    ]
    student: str | Path = grid_set.student
    for file, steps in zip(files, grid_set.exercises, strict=True):
        one_word = file.stem == "words"
        test_exercises = file.with_name(f"{file.stem}_asked.jsonl")
        write_exercises(teacher, file, lab.base.seed, one_word=one_word)
        write_exercises(tutor, test_exercises, lab.base.seed, one_word=one_word)
        student = lab.train_answer(file.stem, [file], steps, student=student, **options)
        lab.judge(
            file.stem, test_exercises, into="reads", answer_model=student, rationale_from="input"
        )
    # Trained together with the questions: an equal number of rows of both.
    mixed: dict[str, Any] = {"student": student, "weights": (1.0, 1.0), **options}
    return lab.train_answer("teacher", [teacher, files[-1]], grid_set.steps[1], **mixed)


def _readers(
    lab: Lab, grid_set: Set, teacher: Path, stage_1: Path, options: dict[str, Any]
) -> dict[str, Path]:
    """Train answer students on in-sample, out-of-fold and mixed rationales, and with dropout."""
    in_sample = lab.predict(teacher, "in-sample", rationale_model=stage_1)
    out_of_fold = stage_1 / "out_of_fold.jsonl"
    steps = grid_set.steps[1]
    return {
        "in-sample": lab.train_answer("in-sample", [in_sample], steps, **options),
        "out-of-fold": lab.train_answer("out-of-fold", [out_of_fold], steps, **options),
        "mixed": lab.train_answer(
            "mixed", [teacher, out_of_fold], steps, weights=(4.0, 1.0), **options
        ),
        "teacher, dropout": lab.train_answer(
            "teacher-dropout", [teacher], steps, rationale_dropout=DROPOUT, **options
        ),
    }


def _shuffled(written: Path) -> Path:
    """Write the rows to shuffled.jsonl, each with the rationale of the row half the file away."""
    file, all_rows = written.with_name("shuffled.jsonl"), rows(written)
    with file.open("w") as stream:
        for index, row in enumerate(all_rows):
            source = all_rows[(index + len(all_rows) // 2) % len(all_rows)]
            stream.write(json.dumps({**row, "rationale": source["rationale"]}) + "\n")
    return file


def _train_baselines(
    lab: Lab,
    grid_set: Set,
    teacher: Path,
    test: Path,
    stages: list[Path],
    student_options: dict[str, Any],
) -> None:
    baselines: dict[str, dict[str, Any]] = {
        "direct, equal": {
            "method": "direct",
            "equal_to": stages,
            "max_steps": None,
            **student_options,
        },
        "one-sequence": {"method": "one-sequence"},
        "multi-task": {"method": "multi-task", **student_options},
    }
    for name, options in baselines.items():
        student = lab.train_answer(name.replace(", ", "-"), [teacher], grid_set.steps[0], **options)
        lab.judge(name, test, answer_model=student)


def _questions(lab: Lab, grid_set: Set) -> tuple[Path, Path, Path]:
    """Return (training rationales, test questions, test questions with the tutor's rationales)."""
    folder, world = lab.folder, lab.folder / "questions"
    if grid_set.train:
        train, test = DATA / grid_set.train, DATA / grid_set.test
        replies = (train, test)
    else:
        if not (world / "test_replies.jsonl").exists():
            script = str(REPOSITORY / "examples" / "make_world.py")
            size = [
                "--out",
                str(world),
                "--test",
                "600",
                "--seed",
                str(lab.base.seed),
                *grid_set.world,
            ]
            subprocess.run([sys.executable, script, *size], check=True, stdout=subprocess.DEVNULL)
        train, test = world / "train.jsonl", world / "test.jsonl"
        replies = (world / "train_replies.jsonl", world / "test_replies.jsonl")
    teacher, tutor = folder / "teacher.jsonl", folder / "tutor.jsonl"
    if grid_set.train and "reply" not in rows(train)[0]:  # the rationales were extracted by others
        shutil.copyfile(train, teacher)
        shutil.copyfile(test, tutor)
    else:
        settings = GenerateSettings(keep=grid_set.keep)
        generate_rationales(train, teacher, teacher=f"recorded:{replies[0]}", settings=settings)
        generate_rationales(
            test, tutor, teacher=f"recorded:{replies[1]}", settings=GenerateSettings(keep="all")
        )
    # A test of reading: a student that fails on answers as rationales cannot read rationales.
    for file in (teacher, tutor) if grid_set.answers_as_rationales else ():
        _replace_by_answers(file)
    questions = folder / "test.jsonl"
    texts = {normalized(row["question"]) for row in rows(train)}
    test_rows = rows(test)
    with questions.open("w") as stream:
        for row in test_rows:
            question_row = {
                k: row[k] for k in ("id", "question", "choices", "answer", "meta") if k in row
            }
            stream.write(json.dumps(question_row) + "\n")
    lab.results.update(
        {
            "ids": [row["id"] for row in test_rows],
            "facts": [row.get("meta", {}).get("fact", row["id"]) for row in test_rows],
            "seen": [
                int(grid_set.real and normalized(row["question"]) in texts) for row in test_rows
            ],
            "given": [row["id"] for row in rows(tutor)],
            "chance": sum(1 / len(row["choices"]) for row in test_rows) / len(test_rows),
            "learnt from": [len(rows(teacher)), len(rows(train))],
        }
    )
    return teacher, questions, tutor


def _replace_by_answers(file: Path) -> None:
    """Replace each rationale of the file by the text of the right answer."""
    replaced = []
    for row in rows(file):
        (text,) = [choice["text"] for choice in row["choices"] if choice["label"] == row["answer"]]
        replaced.append(json.dumps({**row, "rationale": text}) + "\n")
    file.write_text("".join(replaced))


def run_grid(out: Path, names: Sequence[str], jobs: int) -> None:
    """Run the grid of each "SET-SEED" in `names`, by default all. If there are several, each runs
    in a process of its own, `jobs` at a time."""
    if len(names) == 1:
        run(names[0], out)
        return
    names = names or [f"{name}-{s}" for name, grid_set in SETS.items() for s in grid_set.seeds]
    calls = [("grid", str(out), name) for name in names]
    side_by_side("benchmarks.evidence", calls, jobs)
