"""The settings of the command generate-rationales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from scicot.config.checks import one_of, require
from scicot.config.value_types import check_types

Keep = Literal["correct", "all"]
RationaleSource = Literal["reply", "thinking"]
RevealAnswer = Literal["never", "always", "on-failure"]

# Default of --max-tokens by the source of the rationale. Thinking counts towards the limit, and a
# reply that reaches the limit while thinking has no rationale.
MAX_TOKENS: dict[RationaleSource, int] = {"reply": 1024, "thinking": 4096}


@dataclass(frozen=True)
class GenerateSettings:
    """Settings of `generate_rationales`: prompting, sampling, retries, cost limits, and which
    replies are kept."""

    samples: int = 1  # rationales per question
    reveal_answer: RevealAnswer = "never"  # show the gold answer (STaR's rationalisation)
    keep: Keep = "correct"  # "correct" rejects replies that end with a wrong answer
    rationale_source: RationaleSource = "reply"  # the part of the reply that becomes the rationale
    # longer rationales are truncated at the end (4 bytes per token)
    max_rationale_tokens: int | None = None
    keep_replies: bool = False  # kept rows also hold the raw reply
    max_tokens: int | None = None  # limit of a reply with its thinking; None: see `reply_tokens`
    temperature: float | None = None  # sampling temperature; None: the teacher's default
    top_p: float | None = None  # nucleus sampling; None: the teacher's default
    concurrency: int = 16  # requests in flight
    max_wait: float = 600.0  # seconds for one request and its retries; then the run stops
    timeout: float = 120.0  # seconds for one request
    max_failures: int = 20  # failed requests in a row after which the run stops
    retry_rejected: bool = False  # ask again for rejected replies that a second request may improve
    batch: bool = False  # use the batch API: half the price, done within a day
    cancel_batches: bool = False  # cancel sent batches, and keep the replies that are done
    max_cost: float | None = None  # dollars for this output, over all runs
    price: tuple[float, float] | None = None  # dollars per million tokens of input and output

    def __post_init__(self) -> None:
        check_types(self)
        # the requests of a question are built together
        require(1 <= self.samples <= 10_000, "samples", self.samples, "from 1 to 10,000")
        one_of("reveal-answer", self.reveal_answer, RevealAnswer)
        one_of("keep", self.keep, Keep)
        one_of("rationale-source", self.rationale_source, RationaleSource)
        for name in ("max_tokens", "max_rationale_tokens"):
            value = getattr(self, name)
            if value is not None:
                require(value >= 1, name.replace("_", "-"), value, "at least 1")
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
            good = all(0 <= part < 1e6 for part in self.price)
            wanted = "IN,OUT in dollars per million tokens, each 0 or more and less than 1,000,000"
            require(good, "price", self.price, wanted)

    @property
    def reply_tokens(self) -> int:
        """The maximum number of tokens of a reply, including its thinking."""
        return MAX_TOKENS[self.rationale_source] if self.max_tokens is None else self.max_tokens

    @property
    def sampling(self) -> dict[str, float]:
        """The sampling parameters that were given, by name. Those that are None are left out."""
        sampling = {"temperature": self.temperature, "top_p": self.top_p}
        return {name: value for name, value in sampling.items() if value is not None}
