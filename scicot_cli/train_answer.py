"""`scicot train-answer`."""

from __future__ import annotations

from typing import Annotated

import typer

from scicot.config import TrainSettings
from scicot_cli import console
from scicot_cli import options as opt


def train_answer(
    rationales: opt.RationaleFiles,
    output: opt.RunOutput,
    student: opt.StudentModel,
    no_rationale: Annotated[
        bool,
        typer.Option(
            "--no-rationale",
            help="The direct baseline: train without rationales (plain questions will do).",
        ),
    ] = False,
    epochs: opt.Epochs = TrainSettings.epochs,
    max_steps: opt.MaxSteps = TrainSettings.max_steps,
    batch_size: opt.BatchSize = TrainSettings.batch_size,
    learning_rate: opt.LearningRate = TrainSettings.learning_rate,
    warmup_steps: opt.WarmupSteps = TrainSettings.warmup_steps,
    weight_decay: opt.WeightDecay = TrainSettings.weight_decay,
    max_source_tokens: opt.MaxSourceTokens = TrainSettings.max_source_tokens,
    max_target_tokens: opt.MaxTargetTokens = TrainSettings.max_target_tokens,
    seed: opt.Seed = TrainSettings.seed,
    device: opt.Device = TrainSettings.device,
    precision: opt.Precision = TrainSettings.precision,
    limit: opt.Limit = None,
    skip_invalid: opt.SkipInvalid = False,
    force: opt.Force = False,
    config: opt.Config = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Stage 2: train a student to answer with a rationale.

    Question + choices + rationale -> label. A run made with --no-rationale answers without stage
    1: the baseline to compare with.
    """
    reporter = console.reporter(quiet=quiet, verbose=verbose)
    settings = opt.train_settings(locals())
    from scicot.training.jobs import train_answer as train

    manifest = train(
        rationales,
        output,
        student=student,
        use_rationale=not no_rationale,
        settings=settings,
        limit=limit,
        skip_invalid=skip_invalid,
        force=force,
        reporter=reporter,
    )
    reporter.note(opt.trained(manifest, output))
