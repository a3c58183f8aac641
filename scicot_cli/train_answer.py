"""`scicot train-answer`."""

from __future__ import annotations

from typing import Annotated

import typer

from scicot.config import AnswerForm, Method, TrainSettings
from scicot.errors import UsageError
from scicot_cli import completion, console
from scicot_cli import options as opt
from scicot_cli import training_options as training


def train_answer(
    rationales: training.RationaleFiles,
    output: training.RunOutput,
    student: training.StudentModel,
    method: Annotated[
        Method,
        typer.Option(
            "--method",
            help="two-stage; or a rival: direct (no rationale), one-sequence (the student writes"
            " rationale and answer), answer-first (it learns to write answer and rationale, and"
            " answers as fast as direct), multi-task (it learns to answer and to explain), shared"
            " (one student is both stages).",
        ),
    ] = "two-stage",
    no_rationale: Annotated[
        bool,
        typer.Option("--no-rationale", help="Short for --method direct; plain questions will do."),
    ] = False,
    equal_to: Annotated[
        list[str],
        typer.Option(
            "--equal-to",
            autocompletion=completion.runs,
            metavar="RUN",
            help="Train on as many tokens as these runs together, a scratch student with as many"
            " weights. May be repeated.",
        ),
    ] = [],  # noqa: B006  (Typer reads it, nobody changes it)
    weights: training.Weights = "",
    folds: Annotated[
        int,
        typer.Option(
            "--folds",
            help="Also train so many fold students, RUN/folds/0 and on, each without one fold of"
            " the questions: train-rationale --reward RUN judges rationales by them. [default:"
            " none]",
            show_default=False,
        ),
    ] = TrainSettings.folds,
    rationale_dropout: Annotated[
        float,
        typer.Option(
            "--rationale-dropout",
            help="Share of rows that are met without their rationale: the student learns to answer"
            " without it too, and to trust it less.",
        ),
    ] = TrainSettings.rationale_dropout,
    soft_labels: Annotated[
        float,
        typer.Option(
            "--soft-labels",
            metavar="SHARE",
            help="In this share of the times that a row comes, learn one of the answers that the"
            " teacher's samples concluded in place of the gold one (rows of generate-rationales"
            " --samples N --keep all).",
        ),
    ] = TrainSettings.soft_labels,
    answer_as: Annotated[
        AnswerForm | None,
        typer.Option(
            "--answer-as",
            help="What the student writes for a choice: its label, its text, or auto: what does"
            " better on dev in a short trial. [default: text for pretrained causal students, else"
            " label]",
        ),
    ] = TrainSettings.answer_as,
    shuffle_choices: Annotated[
        bool,
        typer.Option(
            "--shuffle-choices",
            help="Put the choices in a new order each time, against position bias.",
        ),
    ] = TrainSettings.shuffle_choices,
    rationale_loss_weight: Annotated[
        float,
        typer.Option(
            "--rationale-loss-weight",
            help="Weight of a multi-task or shared student's rationale loss.",
        ),
    ] = TrainSettings.rationale_loss_weight,
    epochs: training.Epochs = TrainSettings.epochs,
    max_steps: training.MaxSteps = TrainSettings.max_steps,
    batch_size: training.BatchSize = str(TrainSettings.batch_size),
    accumulate: training.Accumulate = TrainSettings.accumulate,
    learning_rate: training.LearningRate = TrainSettings.learning_rate,
    warmup_steps: training.WarmupSteps = TrainSettings.warmup_steps,
    warmup_share: training.WarmupShare = TrainSettings.warmup_share,
    weight_decay: training.WeightDecay = TrainSettings.weight_decay,
    max_source_tokens: training.MaxSourceTokens = TrainSettings.max_source_tokens,
    max_target_tokens: training.MaxTargetTokens = TrainSettings.max_target_tokens,
    max_rationale_tokens: training.MaxRationaleTokens = TrainSettings.max_rationale_tokens,
    clean: training.Clean = TrainSettings.clean,
    dev: training.DevFile = [],  # noqa: B006  (Typer reads it, nobody changes it)
    dev_fraction: training.DevFraction = TrainSettings.dev_fraction,
    fold_by: training.FoldBy = TrainSettings.fold_by,
    eval_steps: training.EvalSteps = TrainSettings.eval_steps,
    patience: training.Patience = TrainSettings.patience,
    select_by: training.SelectBy = TrainSettings.select_by,
    prompt_format: training.PromptFormat = TrainSettings.prompt_format,
    seeds: training.Seeds = TrainSettings.seeds,
    seed: opt.Seed = TrainSettings.seed,
    device: opt.Device = TrainSettings.device,
    precision: training.TrainingPrecision = TrainSettings.precision,
    attention: training.Attention = TrainSettings.attention,
    gradient_checkpointing: training.GradientCheckpointing = TrainSettings.gradient_checkpointing,
    compile: training.Compile = TrainSettings.compile,  # noqa: A002  (the option's own name)
    lora: training.Lora = TrainSettings.lora,
    quantization: training.Quantization = TrainSettings.quantization,
    checkpoint_minutes: training.CheckpointMinutes = TrainSettings.checkpoint_minutes,
    jobs: training.Jobs = TrainSettings.jobs,
    report_to: training.ReportTo = [],  # noqa: B006
    push_to_hub: training.PushToHub = None,
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
    """Stage 2: train a student to answer with a rationale.

    Question + choices + rationale -> label. Files of rationales from a teacher, from a student
    (train-rationale --folds, predict) and of predictions may be combined. --method trains the
    alternatives that two stages are compared with; those runs answer without stage 1.
    """
    reporter = console.reporter(quiet=quiet, verbose=verbose)
    settings = training.train_settings(locals())
    if no_rationale and method not in ("two-stage", "direct"):
        raise UsageError(f"--no-rationale and --method {method}: give one of the two")
    from scicot.training.job import train_answer as train

    manifest = train(
        rationales,
        output,
        student=student,
        method="direct" if no_rationale else method,
        equal_to=equal_to,
        settings=settings,
        dev=dev,
        reading=opt.reading(columns, answer_index, encoding),
        limit=limit,
        skip_invalid=skip_invalid,
        force=force,
        report_to=report_to,
        push_to_hub=push_to_hub,
        reporter=reporter,
    )
    reporter.note(training.trained(manifest, output))
