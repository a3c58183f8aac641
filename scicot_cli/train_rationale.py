"""`scicot train-rationale`."""

from __future__ import annotations

from typing import Annotated

import typer

from scicot.config import TrainSettings
from scicot_cli import console
from scicot_cli import options as opt
from scicot_cli import training_options as own


def train_rationale(
    rationales: own.RationaleFiles,
    output: own.RunOutput,
    student: own.StudentModel,
    folds: Annotated[
        int,
        typer.Option(
            "--folds",
            help="Also train so many fold students, and write RUN/out_of_fold.jsonl: for every row"
            " the rationale of a student that never saw its question. [default: none]",
            show_default=False,
        ),
    ] = TrainSettings.folds,
    fold_questions: Annotated[
        list[str],
        typer.Option(
            "--fold-questions",
            metavar="FILE",
            help="Questions whose rationales RUN/out_of_fold.jsonl is to have as well, though none"
            " is among the training rows: all of a training set, also where the teacher was wrong."
            " May be repeated.",
        ),
    ] = [],  # noqa: B006  (Typer reads it, nobody changes it)
    epochs: own.Epochs = TrainSettings.epochs,
    max_steps: own.MaxSteps = TrainSettings.max_steps,
    batch_size: own.BatchSize = str(TrainSettings.batch_size),
    accumulate: own.Accumulate = TrainSettings.accumulate,
    learning_rate: own.LearningRate = TrainSettings.learning_rate,
    warmup_steps: own.WarmupSteps = TrainSettings.warmup_steps,
    warmup_share: own.WarmupShare = TrainSettings.warmup_share,
    weight_decay: own.WeightDecay = TrainSettings.weight_decay,
    max_source_tokens: own.MaxSourceTokens = TrainSettings.max_source_tokens,
    max_target_tokens: own.MaxTargetTokens = TrainSettings.max_target_tokens,
    max_rationale_tokens: own.MaxRationaleTokens = TrainSettings.max_rationale_tokens,
    clean: own.Clean = TrainSettings.clean,
    dev: own.DevFile = [],  # noqa: B006  (Typer reads it, nobody changes it)
    dev_fraction: own.DevFraction = TrainSettings.dev_fraction,
    fold_by: own.FoldBy = TrainSettings.fold_by,
    eval_steps: own.EvalSteps = TrainSettings.eval_steps,
    patience: own.Patience = TrainSettings.patience,
    select_by: own.SelectBy = TrainSettings.select_by,
    prompt_format: own.PromptFormat = TrainSettings.prompt_format,
    seeds: own.Seeds = TrainSettings.seeds,
    seed: opt.Seed = TrainSettings.seed,
    device: opt.Device = TrainSettings.device,
    precision: own.TrainingPrecision = TrainSettings.precision,
    attention: own.Attention = TrainSettings.attention,
    gradient_checkpointing: own.GradientCheckpointing = TrainSettings.gradient_checkpointing,
    compile: own.Compile = TrainSettings.compile,  # noqa: A002  (the option's own name)
    lora: own.Lora = TrainSettings.lora,
    quantization: own.Quantization = TrainSettings.quantization,
    checkpoint_minutes: own.CheckpointMinutes = TrainSettings.checkpoint_minutes,
    jobs: own.Jobs = TrainSettings.jobs,
    report_to: own.ReportTo = [],  # noqa: B006
    push_to_hub: own.PushToHub = None,
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
    """Stage 1: train a student to write rationales.

    Question + choices -> rationale. The student learns from the rationales of a teacher, or of
    anyone: a row needs a question, its choices and a rationale. With --folds K stage 2 can learn
    from rationales as it will meet them: scicot train-answer RUN/out_of_fold.jsonl. The same
    command again goes on from the last checkpoint, and trains no finished student twice.
    """
    reporter = console.reporter(quiet=quiet, verbose=verbose)
    settings = own.train_settings(locals())
    from scicot.training.job import train_rationale as train

    manifest = train(
        rationales,
        output,
        student=student,
        settings=settings,
        dev=dev,
        fold_questions=fold_questions,
        reading=opt.reading(columns, answer_index, encoding),
        limit=limit,
        skip_invalid=skip_invalid,
        force=force,
        report_to=report_to,
        push_to_hub=push_to_hub,
        reporter=reporter,
    )
    reporter.note(own.trained(manifest, output))
