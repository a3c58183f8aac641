"""Check that the runs and settings of a prediction are compatible, before any model is loaded."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from scicot.config import AUTO, PredictSettings
from scicot.errors import ScicotError, UsageError
from scicot.stages import FORMS, Stage
from scicot.students.runs import UNTRAINED, Run, check_run, untrained_run

Name = str | os.PathLike[str]

_ANSWERING = tuple(stage for stage, form in FORMS.items() if form.answers)
# Stages whose rationales another student can read. One-sequence is not among them, because its
# rationales include the answer.
_WRITING = (Stage.RATIONALE, Stage.SHARED)


def check_runs(
    answer_models: Sequence[Name], rationale_models: Sequence[Name], settings: PredictSettings
) -> tuple[list[Run], list[Run]]:
    """Return two lists of runs: those of `answer_models` and those of `rationale_models`. If
    `settings.with_folds`, the second list also contains the fold students of the rationale models.
    Raises ScicotError if the runs cannot be used together, for example if an answer model reads
    rationales and there is no rationale model."""
    if not answer_models and not rationale_models:
        raise UsageError("nothing to predict with; give --answer-model RUN")
    rationales = [check_run(name, "--rationale-model", *_WRITING) for name in rationale_models]
    if settings.with_folds:
        rationales += [fold for run in rationales for fold in fold_students(run)]
    answers = [_answering_run(name) for name in answer_models]
    _check_together(answers, rationales)
    for answer in answers:
        _check_source(answer, rationales, settings.rationale_from)
    return answers, rationales


def _answering_run(name: Name) -> Run:
    if os.fspath(name).startswith(UNTRAINED):
        return untrained_run(os.fspath(name), "--answer-model")
    return check_run(name, "--answer-model", *_ANSWERING)


def _check_source(answer: Run, rationales: Sequence[Run], source: str) -> None:
    """Raise ScicotError if an answer run cannot be used with these rationale runs, or with
    `source`, the value of --rationale-from."""
    model = f"--answer-model {answer.location}"
    reads, writes = FORMS[answer.stage].reads_rationale, FORMS[answer.stage].writes_rationale
    if reads and not writes and source == "student" and not rationales:
        raise ScicotError(
            f"{model}: reads rationales; give --rationale-model RUN, or say --rationale-from"
            " input or none"
        )
    if rationales and not (reads and source in ("student", "shuffled")):
        reason = f"is a {answer.stage} run, which reads no rationales"
        reason = f"--rationale-from is {source}" if reads else reason
        raise ScicotError(f"{model}: {reason}; leave --rationale-model out")
    if not reads and (source in ("input", "shuffled") or (source == "none" and writes)):
        reason = "writes its own rationale" if writes else "reads no rationales"
        raise ScicotError(
            f"{model}: is a {answer.stage} run, which {reason}; leave --rationale-from out"
        )


def _check_together(answers: Sequence[Run], rationales: Sequence[Run]) -> None:
    """Raise UsageError if the probabilities of several answer models cannot be averaged."""
    if len(answers) < 2:
        return
    if len({FORMS[run.stage].reads_rationale for run in answers}) > 1:
        listed = ", ".join(f"{run.location} ({run.stage})" for run in answers)
        raise UsageError(
            "--answer-model: runs that read rationales cannot be combined with runs that do not"
            f" ({listed}); give only one kind"
        )
    for run in answers:
        if FORMS[run.stage].writes_rationale and not rationales:
            raise UsageError(
                f"--answer-model {run.location}: is a {run.stage} run, which writes a rationale of"
                " its own; give it alone"
            )


def fold_students(run: Run) -> list[Run]:
    """Return the fold students of a run, in the order of their folds. Raises ScicotError if the run
    has none, or if it is on the Hub, to which fold students are not uploaded."""
    folds = int(run.manifest.settings.get("folds") or 0)
    if not folds:
        raise ScicotError(
            f"--with-folds: {run.location} has no fold students (train-rationale --folds)"
        )
    if run.hub is not None:
        raise ScicotError(
            f"--with-folds: {run.location} is on the Hub, without its fold students; give the local"
            " directory of the run, or leave out --with-folds"
        )
    directories = [run.directory / "folds" / str(fold) for fold in range(folds)]
    return [check_run(directory, "--with-folds", *_WRITING) for directory in directories]


def check_settings(
    answers: Sequence[Run], writers: Sequence[Run], source: str, settings: PredictSettings
) -> None:
    """Raise ScicotError if an option has no effect with these runs, or cannot be used with them.
    `answers` are the runs that answer, and `writers` are those that write rationales. `source` is
    where the rationales come from: a value of --rationale-from."""
    draws = settings.sampling is not None or settings.beams > 1
    mixes = any(FORMS[run.stage].reads_rationale for run in answers) and source != "none"
    without_effect = {
        "--samples, --temperature or --beams": draws and not writers,
        "--with-folds": settings.with_folds and not writers,
        "--mix-direct": settings.mixes_direct and not mixes,
    }
    for option, is_given in without_effect.items():
        if is_given:
            verb = "is written" if not writers else "is read"
            raise UsageError(f"{option}: no effect, because no rationale {verb}; leave it out")
    if settings.vote and settings.samples * len(writers) < 2:
        raise UsageError("--vote: one rationale alone cannot vote; give --samples as well")
    if settings.weigh == "confidence":
        _check_weigh(answers, settings.samples * len(writers))
    for run in answers:
        if settings.mix_direct == AUTO and run.manifest.mix_direct is None:
            raise ScicotError(
                f"--mix-direct auto: no weight was fitted for {run.location} (train-answer"
                " --rationale-dropout, with a dev set of student rationales); give a number"
            )
    if not answers:
        _check_writing(writers, settings)


def _check_weigh(answers: Sequence[Run], rationales: int) -> None:
    """Raise ScicotError if --weigh confidence cannot be used with these answer runs or with this
    number of rationales per question (`rationales`)."""
    if rationales < 2:
        raise UsageError("--weigh confidence: weighs several rationales; give --samples as well")
    if not answers:
        raise UsageError(
            "--weigh confidence: has no effect without --answer-model; add --answer-model, or leave"
            " out --weigh"
        )
    for run in answers:
        if run.manifest.confidence_power is None:
            raise ScicotError(
                f"--weigh confidence: no exponent was fitted for {run.location} (train-answer with"
                " a dev set of several student rationales per question); leave out --weigh"
            )


def _check_writing(writers: Sequence[Run], settings: PredictSettings) -> None:
    """Check a call of `predict` that writes rationales and no answers. Raises ScicotError if there
    is more than one writer, or if an option is set that only affects answers."""
    if len(writers) > 1:
        raise ScicotError(
            "without --answer-model, only one student can write rationales; give a single"
            " --rationale-model, without --with-folds"
        )
    answering_options = {
        "--rationale-from": settings.rationale_from != "student",
        "--vote": settings.vote,
        "--length-normalisation": settings.length_normalisation != "auto",
        "--scoring": settings.scoring != "auto",
        "--abstain-below": settings.abstain_below > 0,
    }
    for option, is_given in answering_options.items():
        if is_given:
            raise UsageError(
                f"{option}: has no effect without --answer-model; add --answer-model, or leave out"
                f" {option}"
            )


def warnings(answers: Sequence[Run], settings: PredictSettings) -> Iterator[str]:
    """Yield a warning for each setting that does not match how an answer model was trained."""
    for answer in answers:
        yield from _setting_warnings(answer, settings)


def _setting_warnings(answer: Run, settings: PredictSettings) -> Iterator[str]:
    trained = answer.manifest
    if not answer.untrained and settings.scoring not in ("auto", trained.answer_as):
        yield (
            f"--scoring {settings.scoring}: {answer.location} was trained to write"
            f" {trained.answer_as}s; its scores are not calibrated for this"
        )
    no_rationale = settings.rationale_from == "none" and FORMS[answer.stage].reads_rationale
    if (settings.mixes_direct or no_rationale) and not trained.settings.get("rationale_dropout"):
        option = "--mix-direct" if settings.mixes_direct else "--rationale-from none"
        yield (
            f"{option}: {answer.location} was not trained to answer without a rationale"
            " (train-answer --rationale-dropout)"
        )
