"""Measure the gain of rewarded training on one question set and seed; resumable.

    python -m benchmarks.rewards_set OUT SET-SEED --student DIR [--rows N] [--folds N]

The sets are those of benchmarks.evidence, read from the folder that SCICOT_DATA names. Stage 1 is
trained with one round of rewards. OUT/SET-SEED.reward.json records which test questions the two
stages answered correctly before and after the round, the reports of rounds 0 and 1, and the seconds
of each step.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.cells.cell import Options, experiment_of
from benchmarks.cells.systems import LONGEST, Experiment
from benchmarks.device.figures import machine
from benchmarks.lab import rows
from scicot import PredictSettings, RewardSettings, TrainSettings, predict
from scicot.training.job import train_answer, train_rationale

SAMPLES = 4


def run(out: Path, name: str, options: Options, folds: int) -> Path:
    """Run all steps that are not done yet; return the file of the results."""
    file = out / f"{name}.reward.json"
    exp, about = experiment_of(out, name, options)
    earlier = json.loads(file.read_text()) if file.exists() else {}
    results: dict[str, Any] = {"set": name, "student": exp.student, "sizes": about["sizes"]}
    results |= {"folds": folds, **machine(), **earlier}
    if results["folds"] != folds:
        sys.exit(f"rewards: {file} has {results['folds']} folds; name another OUT")
    if results.get("finished"):
        return file
    seconds = results.setdefault("seconds", {})

    def timed(step: str, work: Any) -> None:
        start = time.monotonic()
        work()
        seconds[step] = round(seconds.get(step, 0.0) + time.monotonic() - start, 1)
        file.write_text(json.dumps(results, indent=1) + "\n")

    base, teacher = _settings(exp, folds), exp.file("teacher")
    answer, rationale = Path(exp.run("answer-folds")), Path(exp.run("rewarded"))
    judging = replace(base, rationale_dropout=0.2)
    timed("answer", lambda: train_answer(teacher, answer, student=exp.student, settings=judging))
    reward = RewardSettings(str(answer), samples=SAMPLES)
    timed(
        "rewards",
        lambda: train_rationale(
            teacher, rationale, student=exp.student, settings=base, reward=reward
        ),
    )
    writers = {"before": rationale / "rounds" / "0" / "student", "round 1": rationale}
    settings = PredictSettings(device=exp.device, seed=exp.seed)
    right = results.setdefault("right", {})
    for system, writer in writers.items():
        answers = exp.folder / f"reward-{system.replace(' ', '-')}.jsonl"
        models: dict[str, Any] = {"rationale_model": writer, "answer_model": answer}
        run_predict = lambda: predict(exp.file("test"), answers, settings=settings, **models)  # noqa: E731, B023
        timed(f"predict {system}", run_predict)
        right[system] = [int(row["prediction"] == row["answer"]) for row in rows(answers)]
    reports = [rationale / "rounds" / str(n) / "report.json" for n in (0, 1)]
    results["reports"] = [json.loads(report.read_text()) for report in reports]
    results["finished"] = True
    file.write_text(json.dumps(results, indent=1) + "\n")
    return file


def _settings(exp: Experiment, folds: int) -> TrainSettings:
    longest = LONGEST if exp.cell_set.real else 96
    return TrainSettings(
        seed=exp.seed, device=exp.device, batch_size=exp.batch, max_target_tokens=longest,
        folds=folds, clean=exp.cell_set.real, max_steps=exp.max_steps, fold_by=None if
        exp.cell_set.real else "meta.block",
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
    parser.add_argument("--folds", type=int, default=2, help="of both stages (default: 2)")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    options = Options(
        arguments.student,
        arguments.rows,
        arguments.test_rows,
        arguments.max_steps,
        arguments.device,
    )
    file = run(arguments.out, arguments.name, options, arguments.folds)
    results = json.loads(file.read_text())
    for system, right in results["right"].items():
        print(f"{arguments.name} {system}: {100 * sum(right) / len(right):.1f} %")
    print(json.dumps(results["seconds"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
