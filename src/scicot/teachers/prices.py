"""The prices of Anthropic's models, as of November 2026 (https://claude.com/pricing).

Prices change, so `--price` overrides this table. For a model that is not in the table, a cost is
reported only with `--price`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

BATCHED = 0.5  # share of the price that batch APIs charge
_CACHE_WRITE, _CACHE_READ = 1.25, 0.1  # shares of the input price


@dataclass(frozen=True, slots=True)
class Price:
    """Prices in dollars per million tokens of input and of output."""

    input: float
    output: float

    def of(self, usage: Mapping[str, float], *, batched: bool = False) -> float:
        """Return the price in dollars of the tokens in `usage`. With `batched`, the price is that
        of a batch API."""
        read = (
            usage.get("input_tokens", 0)
            + _CACHE_WRITE * usage.get("cache_creation_input_tokens", 0)
            + _CACHE_READ * usage.get("cache_read_input_tokens", 0)
        )
        cost = read * self.input + usage.get("output_tokens", 0) * self.output
        return cost * (BATCHED if batched else 1.0) / 1e6

    def saved(self, usage: Mapping[str, float]) -> float:
        """Return the dollars that the server's prompt cache saved, less the extra cost of filling
        the cache."""
        fewer = (1 - _CACHE_READ) * usage.get("cache_read_input_tokens", 0)
        surcharge = (_CACHE_WRITE - 1) * usage.get("cache_creation_input_tokens", 0)
        return (fewer - surcharge) * self.input / 1e6


PRICES = {
    "claude-haiku-5-5": Price(0.10, 0.50),
    "claude-sonnet-5-5": Price(2, 10),
    "claude-opus-5-5": Price(4, 20),
    "claude-haiku-4-5": Price(1, 5),
}


def price_of(teacher: str) -> Price | None:
    """Return the price of a teacher (KIND:NAME), or None if the price is unknown. A dated version,
    such as claude-haiku-4-5-20251001, has the price of its model."""
    kind, _, model = teacher.partition(":")
    if kind != "anthropic":
        return None
    return next((price for name, price in PRICES.items() if _is_version(model, name)), None)


def _is_version(model: str, name: str) -> bool:
    return model == name or (
        model.startswith(f"{name}-") and model.removeprefix(f"{name}-").replace("-", "").isdigit()
    )
