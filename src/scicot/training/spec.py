"""The specification of one training run: the student, its rows and settings, and the run
directory."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from scicot.config import TrainSettings
from scicot.stages import Stage
from scicot.students.manifest import Manifest
from scicot.training import examples
from scicot.training.dev_set import DevSet
from scicot.training.examples import Lesson


@dataclass(frozen=True)
class TrainingSpec:
    """The specification of one student to train. `run` is its directory, `student` the model to
    start from (a Hub id, a directory or "scratch:SIZE"). `data` describes the input files, for the
    manifest."""

    run: Path
    stage: Stage
    student: str
    settings: TrainSettings
    lessons: Sequence[Lesson]
    dev: Sequence[Lesson]
    data: Sequence[Mapping[str, Any]]
    fold: Mapping[str, Any] | None = None
    equal_to: Mapping[str, Any] | None = None  # the budget to match (budget_matching.py)
    student_sha256: str | None = None  # see model_sha256; None if `student` is no directory
    # dev accuracy (0 to 1) of each form of answers after a short trial; None without a trial
    answer_trial: Mapping[str, float] | None = None
    report_to: tuple[str, ...] = ()  # experiment trackers
    # finished run whose weights the training starts from, instead of `student`'s
    begin_from: Path | None = None
    reward: Mapping[str, Any] | None = None  # origin of the rewarded rationales (rewards/)

    def dev_set(self) -> DevSet | None:
        """Return the dev set on which the student is measured during training. Return None if there
        are no dev rows."""
        return DevSet(self.dev, self.stage, self.settings) if self.dev else None

    def manifest(self) -> Manifest:
        """Return the manifest of the run as it is before training: not finished, and without
        metrics."""
        return Manifest(
            self.stage,
            self.student,
            # converted to JSON types, to equal a manifest read from disk
            json.loads(json.dumps(asdict(self.settings))),
            self.data,
            examples_sha256=self._digests[0],
            dev_sha256=self._digests[1] if self.dev else None,
            fold=self.fold,
            equal_to=self.equal_to,
            reward=self.reward,
            student_sha256=self.student_sha256,
            answer_trial=self.answer_trial,
        )

    @cached_property
    def _digests(self) -> tuple[str, str]:
        weighted = bool(self.settings.weights)
        return (
            examples.digest(self.lessons, self.stage, weighted=weighted),
            examples.digest(self.dev, self.stage),
        )
