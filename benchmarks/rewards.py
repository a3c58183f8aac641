"""Measure the gain of rewarded training on example worlds; resumable.

    python -m benchmarks.rewards run OUT [WORLD-SEED-STATE ...]   train and judge; by default all
    python -m benchmarks.rewards page OUT                         print figures of docs/rewards.md

STATE says how long stage 1 is trained before the first reward: `under` or `full`.
OUT/WORLD-SEED-STATE.json records the reports of the rounds, and which test questions the two stages
answered correctly before the first round and after each. "more" is the control: instead of a round,
stage 1 is trained for as many further steps on the teacher's rationales only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.intervals import interval
from benchmarks.lab import Lab, rows
from scicot import GenerateSettings, RewardSettings, TrainSettings, generate_rationales
from scicot.training.job import train_rationale

REPOSITORY = Path(__file__).parents[1]
WORLDS = {
    "harder": ("--train", "700"),
    "small": ("--train", "1500", "--entities", "80"),
    "shipped": (),
}
STUDENT = "scratch:tiny-causal"  # in few steps it learns to answer by what a rationale says
SEEDS = (0, 1, 2)
STATES = {"under": 200, "full": 1000}  # steps of stage 1, and of each round
ANSWER_STEPS, ROUNDS, FOLDS, SAMPLES = 600, 2, 2, 4
SYSTEMS = ("before", "round 1", "more 1", "round 2", "more 2")


def run(out: Path, name: str, scale: float = 1.0, folds: int = FOLDS) -> None:
    """Run one cell unless it is done. `scale` shortens all trainings, for testing the commands.
    Cells with different numbers of `folds` need different folders `out`."""
    world, seed, state = name.split("-")
    steps = max(1, round(scale * STATES[state]))
    base = TrainSettings(
        batch_size=16, learning_rate=2e-3, max_target_tokens=96, seed=int(seed), device="cpu",
        fold_by="meta.block", jobs=1, max_steps=steps,
    )  # fmt: skip
    lab = Lab.at(out / name, base, 32, world=world, seed=int(seed), state=state, seconds=0.0)
    lab = replace(lab, student=STUDENT)
    if lab.results.get("done"):
        return
    start, earlier_seconds = time.monotonic(), float(lab.results["seconds"])
    # files that both states share
    shared = Lab(out / f"{world}-{seed}", lab.results, base, 32, STUDENT)
    shared.folder.mkdir(parents=True, exist_ok=True)
    teacher, test = _questions(shared, WORLDS[world], int(seed))
    answer = shared.train_answer(
        "answer",
        [teacher],
        max(1, round(scale * ANSWER_STEPS)),
        folds=folds,
        rationale_dropout=0.2,
    )
    rewarded = lab.folder / "runs" / "rationale"
    reward = RewardSettings(str(answer), rounds=ROUNDS, samples=SAMPLES)
    train_rationale(teacher, rewarded, student=lab.student, settings=base, reward=reward)
    students = {"before": rewarded / "rounds" / "0" / "student"}
    for number in range(1, ROUNDS + 1):
        last = number == ROUNDS
        run_folder = rewarded if last else rewarded / "rounds" / str(number) / "student"
        students[f"round {number}"] = run_folder
        control = lab.folder / "runs" / f"more-{number}"
        previous = students["before" if number == 1 else f"more {number - 1}"]
        train_rationale(
            teacher, control, student=str(previous), settings=replace(base, fold_by=None)
        )
        students[f"more {number}"] = control
    for system, student in students.items():
        lab.judge(system, test, rationale_model=student, answer_model=answer)
    reports = [rewarded / "rounds" / str(n) / "report.json" for n in range(ROUNDS + 1)]
    lab.results["reports"] = [json.loads(report.read_text()) for report in reports]
    lab.results["same_statements"] = [
        same_statements(rewarded / "rounds" / str(n) / "scored.jsonl", teacher)
        for n in range(ROUNDS + 1)
    ]
    lab.results["facts"] = [row["meta"]["fact"] for row in rows(test)]
    lab.results["seconds"] = earlier_seconds + time.monotonic() - start
    lab.results["done"] = True
    lab.save()


def same_statements(scored: Path, teacher: Path) -> dict[str, float | None]:
    """Return three shares of right rationales. A sampled rationale is right if it has the same
    sentences as the teacher's rationale of its question, in any order: the teacher of a world never
    errs.

    The shares are those among

    - "samples": all samples in `scored`,
    - "selected": the samples that the rules select for training. They are trained on only if a
      round follows and the rewards are informative.
    - "selected, both right": the selected samples where the scorer answers correctly, both with the
      sample and with the teacher's rationale.

    A share is None if there are no such samples.
    """
    statements = {row["id"]: _sentences(row["rationale"]) for row in rows(teacher)}
    samples = [row for row in rows(scored) if row["id"] in statements]
    selected = [row for row in samples if row["kept"]]
    both_right = [
        row
        for row in selected
        if row["answered"]["own"] == row["answered"]["teacher"] == row["answer"]
    ]

    def share(part: Sequence[dict[str, Any]]) -> float | None:
        same = [_sentences(row["rationale"]) == statements[row["id"]] for row in part]
        return float(np.mean(same)) if same else None

    return {
        "samples": share(samples),
        "selected": share(selected),
        "selected, both right": share(both_right),
    }


def _sentences(rationale: str) -> set[str]:
    return set(rationale.rstrip(".").split(". "))


def _questions(lab: Lab, world: Sequence[str], seed: int) -> tuple[Path, Path]:
    """Return (training rationales of stage 1, test questions) of a world."""
    world_folder, teacher = lab.folder / "questions", lab.folder / "teacher.jsonl"
    if not (world_folder / "test_replies.jsonl").exists():
        script = str(REPOSITORY / "examples" / "make_world.py")
        size = ["--out", str(world_folder), "--test", "400", "--seed", str(seed), *world]
        subprocess.run([sys.executable, script, *size], check=True, stdout=subprocess.DEVNULL)
    generate_rationales(
        world_folder / "train.jsonl",
        teacher,
        teacher=f"recorded:{world_folder / 'train_replies.jsonl'}",
        settings=GenerateSettings(keep="correct"),
    )
    return teacher, world_folder / "test.jsonl"


def page(out: Path) -> str:
    """Return the figures of docs/rewards.md for the cells that are done."""
    cells = [json.loads(file.read_text()) for file in sorted(out.glob("*-*-*.json"))]
    cells = [cell for cell in cells if cell.get("done")]
    lines = [
        "| world, stage 1 | seeds | before | round 1 | more steps | round 2 | more steps |"
        " round 1 - before | round 1 - more steps | round 2 - more steps |",
        "| --- " * 10 + "|",
    ]
    for state in STATES:
        for world in (*WORLDS, "all"):
            selected = [c for c in cells if c["state"] == state and world in (c["world"], "all")]
            if selected:
                lines.append(_row(f"{world}, {state}", selected))
    lines += [
        "",
        "| world, stage 1 | round | mean reward | leak | above 0 | leak share | announcing |"
        " names one | own | none | shuffled | announced | teacher's | samples as the teacher's |"
        " selected | selected, both right |",
        "| --- " * 16 + "|",
    ]
    for state in STATES:
        for world in WORLDS:
            selected = [c for c in cells if (c["state"], c["world"]) == (state, world)]
            lines += [
                _leaks(f"{world}, {state}", n, selected) for n in range(ROUNDS + 1) if selected
            ]
    return "\n".join(lines)


def _row(name: str, cells: Sequence[dict[str, Any]]) -> str:
    right = [{s: np.array(c["right"][s], float) for s in SYSTEMS} for c in cells]
    facts = [cell["facts"] for cell in cells]
    columns = [f"{100 * np.mean([seed[s].mean() for seed in right]):.1f}" for s in SYSTEMS]
    for after, before in (("round 1", "before"), ("round 1", "more 1"), ("round 2", "more 2")):
        mean, low, high = interval([seed[after] - seed[before] for seed in right], facts)
        columns.append(f"{100 * mean:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})")
    return f"| {name} | {len(cells)} | {' | '.join(columns)} |"


def _leaks(name: str, number: int, cells: Sequence[dict[str, Any]]) -> str:
    def mean(figure: str) -> float:
        values = [cell["reports"][number][figure] for cell in cells]
        return float(np.mean([value for value in values if value is not None]))

    shares = ["positive", "leak_share", "announcing", "names_one", "accuracy"]
    shares += [f"accuracy_{kind}" for kind in ("none", "shuffled", "announced", "teacher")]
    cells_of_row = [f"{mean('reward'):+.3f}", f"{mean('leak'):+.3f}"]
    cells_of_row += [f"{100 * mean(share):.1f} %" for share in shares]
    # Cells that were measured before these shares were recorded have none.
    same = [cell["same_statements"][number] for cell in cells if "same_statements" in cell]
    for kind in ("samples", "selected", "selected, both right"):
        values = [shares[kind] for shares in same if shares[kind] is not None]
        cells_of_row.append(f"{100 * float(np.mean(values)):.1f} %" if values else "-")
    return f"| {name} | {number} | {' | '.join(cells_of_row)} |"


def main() -> int:
    """Parse the arguments and run the command; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("command", choices=("run", "page"))
    parser.add_argument("out", type=Path)
    parser.add_argument("names", nargs="*", metavar="WORLD-SEED-STATE")
    parser.add_argument("--scale", type=float, default=1.0, help="of all steps, to try it")
    parser.add_argument("--folds", type=int, default=FOLDS, help="fold students [%(default)s]")
    arguments = parser.parse_args()
    if arguments.command == "page":
        print(page(arguments.out))
        return 0
    everything = [f"{w}-{s}-{state}" for state in STATES for w in WORLDS for s in SEEDS]
    for name in arguments.names or everything:
        run(arguments.out, name, arguments.scale, arguments.folds)
        print(f"{name} is done", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
