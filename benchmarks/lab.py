"""Train the students of one world or data set and one seed, and record their answers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from scicot import PredictSettings, TrainSettings, predict, train_answer
from scicot.decoding.engine import Decoding
from scicot.decoding.engine_spec import EngineRequest
from scicot.records import Question, Rationale
from scicot.stages import answer_input, answer_target
from scicot.students.runs import Run


@dataclass(frozen=True)
class Lab:
    """The files and training settings of one seed, and its results so far.

    results["right"][SYSTEM] records which test questions a system answered correctly, in file
    order. results["reads"] records the same for test questions with the tutor's rationales, or for
    reading exercises. The results are stored in FOLDER.json.
    """

    folder: Path
    results: dict[str, Any]
    base: TrainSettings  # settings of all students
    answer_batch: int  # rows per step for answer students and baselines
    student: str = "scratch:tiny"

    @classmethod
    def at(cls, folder: Path, base: TrainSettings, answer_batch: int, **fields: Any) -> Lab:
        """Open the lab in a folder, with the results of an earlier run, if there are any."""
        file = folder.with_suffix(".json")
        earlier = json.loads(file.read_text()) if file.exists() else {}
        return cls(folder, {**fields, "right": {}, "reads": {}, **earlier}, base, answer_batch)

    def train_answer(self, name: str, files: list[Path], steps: int, **overrides: Any) -> Path:
        run = self.folder / "runs" / name
        options = {key: overrides.pop(key) for key in ("method", "equal_to") if key in overrides}
        student = str(overrides.pop("student", self.student))
        settings = replace(
            self.base, **{"max_steps": steps, "batch_size": self.answer_batch, **overrides}
        )
        train_answer(files, run, student=student, settings=settings, **options)
        return run

    def predict(self, questions: Path, name: str, **models: Any) -> Path:
        out = self.folder / f"{name}.jsonl"
        fields = PredictSettings.__dataclass_fields__
        options = {key: models.pop(key) for key in list(models) if key in fields}
        settings = PredictSettings(
            max_new_tokens=self.base.max_target_tokens, device="cpu", seed=self.base.seed, **options
        )
        predict(questions, out, settings=settings, **models)
        return out

    def judge(self, name: str, questions: Path, *, into: str = "right", **models: Any) -> None:
        """Answer the questions of a file, and record in results[`into`][`name`] which answers are
        right, in file order. Does nothing if this record exists."""
        if name in self.results[into]:
            return
        folder = re.sub(r"\W+", "-", name) + ("" if into == "right" else f"-{into}")
        answers = rows(self.predict(questions, f"predictions/{folder}", **models))
        self.results[into][name] = [int(row["prediction"] == row["answer"]) for row in answers]
        self.save()

    def judge_generated(self, name: str, questions: Path, run: Path) -> None:
        """Generate answers instead of scoring the choices, and record which are right. Only an
        output that is exactly the gold answer (label or text, as trained) is right. `questions` is
        a file of rationale rows."""
        if name in self.results["right"]:
            return
        # Other implementations generate answers, so this shows the difference to scoring.
        model = Run.at(run)
        student = model.load(EngineRequest(precision="fp32", device="cpu"))
        rationale_rows = [Rationale.from_row(row) for row in rows(questions)]
        inputs = [answer_input(row.question, row.rationale, model.stage) for row in rationale_rows]
        replies = student.generate(inputs, Decoding(self.base.max_target_tokens))
        self.results["right"][name] = [
            int(text == self._expected(row.question, model))
            for (text,), row in zip(replies, rationale_rows, strict=True)
        ]
        self.save()

    def _expected(self, question: Question, model: Run) -> str:
        label = question.answer
        if label is None:
            raise ValueError(f"{question.id} has no answer to compare with")
        return answer_target(question, label, answer_as=model.manifest.answer_as)

    def save(self) -> None:
        file = self.folder.with_suffix(".json")
        file.with_suffix(".new").write_text(json.dumps(self.results))
        file.with_suffix(".new").replace(file)


def side_by_side(module: str, calls: Sequence[Sequence[str]], jobs: int) -> None:
    """Run `python -m MODULE CALL...` for each of `calls`: `jobs` processes at a time, with one
    thread each."""
    # On two cores, two processes with two threads each would wait for each other.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def run(call: Sequence[str]) -> None:
        subprocess.run([sys.executable, "-m", module, *call], env=environment, check=True)
        print(f"{call[-1]} is done", flush=True)

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(run, calls))


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.open()]


def exact(rationales: Path, reference: Path) -> float:
    """Return the share of rationales that are identical to the teacher's."""
    expected = {row["id"]: row["rationale"] for row in rows(reference)}
    return float(np.mean([row["rationale"] == expected[row["id"]] for row in rows(rationales)]))
