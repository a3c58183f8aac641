"""The settings of the commands train-rationale and train-answer."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from scicot.config.checks import AUTO, Precision, check_precision, one_of, require
from scicot.config.value_types import check_types
from scicot.errors import UsageError

AnswerAs = Literal["label", "text"]
AnswerForm = Literal["auto", "label", "text"]
Attention = Literal["auto", "eager", "sdpa"]
SelectBy = Literal["auto", "accuracy", "loss", "rouge-l"]
Method = Literal["two-stage", "direct", "one-sequence", "answer-first", "multi-task", "shared"]
Tracker = Literal["tensorboard", "wandb", "trackio"]

Quantization = Literal["none", "nf4"]
PromptFormatName = Literal["auto", "plain", "chat"]

TOKENS = "tokens"


@dataclass(frozen=True)
class Recipe:
    """Default hyperparameters for one kind of student. The warm-up is given either as a number of
    optimizer steps or as a share of all optimizer steps."""

    learning_rate: float
    epochs: float
    answer_as: AnswerAs
    warmup_steps: int | None = None
    warmup_share: float | None = None


# Defaults by family (models/families.py) and by whether the initial weights are random. All figures
# of the example world were measured with the defaults of encoder-decoders with random weights.
RECIPES = {
    ("encoder-decoder", True): Recipe(3e-4, 10.0, "label", warmup_steps=100),
    ("encoder-decoder", False): Recipe(3e-4, 10.0, "label", warmup_share=0.06),
    ("causal", True): Recipe(1e-3, 10.0, "label", warmup_steps=100),
    ("causal", False): Recipe(1e-4, 3.0, "text", warmup_share=0.06),
}
FRESH = RECIPES["encoder-decoder", True]


@dataclass(frozen=True)
class TrainSettings:
    """Settings of a training run. If epochs, learning rate, warm-up or answer form are None, they
    are taken from the defaults for the kind of student (RECIPES)."""

    epochs: float | None = None  # passes over the rows, unless max_steps is given
    max_steps: int | None = None  # optimizer steps, instead of epochs
    # Size of an optimizer step over all devices: rows, tokens ("8192tokens"), or "auto" (as many
    # tokens as fit)
    batch_size: int | str = 32
    accumulate: int | None = None  # micro-batches per step; None: the device's default
    # peak value, reached after the warm-up; then it falls linearly to 0
    learning_rate: float | None = None
    warmup_steps: int | None = None
    warmup_share: float | None = None  # warm-up as a share of all steps, instead of warmup_steps
    weight_decay: float = 0.0
    max_source_tokens: int = 512  # longer inputs are truncated and counted; choices never are
    max_target_tokens: int = 256  # longer targets are truncated and counted
    max_rationale_tokens: int | None = None  # longer rationales are truncated at the end
    # remove announcements of the answer from rationales; drop rows whose rationale is then empty
    clean: bool = False
    weights: tuple[float, ...] = ()  # share of an epoch for each file; (): all rows of all files
    # share of rows that stage 2 is trained on without their rationales
    rationale_dropout: float = 0.0
    # probability of training on the conclusion of a teacher's sample instead of the gold answer
    soft_labels: float = 0.0
    shuffle_choices: bool = False  # permute the texts of the choices in each epoch
    # loss weight of rationales for multi-task and shared students
    rationale_loss_weight: float = 1.0
    dev_fraction: float = 0.0  # share of the rows held out to select the best checkpoint
    eval_steps: int | None = None  # steps between dev evaluations; None: a tenth of all steps
    patience: int | None = None  # stop after this many dev evaluations without an improvement
    select_by: SelectBy = "auto"  # "auto": accuracy for answers, loss for rationales
    # Target of an answer student: a choice's label or its text; "auto" tries both on dev
    answer_as: AnswerForm | None = None
    # number of fold students, each of which writes rationales for questions it was not trained on
    folds: int = 0
    # field, such as "meta.topic"; rows with the same value of it are in the same fold
    fold_by: str | None = None
    prompt_format: PromptFormatName = "auto"  # applies to causal students
    seeds: int = 1  # number of students that differ only by their seed: seed, seed + 1, ...
    seed: int = 0
    device: str = "auto"
    precision: Precision = "auto"
    attention: Attention = "auto"  # attention implementation
    gradient_checkpointing: bool = False  # saves memory; training takes a third longer
    compile: bool = False  # use torch.compile
    lora: int = 0  # rank of low-rank adapters, trained instead of all weights; 0: none
    quantization: Quantization = "none"  # quantization of the frozen base weights with lora
    checkpoint_minutes: float = 5.0  # time between checkpoints; a crash loses at most this work
    jobs: int | None = None  # students trained in parallel; None: as many as fit on the device

    def __post_init__(self) -> None:
        check_types(self)
        if self.epochs is not None:
            require(
                0 < self.epochs < 1e6, "epochs", self.epochs, "more than 0, and less than 1,000,000"
            )
        if self.max_steps is not None:
            require(self.max_steps >= 1, "max-steps", self.max_steps, "at least 1")
        self._check_batches()
        self._check_rate()
        require(self.weight_decay >= 0, "weight-decay", self.weight_decay, "0 or more")
        require(self.max_source_tokens >= 8, "max-source-tokens", self.max_source_tokens, "8+")
        require(self.max_target_tokens >= 2, "max-target-tokens", self.max_target_tokens, "2+")
        if self.max_rationale_tokens is not None:
            limit = self.max_rationale_tokens
            require(limit >= 1, "max-rationale-tokens", limit, "at least 1")
        self._check_rows()
        self._check_selection()
        require(self.seeds >= 1, "seeds", self.seeds, "at least 1")
        last = 2**32 - self.seeds
        require(0 <= self.seed <= last, "seed", self.seed, f"from 0 to {last}")
        check_precision(self.precision)

    def filled(self, recipe: Recipe = FRESH) -> TrainSettings:
        """Return a copy in which these settings are taken from `recipe` if they are None: epochs,
        learning rate, warm-up and answer form."""
        warmup_given = self.warmup_steps is not None or self.warmup_share is not None
        return replace(
            self,
            epochs=recipe.epochs if self.epochs is None else self.epochs,
            learning_rate=self.learning_rate or recipe.learning_rate,
            warmup_steps=self.warmup_steps if warmup_given else recipe.warmup_steps,
            warmup_share=self.warmup_share if warmup_given else recipe.warmup_share,
            answer_as=self.answer_as or recipe.answer_as,
        )

    def warmup(self, steps: int) -> int:
        """Return the number of steps, in a run of `steps` steps, in which the learning rate rises
        to its peak."""
        filled = self.filled()
        if filled.warmup_steps is not None:
            return filled.warmup_steps
        return round((filled.warmup_share or 0.0) * steps)

    @property
    def rationale_target_tokens(self) -> int:
        """The maximum number of tokens of a rationale that a student writes, including the end
        token."""
        if self.max_rationale_tokens is None:
            return self.max_target_tokens
        return min(self.max_target_tokens, self.max_rationale_tokens + 1)

    @property
    def answer_form(self) -> AnswerAs:
        """The form of an answer student's output, "label" or "text". It has no meaning while
        `answer_as` is "auto"."""
        return "text" if self.answer_as == "text" else "label"

    @property
    def batch_rows(self) -> int | None:
        """The number of rows in an optimizer step: None if `batch_size` is in tokens, and 32 if
        `batch_size` is "auto"."""
        if self.batch_size == AUTO:
            return 32
        return self.batch_size if isinstance(self.batch_size, int) else None

    @property
    def batch_tokens(self) -> int | None:
        """The number of tokens in an optimizer step, or None if `batch_size` is in rows or
        "auto"."""
        if isinstance(self.batch_size, int) or self.batch_size == AUTO:
            return None
        return int(self.batch_size.removesuffix(TOKENS))

    def _check_rate(self) -> None:
        rate, share = self.learning_rate, self.warmup_share
        if rate is not None:
            require(0 < rate < 1e3, "learning-rate", rate, "more than 0, and less than 1,000")
        if self.warmup_steps is not None:
            require(self.warmup_steps >= 0, "warmup-steps", self.warmup_steps, "0 or more")
        if share is not None:
            require(0 <= share <= 1, "warmup-share", share, "between 0 and 1")
        if self.warmup_steps is not None and share is not None:
            raise UsageError("--warmup-steps and --warmup-share: give one of the two")

    def _check_batches(self) -> None:
        size = self.batch_size
        # the command line gives a string
        if isinstance(size, str) and re.fullmatch(r"\d{1,9}", size):
            object.__setattr__(self, "batch_size", int(size))
        size = self.batch_size
        valid = (
            size >= 1
            if isinstance(size, int)
            else size == AUTO or bool(re.fullmatch(rf"[1-9]\d{{0,8}}{TOKENS}", size))
        )
        wanted = f"a number of rows (such as 32) or of tokens (such as 8192{TOKENS}), or {AUTO}"
        require(valid, "batch-size", size, wanted)
        if self.accumulate is not None:
            require(self.accumulate >= 1, "accumulate", self.accumulate, "at least 1")
        one_of("attention", self.attention, Attention)
        valid = 0 <= self.lora <= 4096
        require(valid, "lora", self.lora, "a rank from 1 to 4096, or 0 for no adapters")
        one_of("quantization", self.quantization, Quantization)
        if self.quantization != "none" and not self.lora:
            raise UsageError("--quantization: quantised weights cannot be trained; add --lora")
        minutes = self.checkpoint_minutes
        require(minutes > 0, "checkpoint-minutes", minutes, "more than 0")
        if self.jobs is not None:
            require(self.jobs >= 1, "jobs", self.jobs, "at least 1")

    def _check_rows(self) -> None:
        good = all(weight > 0 for weight in self.weights) and sum(self.weights) < 1e300
        require(good, "weights", self.weights, "numbers above 0, one for each file")
        dropout, loss_weight = self.rationale_dropout, self.rationale_loss_weight
        require(0 <= dropout < 1, "rationale-dropout", dropout, "0 or more, and less than 1")
        require(0 <= self.soft_labels <= 1, "soft-labels", self.soft_labels, "between 0 and 1")
        require(0 <= loss_weight < 1e6, "rationale-loss-weight", loss_weight, "0 or more")
        require(self.folds == 0 or self.folds >= 2, "folds", self.folds, "at least 2 (or 0: none)")

    def _check_selection(self) -> None:
        fraction = self.dev_fraction
        require(0 <= fraction < 1, "dev-fraction", fraction, "0 or more, and less than 1")
        if self.eval_steps is not None:
            require(self.eval_steps >= 1, "eval-steps", self.eval_steps, "at least 1")
        if self.patience is not None:
            require(self.patience >= 1, "patience", self.patience, "at least 1")
        one_of("select-by", self.select_by, SelectBy)
        if self.answer_as is not None:
            one_of("answer-as", self.answer_as, AnswerForm)
        one_of("prompt-format", self.prompt_format, PromptFormatName)
