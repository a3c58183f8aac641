"""Measure dev metrics by peak learning rate and warm-up: the basis of the training recipes.

    python -m benchmarks.training rates STUDENT FILE ROWS FOLDER

FILE holds rationale rows. Direct answers and rationales are each trained with five settings. Three
have a third, one and three times the learning rate of the student's recipe, with a warm-up of 6 %
of the steps. Two have the recipe's learning rate, with a warm-up of no steps and of 33 % of the
steps. Runs are kept in FOLDER, so the same command resumes after a stop. The figures are in
FOLDER/rates.json.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from scicot import TrainSettings, train_answer, train_rationale
from scicot.stages import Stage
from scicot.training.answer_form import fill

FACTORS = (1 / 3, 1.0, 3.0)
SHARES = (0.0, 0.06, 0.33)
DEV = 0.25  # share of the rows in the dev set


def compare(student: str, file: str, rows: int, folder: Path) -> None:
    """Print a line for each training: dev loss in nats (per token or question), dev accuracy."""
    recipe = fill(TrainSettings(), student, Stage.DIRECT)
    rate = recipe.learning_rate or 0.0
    base = TrainSettings(dev_fraction=DEV, seed=0)
    variants = [
        replace(base, learning_rate=rate * factor, warmup_share=0.06) for factor in FACTORS
    ] + [replace(base, learning_rate=rate, warmup_share=share) for share in SHARES if share != 0.06]
    results = []
    for stage in ("direct", "rationale"):
        for settings in variants:
            name = f"{stage}-{settings.learning_rate:.1e}-{settings.warmup_share:g}"
            options_of_both: dict[str, Any] = {
                "student": student,
                "settings": settings,
                "limit": rows,
            }
            if stage == "direct":
                manifest = train_answer(file, folder / name, method="direct", **options_of_both)
            else:
                manifest = train_rationale(file, folder / name, **options_of_both)
            result = {
                "student": student,
                "stage": stage,
                "learning_rate": settings.learning_rate,
                "warmup_share": settings.warmup_share,
                **{key: value for key, value in manifest.metrics.items() if "dev" in key},
                "steps": manifest.metrics.get("steps"),
            }
            results.append(result)
            (folder / "rates.json").write_text(json.dumps(results, indent=1) + "\n")
            accuracy = result.get("dev_accuracy")
            dev_text = "" if accuracy is None else f", dev accuracy {100 * accuracy:.1f} %"
            print(f"  {name:28} dev loss {result['dev_loss']:.3f}{dev_text}", flush=True)
