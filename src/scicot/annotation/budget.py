"""What a teacher costs: what is spent, what is on its way, and when that is enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scicot.config import GenerateSettings
from scicot.errors import ScicotError, StoppedEarly
from scicot.teachers import Price, Request, price_of

CHARACTERS_A_TOKEN = 4.0  # of English text, as a rule of thumb; fewer of formulas
_FEWEST = 2.0  # for an estimate that shall not be too low
_OVERHEAD = 64  # tokens of a request beside its text


@dataclass
class Budget:
    """The dollars of one output. Without a price nothing is known, and nothing is limited."""

    price: Price | None
    most: float | None
    batched: bool = False
    spent: float = 0.0  # in all runs
    reserved: float = 0.0  # at most, for what is in flight

    @classmethod
    def of(cls, teacher: str, settings: GenerateSettings) -> Budget:
        """Raises ScicotError where the cost is to be limited and nobody knows what there is to
        pay."""
        price = price_of(teacher) if settings.price is None else Price(*settings.price)
        if settings.max_cost is not None and price is None:
            raise ScicotError(
                f"--max-cost: the price of {teacher} is not known; give it with"
                " --price IN,OUT, in dollars for a million tokens"
            )
        return cls(price, settings.max_cost, settings.batch)

    @property
    def nothing(self) -> float | None:
        """Zero dollars, where dollars are counted."""
        return None if self.price is None else 0.0

    def reserve(self, request: Request) -> None:
        """Set aside what a request may cost; StoppedEarly where that is more than is left."""
        worst = self.worst(request)
        if self.most is not None and self.spent + self.reserved + worst > self.most:
            raise StoppedEarly(
                f"--max-cost: ${self.spent:.4f} of ${self.most:g} is spent, and another request"
                f" could cost ${worst:.4f}; the same command with a higher one goes on from here"
            )
        self.reserved += worst

    def release(self, request: Request) -> None:
        """The request is answered, or will not be."""
        self.reserved = max(0.0, self.reserved - self.worst(request))

    def pay(self, usage: Mapping[str, float], *, batched: bool = False) -> float | None:
        """What a reply cost, in dollars."""
        if self.price is None:
            return None
        cost = self.price.of(usage, batched=batched)
        self.spent += cost
        return cost

    def saved(self, usage: Mapping[str, float]) -> float:
        return 0.0 if self.price is None else self.price.saved(usage)

    def worst(self, request: Request) -> float:
        """The most that a request may cost: many tokens, and an answer as long as it may be."""
        if self.price is None:
            return 0.0
        usage = {
            "cache_creation_input_tokens": characters(request) / _FEWEST + _OVERHEAD,
            "output_tokens": request.max_tokens,
        }
        return self.price.of(usage, batched=self.batched)


def characters(request: Request) -> int:
    """The length of all that a request sends."""
    prompt = request.prompt
    shown = sum(len(part) for pair in prompt.examples for part in pair)
    return len(prompt.system) + len(prompt.user) + shown
