"""`scicot predict`."""

from __future__ import annotations

from typing import Annotated

import typer

from scicot.config import PredictSettings, RationaleFrom
from scicot_cli import console
from scicot_cli import options as opt


def predict(
    questions: Annotated[
        str,
        typer.Argument(
            metavar="QUESTIONS", help="A file of questions, - or hf://OWNER/NAME[/CONFIG]/SPLIT."
        ),
    ],
    answer_model: Annotated[
        str | None,
        typer.Option(
            "--answer-model",
            metavar="RUN",
            help="A run of train-answer. Without it, only rationales are written.",
        ),
    ] = None,
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="OUT", help="Prediction rows; - is standard output."
        ),
    ] = "-",
    rationale_model: Annotated[
        str | None,
        typer.Option(
            "--rationale-model",
            metavar="RUN",
            help="A run of train-rationale, whose rationales the answer model reads.",
        ),
    ] = None,
    rationale_from: Annotated[
        RationaleFrom,
        typer.Option(
            "--rationale-from",
            help="student: written by the rationale model; input: given in the rows (an upper "
            "bound); none: answer without one.",
        ),
    ] = PredictSettings.rationale_from,
    max_new_tokens: Annotated[
        int | None,
        typer.Option(
            "--max-new-tokens",
            help="Tokens a rationale may have. [default: as many as its student was trained on]",
        ),
    ] = PredictSettings.max_new_tokens,
    batch_size: Annotated[
        int, typer.Option("--batch-size", help="Questions the model works on together.")
    ] = PredictSettings.batch_size,
    device: opt.Device = PredictSettings.device,
    precision: opt.Precision = PredictSettings.precision,
    limit: opt.Limit = None,
    skip_invalid: opt.SkipInvalid = False,
    force: opt.Force = False,
    config: opt.Config = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Answer questions with trained students.

    The rationale student writes, then the answer student scores every choice by its likelihood:
    nothing is parsed, nothing is guessed. Runs of rivals (train-answer --method) answer alone. With
    --rationale-model alone the rationales come out as rationale rows, to train or judge on. Rows
    come in the order of the questions. The same command again goes on where it stopped.
    """
    reporter = console.reporter(quiet=quiet, verbose=verbose)
    settings = PredictSettings(
        rationale_from=rationale_from,
        max_new_tokens=max_new_tokens,
        batch_size=batch_size,
        device=device,
        precision=precision,  # type: ignore[arg-type]  # checked by the settings themselves
    )
    from scicot.prediction import predict as run

    summary = run(
        questions,
        output,
        answer_model=answer_model,
        rationale_model=rationale_model,
        settings=settings,
        limit=limit,
        skip_invalid=skip_invalid,
        force=force,
        reporter=reporter,
    )
    before = f", {summary.already_done} answered before" if summary.already_done else ""
    if output != "-":
        done = "questions answered" if answer_model else "rationales written"
        reporter.note(f"{output}: {summary.predicted} {done}{before}")
