"""The command `scicot train-answer`."""

from __future__ import annotations

from typing import Annotated

import typer

from scicot.config import AnswerForm, Method, TrainSettings
from scicot.errors import UsageError
from scicot_cli import completion, console
from scicot_cli import options as opt
from scicot_cli import training_options as training
from scicot_cli.train_summary import trained


def train_answer(
    ctx: typer.Context,
    rationales: training.RationaleFiles,
    output: training.RunOutput,
    student: training.StudentModel,
    method: Annotated[
        Method,
        typer.Option(
            "--method",
            help="two-stage, or a baseline: direct (reads no rationale, so the "
            "files may be plain questions with gold answers), one-sequence (writes the "
            "rationale, then the answer), answer-first (trained to write the answer, then the "
            "rationale; predicts the answer only), multi-task (trained to answer and to explain), "
            "shared (one student for both stages).",
        ),
    ] = "two-stage",
    no_rationale: Annotated[
        bool,
        typer.Option("--no-rationale", help="Short for --method direct; rows need no rationale."),
    ] = False,
    equal_to: Annotated[
        list[str],
        typer.Option(
            "--equal-to",
            autocompletion=completion.runs,
            metavar="RUN",
            help="Train on as many tokens as RUN was trained on, instead of --epochs. A scratch "
            "student also gets about as many weights as RUN. May be repeated: tokens and weights "
            "of the runs are added up.",
        ),
    ] = [],  # noqa: B006  (Typer reads it, nobody changes it)
    weights: training.Weights = "",
    folds: Annotated[
        int,
        typer.Option(
            "--folds",
            help="Also train this many fold students (RUN/folds/0 and so on), each without one "
            "fold (part) of the questions; train-rationale --reward RUN needs them. [default: "
            "none]",
            show_default=False,
        ),
    ] = TrainSettings.folds,
    rationale_dropout: Annotated[
        float,
        typer.Option(
            "--rationale-dropout",
            help="Share of rows trained without their rationale, so that the student also learns "
            "to answer without one.",
        ),
    ] = TrainSettings.rationale_dropout,
    soft_labels: Annotated[
        float,
        typer.Option(
            "--soft-labels",
            metavar="SHARE",
            help="Probability, each time a row is used, of training on the conclusion of one of "
            "the teacher's samples instead of the gold answer. Needs rows from generate-rationales "
            "--samples N --keep all.",
        ),
    ] = TrainSettings.soft_labels,
    answer_as: Annotated[
        AnswerForm | None,
        typer.Option(
            "--answer-as",
            help="Form of the answer: label or text of the choice. auto: train both for a short "
            "time and take the better one on dev (needs --dev or --dev-fraction). [default: text "
            "for pretrained causal students, else label]",
        ),
    ] = TrainSettings.answer_as,
    shuffle_choices: Annotated[
        bool,
        typer.Option(
            "--shuffle-choices",
            help="Shuffle the choices of a row each time it is used, against position bias.",
        ),
    ] = TrainSettings.shuffle_choices,
    rationale_loss_weight: Annotated[
        float,
        typer.Option(
            "--rationale-loss-weight",
            help="Weight of the rationale loss of a multi-task or shared student; the answer loss "
            "has weight 1.",
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
    answer_texts: opt.AnswerTexts = None,
    encoding: opt.Encoding = "",
    limit: opt.Limit = None,
    skip_invalid: opt.SkipInvalid = False,
    force: opt.Force = False,
    config: opt.Config = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Stage 2: train a student to answer with a rationale.

    The student learns question + choices + rationale -> answer. Several files may be combined:
    rationales of a teacher, and rationales of a student (from train-rationale --folds, or in the
    output of predict).

    With --method, a baseline can be trained instead, to compare with the two stages. A baseline
    needs no student of stage 1.
    """
    reporter = console.reporter(quiet=quiet, verbose=verbose)
    given = training.without_overridden(locals())
    settings = training.train_settings(given)
    if no_rationale and method != "direct":
        method = _method_without_rationale(ctx, method)
    from scicot.training.job import train_answer as train

    manifest = train(
        rationales,
        output,
        student=student,
        method=method,
        equal_to=given["equal_to"],
        settings=settings,
        dev=given["dev"],
        reading=opt.reading(ctx, columns, answer_index, encoding, answer_texts),
        limit=limit,
        skip_invalid=skip_invalid,
        force=force,
        report_to=report_to,
        push_to_hub=push_to_hub,
        reporter=reporter,
    )
    reporter.note(trained(manifest, output))


def _method_without_rationale(ctx: typer.Context, method: Method) -> Method:
    """Return the method to train with if --no-rationale is given. `method` is the value of
    --method.

    - If --method is not given, return "direct".
    - If --method is in the --config file, and --no-rationale on the command line, return "direct".
    - If --method is on the command line, and --no-rationale in the file, return `method`.
    - If both are on the command line or both in the file, raise UsageError.
    """
    source = ctx.get_parameter_source("method")
    in_file = opt.overridden(ctx, "method", "no_rationale")
    if source is None or source.name == "DEFAULT" or in_file == "method":
        return "direct"
    if in_file is None:
        raise UsageError(f"--no-rationale and --method {method}: give one of the two")
    return method
