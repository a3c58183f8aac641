"""The settings of every command and their defaults, in one place. Nothing here imports torch.

Each class checks its own values when it is made, and says what would be right: the command line
passes its options straight in and reads its defaults from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from scicot.errors import ScicotError

Keep = Literal["correct", "all"]
RevealAnswer = Literal["never", "always", "on-failure"]
RationaleFrom = Literal["student", "input", "none", "shuffled"]
AnswerAs = Literal["label", "text"]
Scoring = Literal["auto", "label", "text"]
Precision = Literal["auto", "fp32", "bf16"]
SelectBy = Literal["auto", "accuracy", "loss", "rouge-l"]
Method = Literal["two-stage", "direct", "one-sequence", "multi-task"]
Tracker = Literal["tensorboard", "wandb", "trackio"]

# The temperature of sampled rationales, as self-consistency has it (Wang et al. 2023, section 3.1).
SAMPLING = 0.7


@dataclass(frozen=True)
class GenerateSettings:
    """How a teacher is asked, and which of its replies are kept."""

    samples: int = 1  # rationales asked for each question
    reveal_answer: RevealAnswer = "never"  # show the gold answer (STaR's rationalisation)
    keep: Keep = "correct"  # "correct" drops rationales that conclude another answer than gold
    max_tokens: int = 1024  # of a reply
    temperature: float | None = None  # of sampling, where the teacher takes it; its own by default
    top_p: float | None = None  # likewise
    concurrency: int = 16  # requests in flight
    max_wait: float = 600.0  # seconds spent on one request's retries before stopping, resumable
    timeout: float = 120.0  # seconds for one request
    max_failures: int = 20  # requests in a row that may fail before all stops
    retry_rejected: bool = False  # ask again where no usable reply came
    batch: bool = False  # through the Message Batches API: half the price, within a day
    cancel_batches: bool = False  # take back what was sent so, and keep what is done of it
    max_cost: float | None = None  # dollars for this output, in all its runs
    price: tuple[float, float] | None = None  # dollars for a million tokens in and out

    def __post_init__(self) -> None:
        _require(self.samples >= 1, "samples", self.samples, "at least 1")
        _one_of("reveal-answer", self.reveal_answer, RevealAnswer)
        _one_of("keep", self.keep, Keep)
        _require(self.max_tokens >= 1, "max-tokens", self.max_tokens, "at least 1")
        _require(1 <= self.concurrency <= 1000, "concurrency", self.concurrency, "from 1 to 1000")
        _require(self.max_wait >= 0, "max-wait", self.max_wait, "0 or more seconds")
        _require(self.timeout > 0, "timeout", self.timeout, "more than 0 seconds")
        _require(self.max_failures >= 1, "max-failures", self.max_failures, "at least 1")
        temperature, top_p = self.temperature, self.top_p
        if temperature is not None:
            _require(0 <= temperature <= 5, "temperature", temperature, "from 0 to 5")
        if top_p is not None:
            _require(0 < top_p <= 1, "top-p", top_p, "more than 0, and at most 1")
        if self.max_cost is not None:
            _require(self.max_cost > 0, "max-cost", self.max_cost, "more than 0 dollars")
        if self.price is not None:
            good = all(0 <= one < 1e6 for one in self.price)
            _require(good, "price", self.price, "IN,OUT in dollars for a million tokens")

    @property
    def sampling(self) -> dict[str, float]:
        """The sampling parameters that were given."""
        given = {"temperature": self.temperature, "top_p": self.top_p}
        return {name: value for name, value in given.items() if value is not None}


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
    answer_as: AnswerAs = "label"  # what an answer student writes: a choice's label, or its text
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
        _one_of("select-by", self.select_by, SelectBy)
        _one_of("answer-as", self.answer_as, AnswerAs)


@dataclass(frozen=True)
class Shard:
    """One of `count` parts of the questions, numbered from 1."""

    number: int
    count: int

    def __post_init__(self) -> None:
        good = 1 <= self.number <= self.count <= 1_000_000
        _require(good, "shard", str(self), "I/N, with I from 1 to N, as 1/8")

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @classmethod
    def parse(cls, text: str) -> Shard:
        """The shard that "3/8" names; ScicotError where it names none."""
        number, _, count = text.partition("/")
        if not (number.isdecimal() and count.isdecimal()):
            raise ScicotError(f"--shard is {text}; it must be I/N, with I from 1 to N, as 1/8")
        return cls(int(number), int(count))


@dataclass(frozen=True)
class PredictSettings:
    """How two students answer questions."""

    # "input": given rationales; "none": no rationale; "shuffled": those of other questions
    rationale_from: RationaleFrom = "student"
    samples: int = 1  # rationales of each question
    temperature: float | None = None  # they are drawn at; greedy for 1 sample, SAMPLING for more
    top_p: float = 1.0  # drawn from the likeliest tokens that have this probability together
    beams: int = 1  # of beam search, instead of sampling
    with_folds: bool = False  # the fold students of the rationale models write rationales too
    vote: bool = False  # each rationale has one vote; else the probabilities are averaged
    mix_direct: float = 0.0  # the weight of the answer that is given without a rationale
    scoring: Scoring = "auto"  # "auto": what the answer student was trained to write
    calibrate: bool = True  # divide scores by the temperature that was fitted on dev
    abstain_below: float = 0.0  # an answer less likely than this is not given
    max_new_tokens: int | None = None  # of a rationale; as many as its student was trained on
    batch_size: int = 256  # sequences worked on together, at most
    batch_tokens: int | None = None  # tokens, padded, likewise; more on CUDA than on a CPU
    window: int = 256  # sequences read ahead, sorted by length and answered together
    shard: Shard | None = None  # None: all of the questions
    seed: int = 0
    device: str = "auto"
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        _one_of("rationale-from", self.rationale_from, RationaleFrom)
        _require(self.samples >= 1, "samples", self.samples, "at least 1")
        if self.temperature is not None:
            known = 0.001 <= self.temperature <= 100
            _require(known, "temperature", self.temperature, "between 0.001 and 100")
        _require(0 < self.top_p <= 1, "top-p", self.top_p, "more than 0, and 1 at most")
        _require(self.beams >= 1, "beams", self.beams, "at least 1")
        self._check_together()
        mix, least = self.mix_direct, self.abstain_below
        _require(0 <= mix <= 1, "mix-direct", mix, "between 0 and 1")
        _one_of("scoring", self.scoring, Scoring)
        _require(0 <= least <= 1, "abstain-below", least, "between 0 and 1")
        if self.max_new_tokens is not None:
            known = 1 <= self.max_new_tokens <= 65_536
            _require(known, "max-new-tokens", self.max_new_tokens, "from 1 to 65,536")
        _require(self.batch_size >= 1, "batch-size", self.batch_size, "at least 1")
        if self.batch_tokens is not None:
            _require(self.batch_tokens >= 1, "batch-tokens", self.batch_tokens, "at least 1")
        _require(self.window >= 1, "window", self.window, "at least 1")
        _require(0 <= self.seed < 2**63, "seed", self.seed, "0 or more, and less than 2**63")
        check_precision(self.precision)

    def _check_together(self) -> None:
        if self.beams > 1 and self.sampling is not None:
            raise ScicotError("--beams: finds one rationale, it draws none; leave out --samples")
        if self.vote and self.mix_direct:
            raise ScicotError(
                "--vote and --mix-direct: votes are no probabilities; give one of both"
            )
        if self.sampling is None and self.top_p < 1:
            raise ScicotError("--top-p: means nothing where nothing is drawn; give --temperature")

    @property
    def sampling(self) -> float | None:
        """The temperature rationales are drawn at; None where each is the likeliest one."""
        return SAMPLING if self.temperature is None and self.samples > 1 else self.temperature


@dataclass(frozen=True)
class EvaluateSettings:
    """How predictions are judged."""

    cluster_by: str | None = None  # a field whose rows are not independent, as "meta.fact"
    by: tuple[str, ...] = ()  # fields to break down by; "choices": their number, "length": words
    primary: str | None = None  # the one comparison (first minus this) that was planned
    level: float = 0.95  # of the intervals
    bins: int = 10  # of the reliability curve, of as many questions each
    resamples: int = 10_000  # of the bootstraps
    per_character: bool = False  # of logged log-likelihoods: divided by the length of the choice
    seed: int = 0

    def __post_init__(self) -> None:
        _require(0 < self.level < 1 - 1e-9, "level", self.level, "between 0 and 1")
        _require(self.bins >= 1, "bins", self.bins, "at least 1")
        _require(
            100 <= self.resamples <= 10**6, "resamples", self.resamples, "from 100 to 1,000,000"
        )
        _require(self.seed >= 0, "seed", self.seed, "0 or more")

    @property
    def paths(self) -> tuple[str, ...]:
        """All fields that are looked at."""
        return tuple(dict.fromkeys([*([self.cluster_by] if self.cluster_by else []), *self.by]))


def check_precision(precision: str) -> None:
    if precision == "fp16":
        raise ScicotError("--precision fp16: T5 overflows in fp16; take bf16 or fp32")
    _one_of("precision", precision, Precision)


def _one_of(option: str, value: str, known: object) -> None:
    """`known` is a Literal, of the values that the option may have."""
    _require(value in get_args(known), option, value, " or ".join(get_args(known)))


def _require(holds: bool, option: str, value: object, wanted: str) -> None:
    if not holds:
        raise ScicotError(f"--{option} is {value}; it must be {wanted}")
