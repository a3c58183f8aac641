"""The options of both training commands, the settings made from them, and the final messages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scicot import config
from scicot.config import RewardSettings, TrainSettings
from scicot.errors import UsageError
from scicot.reporting import number_of
from scicot_cli import completion

if TYPE_CHECKING:
    from scicot.students.runs import Manifest
    from scicot.training.rewards.estimate import RewardEstimate

RationaleFiles = Annotated[
    list[str],
    typer.Argument(metavar="RATIONALES", help="Files of rationale rows; - is standard input."),
]
RunOutput = Annotated[
    Path, typer.Option("--output", "-o", metavar="RUN", help="The run directory to make.")
]
StudentModel = Annotated[
    str,
    typer.Option(
        "--student",
        autocompletion=completion.students,
        metavar="ID|DIR|scratch:SIZE",
        help="What to train: a Hub id, a directory, or fresh weights: scratch:tiny (0.5 million),"
        " small (2.4), base (31).",
    ),
]
TrainingPrecision = Annotated[
    str,
    typer.Option(
        "--precision",
        autocompletion=completion.training_precisions,
        help="auto (bf16 where the device has instructions for it, on a CPU from 10 million"
        " weights on; else fp32), fp32 or bf16.",
    ),
]

PromptFormat = Annotated[
    config.PromptFormatName,
    typer.Option(
        "--prompt-format",
        help="How a causal (decoder-only) student reads questions: plain lines, or chat: a turn of"
        " its tokenizer's template; auto: chat for models that were trained to chat.",
    ),
]
Epochs = Annotated[
    float | None,
    typer.Option(
        "--epochs",
        help="Passes over the rows. [default: 3 for pretrained causal students, else 10]",
    ),
]
MaxSteps = Annotated[
    int | None, typer.Option("--max-steps", help="Optimizer steps, instead of --epochs.")
]
BatchSize = Annotated[
    str,
    typer.Option(
        "--batch-size",
        metavar="ROWS|TOKENS|auto",
        help="Of an optimizer step, over all devices: rows (32), tokens of inputs and targets"
        " (8192tokens), or auto: as many tokens as fit.",
    ),
]
Accumulate = Annotated[
    int | None,
    typer.Option(
        "--accumulate",
        help="Batches that a step is taken in, one after another: more take less memory. [default:"
        " as suits the device]",
    ),
]
Attention = Annotated[
    config.Attention,
    typer.Option("--attention", help="auto (eager on a CPU, else sdpa), eager or sdpa."),
]
GradientCheckpointing = Annotated[
    bool,
    typer.Option("--gradient-checkpointing", help="Take less memory, and a third more time."),
]
Compile = Annotated[
    bool, typer.Option("--compile", help="Through torch.compile: slow to start, then faster.")
]
Lora = Annotated[
    int,
    typer.Option(
        "--lora",
        metavar="RANK",
        help="Train adapters of this rank in place of all weights, and merge them at the end; needs"
        " scicot[lora]. [default: none]",
        show_default=False,
    ),
]
Quantization = Annotated[
    config.Quantization,
    typer.Option(
        "--quantization",
        help="nf4: hold the weights that --lora stands beside in four bits (QLoRA), for students of"
        " some billion weights on one GPU; needs scicot[qlora].",
    ),
]
CheckpointMinutes = Annotated[
    float,
    typer.Option("--checkpoint-minutes", help="Minutes between two checkpoints."),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        help="Train so many of a command's students (folds, seeds) side by side. [default: as many"
        " as the devices have room for]",
    ),
]
LearningRate = Annotated[
    float | None,
    typer.Option(
        "--learning-rate",
        help="Peak learning rate; it then falls linearly to 0. [default: 3e-4 for encoder-decoders,"
        " 1e-4 for pretrained and 1e-3 for fresh causal students]",
    ),
]
WarmupSteps = Annotated[
    int | None,
    typer.Option(
        "--warmup-steps",
        help="Steps until the peak learning rate. [default: 100 for fresh students]",
    ),
]
WarmupShare = Annotated[
    float | None,
    typer.Option(
        "--warmup-share",
        help="The same as a share of all steps. [default: 0.06 for pretrained students]",
    ),
]
WeightDecay = Annotated[float, typer.Option("--weight-decay", help="Weight decay of AdamW.")]
MaxSourceTokens = Annotated[
    int,
    typer.Option(
        "--max-source-tokens", help="Tokens of an input; longer ones are cut and counted."
    ),
]
MaxTargetTokens = Annotated[
    int,
    typer.Option(
        "--max-target-tokens", help="Tokens of a target; longer ones are cut and counted."
    ),
]
MaxRationaleTokens = Annotated[
    int | None,
    typer.Option(
        "--max-rationale-tokens",
        help="Tokens of a rationale; longer ones lose their end, where the student writes them and"
        " where it reads them. [default: all]",
        show_default=False,
    ),
]

Clean = Annotated[
    bool,
    typer.Option(
        "--clean",
        help="Cut out of rationales what announces the answer, as generate-rationales does, and"
        " leave rows out whose rationale says nothing then.",
    ),
]

# What checkpoints are chosen by
DevFile = Annotated[
    list[str],
    typer.Option(
        "--dev",
        metavar="FILE",
        help="Rows to choose the best checkpoint by, never to learn from. May be repeated.",
    ),
]
DevFraction = Annotated[
    float,
    typer.Option(
        "--dev-fraction",
        help="Instead of --dev: this share of the rows. Rows of the same question text, or of the"
        " same --fold-by field, stay on one side.",
    ),
]
FoldBy = Annotated[
    str | None,
    typer.Option(
        "--fold-by",
        metavar="FIELD",
        help="A field (as meta.topic) whose equal rows would give each other away, and are not"
        " parted; instead of the question's text.",
    ),
]
EvalSteps = Annotated[
    int | None,
    typer.Option("--eval-steps", help="Steps between two looks at dev. [default: a tenth of all]"),
]
Patience = Annotated[
    int | None,
    typer.Option("--patience", help="Stop after so many looks at dev without a better one."),
]
SelectBy = Annotated[
    config.SelectBy,
    typer.Option(
        "--select-by",
        help="What is best on dev: accuracy, loss or rouge-l. auto: accuracy for answers, loss for"
        " rationales.",
    ),
]
Seeds = Annotated[
    int,
    typer.Option(
        "--seeds",
        help="Train so many students, in RUN/seed-S each, and tell mean and spread.",
    ),
]
Weights = Annotated[
    str,
    typer.Option(
        "--weights",
        metavar="W,W,...",
        help="How much of an epoch comes from each file, in their order (1,1: half and half)."
        " [default: all rows of all files]",
    ),
]
ReportTo = Annotated[
    list[str],
    typer.Option(
        "--report-to", help="Follow it in tensorboard, wandb or trackio. May be repeated."
    ),
]
PushToHub = Annotated[
    str | None,
    typer.Option(
        "--push-to-hub", metavar="OWNER/NAME", help="Upload the finished run, as private."
    ),
]


def train_settings(values: dict[str, Any]) -> TrainSettings:
    """Return the settings among a training command's arguments."""
    names = TrainSettings.__dataclass_fields__
    chosen = {name: value for name, value in values.items() if name in names}
    chosen["weights"] = _numbers(values.get("weights", ""))
    return TrainSettings(**chosen)


def reward_settings(values: dict[str, Any]) -> RewardSettings | None:
    """Return the settings of --reward among a command's arguments. Raises UsageError for settings
    that have no effect without it."""
    chosen = {name: values[name] for name in RewardSettings.__dataclass_fields__}
    if chosen["reward"] is not None:
        return RewardSettings(**chosen)
    for name, value in chosen.items():
        if name != "reward" and value != getattr(RewardSettings, name):
            option = name.replace("_", "-")
            raise UsageError(f"--{option}: means nothing without --reward; leave it out")
    return None


def estimated(estimate: RewardEstimate) -> str:
    """Format an estimate for --dry-run: the amount of work, then the minutes for training, sampling
    and scoring, one student at a time."""
    parts = {
        "training": estimate.training_seconds,
        "sampling": estimate.sampling_seconds,
        "scoring": estimate.scoring_seconds,
    }
    each = ", ".join(f"{name} {seconds / 60:.1f} min" for name, seconds in parts.items())
    return (
        f"{number_of(estimate.rounds, 'round')} on {estimate.questions:,} questions:"
        f" {estimate.students} students to train, {estimate.steps:,} steps,"
        f" {estimate.samples:,} rationales to sample and score\n"
        f"about {estimate.seconds / 60:.1f} min on this machine, one student at a time: {each}"
    )


def _numbers(text: str) -> tuple[float, ...]:
    try:
        inner = text.strip("[]() ")  # as a list of a --config file comes
        return tuple(float(number) for number in inner.split(",")) if inner else ()
    except ValueError:
        raise UsageError(f"--weights {text}: give a number for each file, as 1,1,2") from None


def trained(manifest: Manifest, run: Path) -> str:
    """Format the line printed after a training: rows, optimizer steps, last loss, seconds and dev
    metrics, or the number of students for several seeds."""
    metrics = manifest.metrics
    if manifest.seeds:
        return f"{run}: {len(manifest.seeds)} {manifest.stage} students trained{_dev(metrics)}"
    return (
        f"{run}: {manifest.stage} student trained on {metrics['rows']} rows,"
        f" {metrics['steps']} steps, last loss {metrics['last_loss']:.3g},"
        f" {metrics['train_seconds']:.0f} s{_dev(metrics)}"
    )


def _dev(metrics: Mapping[str, float]) -> str:
    """Format the dev metrics, with their standard deviation if there are several seeds."""
    told = []
    for name, words in _DEV_FIGURES.items():
        if name in metrics:
            spread = metrics.get(f"{name}_sd")
            more = "" if spread is None else f" (sd {spread:.3g})"
            told.append(f"{words} {metrics[name]:.3g}{more}")
    return f"; {', '.join(told)}" if told else ""


_DEV_FIGURES = {
    "dev_accuracy": "dev accuracy",
    "dev_loss": "dev loss",
    "dev_rouge_l": "dev ROUGE-L",
    "out_of_fold_rouge_l": "out-of-fold ROUGE-L",
}
