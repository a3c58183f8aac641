"""`scicot predict`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Annotated

import typer

from scicot.config import (
    EngineName,
    LengthNormalisation,
    PredictSettings,
    RationaleFrom,
    Scoring,
    Shard,
    Weigh,
)
from scicot.errors import ScicotError
from scicot.processes import count, rank
from scicot_cli import completion, console
from scicot_cli import options as opt
from scicot_cli.launching import launch


def predict(
    questions: Annotated[
        str,
        typer.Argument(
            metavar="QUESTIONS", help="A file of questions, - or hf://OWNER/NAME[/CONFIG]/SPLIT."
        ),
    ],
    answer_model: Annotated[
        list[str],
        typer.Option(
            "--answer-model",
            autocompletion=completion.runs,
            metavar="RUN|hf:MODEL",
            help="A run of train-answer: its directory, or OWNER/NAME[@REVISION] on the Hub; or"
            " hf:MODEL_OR_DIR: a model that answers without training."
            " May be repeated: the answers are averaged. Without it, only rationales are written.",
        ),
    ] = [],  # noqa: B006  (Typer reads it, nobody changes it)
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="OUT", help="Prediction rows; - is standard output."
        ),
    ] = "-",
    rationale_model: Annotated[
        list[str],
        typer.Option(
            "--rationale-model",
            autocompletion=completion.runs,
            metavar="RUN",
            help="A run of train-rationale, likewise, whose rationales the answer model reads. May"
            " be repeated: the answers behind each are averaged.",
        ),
    ] = [],  # noqa: B006  (Typer reads it, nobody changes it)
    with_folds: Annotated[
        bool,
        typer.Option(
            "--with-folds",
            help="Let its fold students (train-rationale --folds) write rationales as well.",
        ),
    ] = PredictSettings.with_folds,
    rationale_from: Annotated[
        RationaleFrom,
        typer.Option(
            "--rationale-from",
            help="student: written by the rationale model; input: given in the rows (an upper"
            " bound); none: answer without one; shuffled: those of other questions, to see how much"
            " the answer relies on them.",
        ),
    ] = PredictSettings.rationale_from,
    samples: Annotated[
        int,
        typer.Option(
            "--samples", help="Rationales of each question, whose answers are averaged or voted on."
        ),
    ] = PredictSettings.samples,
    temperature: Annotated[
        float | None,
        typer.Option(
            "--temperature",
            help="Draw rationales at this temperature. [default: the likeliest one, or 0.7 where"
            " there are several samples]",
        ),
    ] = PredictSettings.temperature,
    top_p: Annotated[
        float,
        typer.Option(
            "--top-p", help="Draw from the likeliest tokens that have this probability together."
        ),
    ] = PredictSettings.top_p,
    beams: Annotated[
        int, typer.Option("--beams", help="Beams of the search for the likeliest rationale.")
    ] = PredictSettings.beams,
    weigh: Annotated[
        Weigh,
        typer.Option(
            "--weigh",
            help="mean: average the answers behind several rationales; confidence: those that the"
            " answer model is surer of count more, as much as train-answer fitted on a dev set of"
            " several rationales a question.",
        ),
    ] = PredictSettings.weigh,
    vote: Annotated[
        bool, typer.Option("--vote", help="Let the samples vote, instead of averaging.")
    ] = PredictSettings.vote,
    mix_direct: Annotated[
        str,
        typer.Option(
            "--mix-direct",
            metavar="W",
            help="Mix in the answer given without a rationale, with this weight (0 to 1), or auto:"
            " the one that train-answer fitted on dev. For students of --rationale-dropout.",
        ),
    ] = str(PredictSettings.mix_direct),
    scoring: Annotated[
        Scoring,
        typer.Option(
            "--scoring",
            help="Score each choice by its label or by its text (per token); auto: by what the"
            " answer model was trained to write.",
        ),
    ] = PredictSettings.scoring,
    length_normalisation: Annotated[
        LengthNormalisation,
        typer.Option(
            "--length-normalisation",
            help="Divide the log-likelihood of a choice by its tokens or characters; auto: of texts"
            " by their tokens, of labels by nothing.",
        ),
    ] = PredictSettings.length_normalisation,
    calibration: Annotated[
        bool,
        typer.Option(
            "--calibration/--no-calibration",
            help="Apply the temperature that train-answer fitted on dev.",
        ),
    ] = PredictSettings.calibrate,
    abstain_below: Annotated[
        float,
        typer.Option(
            "--abstain-below", metavar="P", help="Give no answer that is less likely than this."
        ),
    ] = PredictSettings.abstain_below,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard",
            metavar="I/N",
            help="Answer only part I of N (1/8 ... 8/8); scicot merge joins them. [default: in a"
            " SLURM job array its own part, else all]",
        ),
    ] = None,
    max_new_tokens: Annotated[
        int | None,
        typer.Option(
            "--max-new-tokens",
            help="Tokens a rationale may have. [default: as many as its student was trained on]",
        ),
    ] = PredictSettings.max_new_tokens,
    batch_size: Annotated[
        int | None,
        typer.Option(
            "--batch-size",
            help="Sequences the model works on together, at most. [default: 256, on a GPU 1024]",
        ),
    ] = PredictSettings.batch_size,
    batch_tokens: Annotated[
        int | None,
        typer.Option(
            "--batch-tokens",
            help="Tokens, padded, that it works on together, at most. [default: as suits engine and"
            " device]",
        ),
    ] = PredictSettings.batch_tokens,
    window: Annotated[
        int | None,
        typer.Option(
            "--window",
            help="Sequences read ahead, sorted by length and written together; shards take turns"
            " of as many. [default: 512, on a GPU 4096]",
        ),
    ] = PredictSettings.window,
    processes: Annotated[
        int,
        typer.Option(
            "--processes",
            metavar="N",
            min=1,
            help="Answer in N processes of this machine, side by side: one for each GPU. The rows"
            " are those of one process. (torchrun and accelerate launch do so on many machines.)",
        ),
    ] = 1,
    seed: opt.Seed = PredictSettings.seed,
    device: opt.Device = PredictSettings.device,
    engine: Annotated[
        EngineName,
        typer.Option(
            "--engine",
            help="torch (T5 students, by our own loop), ctranslate2 (CPUs; needs scicot[fast]),"
            " transformers (any student), or auto: torch where it can, else transformers.",
        ),
    ] = PredictSettings.engine,
    precision: Annotated[
        str,
        typer.Option(
            "--precision",
            autocompletion=completion.predicting_precisions,
            help="fp32, bf16, int8 (on CPUs), or auto: bf16 on a GPU; on a CPU fp32 for less than"
            " 10 million weights, for shards and for several machines, else the fastest, measured"
            " once.",
        ),
    ] = PredictSettings.precision,
    columns: opt.Columns = "",
    answer_index: opt.AnswerIndex = None,
    encoding: opt.Encoding = "",
    limit: opt.Limit = None,
    skip_invalid: opt.SkipInvalid = False,
    force: opt.Force = False,
    config: opt.Config = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Answer questions with trained students.

    The rationale student writes, then the answer student scores every choice by its likelihood; no
    answer is parsed from generated text or guessed. Runs of train-answer --method answer without a
    rationale student. With --rationale-model alone, the output is rationale rows, for training or
    evaluation. Rows are in the order of the questions. A repeated command resumes where it stopped.
    """
    if processes > 1 and count() == 1:
        raise typer.Exit(launch(processes, sys.argv[1:], device))
    reporter = console.reporter(quiet=quiet, verbose=verbose)
    part = Shard.parse(shard) if shard is not None else slurm_shard(os.environ)
    if part is not None and shard is None:
        reporter.warn(f"only shard {part}, as SLURM's job array says (--shard 1/1: all questions)")
    settings = PredictSettings(
        rationale_from=rationale_from,
        samples=samples,
        temperature=temperature,
        top_p=top_p,
        beams=beams,
        with_folds=with_folds,
        vote=vote,
        weigh=weigh,
        mix_direct=mix_direct,
        scoring=scoring,
        length_normalisation=length_normalisation,
        calibrate=calibration,
        abstain_below=abstain_below,
        max_new_tokens=max_new_tokens,
        batch_size=batch_size,
        batch_tokens=batch_tokens,
        window=window,
        shard=None if part is None or part.count == 1 else part,
        seed=seed,
        device=device,
        engine=engine,
        precision=precision,  # type: ignore[arg-type]  # checked by the settings themselves
    )
    from scicot.prediction import predict as run

    summary = run(
        questions,
        output,
        answer_model=answer_model,
        rationale_model=rationale_model,
        settings=settings,
        reading=opt.reading(columns, answer_index, encoding),
        limit=limit,
        skip_invalid=skip_invalid,
        force=force,
        reporter=reporter,
    )
    if rank() > 0:
        return
    before = f", {summary.already_done:,} before" if summary.already_done else ""
    if output != "-":
        done = "answered" if answer_model else "explained"
        reporter.note(f"{output}: {summary.predicted:,} questions {done}{before}")


def slurm_shard(environment: Mapping[str, str]) -> Shard | None:
    """Return the shard for this task of a SLURM job array, None outside of one.

    Raises ScicotError for an array with gaps, or one that starts at another number than 0 or 1, as
    when some tasks are run again: the shard cannot be derived then.
    """
    if "SLURM_ARRAY_TASK_ID" not in environment or "SLURM_ARRAY_TASK_COUNT" not in environment:
        return None
    defaults = {"ID": 0, "COUNT": 1, "MIN": 0, "STEP": 1}
    try:
        task, count, first, step = (
            int(environment.get(f"SLURM_ARRAY_TASK_{name}", default))
            for name, default in defaults.items()
        )
    except ValueError:
        raise ScicotError("SLURM_ARRAY_TASK_*: not numbers; give --shard I/N") from None
    place, rest = divmod(task - first, max(1, step))
    if rest or first not in (0, 1) or not 0 <= place < count:
        raise ScicotError(
            f"task {task} of a SLURM array with gaps, or of some tasks run again: which part of how"
            " many it is is not known; give --shard I/N"
        )
    return Shard(place + 1, count)
