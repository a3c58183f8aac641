"""The command `scicot predict`."""

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
    ctx: typer.Context,
    questions: Annotated[
        str,
        typer.Argument(
            metavar="QUESTIONS",
            help="File of questions, a folder, a quoted glob such as 'data/*.jsonl', - for "
            "standard input, or hf://OWNER/NAME[/CONFIG]/SPLIT.",
        ),
    ],
    answer_model: Annotated[
        list[str],
        typer.Option(
            "--answer-model",
            autocompletion=completion.runs,
            metavar="RUN|hf:MODEL_OR_DIR",
            help="A run of train-answer (a directory, or OWNER/NAME[@REVISION] on the Hub), or "
            "hf:MODEL_OR_DIR for a model that scicot has not trained. May be repeated: the answers "
            "of all models are averaged. Without this option, only rationales are written.",
        ),
    ] = [],  # noqa: B006  (Typer reads it, nobody changes it)
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="File for the prediction rows; - for standard output.",
        ),
    ] = "-",
    rationale_model: Annotated[
        list[str],
        typer.Option(
            "--rationale-model",
            autocompletion=completion.runs,
            metavar="RUN",
            help="A run of train-rationale (a directory or Hub id) whose rationales the answer "
            "model reads. May be repeated: the answers with each rationale are averaged.",
        ),
    ] = [],  # noqa: B006  (Typer reads it, nobody changes it)
    with_folds: Annotated[
        bool,
        typer.Option(
            "--with-folds",
            help="Let the fold students of the rationale models (train-rationale --folds) write "
            "rationales too; the answers with each rationale are averaged.",
        ),
    ] = PredictSettings.with_folds,
    rationale_from: Annotated[
        RationaleFrom,
        typer.Option(
            "--rationale-from",
            help="Rationales that the answer model reads. student: written by the rationale model; "
            "input: given in the rows (an upper bound); none: no rationale; shuffled: those of "
            "other questions, to measure how much answers depend on rationales.",
        ),
    ] = PredictSettings.rationale_from,
    samples: Annotated[
        int,
        typer.Option(
            "--samples",
            help="Rationales per question; the answers are averaged, or decided by --vote.",
        ),
    ] = PredictSettings.samples,
    temperature: Annotated[
        float | None,
        typer.Option(
            "--temperature",
            help="Sampling temperature of rationales. [default: greedy for one sample, 0.7 for "
            "several]",
        ),
    ] = PredictSettings.temperature,
    top_p: Annotated[
        float,
        typer.Option(
            "--top-p",
            help="Nucleus sampling: sample from the most likely tokens with this total "
            "probability.",
        ),
    ] = PredictSettings.top_p,
    beams: Annotated[
        int,
        typer.Option(
            "--beams",
            help="Number of beams in beam search for the rationale; above 1, the engine is "
            "transformers.",
        ),
    ] = PredictSettings.beams,
    weigh: Annotated[
        Weigh,
        typer.Option(
            "--weigh",
            help="How answers with several rationales are averaged. mean: all answers count the "
            "same; confidence: confident answers count more. For confidence, train-answer needs a "
            "dev set with several rationales per question.",
        ),
    ] = PredictSettings.weigh,
    vote: Annotated[
        bool,
        typer.Option("--vote", help="Take a majority vote over the samples instead of averaging."),
    ] = PredictSettings.vote,
    mix_direct: Annotated[
        str,
        typer.Option(
            "--mix-direct",
            metavar="W",
            help="Also answer without a rationale, and include this answer in the average with "
            "weight W (0 to 1). auto: the weight that train-answer fitted on dev. For students "
            "trained with --rationale-dropout.",
        ),
    ] = str(PredictSettings.mix_direct),
    scoring: Annotated[
        Scoring,
        typer.Option(
            "--scoring",
            help="Score each choice by its label or by its text; auto: by the form that the answer "
            "model was trained to write.",
        ),
    ] = PredictSettings.scoring,
    length_normalisation: Annotated[
        LengthNormalisation,
        typer.Option(
            "--length-normalisation",
            help="Divide the log-likelihood of a choice by its number of tokens or characters; "
            "auto: texts by tokens, labels not at all.",
        ),
    ] = PredictSettings.length_normalisation,
    calibration: Annotated[
        bool,
        typer.Option(
            "--calibration/--no-calibration",
            help="Apply the calibration temperature that train-answer fitted on dev.",
        ),
    ] = PredictSettings.calibrate,
    abstain_below: Annotated[
        float,
        typer.Option(
            "--abstain-below",
            metavar="P",
            help="Give no answer if the confidence is below P (0 to 1).",
        ),
    ] = PredictSettings.abstain_below,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard",
            metavar="I/N",
            help="Answer only part I of N (1/8 ... 8/8); scicot merge joins the parts. [default: "
            "in a SLURM job array the part of this task, else all]",
        ),
    ] = None,
    max_new_tokens: Annotated[
        int | None,
        typer.Option(
            "--max-new-tokens",
            help="Maximum tokens of a rationale. [default: as in the training of the student "
            "that writes it]",
        ),
    ] = PredictSettings.max_new_tokens,
    batch_size: Annotated[
        int | None,
        typer.Option(
            "--batch-size",
            help="Maximum sequences per batch. [default: 256, on a GPU 1024]",
        ),
    ] = PredictSettings.batch_size,
    batch_tokens: Annotated[
        int | None,
        typer.Option(
            "--batch-tokens",
            help="Maximum tokens per batch, padding included. [default: chosen for engine and "
            "device]",
        ),
    ] = PredictSettings.batch_tokens,
    window: Annotated[
        int | None,
        typer.Option(
            "--window",
            help="Number of sequences that are read ahead and sorted by length before they are "
            "split into batches. A question has one sequence for each of its rationales. With "
            "--shard, windows of this size are distributed among the shards. [default: 512, on a "
            "GPU 4096]",
        ),
    ] = PredictSettings.window,
    processes: Annotated[
        int,
        typer.Option(
            "--processes",
            metavar="N",
            min=1,
            help="Answer in N parallel processes on this machine, each on a GPU of its own; the "
            "output is the same as with one. On a CPU one process already uses all cores. (For "
            "several machines use torchrun or accelerate launch.)",
        ),
    ] = 1,
    seed: opt.Seed = PredictSettings.seed,
    device: opt.Device = PredictSettings.device,
    engine: Annotated[
        EngineName,
        typer.Option(
            "--engine",
            help="torch (scicot's decoding loop for T5, Llama, Qwen and Gemma students), "
            "ctranslate2 (T5 on CPUs; needs scicot[fast]), transformers (any student), or "
            "auto: torch if it supports the student, else transformers.",
        ),
    ] = PredictSettings.engine,
    precision: Annotated[
        str,
        typer.Option(
            "--precision",
            autocompletion=completion.predicting_precisions,
            help="fp32, bf16, int8 (T5 on CPUs) or auto. On a GPU, auto is bf16. On a CPU, it is "
            "fp32 for students of less than 10 million weights, with --shard, and on several "
            "machines. In all other cases it is the fastest precision, which is measured once and "
            "stored.",
        ),
    ] = PredictSettings.precision,
    columns: opt.Columns = "",
    answer_index: opt.AnswerIndex = None,
    answer_texts: opt.AnswerTexts = None,
    encoding: opt.Encoding = "",
    limit: opt.Limit = None,
    skip_invalid: opt.SkipInvalid = False,
    force: opt.Force = False,
    config: opt.Config = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Answer questions with trained students.

    The rationale student writes a rationale, then the answer student scores every choice by its
    likelihood; no answer is parsed from a text. Baselines (train-answer --method) need no rationale
    student. With --rationale-model and no --answer-model, the command writes rationale rows, which
    the other commands read. The output is in the order of the questions. Run the same command again
    to continue after a stop.
    """
    if processes > 1 and count() == 1:
        raise typer.Exit(launch(processes, sys.argv[1:], device))
    reporter = console.reporter(quiet=quiet, verbose=verbose)
    part = Shard.parse(shard) if shard is not None else slurm_shard(os.environ)
    if part is not None and shard is None:
        reporter.warn(
            f"answering only shard {part}, the share of this task of the SLURM job array (use"
            " --shard 1/1 for all questions)"
        )
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
    from scicot.outputs import check_output_not_read
    from scicot.prediction import predict as run

    check_output_not_read(output, [config] if config else [])
    summary = run(
        questions,
        output,
        answer_model=answer_model,
        rationale_model=rationale_model,
        settings=settings,
        reading=opt.reading(ctx, columns, answer_index, encoding, answer_texts),
        limit=limit,
        skip_invalid=skip_invalid,
        force=force,
        reporter=reporter,
    )
    if rank() > 0:
        return
    done_before = f", {summary.already_done:,} already done" if summary.already_done else ""
    if output != "-":
        done = "answered" if answer_model else "explained"
        reporter.note(f"{output}: {summary.predicted:,} questions {done}{done_before}")


def slurm_shard(environment: Mapping[str, str]) -> Shard | None:
    """Return the shard for this task of a SLURM job array, or None outside a job array.
    `environment` contains the environment variables.

    Raises ScicotError if the shard cannot be derived from the task's number. This happens if the
    array has gaps or does not start at 0 or 1, for example because only some tasks are run again.
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
    index, rest = divmod(task - first, max(1, step))
    if rest or first not in (0, 1) or not 0 <= index < count:
        raise ScicotError(
            f"SLURM array task {task}: cannot derive the shard, since the array has gaps or does"
            " not start at 0 or 1; give --shard I/N"
        )
    return Shard(index + 1, count)
