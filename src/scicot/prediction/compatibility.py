"""Which runs and settings go with one another: looked at before a model is loaded."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from scicot.config import PredictSettings
from scicot.errors import ScicotError
from scicot.stages import FORMS
from scicot.students.runs import UNTRAINED, Run, check_run, untrained_run

Name = str | os.PathLike[str]

_ANSWERING = tuple(stage for stage, form in FORMS.items() if form.answers)
_WRITING = tuple(stage for stage, form in FORMS.items() if not form.answers)


def check_runs(
    answer_model: Name | None, rationale_models: Sequence[Name], settings: PredictSettings
) -> tuple[Run | None, list[Run]]:
    """The run that answers and those that write rationales for it; ScicotError where one is
    missing or too many."""
    if answer_model is None and not rationale_models:
        raise ScicotError("nothing to predict with; give --answer-model RUN")
    rationales = [check_run(name, "--rationale-model", *_WRITING) for name in rationale_models]
    if settings.with_folds:
        rationales += [fold for run in rationales for fold in fold_students(run)]
    if answer_model is None:
        return None, rationales
    if os.fspath(answer_model).startswith(UNTRAINED):
        answer = untrained_run(os.fspath(answer_model), "--answer-model")
    else:
        answer = check_run(answer_model, "--answer-model", *_ANSWERING)
    place = f"--answer-model {os.fspath(answer_model)}"
    reads, source = FORMS[answer.stage].reads_rationale, settings.rationale_from
    if reads and source == "student" and not rationales:
        raise ScicotError(
            f"{place}: reads rationales; give --rationale-model RUN, or say --rationale-from"
            " input or none"
        )
    if rationales and not (reads and source in ("student", "shuffled")):
        why = f"is a {answer.stage} run, which reads no rationales"
        why = f"--rationale-from is {source}" if reads else why
        raise ScicotError(f"{place}: {why}; leave --rationale-model out")
    writes = FORMS[answer.stage].writes_rationale
    if not reads and (source in ("input", "shuffled") or (source == "none" and writes)):
        why = "writes its own rationale" if writes else "reads no rationales"
        raise ScicotError(
            f"{place}: is a {answer.stage} run, which {why}; leave --rationale-from out"
        )
    return answer, rationales


def fold_students(run: Run) -> list[Run]:
    """The fold students of a run, in order; ScicotError where it has none."""
    folds = int(run.manifest.settings.get("folds") or 0)
    if not folds:
        raise ScicotError(
            f"--with-folds: {run.directory} has no fold students (train-rationale --folds)"
        )
    places = [run.directory / "folds" / str(fold) for fold in range(folds)]
    return [check_run(place, "--with-folds", *_WRITING) for place in places]


def check_settings(
    answer: Run | None, writers: Sequence[Run], source: str, settings: PredictSettings
) -> None:
    """ScicotError for an option that would do nothing with these runs."""
    draws = settings.sampling is not None or settings.beams > 1
    mixes = answer is not None and FORMS[answer.stage].reads_rationale and source != "none"
    idle = {
        "--samples, --temperature or --beams": draws and not writers,
        "--with-folds": settings.with_folds and not writers,
        "--mix-direct": settings.mix_direct > 0 and not mixes,
    }
    for option, wrong in idle.items():
        if wrong:
            why = "is written" if not writers else "is read"
            raise ScicotError(f"{option}: means nothing where no rationale {why}; leave it out")
    if settings.vote and settings.samples * len(writers) < 2:
        raise ScicotError("--vote: one rationale alone cannot vote; give --samples as well")
    if answer is None:
        if len(writers) > 1:
            raise ScicotError("only one student writes at a time where there is no --answer-model")
        alone = {
            "--rationale-from": settings.rationale_from != "student",
            "--vote": settings.vote,
            "--length-normalisation": settings.length_normalisation != "auto",
            "--scoring": settings.scoring != "auto",
            "--abstain-below": settings.abstain_below > 0,
        }
        for option, wrong in alone.items():
            if wrong:
                raise ScicotError(f"{option}: means nothing without --answer-model")


def doubts(answer: Run | None, settings: PredictSettings) -> Iterator[str]:
    """What the user may not have meant, one sentence each."""
    if answer is None:
        return
    trained = answer.manifest
    if not answer.untrained and settings.scoring not in ("auto", trained.answer_as):
        yield (
            f"--scoring {settings.scoring}: {answer.directory} was trained to write"
            f" {trained.answer_as}s; its scores are not calibrated for this"
        )
    bare = settings.rationale_from == "none" and FORMS[answer.stage].reads_rationale
    if (settings.mix_direct or bare) and not trained.settings.get("rationale_dropout"):
        option = "--mix-direct" if settings.mix_direct else "--rationale-from none"
        yield (
            f"{option}: {answer.directory} never learnt to answer without a rationale"
            " (train-answer --rationale-dropout)"
        )
