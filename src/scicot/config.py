"""The settings of every command and their defaults, in one place. Nothing here imports torch.

Each class checks its own values when it is made, and says what would be right: the command line
passes its options straight in and reads its defaults from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from scicot.errors import ScicotError

Keep = Literal["correct", "all"]
RationaleFrom = Literal["student", "input", "none"]
Precision = Literal["auto", "fp32", "bf16"]
SelectBy = Literal["auto", "accuracy", "loss", "rouge-l"]
Method = Literal["two-stage", "direct", "one-sequence", "multi-task"]
Tracker = Literal["tensorboard", "wandb", "trackio"]


@dataclass(frozen=True)
class GenerateSettings:
    """How a teacher is asked, and which of its replies are kept."""

    samples: int = 1  # rationales asked for each question
    reveal_answer: bool = False  # show the teacher the gold answer (STaR's rationalisation)
    keep: Keep = "correct"  # "correct" drops rationales that conclude another answer than gold
    max_tokens: int = 1024  # of a reply
    max_wait: float = 600.0  # seconds spent on one request's retries before stopping, resumable
    timeout: float = 120.0  # seconds for one request
    retry_rejected: bool = False  # ask again where no usable reply came

    def __post_init__(self) -> None:
        _require(self.samples >= 1, "samples", self.samples, "at least 1")
        _require(self.keep in ("correct", "all"), "keep", self.keep, "correct or all")
        _require(self.max_tokens >= 1, "max-tokens", self.max_tokens, "at least 1")
        _require(self.max_wait >= 0, "max-wait", self.max_wait, "0 or more seconds")
        _require(self.timeout > 0, "timeout", self.timeout, "more than 0 seconds")


@dataclass(frozen=True)
class TrainSettings:
    """How a student is trained. Defaults suit fine-tuning a T5 or Flan-T5."""

    epochs: float = 10.0  # passes over the rows, unless max_steps is given
    max_steps: int | None = None  # optimizer steps, instead of epochs
    batch_size: int = 32  # rows an optimizer step
    learning_rate: float = 3e-4  # the peak; after the warm-up it falls linearly to 0
    warmup_steps: int = 100
    weight_decay: float = 0.0
    max_source_tokens: int = 512  # longer inputs lose words, never choices, and are counted
    max_target_tokens: int = 256  # longer targets are cut and counted
    weights: tuple[float, ...] = ()  # how much of an epoch comes from each file; all of all if ()
    rationale_dropout: float = 0.0  # share of rows that stage 2 meets without their rationale
    shuffle_choices: bool = False  # the choices' texts in a new order each time
    rationale_loss_weight: float = 1.0  # of a multi-task student
    dev_fraction: float = 0.0  # of the rows: kept apart to choose the best checkpoint by
    eval_steps: int | None = None  # steps between two looks at dev; a tenth of all unless given
    patience: int | None = None  # stop after so many looks at dev without a better one
    select_by: SelectBy = "auto"  # accuracy for answers, loss for rationales
    folds: int = 0  # students that each write the rationales of the fold they never saw
    fold_by: str | None = None  # a field whose equal rows are never parted, as "meta.topic"
    seeds: int = 1  # students that differ by their seed: seed, seed + 1, ...
    seed: int = 0
    device: str = "auto"
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        _require(0 < self.epochs < 1e6, "epochs", self.epochs, "more than 0, and finite")
        if self.max_steps is not None:
            _require(self.max_steps >= 1, "max-steps", self.max_steps, "at least 1")
        _require(self.batch_size >= 1, "batch-size", self.batch_size, "at least 1")
        _require(0 < self.learning_rate < 1e3, "learning-rate", self.learning_rate, "more than 0")
        _require(self.warmup_steps >= 0, "warmup-steps", self.warmup_steps, "0 or more")
        _require(self.weight_decay >= 0, "weight-decay", self.weight_decay, "0 or more")
        _require(self.max_source_tokens >= 8, "max-source-tokens", self.max_source_tokens, "8+")
        _require(self.max_target_tokens >= 2, "max-target-tokens", self.max_target_tokens, "2+")
        self._check_rows()
        self._check_selection()
        _require(self.seeds >= 1, "seeds", self.seeds, "at least 1")
        last = 2**32 - self.seeds
        _require(0 <= self.seed <= last, "seed", self.seed, f"from 0 to {last}")
        check_precision(self.precision)

    def _check_rows(self) -> None:
        good = all(weight > 0 for weight in self.weights) and sum(self.weights) < 1e300
        _require(good, "weights", self.weights, "numbers above 0, one for each file")
        dropout, loss_weight = self.rationale_dropout, self.rationale_loss_weight
        _require(0 <= dropout < 1, "rationale-dropout", dropout, "0 or more, and less than 1")
        _require(0 <= loss_weight < 1e6, "rationale-loss-weight", loss_weight, "0 or more")
        _require(self.folds == 0 or self.folds >= 2, "folds", self.folds, "at least 2 (or 0: none)")

    def _check_selection(self) -> None:
        fraction = self.dev_fraction
        _require(0 <= fraction < 1, "dev-fraction", fraction, "0 or more, and less than 1")
        if self.eval_steps is not None:
            _require(self.eval_steps >= 1, "eval-steps", self.eval_steps, "at least 1")
        if self.patience is not None:
            _require(self.patience >= 1, "patience", self.patience, "at least 1")
        known = ("auto", "accuracy", "loss", "rouge-l")
        _require(self.select_by in known, "select-by", self.select_by, " or ".join(known))


@dataclass(frozen=True)
class PredictSettings:
    """How two students answer questions."""

    rationale_from: RationaleFrom = "student"  # "input": given rationales; "none": no rationale
    max_new_tokens: int | None = None  # of a rationale; as many as its student was trained on
    batch_size: int = 64  # sequences decoded together
    window: int = 256  # questions read ahead, sorted by length and answered together
    device: str = "auto"
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        known = ("student", "input", "none")
        _require(self.rationale_from in known, "rationale-from", self.rationale_from, str(known))
        if self.max_new_tokens is not None:
            _require(self.max_new_tokens >= 1, "max-new-tokens", self.max_new_tokens, "at least 1")
        _require(self.batch_size >= 1, "batch-size", self.batch_size, "at least 1")
        _require(self.window >= 1, "window", self.window, "at least 1")
        check_precision(self.precision)


@dataclass(frozen=True)
class EvaluateSettings:
    """How predictions are judged."""

    cluster_by: str | None = None  # a field whose rows are not independent, as "meta.fact"
    level: float = 0.95  # of the intervals
    resamples: int = 10_000  # of the bootstraps
    seed: int = 0

    def __post_init__(self) -> None:
        _require(0 < self.level < 1, "level", self.level, "between 0 and 1")
        _require(self.resamples >= 100, "resamples", self.resamples, "at least 100")
        _require(self.seed >= 0, "seed", self.seed, "0 or more")


def check_precision(precision: str) -> None:
    if precision == "fp16":
        raise ScicotError("--precision fp16: T5 overflows in fp16; take bf16 or fp32")
    _require(precision in ("auto", "fp32", "bf16"), "precision", precision, "auto, fp32 or bf16")


def _require(holds: bool, option: str, value: object, wanted: str) -> None:
    if not holds:
        raise ScicotError(f"--{option} is {value}; it must be {wanted}")
