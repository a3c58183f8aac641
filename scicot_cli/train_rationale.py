"""The command `scicot train-rationale`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from scicot.config import RewardAbove, RewardSettings, TrainSettings
from scicot.errors import UsageError
from scicot_cli import completion, console
from scicot_cli import options as opt
from scicot_cli import training_options as training
from scicot_cli.train_summary import estimated, trained


def train_rationale(
    ctx: typer.Context,
    rationales: training.RationaleFiles,
    output: training.RunOutput,
    student: training.StudentModel,
    folds: Annotated[
        int,
        typer.Option(
            "--folds",
            help="Also train this many fold students, each without one fold (part) of the "
            "questions, and write RUN/out_of_fold.jsonl: for each row, the rationale of the "
            "fold student that was not trained on its question. [default: none]",
            show_default=False,
        ),
    ] = TrainSettings.folds,
    fold_questions: Annotated[
        list[str],
        typer.Option(
            "--fold-questions",
            metavar="FILE",
            help="File of questions that may lack a training rationale, for example because the "
            "teacher was wrong. The fold students write rationales for them too, in "
            "RUN/out_of_fold.jsonl. May be repeated.",
        ),
    ] = [],  # noqa: B006  (Typer reads it, nobody changes it)
    reward: Annotated[
        str | None,
        typer.Option(
            "--reward",
            autocompletion=completion.runs,
            metavar="RUN",
            help="A run of train-answer --folds. After training, further rounds follow. "
            "In each, the student writes several rationales per question. A fold student of RUN "
            "answers the question with and without each rationale. The reward of a rationale is "
            "the gain in the log probability of the right answer. The rationales with the highest "
            "rewards are added to the training rows. By default, --folds and --fold-by are taken "
            "from RUN.",
        ),
    ] = None,
    rounds: Annotated[
        int,
        typer.Option(
            "--rounds",
            help="Number of rounds of --reward. A round samples rationales, scores them and trains "
            "the student.",
        ),
    ] = RewardSettings.rounds,
    samples: Annotated[
        int,
        typer.Option("--samples", help="Rationales to sample per question in each --reward round."),
    ] = RewardSettings.samples,
    keep_best: Annotated[
        int,
        typer.Option(
            "--keep-best",
            help="Train on at most this many sampled rationales per question, those with the "
            "highest reward.",
        ),
    ] = RewardSettings.keep_best,
    sample_temperature: Annotated[
        float,
        typer.Option(
            "--sample-temperature",
            help="Sampling temperature in the --reward rounds; the first rationale of each "
            "question is greedy.",
        ),
    ] = RewardSettings.sample_temperature,
    reward_weight: Annotated[
        float,
        typer.Option(
            "--reward-weight",
            help="Number of sampled rationales per teacher's rationale in an epoch. 1.0: "
            "equally many of both; 0.5: one for every two of the teacher's.",
        ),
    ] = RewardSettings.reward_weight,
    reward_above: Annotated[
        RewardAbove,
        typer.Option(
            "--reward-above",
            help="Train on a sampled rationale only if its reward is high enough. none: the reward "
            "must be above 0. teacher: the reward must also be at least that of the teacher's "
            "rationale of the same question.",
        ),
    ] = RewardSettings.reward_above,
    leak_cap: Annotated[
        float,
        typer.Option(
            "--leak-cap",
            metavar="SHARE",
            help="A text that only names the right choice gets some reward. Cap all rewards at "
            "this share of it, since a rationale with a higher reward may leak the answer.",
        ),
    ] = RewardSettings.leak_cap,
    reward_confidence: Annotated[
        float,
        typer.Option(
            "--reward-confidence",
            metavar="SHARE",
            help="Train on a round's rationales only if a test shows, with at least this "
            "confidence, that a question's own rationale helps the answer student more than that "
            "of another question. 0: always train on them.",
        ),
    ] = RewardSettings.reward_confidence,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Do not train; print steps, samples and the expected time. Only with --reward.",
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result of --dry-run as JSON.")
    ] = False,
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
    """Stage 1: train a student to write rationales.

    The student learns question + choices -> rationale. Every row needs a question, its choices and
    a rationale, from a teacher or from another source. --folds K also writes
    RUN/out_of_fold.jsonl, from which stage 2 can learn to read a student's rationales. --reward
    adds training on rationales that help an answer student. Run the same command again to resume
    from the last checkpoint.
    """
    reporter = console.reporter(quiet=quiet, verbose=verbose)
    given = training.without_overridden(locals())
    settings = training.train_settings(given)
    rewarded = training.reward_settings(given)
    if dry_run and rewarded is None:
        raise UsageError("--dry-run: needs --reward RUN")
    if as_json and not dry_run:
        raise UsageError("--json: needs --dry-run")
    from scicot.training import job

    common: dict[str, Any] = {
        "student": student,
        "settings": settings,
        "dev": given["dev"],
        "fold_questions": fold_questions,
        "reading": opt.reading(ctx, columns, answer_index, encoding, answer_texts),
        "limit": limit,
        "skip_invalid": skip_invalid,
        "reporter": reporter,
        "reward": rewarded,
    }
    if dry_run:
        console.require_stdout()
        estimate = job.estimate_rewards(rationales, output, **common)
        output_text = json.dumps(estimate.to_row(), indent=1) if as_json else estimated(estimate)
        typer.echo(output_text)
        return
    manifest = job.train_rationale(
        rationales,
        output,
        force=force,
        report_to=report_to,
        push_to_hub=push_to_hub,
        **common,
    )
    reporter.note(trained(manifest, output))
