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
class Experiment:
    """The files of one set and seed, and the settings shared by all its students."""

    folder: Path
    cell_set: CellSet
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
        """Return the options that all training commands share. `more_seed` is added to the seed.

        On real questions, `steps` and `batch` are not used: the options are scicot's defaults,
        except for the batch size, the longest target and a dev evaluation after each epoch. On a
        world, the options are the settings of the grid.
        """
        options = ["--student", self.student, "--seed", str(self.seed + more_seed), "--device"]
        options += [self.device]
        if self.cell_set.real:
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
        """Return --dev FILE for a real set, [] for a world."""
        # Facts of a world cannot be held out for dev questions.
        return ["--dev", self.file(name)] if self.cell_set.real else []

    @property
    def clean(self) -> Command:
        """Return --clean for real sets, whose rationales may announce the answer; those of worlds
        never do."""
        return ["--clean"] if self.cell_set.real else []


@dataclass(frozen=True)
class Step:
    """One scicot command, done once for all systems that need it."""

    name: str
    command: Command


def stage_1(exp: Experiment) -> Step:
    common = exp.common(steps=exp.cell_set.steps[0], batch=16)
    files = ["train-rationale", exp.file("teacher"), "-o", exp.run("rationale")]
    return Step("stage-1", [*files, *common, *exp.dev("teacher_dev"), *exp.clean])


def folds(exp: Experiment) -> Step:
    """Return the step that trains two fold students with stage 1's options. It also writes the
    out-of-fold rationales of all training questions."""
    fold_by = [] if exp.cell_set.real else ["--fold-by", "meta.block"]
    options = ["--folds", str(FOLDS), "--fold-questions", exp.file("train"), *fold_by]
    return Step("folds", [*stage_1(exp).command, *options])


def written_dev(exp: Experiment) -> list[Step]:
    """Return the step in which stage 1 writes rationales of the dev questions; [] on a world."""
    if not exp.cell_set.real:
        return []
    files = ["predict", exp.file("dev"), "-o", str(exp.folder / "written_dev.jsonl")]
    models = ["--rationale-model", exp.run("rationale"), "--device", exp.device]
    return [Step("written-dev", [*files, *models])]


def _stage_2(exp: Experiment, name: str, files: Sequence[str], *options: str) -> Step:
    common = exp.common(steps=exp.cell_set.steps[1], batch=32)
    # The checkpoint is selected with rationales as stage 1 writes them.
    dev = ["--dev", str(exp.folder / "written_dev.jsonl")] if exp.cell_set.real else []
    return Step(name, ["train-answer", *files, "-o", exp.run(name), *common, *dev, *options])


def _baseline(
    exp: Experiment, name: str, file: str, steps: int, *options: str, more_seed: int = 0
) -> Step:
    common = exp.common(steps=steps, batch=32, more_seed=more_seed)
    return Step(name, ["train-answer", file, "-o", exp.run(name), *common, *options])


def _direct(exp: Experiment, number: int) -> Step:
    options = ("--method", "direct", *exp.dev("dev"))
    name = f"direct-{number}"
    return _baseline(
        exp, name, exp.file("train"), exp.cell_set.steps[1], *options, more_seed=1000 * number
    )


@dataclass(frozen=True)
class System:
    """A system to compare: its training steps and its options of predict."""

    about: str
    seconds: int  # time limit on the device, including stages that other systems share
    steps: Callable[[Experiment], list[Step]]
    predict: Callable[[Experiment], Command]
    question_file: str = "test"  # name of the file of questions to answer
    baseline: bool = False  # a baseline that the two-stage system is compared with
    diagnostic: bool = False  # stage 2 with rationales from elsewhere, as a diagnosis only


def _answer_options(*names: str) -> Callable[[Experiment], Command]:
    return lambda exp: [word for name in names for word in ("--answer-model", exp.run(name))]


def _two_stage_options(answer: str, *options: str) -> Callable[[Experiment], Command]:
    return lambda exp: [
        *("--rationale-model", exp.run("rationale"), "--answer-model", exp.run(answer), *options)
    ]


def _baseline_steps(
    method: str, share: Callable[[Experiment], int], dev: str
) -> Callable[[Experiment], list[Step]]:
    """Return a function that returns the step of a baseline trained on the teacher's rationales.
    `share` returns the number of optimizer steps on a world; `dev` names the dev file."""

    def steps(exp: Experiment) -> list[Step]:
        options = ("--method", method, *exp.dev(dev), *exp.clean)
        return [_baseline(exp, method, exp.file("teacher"), share(exp), *options)]

    return steps


def _two_stage(exp: Experiment) -> list[Step]:
    return [
        stage_1(exp),
        *written_dev(exp),
        _stage_2(exp, "answer", [exp.file("teacher")], *exp.clean),
    ]


def _on_out_of_fold(exp: Experiment) -> list[Step]:
    steps = [stage_1(exp), *written_dev(exp), folds(exp)]
    return [*steps, _stage_2(exp, "answer-oof", [exp.out_of_fold])]


def _on_both(exp: Experiment) -> list[Step]:
    files = [exp.file("teacher"), exp.out_of_fold]
    options = ("--weights", "1,1", "--rationale-dropout", DROPOUT, *exp.clean)
    return [
        stage_1(exp),
        *written_dev(exp),
        folds(exp),
        _stage_2(exp, "answer-both", files, *options),
    ]


def _mixed(exp: Experiment) -> Command:
    # On a world there are no dev questions to fit the weight on, so the grid's weight is used.
    return _two_stage_options("answer-both", "--mix-direct", "auto" if exp.cell_set.real else MIX)(
        exp
    )


def _zero_shot(exp: Experiment) -> Command:
    if exp.fresh:
        raise Failed(f"{exp.student} has random weights; give a pretrained --student")
    return ["--answer-model", f"hf:{exp.student}"]


def _stage_1_steps(exp: Experiment) -> int:
    return exp.cell_set.steps[0]


SYSTEMS: dict[str, System] = {
    "two-stage": System(
        "stage 2 on the teacher's rationales: the default",
        150,
        _two_stage,
        _two_stage_options("answer"),
    ),
    "zero-shot": System("the student, not trained", 60, lambda _: [], _zero_shot, baseline=True),
    "direct": System(
        "no rationales; learns from all training questions",
        100,
        lambda exp: [_direct(exp, 0)],
        _answer_options("direct-0"),
        baseline=True,
    ),
    "direct-2": System(
        "two seeds of direct, their scores averaged: as many weights as two stages",
        100,
        lambda exp: [_direct(exp, 0), _direct(exp, 1)],
        _answer_options("direct-0", "direct-1"),
        baseline=True,
    ),
    "answer-first": System(
        "trained to write the answer, then the rationale; only the answer is decoded",
        120,
        _baseline_steps("answer-first", _stage_1_steps, "dev"),
        _answer_options("answer-first"),
        baseline=True,
    ),
    "shared": System(
        "one student for both stages: half the weights",
        180,
        _baseline_steps("shared", lambda exp: sum(exp.cell_set.steps), "teacher_dev"),
        _answer_options("shared"),
        baseline=True,
    ),
    "one-sequence": System(
        "rationale and answer in one output",
        150,
        _baseline_steps("one-sequence", _stage_1_steps, "dev"),
        _answer_options("one-sequence"),
        baseline=True,
    ),
    "multi-task": System(
        "trained to answer and, as a second task, to explain",
        120,
        _baseline_steps("multi-task", _stage_1_steps, "dev"),
        _answer_options("multi-task"),
        baseline=True,
    ),
    "two-stage-oof": System(
        "stage 2 on out-of-fold rationales of all training questions",
        240,
        _on_out_of_fold,
        _two_stage_options("answer-oof"),
    ),
    "two-stage-both": System(
        "stage 2 on the teacher's and out-of-fold rationales, with rationale dropout and the direct"
        " answer mixed in",
        150,
        _on_both,
        _mixed,
    ),
    "given": System(
        "stage 2 of two-stage, with the teacher's rationales of the test questions (those that the"
        " teacher explained)",
        60,
        _two_stage,
        lambda exp: [*_answer_options("answer")(exp), "--rationale-from", "input"],
        question_file="tutor",
        diagnostic=True,
    ),
    "shuffled": System(
        "stage 2 of two-stage, with rationales of other questions",
        60,
        _two_stage,
        _two_stage_options("answer", "--rationale-from", "shuffled"),
        diagnostic=True,
    ),
    "none": System(
        "stage 2 of two-stage, without a rationale",
        60,
        _two_stage,
        lambda exp: [*_answer_options("answer")(exp), "--rationale-from", "none"],
        diagnostic=True,
    ),
}
PRIMARY = "two-stage"
# Variants of training stage 2; each is compared with PRIMARY too.
VARIANTS = ("two-stage-oof", "two-stage-both")


def runs_of(steps: Sequence[Step]) -> list[Path]:
    """Return the directories of all runs trained for a system, including fold students."""
    runs: dict[Path, Any] = {}
    for step in steps:
        if step.command[0].startswith("train-"):
            run = Path(step.command[step.command.index("-o") + 1])
            runs |= dict.fromkeys([run, *sorted(run.glob("folds/*"))])
    # Fold students count only if stage 2 was trained on their rationales.
    if not any(step.name == "folds" for step in steps):
        runs = {run: None for run in runs if run.parent.name != "folds"}
    return list(runs)
