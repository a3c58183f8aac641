"""A student to train: from what, how, and where to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from scicot.config import TrainSettings
from scicot.stages import Stage
from scicot.students.runs import Manifest
from scicot.training import examples
from scicot.training.dev import Dev
from scicot.training.examples import Lesson


@dataclass(frozen=True)
class Work:
    """A student to train, and where."""

    run: Path
    stage: Stage
    student: str
    settings: TrainSettings
    lessons: Sequence[Lesson]
    dev: Sequence[Lesson]
    data: Sequence[Mapping[str, Any]]
    fold: Mapping[str, Any] | None = None
    equal_to: Mapping[str, Any] | None = None  # what it is to be equal to (equal.py)

    def judge(self) -> Dev | None:
        """Its dev set, where it has one."""
        return Dev(self.dev, self.stage, self.settings) if self.dev else None

    def manifest(self) -> Manifest:
        """What the run directory will tell."""
        return Manifest(
            self.stage,
            self.student,
            json.loads(json.dumps(asdict(self.settings))),  # as it is read again
            self.data,
            examples_sha256=self._digests[0],
            dev_sha256=self._digests[1] if self.dev else None,
            fold=self.fold,
            equal_to=self.equal_to,
        )

    @cached_property
    def _digests(self) -> tuple[str, str]:
        weighted = bool(self.settings.weights)
        return (
            examples.digest(self.lessons, self.stage, weighted=weighted),
            examples.digest(self.dev, self.stage),
        )
