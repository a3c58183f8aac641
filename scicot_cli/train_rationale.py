"""`scicot train-rationale`."""

from __future__ import annotations

from scicot.config import TrainSettings
from scicot_cli import console
from scicot_cli import options as opt


def train_rationale(
    rationales: opt.RationaleFiles,
    output: opt.RunOutput,
    student: opt.StudentModel,
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
    """Stage 1: train a student to write rationales.

    Question + choices -> rationale. The student learns from the rationales of a teacher, or of
    anyone: a row needs a question, its choices and a rationale. The same command again goes on
    from the last checkpoint, and does not train a finished run twice.
    """
    reporter = console.reporter(quiet=quiet, verbose=verbose)
    settings = opt.train_settings(locals())
    from scicot.training.jobs import train_rationale as train

    manifest = train(
        rationales,
        output,
        student=student,
        settings=settings,
        limit=limit,
        skip_invalid=skip_invalid,
        force=force,
        reporter=reporter,
    )
    reporter.note(opt.trained(manifest, output))
