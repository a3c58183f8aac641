"""Measure predict's options on the example world: samples, folds, sources, calibration.

    python -m benchmarks.answering run OUT      needs the students of `benchmarks.sources run OUT`
    python -m benchmarks.answering table OUT    the figures of docs/predicting.md

There are two students of stage 1 (LEVEL): `full` is trained fully, `under` for too few steps. The
answer student is trained on the teacher's rationales first, then on the out-of-fold rationales of
the stage 1 student. Both trainings use a rationale dropout of 0.1, and a tenth of the questions as
the dev set. OUT/answering/LEVEL-SEED.json records, for each system and test question, whether the
answer was right, its confidence, and the probability of the gold answer.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.intervals import Floats, interval
from benchmarks.lab import rows
from benchmarks.sources import LEARNING_RATE, LONGEST, SEEDS, STAGE_1, STAGE_2, THEN

FOLDER, WORLD = "answering", "shipped"
LEVELS = ("full", "under")
COVERAGES = (1.0, 0.8, 0.6, 0.4)
BINS = 10
SYSTEMS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "1 sample": {"temperature": 0.7},
    "5 samples, averaged": {"samples": 5},
    "5 samples, voted": {"samples": 5, "vote": True},
    "20 samples, averaged": {"samples": 20},
    "20 samples, voted": {"samples": 20, "vote": True},
    "4 beams": {"beams": 4},
    "with its fold students": {"with_folds": True},
    "with its fold students, 5 samples each": {"with_folds": True, "samples": 5},
    "direct answer mixed in, 0.2": {"mix_direct": 0.2},
    "no rationale": {"rationale_from": "none"},
    "shuffled rationales": {"rationale_from": "shuffled"},
    "given rationales (an upper bound)": {"rationale_from": "input"},
    "greedy in bf16": {"precision": "bf16"},
}
CALIBRATED = ("greedy", "20 samples, averaged", "with its fold students")


def run_seed(level: str, seed: int, out: Path) -> None:
    """Train the answer student of one seed, and answer the test questions with every option."""
    from scicot import PredictSettings, TrainSettings, predict, train_answer

    world = out / f"{WORLD}-{seed}"
    stage_1 = world / "runs" / f"rationale-{level}"
    first_settings = TrainSettings(
        max_steps=STAGE_2,
        learning_rate=LEARNING_RATE,
        rationale_dropout=0.1,
        dev_fraction=0.1,
        fold_by="meta.block",
        seed=seed,
        device="cpu",
    )
    reader, first_run = world / "runs" / f"answering-{level}", world / "runs" / "answering"
    train_answer(
        world / "teacher.jsonl", first_run, student="scratch:tiny", settings=first_settings
    )
    second_settings = replace(first_settings, **THEN)
    manifest = train_answer(
        stage_1 / "out_of_fold.jsonl", reader, student=str(first_run), settings=second_settings
    )
    results: dict[str, Any] = {
        "level": level,
        "seed": seed,
        "temperature": manifest.temperature,
        "systems": {},
    }
    base = PredictSettings(max_new_tokens=LONGEST, seed=seed, device="cpu")
    systems = {
        **SYSTEMS,
        **{f"{name}, raw": {**SYSTEMS[name], "calibrate": False} for name in CALIBRATED},
    }
    for name, options in systems.items():
        settings = replace(base, **options)
        writes = settings.rationale_from in ("student", "shuffled")
        file = world / f"answering-{level}" / f"{name.replace(' ', '-')}.jsonl"
        predict(
            world / "tutor.jsonl",
            file,
            answer_model=reader,
            rationale_model=stage_1 if writes else (),
            settings=settings,
        )
        answers = rows(file)
        results["facts"] = [row["meta"]["fact"] for row in answers]
        results["systems"][name] = {
            "right": [int(row["prediction"] == row["answer"]) for row in answers],
            "confidence": [round(row["confidence"] or 0.0, 12) for row in answers],
            "gold": [round(row["scores"].get(row["answer"], 0.0), 12) for row in answers],
            "prediction": [row["prediction"] for row in answers],
        }
    (out / FOLDER).mkdir(exist_ok=True)
    (out / FOLDER / f"{level}-{seed}.json").write_text(json.dumps(results))


def table(out: Path) -> str:
    """Return Markdown tables for each level of stage 1: accuracy of every option, calibration,
    coverage."""
    found = [json.loads(file.read_text()) for file in sorted(out.glob(f"{FOLDER}/*.json"))]
    levels = [[result for result in found if result["level"] == level] for level in LEVELS]
    return "\n\n".join(_of_level(seeds) for seeds in levels if seeds)


def _of_level(seeds: Sequence[Any]) -> str:
    facts = [result["facts"] for result in seeds]
    steps = STAGE_1[seeds[0]["level"]]
    lines = [
        f"### Stage 1 trained for {steps} steps ({seeds[0]['level']})\n",
        f"{len(seeds)} seed(s), {len(facts[0])} questions each.\n",
        "| rationales | accuracy, % | by seed | minus greedy |",
        "| --- | --- | --- | --- |",
    ]
    greedy = _of(seeds, "greedy", "right")
    for name in SYSTEMS:
        correct = _of(seeds, name, "right")
        gaps = [a - b for a, b in zip(correct, greedy, strict=True)]
        gap = "" if name == "greedy" else _percent(interval(gaps, facts), signed=True)
        by_seed = " ".join(f"{100 * values.mean():.1f}" for values in correct)
        lines.append(f"| {name} | {_percent(interval(correct, facts))} | {by_seed} | {gap} |")
    changed = [
        np.mean(
            np.array(result["systems"]["greedy in bf16"]["prediction"])
            != result["systems"]["greedy"]["prediction"]
        )
        for result in seeds
    ]
    lines.append(f"\nbf16 changes {100 * float(np.mean(changed)):.2f} % of the greedy answers.\n")
    temperatures = ", ".join(f"{result['temperature']:.2f}" for result in seeds)
    lines += [
        f"Temperatures fitted on dev: {temperatures}.\n",
        "| calibration | NLL, nats | Brier score of the answer | ECE, points |",
        "| --- | --- | --- | --- |",
    ]
    for name in CALIBRATED:
        for label, system in ((f"{name}, before", f"{name}, raw"), (f"{name}, after", name)):
            right, confidence, gold = (
                _of(seeds, system, kind) for kind in ("right", "confidence", "gold")
            )
            nll = interval([-np.log(np.maximum(values, 1e-9)) for values in gold], facts)
            brier = interval([(s - r) ** 2 for s, r in zip(confidence, right, strict=True)], facts)
            ece = interval(
                [_bins(s, r) for s, r in zip(confidence, right, strict=True)], facts, _ece
            )
            lines.append(
                f"| {label} | {nll[0]:.3f} ({nll[1]:.3f} to {nll[2]:.3f}) |"
                f" {brier[0]:.3f} ({brier[1]:.3f} to {brier[2]:.3f}) | {_percent(ece)} |"
            )
    lines += [
        "",
        "| answered | " + " | ".join(CALIBRATED) + " |",
        "| --- |" + " --- |" * len(CALIBRATED),
    ]
    for coverage in COVERAGES:
        cells = []
        for name in CALIBRATED:
            pairs = [
                _answered(right, confidence, coverage)
                for right, confidence in zip(
                    _of(seeds, name, "right"), _of(seeds, name, "confidence"), strict=True
                )
            ]
            cells.append(_percent(interval(pairs, facts, lambda m: m[..., 0] / m[..., 1])))
        lines.append(f"| the surest {coverage:.0%} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _of(seeds: Sequence[Any], system: str, figure: str) -> list[Floats]:
    return [np.array(seed["systems"][system][figure], float) for seed in seeds]


def _bins(confidence: Floats, right: Floats) -> Floats:
    """Return an array (questions, bins): confidence minus correctness in the column of the
    question's bin, 0 in the others."""
    order = np.argsort(confidence, kind="stable")
    table = np.zeros((len(confidence), BINS))
    # Bins have equal numbers of questions, in order of confidence.
    for number, members in enumerate(np.array_split(order, BINS)):
        table[members, number] = confidence[members] - right[members]
    return table


def _ece(means: Floats) -> Floats:
    total: Floats = np.abs(means).sum(axis=-1)
    return total


def _answered(right: Floats, confidence: Floats, coverage: float) -> Floats:
    """Answer only the share `coverage` of the questions, the most confident ones. Return an array
    (questions, 2) of 0 and 1: column 0 marks right answers, column 1 all answers."""
    answered_rows = np.argsort(-confidence, kind="stable")[: round(coverage * len(confidence))]
    answered = np.zeros(len(confidence))
    answered[answered_rows] = 1.0
    return np.stack([right * answered, answered], axis=1)


def _percent(figures: tuple[float, float, float], *, signed: bool = False) -> str:
    form = "+.1f" if signed else ".1f"
    mean, low, high = (format(100 * figure, form) for figure in figures)
    return f"{mean} ({low} to {high})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("command", choices=["run", "table"])
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "table":
        print(table(arguments.out))
        return
    for level in LEVELS:
        for seed in SEEDS:
            if not (arguments.out / FOLDER / f"{level}-{seed}.json").exists():
                run_seed(level, seed, arguments.out)


if __name__ == "__main__":
    main()
