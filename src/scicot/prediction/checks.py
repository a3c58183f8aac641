"""Which runs and settings go with one another: looked at before a model is loaded."""

from __future__ import annotations

import os
from collections.abc import Iterator

from scicot.config import PredictSettings
from scicot.errors import ScicotError
from scicot.stages import FORMS
from scicot.students.runs import Run, check_run

_ANSWERING = tuple(stage for stage, form in FORMS.items() if form.answers)
_WRITING = tuple(stage for stage, form in FORMS.items() if not form.answers)


def check_runs(
    answer_model: str | os.PathLike[str] | None,
    rationale_model: str | os.PathLike[str] | None,
    settings: PredictSettings,
) -> tuple[Run | None, Run | None]:
    """The run that answers and the one that writes rationales for it; ScicotError where one is
    missing or too many."""
    if answer_model is None and rationale_model is None:
        raise ScicotError("nothing to predict with; give --answer-model RUN")
    rationale = None
    if rationale_model is not None:
        rationale = check_run(rationale_model, "--rationale-model", *_WRITING)
    if answer_model is None:
        return None, rationale
    answer = check_run(answer_model, "--answer-model", *_ANSWERING)
    place = f"--answer-model {os.fspath(answer_model)}"
    reads, source = FORMS[answer.stage].reads_rationale, settings.rationale_from
    if reads and source == "student" and rationale is None:
        raise ScicotError(
            f"{place}: reads rationales; give --rationale-model RUN, or say --rationale-from"
            " input or none"
        )
    if rationale is not None and not (reads and source in ("student", "shuffled")):
        why = f"is a {answer.stage} run, which reads no rationales"
        why = f"--rationale-from is {source}" if reads else why
        raise ScicotError(f"{place}: {why}; leave --rationale-model out")
    if not reads and source in ("input", "shuffled"):
        raise ScicotError(
            f"{place}: is a {answer.stage} run, which reads no rationales;"
            " leave --rationale-from out"
        )
    return answer, rationale


def check_settings(
    answer: Run | None, writer: Run | None, source: str, settings: PredictSettings
) -> None:
    """ScicotError for an option that would do nothing with these runs."""
    draws = settings.sampling is not None or settings.beams > 1
    mixes = answer is not None and FORMS[answer.stage].reads_rationale and source != "none"
    idle = {
        "--samples, --temperature or --beams": draws and writer is None,
        "--mix-direct": settings.mix_direct > 0 and not mixes,
    }
    for option, wrong in idle.items():
        if wrong:
            why = "no rationale is written" if writer is None else "no rationale is read"
            raise ScicotError(f"{option}: means nothing where {why}; leave it out")
    if answer is None:
        alone = {
            "--rationale-from": settings.rationale_from != "student",
            "--vote": settings.vote,
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
    if settings.scoring not in ("auto", trained.answer_as):
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
