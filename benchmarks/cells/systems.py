"""Define the systems of the cells: the scicot commands that train each, and its predict options."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.cells.sets import CellSet

Command = list[str]


class Failed(Exception):
    """Raised if a cell cannot be run; the message gives the reason."""


FOLDS, DROPOUT, MIX = 2, "0.2", "0.3"
LONGEST = 128  # maximum tokens of a rationale on real questions
_MANY = 2000  # number of questions from which larger steps are used


@dataclass(frozen=True)
class Place:
    """The files of one set and seed, and the settings shared by all its students."""

    folder: Path
    own: CellSet
    seed: int
    student: str
    sizes: dict[str, int] = field(default_factory=dict)
    device: str = "auto"
    max_steps: int | None = None  # steps of every training; set only to try the commands

    def file(self, name: str) -> str:
        return str(self.folder / "questions" / f"{name}.jsonl")

    def run(self, name: str) -> str:
        return str(self.folder / "runs" / name)

    @property
    def out_of_fold(self) -> str:
        return f"{self.run('rationale')}/out_of_fold.jsonl"

    @property
    def fresh(self) -> bool:
        """True if students are trained from random weights."""
        return self.student.startswith("scratch:")

    @cached_property
    def batch(self) -> int:
        return 64 if self.sizes.get("train", 0) >= _MANY else 16

    def common(self, *, steps: int, batch: int, more_seed: int = 0) -> Command:
        """Return the options of every training. On real questions they are scicot's defaults with a
        dev evaluation each epoch, on an example world the settings of the grid, which were measured
        with scratch students."""
        options = ["--student", self.student, "--seed", str(self.seed + more_seed), "--device"]
        options += [self.device]
        if self.own.real:
            epoch = math.ceil(self.sizes["train"] / self.batch)
            options += ["--batch-size", str(self.batch), "--max-target-tokens", str(LONGEST)]
            if self.max_steps is None:
                options += ["--eval-steps", str(epoch)]
        else:
            options += ["--batch-size", str(batch), "--learning-rate", "2e-3"]
            options += ["--max-target-tokens", "96"]
            if self.max_steps is None:
                options += ["--max-steps", str(steps)]
        return options + (
            ["--max-steps", str(self.max_steps)] if self.max_steps is not None else []
        )

    def dev(self, name: str) -> Command:
        """Return --dev FILE; [] on a world, whose facts cannot be held out for dev questions."""
        return ["--dev", self.file(name)] if self.own.real else []

    @property
    def clean(self) -> Command:
        """Return --clean for real sets, whose rationales may announce the answer; those of worlds
        never do."""
        return ["--clean"] if self.own.real else []


@dataclass(frozen=True)
class Step:
    """One scicot command, done once for all systems that need it."""

    name: str
    command: Command


def stage_1(at: Place) -> Step:
    common = at.common(steps=at.own.steps[0], batch=16)
    files = ["train-rationale", at.file("teacher"), "-o", at.run("rationale")]
    return Step("stage-1", [*files, *common, *at.dev("teacher_dev"), *at.clean])


def folds(at: Place) -> Step:
    """Return the step that trains two fold students with the same stage 1, and writes their
    rationales of all training questions."""
    by = [] if at.own.real else ["--fold-by", "meta.block"]
    more = ["--folds", str(FOLDS), "--fold-questions", at.file("train"), *by]
    return Step("folds", [*stage_1(at).command, *more])


def written_dev(at: Place) -> list[Step]:
    """Return the step in which stage 1 writes rationales of the dev questions, for selecting stage
    2."""
    if not at.own.real:
        return []
    files = ["predict", at.file("dev"), "-o", str(at.folder / "written_dev.jsonl")]
    models = ["--rationale-model", at.run("rationale"), "--device", at.device]
    return [Step("written-dev", [*files, *models])]


def _stage_2(at: Place, name: str, files: Sequence[str], *more: str) -> Step:
    common = at.common(steps=at.own.steps[1], batch=32)
    dev = ["--dev", str(at.folder / "written_dev.jsonl")] if at.own.real else []
    return Step(name, ["train-answer", *files, "-o", at.run(name), *common, *dev, *more])


def _rival(at: Place, name: str, file: str, steps: int, *more: str, more_seed: int = 0) -> Step:
    common = at.common(steps=steps, batch=32, more_seed=more_seed)
    return Step(name, ["train-answer", file, "-o", at.run(name), *common, *more])


def _direct(at: Place, number: int) -> Step:
    more = ("--method", "direct", *at.dev("dev"))
    name = f"direct-{number}"
    return _rival(at, name, at.file("train"), at.own.steps[1], *more, more_seed=1000 * number)


@dataclass(frozen=True)
class System:
    """A system to compare: its training steps and its options of predict."""

    about: str
    seconds: int  # time limit on the device, including stages that other systems share
    steps: Callable[[Place], list[Step]]
    predict: Callable[[Place], Command]
    asked: str = "test"  # name of the file of questions to answer
    rival: bool = False  # a baseline that the two-stage system is compared with
    diagnostic: bool = False  # stage 2 with rationales from elsewhere, as a diagnosis only


def _answers(*names: str) -> Callable[[Place], Command]:
    return lambda at: [word for name in names for word in ("--answer-model", at.run(name))]


def _two(answer: str, *more: str) -> Callable[[Place], Command]:
    return lambda at: [
        *("--rationale-model", at.run("rationale"), "--answer-model", at.run(answer), *more)
    ]


def _one(method: str, share: Callable[[Place], int], dev: str) -> Callable[[Place], list[Step]]:
    """Return the steps of a baseline that is trained on the teacher's rationales."""

    def steps(at: Place) -> list[Step]:
        more = ("--method", method, *at.dev(dev), *at.clean)
        return [_rival(at, method, at.file("teacher"), share(at), *more)]

    return steps


def _two_stage(at: Place) -> list[Step]:
    return [
        stage_1(at),
        *written_dev(at),
        _stage_2(at, "answer", [at.file("teacher")], *at.clean),
    ]


def _on_out_of_fold(at: Place) -> list[Step]:
    made = [stage_1(at), *written_dev(at), folds(at)]
    return [*made, _stage_2(at, "answer-oof", [at.out_of_fold])]


def _on_both(at: Place) -> list[Step]:
    files = [at.file("teacher"), at.out_of_fold]
    more = ("--weights", "1,1", "--rationale-dropout", DROPOUT, *at.clean)
    return [stage_1(at), *written_dev(at), folds(at), _stage_2(at, "answer-both", files, *more)]


def _mixed(at: Place) -> Command:
    # On a world there are no dev questions to fit the weight on, so the grid's weight is used.
    return _two("answer-both", "--mix-direct", "auto" if at.own.real else MIX)(at)


def _zero_shot(at: Place) -> Command:
    if at.fresh:
        raise Failed(f"{at.student} has random weights; give a pretrained --student")
    return ["--answer-model", f"hf:{at.student}"]


def _first(at: Place) -> int:
    return at.own.steps[0]


SYSTEMS: dict[str, System] = {
    "two-stage": System(
        "stage 2 on the teacher's rationales: the default", 150, _two_stage, _two("answer")
    ),
    "zero-shot": System("the student as it came", 60, lambda _: [], _zero_shot, rival=True),
    "direct": System(
        "no rationales; learns from all training questions",
        100,
        lambda at: [_direct(at, 0)],
        _answers("direct-0"),
        rival=True,
    ),
    "direct-2": System(
        "two seeds of direct, their scores averaged: as many weights as two stages",
        100,
        lambda at: [_direct(at, 0), _direct(at, 1)],
        _answers("direct-0", "direct-1"),
        rival=True,
    ),
    "answer-first": System(
        "the answer, then the rationale, of which only the answer is decoded",
        120,
        _one("answer-first", _first, "dev"),
        _answers("answer-first"),
        rival=True,
    ),
    "shared": System(
        "one student for both stages: half the weights",
        180,
        _one("shared", lambda at: sum(at.own.steps), "teacher_dev"),
        _answers("shared"),
        rival=True,
    ),
    "one-sequence": System(
        "rationale and answer in one output",
        150,
        _one("one-sequence", _first, "dev"),
        _answers("one-sequence"),
        rival=True,
    ),
    "multi-task": System(
        "learns to answer and, beside that, to explain",
        120,
        _one("multi-task", _first, "dev"),
        _answers("multi-task"),
        rival=True,
    ),
    "two-stage-oof": System(
        "stage 2 on out-of-fold rationales of all training questions",
        240,
        _on_out_of_fold,
        _two("answer-oof"),
    ),
    "two-stage-both": System(
        "stage 2 on both, with rationale dropout and the direct answer mixed in",
        150,
        _on_both,
        _mixed,
    ),
    "given": System(
        "two-stage behind the teacher's rationales of the test questions it explained",
        60,
        _two_stage,
        lambda at: [*_answers("answer")(at), "--rationale-from", "input"],
        asked="tutor",
        diagnostic=True,
    ),
    "shuffled": System(
        "two-stage behind rationales of other questions",
        60,
        _two_stage,
        _two("answer", "--rationale-from", "shuffled"),
        diagnostic=True,
    ),
    "none": System(
        "two-stage's stage 2 without a rationale",
        60,
        _two_stage,
        lambda at: [*_answers("answer")(at), "--rationale-from", "none"],
        diagnostic=True,
    ),
}
PRIMARY = "two-stage"
# Variants of training stage 2; each is compared with PRIMARY too.
VARIANTS = ("two-stage-oof", "two-stage-both")


def runs_of(steps: Sequence[Step]) -> list[Path]:
    """Return the directories of all runs trained for a system, including fold students."""
    found: dict[Path, Any] = {}
    for step in steps:
        if step.command[0].startswith("train-"):
            run = Path(step.command[step.command.index("-o") + 1])
            found |= dict.fromkeys([run, *sorted(run.glob("folds/*"))])
    # Fold students count only if stage 2 was trained on their rationales.
    if not any(step.name == "folds" for step in steps):
        found = {run: None for run in found if run.parent.name != "folds"}
    return list(found)
