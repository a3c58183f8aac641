"""Measure the gain of rewarded training on one question set and seed; resumable.

    python -m benchmarks.rewards_set OUT SET-SEED --student DIR [--rows N] [--device cuda]

The sets are those of benchmarks.evidence, read from the folder that SCICOT_DATA names. One round of
--reward with two folds. OUT/SET-SEED.reward.json records which test questions the two stages
answered correctly before and after it, the report of the round, and the seconds of each step.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.cells.cell import Options, place_of
from benchmarks.cells.systems import LONGEST, Place
from benchmarks.device.figures import machine
from benchmarks.lab import rows
from scicot import PredictSettings, RewardSettings, TrainSettings, predict
from scicot.training.job import train_answer, train_rationale

FOLDS, SAMPLES = 2, 4


def run(out: Path, name: str, options: Options) -> Path:
    """Run all steps that are not done yet; return the file of the results."""
    file = out / f"{name}.reward.json"
    at, about = place_of(out, name, options)
    results: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    results = {"set": name, "student": at.student, "sizes": about["sizes"], **machine(), **results}
    seconds = results.setdefault("seconds", {})

    def timed(step: str, work: Any) -> None:
        start = time.monotonic()
        work()
        seconds[step] = round(seconds.get(step, 0.0) + time.monotonic() - start, 1)
        file.write_text(json.dumps(results, indent=1) + "\n")

    base, teacher = _settings(at), at.file("teacher")
    answer, rationale = Path(at.run("answer-folds")), Path(at.run("rewarded"))
    judging = replace(base, rationale_dropout=0.2)
    timed("answer", lambda: train_answer(teacher, answer, student=at.student, settings=judging))
    reward = RewardSettings(str(answer), samples=SAMPLES)
    timed(
        "rewards",
        lambda: train_rationale(
            teacher, rationale, student=at.student, settings=base, reward=reward
        ),
    )
    writers = {"before": rationale / "rounds" / "0" / "student", "round 1": rationale}
    settings = PredictSettings(device=at.device, seed=at.seed)
    right = results.setdefault("right", {})
    for system, writer in writers.items():
        answers = at.folder / f"reward-{system.replace(' ', '-')}.jsonl"
        models: dict[str, Any] = {"rationale_model": writer, "answer_model": answer}
        ask = lambda: predict(at.file("test"), answers, settings=settings, **models)  # noqa: E731, B023
        timed(f"predict {system}", ask)
        right[system] = [int(row["prediction"] == row["answer"]) for row in rows(answers)]
    reports = [rationale / "rounds" / str(n) / "report.json" for n in (0, 1)]
    results["reports"] = [json.loads(report.read_text()) for report in reports]
    results["finished"] = True
    file.write_text(json.dumps(results, indent=1) + "\n")
    return file


def _settings(at: Place) -> TrainSettings:
    longest = LONGEST if at.own.real else 96
    return TrainSettings(
        seed=at.seed, device=at.device, batch_size=at.batch, max_target_tokens=longest, folds=FOLDS,
        clean=at.own.real, max_steps=at.max_steps, fold_by=None if at.own.real else "meta.block",
    )  # fmt: skip


def main() -> int:
    """Parse the arguments and run the command; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("name", metavar="SET-SEED")
    parser.add_argument("--student", help="a directory, a Hub id or scratch:SIZE")
    parser.add_argument("--rows", type=int, help="training questions (default: all)")
    parser.add_argument("--test-rows", type=int, help="test questions (default: all)")
    parser.add_argument("--max-steps", type=int, help="of every training, to try the commands")
    parser.add_argument("--device", default="auto")
    given = parser.parse_args()
    options = Options(given.student, given.rows, given.test_rows, given.max_steps, given.device)
    results = json.loads(run(given.out, given.name, options).read_text())
    for system, right in results["right"].items():
        print(f"{given.name} {system}: {100 * sum(right) / len(right):.1f} %")
    print(json.dumps(results["seconds"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
