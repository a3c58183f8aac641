"""The settings of the command predict."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from scicot.config.checks import AUTO, check_precision, one_of, require, short
from scicot.config.value_types import check_types
from scicot.errors import UsageError

RationaleFrom = Literal["student", "input", "none", "shuffled"]
Scoring = Literal["auto", "label", "text"]
Weigh = Literal["mean", "confidence"]
LengthNormalisation = Literal["auto", "none", "token", "character"]
EngineName = Literal["auto", "torch", "ctranslate2", "transformers"]
EnginePrecision = Literal["auto", "fp32", "bf16", "int8"]

# Sampling temperature of self-consistency (Wang et al. 2023, section 3.1).
SAMPLING = 0.7

_SHARD_FORM = "I/N, with I from 1 to N and N at most 1,000,000, for example 1/8"


@dataclass(frozen=True)
class Shard:
    """One of `count` parts into which the questions are divided. `number` is the number of this
    part, from 1 to `count`."""

    number: int
    count: int

    def __post_init__(self) -> None:
        check_types(self)
        good = 1 <= self.number <= self.count <= 1_000_000
        require(good, "shard", str(self), _SHARD_FORM)

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Parse a shard such as "3/8". Raises ScicotError for any other text."""
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
        if found is None:
            raise UsageError(f"--shard is {short(text)}; it must be {_SHARD_FORM}")
        return cls(int(found[1]), int(found[2]))


@dataclass(frozen=True)
class PredictSettings:
    """Settings of `predict`: the source of the rationales, how the answers for several rationales
    are combined, batching and device."""

    # "input": given rationales; "none": no rationale; "shuffled": those of other questions
    rationale_from: RationaleFrom = "student"
    samples: int = 1  # rationales per question
    # sampling temperature; None: greedy for 1 sample, else SAMPLING
    temperature: float | None = None
    # nucleus sampling: draw from the likeliest tokens with this total probability
    top_p: float = 1.0
    beams: int = 1  # beam search instead of sampling if above 1
    with_folds: bool = False  # also use the rationales of the fold students
    # Weights of the answers for several rationales: "mean" weighs all equally, "confidence" weighs
    # confident answers more, by an exponent fitted on dev
    weigh: Weigh = "mean"
    vote: bool = False  # each rationale has one vote; otherwise the probabilities are averaged
    # Weight of the answer without a rationale; "auto": the weight fitted on dev
    mix_direct: float | str = 0.0
    scoring: Scoring = "auto"  # "auto": the form that the answer student was trained to write
    # Divisor of a choice's log-likelihood; "auto": the number of tokens if texts are scored
    length_normalisation: LengthNormalisation = "auto"
    calibrate: bool = True  # divide scores by the temperature fitted on dev
    abstain_below: float = 0.0  # give no answer whose confidence is lower
    max_new_tokens: int | None = None  # limit of a rationale; None: as in training
    batch_size: int | None = None  # limit of sequences in a batch; None: the device's default
    batch_tokens: int | None = None  # padded tokens in a batch; None: the device's default
    # sequences that are read and answered together; None: the device's default
    window: int | None = None
    shard: Shard | None = None  # None: all questions; a text such as "1/8" is parsed
    seed: int = 0
    device: str = "auto"
    engine: EngineName = "auto"  # "auto": torch if it supports the student
    precision: EnginePrecision = "auto"  # "auto": the measured fastest one for a large student

    def __post_init__(self) -> None:
        self._parse_shard()
        check_types(self)
        one_of("rationale-from", self.rationale_from, RationaleFrom)
        require(self.samples >= 1, "samples", self.samples, "at least 1")
        if self.temperature is not None:
            valid = 0.001 <= self.temperature <= 100
            require(valid, "temperature", self.temperature, "between 0.001 and 100")
        require(0 < self.top_p <= 1, "top-p", self.top_p, "more than 0, and at most 1")
        require(self.beams >= 1, "beams", self.beams, "at least 1")
        self._check_mix()  # first: it converts the text of the command line to a number
        self._check_together()
        abstain_below = self.abstain_below
        one_of("scoring", self.scoring, Scoring)
        one_of("weigh", self.weigh, Weigh)
        one_of("length-normalisation", self.length_normalisation, LengthNormalisation)
        require(0 <= abstain_below <= 1, "abstain-below", abstain_below, "between 0 and 1")
        if self.max_new_tokens is not None:
            valid = 1 <= self.max_new_tokens <= 65_536
            require(valid, "max-new-tokens", self.max_new_tokens, "from 1 to 65,536")
        for name in ("batch-size", "batch-tokens", "window"):
            value = getattr(self, name.replace("-", "_"))
            require(value is None or value >= 1, name, value, "at least 1")
        require(0 <= self.seed < 2**63, "seed", self.seed, "0 or more, and less than 2**63")
        one_of("engine", self.engine, EngineName)
        check_precision(self.precision, EnginePrecision)

    def _parse_shard(self) -> None:
        shard: object = self.shard
        if isinstance(shard, str):
            object.__setattr__(self, "shard", Shard.parse(shard))
        elif not isinstance(shard, Shard | None):
            raise UsageError(
                f"shard is {short(repr(shard))}; it must be I/N, such as '1/8', or"
                " scicot.Shard(1, 8)"
            )

    def _check_mix(self) -> None:
        mix = self.mix_direct
        if mix == AUTO:
            return
        try:
            mix = float(mix)  # the command line gives a string
        except (ValueError, OverflowError):
            mix = math.nan
        allowed = f"between 0 and 1, or {AUTO}"
        require(0 <= mix <= 1, "mix-direct", self.mix_direct, allowed)
        object.__setattr__(self, "mix_direct", mix)

    def _check_together(self) -> None:
        if self.beams > 1 and self.sampling is not None:
            raise UsageError(
                "--beams: cannot be combined with sampling; leave out --samples and --temperature"
            )
        if self.vote and self.weigh == "confidence":
            raise UsageError("--vote and --weigh confidence: give only one")
        if self.vote and self.mixes_direct:
            raise UsageError(
                "--vote and --mix-direct: votes cannot be mixed with probabilities; give only one"
            )
        if self.sampling is None and self.top_p < 1:
            raise UsageError(
                "--top-p: has no effect without sampling; add --temperature or leave it out"
            )

    @property
    def mixes_direct(self) -> bool:
        """True if the answer without a rationale is mixed into the combined answer."""
        return bool(self.mix_direct)

    @property
    def sampling(self) -> float | None:
        """The temperature for sampling rationales, or None if they are written by greedy or beam
        search."""
        return SAMPLING if self.temperature is None and self.samples > 1 else self.temperature
