"""`scicot train-rationale`."""

from __future__ import annotations

from typing import Annotated

import typer

from scicot.config import TrainSettings
from scicot_cli import console
from scicot_cli import options as opt


def train_rationale(
    rationales: opt.RationaleFiles,
    output: opt.RunOutput,
    student: opt.StudentModel,
    folds: Annotated[
        int,
        typer.Option(
            "--folds",
            help="Also train so many fold students, and write RUN/out_of_fold.jsonl: for every row"
            " the rationale of a student that never saw its question. [default: none]",
            show_default=False,
        ),
    ] = TrainSettings.folds,
    epochs: opt.Epochs = TrainSettings.epochs,
    max_steps: opt.MaxSteps = TrainSettings.max_steps,
    batch_size: opt.BatchSize = str(TrainSettings.batch_size),
    accumulate: opt.Accumulate = TrainSettings.accumulate,
    learning_rate: opt.LearningRate = TrainSettings.learning_rate,
    warmup_steps: opt.WarmupSteps = TrainSettings.warmup_steps,
    weight_decay: opt.WeightDecay = TrainSettings.weight_decay,
    max_source_tokens: opt.MaxSourceTokens = TrainSettings.max_source_tokens,
    max_target_tokens: opt.MaxTargetTokens = TrainSettings.max_target_tokens,
    dev: opt.DevFile = [],  # noqa: B006  (Typer reads it, nobody changes it)
    dev_fraction: opt.DevFraction = TrainSettings.dev_fraction,
    fold_by: opt.FoldBy = TrainSettings.fold_by,
    eval_steps: opt.EvalSteps = TrainSettings.eval_steps,
    patience: opt.Patience = TrainSettings.patience,
    select_by: opt.SelectBy = TrainSettings.select_by,
    seeds: opt.Seeds = TrainSettings.seeds,
    seed: opt.Seed = TrainSettings.seed,
    device: opt.Device = TrainSettings.device,
    precision: opt.TrainingPrecision = TrainSettings.precision,
    attention: opt.Attention = TrainSettings.attention,
    gradient_checkpointing: opt.GradientCheckpointing = TrainSettings.gradient_checkpointing,
    compile: opt.Compile = TrainSettings.compile,  # noqa: A002  (the option's own name)
    lora: opt.Lora = TrainSettings.lora,
    checkpoint_minutes: opt.CheckpointMinutes = TrainSettings.checkpoint_minutes,
    jobs: opt.Jobs = TrainSettings.jobs,
    report_to: opt.ReportTo = [],  # noqa: B006
    push_to_hub: opt.PushToHub = None,
    limit: opt.Limit = None,
    skip_invalid: opt.SkipInvalid = False,
    force: opt.Force = False,
    config: opt.Config = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Stage 1: train a student to write rationales.

    Question + choices -> rationale. The student learns from the rationales of a teacher, or of
    anyone: a row needs a question, its choices and a rationale. With --folds K stage 2 can learn
    from rationales as it will meet them: scicot train-answer RUN/out_of_fold.jsonl. The same
    command again goes on from the last checkpoint, and trains no finished student twice.
    """
    reporter = console.reporter(quiet=quiet, verbose=verbose)
    settings = opt.train_settings(locals())
    from scicot.training.jobs import train_rationale as train

    manifest = train(
        rationales,
        output,
        student=student,
        settings=settings,
        dev=dev,
        limit=limit,
        skip_invalid=skip_invalid,
        force=force,
        report_to=report_to,
        push_to_hub=push_to_hub,
        reporter=reporter,
    )
    reporter.note(opt.trained(manifest, output))
