"""Count the answers that differ from those in fp32, for each lower precision.

The students are those of the quickstart, or a run that answers without a rationale student.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from scicot import PredictSettings, predict
from scicot.config import EnginePrecision
from scicot.errors import UsageError

_PRECISIONS = [kind for kind in get_args(EnginePrecision) if kind != "auto"]


def measure(folders: Sequence[Path]) -> None:
    """Print the counts, summed over `folders`. Each is the folder of a quickstart, such as `make
    quickstart SEED=1` makes."""
    changed: dict[tuple[str, str], int] = {}
    total = 0
    for folder in folders:
        runs, questions = folder / "runs", folder / "world" / "test.jsonl"
        if not questions.exists():
            sys.exit(f"{folder} is no folder of the quickstart; make quickstart makes one")
        total += len(questions.read_text().splitlines())
        two_stage: dict[str, Any] = {
            "answer_model": runs / "answer",
            "rationale_model": runs / "rationale",
        }
        for system, models in (
            ("two-stage", two_stage),
            ("direct", {"answer_model": runs / "direct"}),
        ):
            exact, *lower_precision = (
                _answers(questions, models, precision) for precision in _PRECISIONS
            )
            for precision, answers in zip(_PRECISIONS[1:], lower_precision, strict=True):
                key = system, precision
                differ = sum(
                    answer != expected for answer, expected in zip(answers, exact, strict=True)
                )
                changed[key] = changed.get(key, 0) + differ
    for (system, precision), count in changed.items():
        print(
            f"  {system:9} {precision}: {count} of {total} answers are not fp32's"
            f" ({count / total:.2%})"
        )


def measure_run(run: Path, questions: Path) -> None:
    """Print the counts for one run and these questions, for each precision of the run's family."""
    exact = _answers(questions, {"answer_model": run}, "fp32")
    for precision in _PRECISIONS[1:]:
        try:
            answers = _answers(questions, {"answer_model": run}, precision)
        except UsageError as error:
            print(f"  {precision}: {error}")
            continue
        differ = sum(answer != expected for answer, expected in zip(answers, exact, strict=True))
        print(
            f"  {precision}: {differ} of {len(exact)} answers are not fp32's"
            f" ({differ / len(exact):.2%})"
        )


def _answers(questions: Path, models: dict[str, Any], precision: Any) -> list[str | None]:
    settings = PredictSettings(device="cpu", engine="torch", precision=precision)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.jsonl"
        predict(questions, out, settings=settings, **models)
        return [json.loads(line)["prediction"] for line in out.open()]
