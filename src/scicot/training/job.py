"""The functions `train_rationale` and `train_answer`: check the arguments, read and split the rows,
and train."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Unpack

from scicot import processes, sources
from scicot.config import RewardSettings, TrainSettings
from scicot.devices import resolve_device
from scicot.errors import ScicotError, UsageError
from scicot.models.weights import model_sha256
from scicot.outputs import STDOUT, locked, make_parent
from scicot.reporting import LogReporter, Muted, Reporter
from scicot.stages import FORMS, Stage
from scicot.students.manifest import Manifest
from scicot.training import answer_form, hub_upload, replacement, trackers
from scicot.training.budget_matching import check_length, match_budget
from scicot.training.data import Options, Reader
from scicot.training.fitting import lora
from scicot.training.folds import Folds
from scicot.training.multi_run import train_all
from scicot.training.rewards.estimate import RewardEstimate, estimate
from scicot.training.rewards.rounds import Rounds, fold_settings
from scicot.training.spec import TrainingSpec

Sources = sources.Source | Sequence[sources.Source]

# The methods of train_answer, by their names in --method.
METHODS = {
    "two-stage": Stage.ANSWER,
    "direct": Stage.DIRECT,
    "one-sequence": Stage.ONE_SEQUENCE,
    "answer-first": Stage.ANSWER_FIRST,
    "multi-task": Stage.MULTI_TASK,
    "shared": Stage.SHARED,
}


def train_rationale(
    rationales: Sources,
    run: str | os.PathLike[str],
    *,
    student: str,
    settings: TrainSettings | None = None,
    force: bool = False,
    report_to: Sequence[str] = (),
    push_to_hub: str | None = None,
    reward: RewardSettings | None = None,
    reporter: Reporter | None = None,
    **options: Unpack[Options],
) -> Manifest:
    """Train `student` to write rationales (stage 1), from one or several files of rationale rows.

    `student` is the Hub id or directory of an encoder-decoder or causal model, or "scratch:SIZE".
    `run` is the run directory to write. If the directory holds a run with the same settings and
    data, training is resumed or, if it is finished, not repeated. If the directory holds a
    different run, raises ScicotError. With `force`, any run in the directory is replaced.
    `report_to` names trackers ("tensorboard", "wandb", "trackio"). `push_to_hub` names a model
    repository (OWNER/NAME) to which the finished run is uploaded.

    With `settings.folds`, that number of fold students is trained as well (RUN/folds/0, ...).
    RUN/out_of_fold.jsonl then holds a rationale for each row, written by the fold student that was
    not trained on the row's question. The option `fold_questions` names files of further questions,
    such as questions that the teacher answered wrong. RUN/out_of_fold.jsonl then also holds
    rationales for these questions. If `settings.seeds` is above 1, the runs are RUN/seed-0, ... and
    the returned manifest summarises them.

    With `reward`, rounds of sampling follow this training (see the package rewards/). In each
    round, students write several rationales for each question. Answer students, from a run of
    train-answer --folds, score these rationales. The reward of a rationale is the increase in
    log p(gold choice) over an answer without a rationale. For each question, the rationales with
    the highest positive rewards become training rows of the next round. The metrics of each round
    are in RUN/rounds/ROUND/report.json.
    """
    return _train(
        Stage.RATIONALE,
        rationales,
        run,
        student,
        (),
        options,
        settings=settings,
        force=force,
        report_to=report_to,
        push_to_hub=push_to_hub,
        reporter=reporter,
        reward=reward,
    )


def estimate_rewards(
    rationales: Sources,
    run: str | os.PathLike[str],
    *,
    student: str,
    reward: RewardSettings,
    settings: TrainSettings | None = None,
    reporter: Reporter | None = None,
    **options: Unpack[Options],
) -> RewardEstimate:
    """Estimate the work that `train_rationale` would do with `reward`, and its duration in seconds.

    The time is measured on a student with its initial weights. The student is timed on a few
    training batches, and writes a few rationales. An answer student scores these rationales.
    Nothing is written to `run`.
    """
    settings, reporter = settings or TrainSettings(), reporter or LogReporter()
    directory = _run_path(run)
    spec, folds = _specified(
        Stage.RATIONALE, rationales, directory, student, (), options, settings, (), reward, reporter
    )
    assert folds is not None
    return estimate(Rounds.of(spec, folds, reward), reporter)


def train_answer(
    rationales: Sources,
    run: str | os.PathLike[str],
    *,
    student: str,
    method: str = "two-stage",
    equal_to: Sequence[str | os.PathLike[str]] = (),
    settings: TrainSettings | None = None,
    force: bool = False,
    report_to: Sequence[str] = (),
    push_to_hub: str | None = None,
    reporter: Reporter | None = None,
    **options: Unpack[Options],
) -> Manifest:
    """Train `student` to answer questions given a rationale (stage 2), or by a single-stage method.

    `rationales` is one or several files of rationales, written by a teacher or by students.
    `method` is one of METHODS. The method "direct" uses each question once, without a rationale, so
    it also accepts files of plain questions.

    `equal_to` names other runs. The student is then trained on about as many tokens as these runs
    together. If `student` is "scratch:SIZE", the student also has about as many weights as these
    runs together. The other arguments are those of `train_rationale`.
    """
    if method not in METHODS:
        raise UsageError(f"--method {method}: no such method; choose one of {', '.join(METHODS)}")
    return _train(
        METHODS[method],
        rationales,
        run,
        student,
        equal_to,
        options,
        settings=settings,
        force=force,
        report_to=report_to,
        push_to_hub=push_to_hub,
        reporter=reporter,
    )


def _train(
    stage: Stage,
    files: Sources,
    run: str | os.PathLike[str],
    student: str,
    equal_to: Sequence[str | os.PathLike[str]],
    options: Options,
    *,
    settings: TrainSettings | None,
    force: bool,
    report_to: Sequence[str],
    push_to_hub: str | None,
    reporter: Reporter | None,
    reward: RewardSettings | None = None,
) -> Manifest:
    settings, reporter = settings or TrainSettings(), reporter or LogReporter()
    directory = _run_path(run)
    trackers.check(report_to)
    if equal_to:
        check_length(settings)
    if push_to_hub:
        hub_upload.check_push(push_to_hub)
    with processes.process_group(settings.device):
        if processes.rank():
            reporter = Muted(reporter)
        spec, folds = _specified(
            stage,
            files,
            directory,
            student,
            equal_to,
            options,
            settings,
            report_to,
            reward,
            reporter,
        )
        with ExitStack() as stack:
            processes.on_rank_zero(lambda: stack.enter_context(_locked_run(directory)))
            spec = answer_form.decide(spec, reporter, force=force)
            if equal_to:
                spec = match_budget(equal_to, spec, reporter)
            if reward is not None and folds is not None:
                manifest = Rounds.of(spec, folds, reward).train(force, reporter)
            else:
                manifest = train_all(spec, folds, force, reporter)
            processes.on_rank_zero(lambda: replacement.end(directory, reporter))
        if push_to_hub and processes.rank() == 0:
            url = hub_upload.push(directory, push_to_hub, reporter)
            reporter.note(f"uploaded {directory} to {url}")
    return manifest


def _run_path(run: str | os.PathLike[str]) -> Path:
    if os.fspath(run) == STDOUT:
        raise UsageError("-o -: a run is a directory, not a stream; name a directory (or ./-)")
    directory = Path(os.path.abspath(run))  # noqa: PTH100  (links stay as the user named them)
    if not directory.name:
        raise ScicotError(f"-o {run}: name a directory for the run")
    return directory


def _specified(
    stage: Stage,
    sources_given: Sources,
    directory: Path,
    student: str,
    equal_to: Sequence[str | os.PathLike[str]],
    options: Options,
    settings: TrainSettings,
    report_to: Sequence[str],
    reward: RewardSettings | None,
    reporter: Reporter,
) -> tuple[TrainingSpec, Folds | None]:
    """Check the settings, read and split the rows, and return (training spec, folds). The folds are
    None without --folds. Raises ScicotError for invalid input.

    The caller must complete the spec in two cases:

    - If `settings.answer_as` is "auto", the spec lacks the form of the answers.
    - If `equal_to` names runs, the training must have the budget of these runs. The spec lacks this
      budget.
    """
    if reward is not None:
        settings = fold_settings(settings, reward)
    _check(settings, stage)
    settings = answer_form.fill(settings, student, stage)
    lora.check(settings, student)
    files = sources.listed(sources_given)
    reader = Reader(stage, settings, options, reporter)
    inputs = [*files, *reader.dev_files, *reader.fold_files]
    if processes.count() > 1 and STDOUT in inputs:
        raise ScicotError("-: several processes cannot share standard input; name a file")
    runs = [*equal_to, student, *([reward.reward] if reward else ())]
    for source in [*inputs, *runs]:
        if Path(source).exists() and Path(source).resolve().is_relative_to(directory.resolve()):
            raise ScicotError(
                f"{os.fspath(source)}: is inside the output directory (-o {directory}); choose"
                " another output directory"
            )
    lessons = reader.read(files)
    parts = reader.part(lessons)
    data = [_described(file) for file in files]
    data += [{**_described(file), "split": "dev"} for file in reader.dev_files]
    data += [{**_described(file), "split": "fold-questions"} for file in reader.fold_files]
    spec = TrainingSpec(
        directory,
        stage,
        student,
        settings,
        parts.train,
        parts.dev,
        data,
        student_sha256=processes.on_rank_zero(
            lambda: model_sha256(Path(student)) if Path(student).is_dir() else None
        ),
        report_to=tuple(report_to),
    )
    return spec, parts.folds


@contextmanager
def _locked_run(directory: Path) -> Iterator[None]:
    make_parent(directory)
    with locked(directory):
        yield


def _described(file: sources.Source) -> dict[str, str | None]:
    return {"file": os.fspath(file), "sha256": sources.sha256_of(file)}


def _check(settings: TrainSettings, stage: Stage) -> None:
    """Check the settings before any row is read. Raises UsageError for an option that does not
    apply to the stage, or for a CUDA device other than the first. Raises ScicotError if the device
    is missing."""
    device = resolve_device(settings.device)  # raises at once if the device is not available
    if device.index:  # the Trainer always uses the first GPU that it sees
        raise UsageError(
            f"--device {settings.device}: training uses the first visible GPU; give --device cuda"
            f" and set CUDA_VISIBLE_DEVICES={device.index}"
        )
    rationale = stage is Stage.RATIONALE
    without_effect = {
        "--rationale-dropout": settings.rationale_dropout > 0 and not FORMS[stage].reads_rationale,
        "--rationale-loss-weight": settings.rationale_loss_weight != 1
        and stage not in (Stage.MULTI_TASK, Stage.SHARED),
        "--soft-labels": settings.soft_labels > 0 and rationale,
        "--max-rationale-tokens": settings.max_rationale_tokens is not None
        and stage is Stage.DIRECT,
        "--clean": settings.clean and stage is Stage.DIRECT,
        "--weights": bool(settings.weights) and stage is Stage.DIRECT,
        "--shuffle-choices": settings.shuffle_choices and rationale,
        "--answer-as": settings.answer_as is not None and rationale,
        "--folds": settings.folds > 0 and stage not in (Stage.RATIONALE, Stage.ANSWER),
        "--select-by accuracy": settings.select_by == "accuracy" and rationale,
        "--select-by rouge-l": settings.select_by == "rouge-l" and not rationale,
    }
    for option, is_given in without_effect.items():
        if is_given:
            raise UsageError(f"{option}: has no effect on {stage} students; leave it out")
