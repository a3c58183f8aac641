"""Settings of generate-rationales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from scicot.config.checks import one_of, require

Keep = Literal["correct", "all"]
RevealAnswer = Literal["never", "always", "on-failure"]


@dataclass(frozen=True)
class GenerateSettings:
    """Settings of `generate_rationales`: prompting, sampling, retries, cost limits, and which
    replies are kept."""

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
        require(self.samples >= 1, "samples", self.samples, "at least 1")
        one_of("reveal-answer", self.reveal_answer, RevealAnswer)
        one_of("keep", self.keep, Keep)
        require(self.max_tokens >= 1, "max-tokens", self.max_tokens, "at least 1")
        require(1 <= self.concurrency <= 1000, "concurrency", self.concurrency, "from 1 to 1000")
        require(self.max_wait >= 0, "max-wait", self.max_wait, "0 or more seconds")
        require(self.timeout > 0, "timeout", self.timeout, "more than 0 seconds")
        require(self.max_failures >= 1, "max-failures", self.max_failures, "at least 1")
        temperature, top_p = self.temperature, self.top_p
        if temperature is not None:
            require(0 <= temperature <= 5, "temperature", temperature, "from 0 to 5")
        if top_p is not None:
            require(0 < top_p <= 1, "top-p", top_p, "more than 0, and at most 1")
        if self.max_cost is not None:
            require(self.max_cost > 0, "max-cost", self.max_cost, "more than 0 dollars")
        if self.price is not None:
            good = all(0 <= one < 1e6 for one in self.price)
            require(good, "price", self.price, "IN,OUT in dollars for a million tokens")

    @property
    def sampling(self) -> dict[str, float]:
        """The sampling parameters that were given."""
        given = {"temperature": self.temperature, "top_p": self.top_p}
        return {name: value for name, value in given.items() if value is not None}
