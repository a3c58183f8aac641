"""The options of both training commands, and the settings made from them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from scicot import config
from scicot.config import RewardSettings, TrainSettings
from scicot.errors import UsageError
from scicot_cli import completion
from scicot_cli import options as opt

RationaleFiles = Annotated[
    list[str],
    typer.Argument(metavar="RATIONALES", help="Files of rationale rows; - for standard input."),
]
RunOutput = Annotated[
    Path, typer.Option("--output", "-o", metavar="RUN", help="Run directory to create.")
]
StudentModel = Annotated[
    str,
    typer.Option(
        "--student",
        autocompletion=completion.students,
        metavar="ID|DIR|scratch:SIZE",
        help="Model to train: a Hub id, a directory, or a fresh student with random weights, "
        "scratch:tiny, scratch:small or scratch:base (at most 0.5, 2.4 and 31 million weights, "
        "depending on the number of different words in your texts); scratch:tiny-causal and so on "
        "are decoder-only.",
    ),
]
TrainingPrecision = Annotated[
    str,
    typer.Option(
        "--precision",
        autocompletion=completion.training_precisions,
        help="fp32, bf16, or auto: bf16 if the device supports it (on a CPU, only for students of "
        "at least 10 million weights), else fp32.",
    ),
]

PromptFormat = Annotated[
    config.PromptFormatName,
    typer.Option(
        "--prompt-format",
        help="Prompt of a causal (decoder-only) student. plain: lines of text; chat: a user "
        "turn of its chat template; auto: chat for chat models, else plain.",
    ),
]
Epochs = Annotated[
    float | None,
    typer.Option(
        "--epochs",
        help="Passes over the training rows. [default: 3 for pretrained causal students, else 10]",
    ),
]
MaxSteps = Annotated[
    int | None, typer.Option("--max-steps", help="Number of optimizer steps, instead of --epochs.")
]
BatchSize = Annotated[
    str,
    typer.Option(
        "--batch-size",
        metavar="ROWS|TOKENS|auto",
        help="Size of an optimizer step over all devices, in rows (for example 32), or in tokens "
        "of inputs and targets (for example 8192tokens). auto: as many tokens as fit in memory.",
    ),
]
Accumulate = Annotated[
    int | None,
    typer.Option(
        "--accumulate",
        help="Gradient accumulation: number of micro-batches per optimizer step. More "
        "micro-batches take less memory. "
        "[default: chosen for the device]",
    ),
]
Attention = Annotated[
    config.Attention,
    typer.Option(
        "--attention",
        help="Attention implementation; auto: eager for encoder-decoders on a CPU, else sdpa.",
    ),
]
GradientCheckpointing = Annotated[
    bool,
    typer.Option(
        "--gradient-checkpointing",
        help="Recompute activations in the backward pass. Training takes less memory and a third "
        "more time.",
    ),
]
Compile = Annotated[
    bool,
    typer.Option(
        "--compile",
        help="Use torch.compile. The start is slower and the steps are faster; not for CPUs.",
    ),
]
Lora = Annotated[
    int,
    typer.Option(
        "--lora",
        metavar="RANK",
        help="Train LoRA adapters of this rank instead of all weights, and merge them at the "
        "end; needs scicot[lora]. [default: none]",
        show_default=False,
    ),
]
Quantization = Annotated[
    config.Quantization,
    typer.Option(
        "--quantization",
        help="nf4: hold the base weights in 4 bits (QLoRA), for students of a few billion weights "
        "on one GPU; needs --lora and scicot[qlora].",
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
        help="Number of students (folds, seeds) to train in parallel. [default: as many as fit "
        "on the devices; 1 if each takes less than a minute]",
    ),
]
LearningRate = Annotated[
    float | None,
    typer.Option(
        "--learning-rate",
        help="Peak learning rate, reached after the warm-up and followed by linear decay to 0. "
        "[default: encoder-decoders 3e-4; causal students 1e-4 if pretrained, 1e-3 if fresh]",
    ),
]
WarmupSteps = Annotated[
    int | None,
    typer.Option(
        "--warmup-steps",
        help="Number of warm-up steps, after which the learning rate has reached its peak. "
        "[default: 100 for fresh students, else see --warmup-share]",
    ),
]
WarmupShare = Annotated[
    float | None,
    typer.Option(
        "--warmup-share",
        help="Warm-up as a share of all steps, instead of --warmup-steps. [default: 0.06 for "
        "pretrained students]",
    ),
]
WeightDecay = Annotated[float, typer.Option("--weight-decay", help="Weight decay of AdamW.")]
MaxSourceTokens = Annotated[
    int,
    typer.Option(
        "--max-source-tokens",
        help="Maximum tokens of an input. Longer ones are truncated; a warning says how many.",
    ),
]
MaxTargetTokens = Annotated[
    int,
    typer.Option(
        "--max-target-tokens",
        help="Maximum tokens of a target. Longer ones are truncated; a warning says how many.",
    ),
]
MaxRationaleTokens = Annotated[
    int | None,
    typer.Option(
        "--max-rationale-tokens",
        help="Maximum tokens of a rationale, for training and for prediction with this run; longer "
        "ones are truncated. [default: only the limits of input and target]",
        show_default=False,
    ),
]

Clean = Annotated[
    bool,
    typer.Option(
        "--clean",
        help="Remove from rationales the sentences that announce the answer, as "
        "generate-rationales does, and drop rows whose rationale is empty afterwards.",
    ),
]

# Options that select checkpoints.
DevFile = Annotated[
    list[str],
    typer.Option(
        "--dev",
        metavar="FILE",
        help="File of rows on which the best checkpoint is selected; never trained on. May be "
        "repeated.",
    ),
]
DevFraction = Annotated[
    float,
    typer.Option(
        "--dev-fraction",
        help="Instead of --dev: share of the rows to hold out as dev. Rows with the same question "
        "text, or the same --fold-by value, stay together.",
    ),
]
FoldBy = Annotated[
    str | None,
    typer.Option(
        "--fold-by",
        metavar="FIELD",
        help="Keep rows with the same value of this field (for example meta.topic) together, in "
        "one fold and in either train or dev. [default: the question's text]",
    ),
]
EvalSteps = Annotated[
    int | None,
    typer.Option(
        "--eval-steps", help="Steps between two evaluations on dev. [default: a tenth of all steps]"
    ),
]
Patience = Annotated[
    int | None,
    typer.Option(
        "--patience",
        help="Stop early after this many dev evaluations without improvement. [default: never]",
    ),
]
SelectBy = Annotated[
    config.SelectBy,
    typer.Option(
        "--select-by",
        help="Dev metric that selects the best checkpoint: accuracy (only of answers), rouge-l "
        "(only of rationales) or loss. auto: accuracy for answers, loss for rationales.",
    ),
]
Seeds = Annotated[
    int,
    typer.Option(
        "--seeds",
        help="Train this many students with the seeds --seed, --seed + 1, ..., each in RUN/seed-S, "
        "and report the mean and standard deviation of their metrics. With 1, the student is in "
        "RUN itself.",
    ),
]
Weights = Annotated[
    str,
    typer.Option(
        "--weights",
        metavar="W,W,...",
        help="Relative share of each file in an epoch, in the order of the files (1,1: half "
        "each, so rows of a smaller file are used more often). [default: each row once]",
    ),
]
ReportTo = Annotated[
    list[str],
    typer.Option("--report-to", help="Log to tensorboard, wandb or trackio. May be repeated."),
]
PushToHub = Annotated[
    str | None,
    typer.Option(
        "--push-to-hub",
        metavar="OWNER/NAME",
        help="Upload the finished run to a private Hub repository.",
    ),
]


# Pairs of options that exclude each other, with their values if they are not given.
_NOT_GIVEN: dict[str, Any] = {
    "epochs": None,
    "max_steps": None,
    "equal_to": [],
    "dev": [],
    "dev_fraction": TrainSettings.dev_fraction,
}
_EXCLUSIVE = (
    ("epochs", "max_steps"),
    ("epochs", "equal_to"),
    ("max_steps", "equal_to"),
    ("dev", "dev_fraction"),
)


def without_overridden(values: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of the arguments of a training command, in which the command line overrides the
    --config file. If two options exclude each other, and one is on the command line and the other
    in the file, the one in the file counts as not given."""
    values = dict(values)
    for pair in _EXCLUSIVE:
        if all(values.get(name, _NOT_GIVEN[name]) != _NOT_GIVEN[name] for name in pair):
            in_file = opt.overridden(values["ctx"], *pair)
            if in_file is not None:
                values[in_file] = _NOT_GIVEN[in_file]
    return values


def train_settings(values: dict[str, Any]) -> TrainSettings:
    """Make the training settings. `values` maps the names of a training command's arguments to
    their values. Raises UsageError for options that exclude each other, and for invalid
    --weights."""
    names = TrainSettings.__dataclass_fields__
    chosen = {name: value for name, value in values.items() if name in names}
    chosen["weights"] = _numbers(values.get("weights", ""))
    if chosen["epochs"] is not None and chosen["max_steps"] is not None:
        raise UsageError("--epochs and --max-steps: both set the training length; give only one")
    return TrainSettings(**chosen)


def reward_settings(values: dict[str, Any]) -> RewardSettings | None:
    """Make the settings of --reward, or return None if --reward was not given. `values` maps the
    names of train-rationale's arguments to their values. Raises UsageError if an option that needs
    --reward was given without --reward."""
    chosen = {name: values[name] for name in RewardSettings.__dataclass_fields__}
    if chosen["reward"] is not None:
        return RewardSettings(**chosen)
    for name, value in chosen.items():
        if name != "reward" and value != getattr(RewardSettings, name):
            option = name.replace("_", "-")
            raise UsageError(
                f"--{option}: has no effect without --reward; add --reward RUN or leave it out"
            )
    return None


def _numbers(text: str) -> tuple[float, ...]:
    try:
        inner = text.strip("[]() ")  # a list from a --config file has brackets
        return tuple(float(number) for number in inner.split(",")) if inner else ()
    except ValueError:
        raise UsageError(
            f"--weights {text}: give one number for each file, for example 1,1,2"
        ) from None
