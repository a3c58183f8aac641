"""Compare sources of rationales for training stage 2, and all baselines, on three example worlds.

    python -m benchmarks.sources run OUT [--jobs 2]     train and predict; goes on where it stopped
    python -m benchmarks.sources table OUT              the figures of docs/rationale_sources.md

For each world and seed there are three students of stage 1, each with fold students: `full` is
trained fully, `under` too little, `hopeless` hardly at all. Stage 2 students are trained on

- the teacher's rationales, with and without rationale dropout,
- in-sample rationales: those that stage 1 writes for its own training questions,
- out-of-fold rationales,
- mixtures of the teacher's and out-of-fold ones, with and without rationale dropout,
- the teacher's first, and then out-of-fold ones.

For `hopeless`, there are fewer kinds. In the test, stage 2 reads stage 1's rationales; a system
named "+ folds" also reads those that the fold students write. The baselines are trained too.
OUT/WORLD-SEED.json records which test questions each system answered correctly; "reads" is the same
for stage 2 students that read the tutor's rationales.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.intervals import Floats, interval
from benchmarks.lab import Lab, exact, rows, side_by_side

REPOSITORY = Path(__file__).parents[1]
WORLDS: dict[str, list[str]] = {
    "easy": ["--entities", "118"],
    "shipped": [],
    "harder": ["--train", "700"],
}
SEEDS = (0, 1, 2)
TEST = 600
STAGE_1 = {"full": 1000, "under": 500, "hopeless": 150}  # optimizer steps
STAGE_2 = 600
# at 3e-3 some answer students could not even use the tutor's rationales perfectly
LEARNING_RATE = 2e-3
# With 16, some answer students could not even use the tutor's rationales after as many steps.
BATCH = {"rationale": 16, "answer": 32}
FOLDS = 3
DROPOUT = 0.2
# Continue training a student of the teacher's rationales on out-of-fold ones.
THEN: dict[str, Any] = {"max_steps": 200, "learning_rate": 5e-4}
WITH_FOLDS = ("teacher", "mixed 4:1", "then out-of-fold")
LONGEST = 96  # maximum tokens of a rationale; the tutor's have about 60


def run_world(world: str, seed: int, out: Path) -> None:
    """Run one world and seed; finished parts are skipped."""
    from scicot import TrainSettings, generate_rationales

    lab_folder = out / f"{world}-{seed}"
    base = TrainSettings(
        batch_size=BATCH["rationale"],
        learning_rate=LEARNING_RATE,
        max_target_tokens=LONGEST,
        seed=seed,
        device="cpu",
    )
    lab = Lab.at(lab_folder, base, BATCH["answer"], world=world, seed=seed, exact={})
    files = lab_folder / "world"
    if not (files / "test_replies.jsonl").exists():
        script = str(REPOSITORY / "examples" / "make_world.py")
        size = ["--out", str(files), "--test", str(TEST), "--seed", str(seed), *WORLDS[world]]
        subprocess.run([sys.executable, script, *size], check=True, stdout=subprocess.DEVNULL)
    teacher, tutor = lab_folder / "teacher.jsonl", lab_folder / "tutor.jsonl"
    for split, output in (("train", teacher), ("test", tutor)):
        replies = f"recorded:{files / f'{split}_replies.jsonl'}"
        generate_rationales(files / f"{split}.jsonl", output, teacher=replies)

    readers = {
        "teacher": lab.train_answer("teacher", [teacher], STAGE_2),
        "teacher, dropout": lab.train_answer(
            "teacher-dropout", [teacher], STAGE_2, rationale_dropout=DROPOUT
        ),
    }
    reader = readers["teacher"]
    lab.judge("given", tutor, answer_model=reader, rationale_from="input")
    lab.results["facts"] = [row["meta"]["fact"] for row in rows(tutor)]
    for level, steps in STAGE_1.items():
        run_level(lab, level, steps, teacher, tutor, readers)
    stages = [lab_folder / "runs" / "rationale-full", reader]
    equal = {"method": "direct", "equal_to": stages, "max_steps": None}
    baselines: dict[str, dict[str, Any]] = {
        "direct": {"method": "direct"},
        "direct, equal": equal,
        "one-sequence": {"method": "one-sequence"},
        "multi-task": {"method": "multi-task"},
    }
    for name, options in baselines.items():
        run = lab.train_answer(name.replace(", ", "-"), [teacher], STAGE_1["full"], **options)
        lab.judge(name, files / "test.jsonl", answer_model=run)
    lab.results["done"] = True
    lab.save()


def run_level(
    lab: Lab, level: str, steps: int, teacher: Path, tutor: Path, readers: dict[str, Path]
) -> None:
    """Train stage 1 for `steps` steps, with fold students, and then the variants of stage 2 that
    use their rationales. Record how each stage 2 answers the test questions."""
    from scicot import train_rationale

    stage_1 = lab.folder / "runs" / f"rationale-{level}"
    settings = replace(lab.base, max_steps=steps, folds=FOLDS, fold_by="meta.block")
    train_rationale(teacher, stage_1, student=lab.student, settings=settings)
    test_rationales = lab.predict(tutor, f"test-{level}", rationale_model=stage_1)
    in_sample = lab.predict(teacher, f"in-sample-{level}", rationale_model=stage_1)
    out_of_fold = stage_1 / "out_of_fold.jsonl"
    lab.results["exact"][level] = {
        "in-sample": exact(in_sample, teacher),
        "out-of-fold": exact(out_of_fold, teacher),
        "test": exact(test_rationales, tutor),
    }
    students = dict(readers)
    for name, (sources, options) in _stage_2(
        level, teacher, in_sample, out_of_fold, readers
    ).items():
        folder = re.sub(r"\W+", "-", f"{name}-{level}")
        students[name] = lab.train_answer(
            folder, sources, options.pop("max_steps", STAGE_2), **options
        )
    for name, run in students.items():
        reading: dict[str, Any] = {"answer_model": run, "rationale_from": "input"}
        lab.judge(f"{level}/{name}", test_rationales, **reading)
        lab.judge(f"{level}/{name}", tutor, into="reads", **reading)
        if name in WITH_FOLDS:
            folds: dict[str, Any] = {"rationale_model": stage_1, "with_folds": True}
            lab.judge(f"{level}/{name} + folds", tutor, answer_model=run, **folds)


def _stage_2(
    level: str, teacher: Path, in_sample: Path, out_of_fold: Path, readers: dict[str, Path]
) -> dict[str, tuple[list[Path], dict[str, Any]]]:
    """Return the training files and settings of each stage 2 variant, by name."""
    both_files, mostly_teacher = [teacher, out_of_fold], {"weights": (4.0, 1.0)}
    robust = {"mixed 4:1, dropout": (both_files, {**mostly_teacher, "rationale_dropout": DROPOUT})}
    if level == "hopeless":
        return {**robust, "out-of-fold, dropout": ([out_of_fold], {"rationale_dropout": DROPOUT})}
    return {
        "in-sample": ([in_sample], {}),
        "out-of-fold": ([out_of_fold], {}),
        "mixed 1:1": (both_files, {"weights": (1.0, 1.0)}),
        "mixed 4:1": (both_files, mostly_teacher),
        **robust,
        "then out-of-fold": ([out_of_fold], {"student": readers["teacher"], **THEN}),
    }


def table(out: Path) -> str:
    """Return Markdown tables. For each world, there is one per level of stage 1 and one of the
    baselines. The last table is over all worlds."""
    found = [json.loads(file.read_text()) for file in sorted(out.glob("*-*.json"))]
    parts = []
    for world in WORLDS:
        seeds = [result for result in found if result["world"] == world and result.get("done")]
        if not seeds:
            continue
        noun = "seeds" if len(seeds) > 1 else "seed"
        size = len(seeds[0]["facts"])
        parts.append(f"### {world}: {len(seeds)} {noun}, {size} questions each\n")
        for level, steps in STAGE_1.items():
            shares = {
                kind: sum(result["exact"][level][kind] for result in seeds) / len(seeds)
                for kind in seeds[0]["exact"][level]
            }
            exact_shares = ", ".join(
                f"{kind} {100 * share:.0f} %" for kind, share in shares.items()
            )
            parts.append(
                f"Stage 1 {level} ({steps} steps); rationales that are exact: {exact_shares}.\n"
            )
            names = [name for name in seeds[0]["right"] if name.startswith(f"{level}/")]
            parts.append(_rows(seeds, names, against=f"{level}/teacher"))
        baselines = [name for name in seeds[0]["right"] if "/" not in name]
        parts.append("Without stage 1 (given: the tutor's rationales, an upper bound).\n")
        parts.append(_rows(seeds, baselines, against="direct"))
    parts += _pooled([result for result in found if result.get("done")])
    return "\n".join(parts)


def _pooled(seeds: list[dict[str, Any]]) -> list[str]:
    """Return a table over all worlds. For each level of stage 1 and each system, it has the
    accuracy minus that of stage 2 trained on the teacher's rationales, and minus that of direct."""
    lines = [
        f"### All {len(seeds)} worlds and seeds\n",
        "| stage 1 | system | minus teacher | minus direct |",
        "| --- | --- | --- | --- |",
    ]
    facts = [seed["facts"] for seed in seeds]
    for level in STAGE_1:
        for name in [name for name in seeds[0]["right"] if name.startswith(f"{level}/")]:
            accuracies = [np.array(seed["right"][name], float) for seed in seeds]
            cells = []
            for against in (f"{level}/teacher", "direct"):
                reference = [np.array(seed["right"][against], float) for seed in seeds]
                gaps = [a - b for a, b in zip(accuracies, reference, strict=True)]
                cells.append("{:+.1f} ({:+.1f} to {:+.1f})".format(*_interval(gaps, facts)))
            lines.append(f"| {level} | {name.partition('/')[2]} | {' | '.join(cells)} |")
    return lines


def _rows(seeds: list[dict[str, Any]], names: list[str], against: str) -> str:
    reference = against.rpartition("/")[2]
    lines = [
        f"| system | accuracy | by seed | minus {reference} | reads its tutor |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in names:
        right = [np.array(seed["right"][name], float) for seed in seeds]
        baseline = [np.array(seed["right"][against], float) for seed in seeds]
        groups = [seed["facts"] for seed in seeds]
        mean, low, high = _interval(right, groups)
        by_seed = " ".join(f"{100 * values.mean():.1f}" for values in right)
        difference = ""
        if name != against:
            gaps = [a - b for a, b in zip(right, baseline, strict=True)]
            difference = "{:+.1f} ({:+.1f} to {:+.1f})".format(*_interval(gaps, groups))
        lines.append(
            f"| {name.rpartition('/')[2]} | {mean:.1f} ({low:.1f} to {high:.1f}) | {by_seed} |"
            f" {difference} | {_share(seeds, name)} |"
        )
    return "\n".join(lines) + "\n"


def _share(seeds: list[dict[str, Any]], name: str) -> str:
    """Return the accuracy, in percent, of an answer student given the teacher's rationales of
    the test questions (tutor.jsonl); "" if it was not measured."""
    values = [np.mean(seed["reads"][name]) for seed in seeds if name in seed["reads"]]
    return f"{100 * float(np.mean(values)):.1f}" if values else ""


def _interval(values: list[Floats], facts: list[list[str]]) -> tuple[float, float, float]:
    mean, low, high = interval(values, facts)
    return 100 * mean, 100 * low, 100 * high


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("command", choices=["run", "world", "table"])
    parser.add_argument("out", type=Path)
    parser.add_argument("--jobs", type=int, default=2, help="worlds at a time, a thread each")
    parser.add_argument("--only", help="WORLD-SEED of `world`")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.command == "table":
        print(table(arguments.out))
    elif arguments.command == "world":
        world, _, seed = arguments.only.rpartition("-")
        run_world(world, int(seed), arguments.out)
    else:
        names = [f"{world}-{seed}" for seed in SEEDS for world in WORLDS]
        calls = [("world", str(arguments.out), "--only", name) for name in names]
        side_by_side("benchmarks.sources", calls, arguments.jobs)


if __name__ == "__main__":
    main()
