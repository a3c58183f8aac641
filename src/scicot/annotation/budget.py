"""Track the cost of an output file in dollars: the amount spent, the amount reserved for requests
in flight, and the limit of their sum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scicot.config import GenerateSettings
from scicot.errors import ScicotError, StoppedEarly
from scicot.teachers import Price, Reply, Request, price_of

CHARACTERS_A_TOKEN = 4.0  # rule of thumb for English text; formulas have fewer characters per token
_INPUT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
_OVERHEAD = 64  # tokens of a request besides its text


@dataclass
class Budget:
    """The cost of one output file so far, and the limit of this cost (--max-cost), in dollars.

    If the price is unknown, nothing is counted or limited. In all methods, `batched` means that the
    lower price of batch APIs applies.
    """

    price: Price | None
    limit: float | None
    spent: float = 0.0  # by all runs
    reserved: float = 0.0  # worst-case cost of the requests in flight
    _in_flight: int = 0  # requests in flight

    @classmethod
    def of(cls, teacher: str, settings: GenerateSettings) -> Budget:
        """Make the budget for a teacher, with the price and the limit from the settings. Without
        --price, the teacher's listed price is used. Recorded replies cost nothing. Raises
        ScicotError if --max-cost is given but the price is unknown."""
        if teacher.startswith("recorded:"):
            return cls(None, None)
        price = price_of(teacher) if settings.price is None else Price(*settings.price)
        if settings.max_cost is not None and price is None:
            raise ScicotError(
                f"--max-cost: the price of {teacher} is not known; give it with"
                " --price IN,OUT, in dollars for a million tokens"
            )
        return cls(price, settings.max_cost)

    @property
    def initial_cost(self) -> float | None:
        """The cost before any request: 0.0 if the price is known, else None."""
        return None if self.price is None else 0.0

    def waits(self, request: Request) -> bool:
        """Return True if the worst-case cost of `request` does not fit into the budget now, but may
        fit once requests in flight are answered."""
        # An answer usually costs less than the worst-case cost that was reserved for its request.
        return self._in_flight > 0 and not self._fits(self.worst(request))

    def reserve(self, request: Request, *, batched: bool = False) -> None:
        """Reserve the worst-case cost of a request. Raises StoppedEarly if this cost is more than
        what is left of --max-cost."""
        worst = self.worst(request, batched=batched)
        if not self._fits(worst):
            reserved = ""
            if self.reserved > 1e-9:
                reserved = f" and ${self.reserved:.4f} reserved for other requests"
            raise StoppedEarly(
                f"--max-cost: ${self.spent:.4f} of ${self.limit:g} is spent{reserved}, and the next"
                f" request could cost ${worst:.4f}; run the same command with a higher --max-cost"
                " to resume"
            )
        self.reserved += worst
        self._in_flight += 1

    def release(self, request: Request, *, batched: bool = False) -> None:
        """Release the cost reserved for a request that has been answered or has failed."""
        self._in_flight = max(0, self._in_flight - 1)
        # Reset to exactly 0 when no request is in flight, since rounding errors would add up.
        remaining = self.reserved - self.worst(request, batched=batched)
        self.reserved = max(0.0, remaining) if self._in_flight else 0.0

    def pay(self, request: Request, reply: Reply, *, batched: bool = False) -> float | None:
        """Add the cost of a reply to `spent`, and return this cost in dollars. Return None if the
        price is unknown.

        The cost is computed from the token counts that the server reports. It is replaced by the
        worst-case cost of the request, if that is higher, in two cases:

        - The count of input tokens or the count of output tokens is missing (see missing_counts).
        - A count is impossible, such as a negative number.
        """
        if self.price is None:
            return None
        cost = self.price.of(reply.usage, batched=batched)
        if reply.misstated or missing_counts(reply):
            cost = max(cost, self.worst(request, batched=batched))
        self.spent += cost
        return cost

    def saved(self, usage: Mapping[str, float]) -> float:
        return 0.0 if self.price is None else self.price.saved(usage)

    def worst(self, request: Request, *, batched: bool = False) -> float:
        """Return the worst-case cost of a request in dollars, or 0 if the price is unknown.

        The input is counted as one token for each byte of the prompt, plus _OVERHEAD tokens, all at
        the higher price of cache writes. The output is counted as `request.max_tokens` tokens.
        """
        if self.price is None:
            return 0.0
        usage = {
            "cache_creation_input_tokens": _bytes(request) + _OVERHEAD,
            "output_tokens": request.max_tokens,
        }
        return self.price.of(usage, batched=batched)

    def _fits(self, cost: float) -> bool:
        return self.limit is None or self.spent + self.reserved + cost <= self.limit


def missing_counts(reply: Reply) -> list[str]:
    """Return which of the token counts "input_tokens" and "output_tokens" a reply lacks.

    A count of 0 is not missing. But if all counts are 0 and the reply is not empty, both are
    missing: some servers send zeros because they do not count tokens.
    """
    if (reply.text or reply.thinking) and not any(reply.usage.values()):
        return ["input_tokens", "output_tokens"]
    read = any(name in reply.usage for name in _INPUT)
    return [
        *(() if read else ["input_tokens"]),
        *(() if "output_tokens" in reply.usage else ["output_tokens"]),
    ]


def _texts(request: Request) -> list[str]:
    prompt = request.prompt
    return [prompt.system, prompt.user, *(part for pair in prompt.examples for part in pair)]


def _bytes(request: Request) -> int:
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in _texts(request))


def characters(request: Request) -> int:
    """Count the characters of all texts in a request: the system message, the examples and the
    question."""
    return sum(map(len, _texts(request)))
