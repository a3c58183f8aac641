"""Settings of generate-rationales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from scicot.config.checks import one_of, require

Keep = Literal["correct", "all"]
RationaleSource = Literal["reply", "thinking"]
RevealAnswer = Literal["never", "always", "on-failure"]

# Tokens that a reply may have where --max-tokens is not given, by the source of the rationale.
# Thinking counts towards them, and a reply that is cut off while it thinks is lost.
MAX_TOKENS: dict[RationaleSource, int] = {"reply": 1024, "thinking": 4096}


@dataclass(frozen=True)
class GenerateSettings:
    """Settings of `generate_rationales`: prompting, sampling, retries, cost limits, and which
    replies are kept."""

    samples: int = 1  # rationales asked for each question
    reveal_answer: RevealAnswer = "never"  # show the gold answer (STaR's rationalisation)
    keep: Keep = "correct"  # "correct" drops rationales that conclude another answer than gold
    rationale_source: RationaleSource = "reply"  # what becomes the rationale
    max_rationale_tokens: int | None = None  # longer rationales lose their end (4 bytes a token)
    max_tokens: int | None = None  # of a reply with its thinking; None: see `reply_tokens`
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
        one_of("rationale-source", self.rationale_source, RationaleSource)
        for name in ("max_tokens", "max_rationale_tokens"):
            most = getattr(self, name)
            if most is not None:
                require(most >= 1, name.replace("_", "-"), most, "at least 1")
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
    def reply_tokens(self) -> int:
        """The maximum number of tokens of a reply, including its thinking."""
        return MAX_TOKENS[self.rationale_source] if self.max_tokens is None else self.max_tokens

    @property
    def sampling(self) -> dict[str, float]:
        """The sampling parameters that were given, by name."""
        given = {"temperature": self.temperature, "top_p": self.top_p}
        return {name: value for name, value in given.items() if value is not None}
