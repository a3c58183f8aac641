"""Find the cheapest system that is not significantly worse than the best one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scicot.config import EvaluateSettings
from scicot.errors import ScicotError
from scicot.evaluation.comparing import Comparison, compare, corrected
from scicot.evaluation.cost import Cost
from scicot.evaluation.system_answers import SystemAnswers
from scicot.reporting import Muted, Reporter
from scicot.statistics import Interval


@dataclass(frozen=True)
class Cheapest:
    """The cheapest system that is not significantly less accurate than the most accurate one."""

    name: str
    best: str  # the most accurate system; equal to `name` if no cheaper one is as good
    difference: float  # accuracy of the best minus that of the cheapest
    interval: Interval  # confidence interval of `difference`
    level: float  # confidence level of `interval`
    cost_ratio: float | None  # its work divided by the best system's; None if unknown
    worse: list[str]  # cheaper systems that are significantly worse
    not_compared: list[str]  # systems of unknown cost, or with answers to other questions

    @property
    def sentence(self) -> str:
        """The result as one sentence."""
        not_compared = ""
        if self.not_compared:
            not_compared = f" (not compared: {', '.join(self.not_compared)})"
        if self.name == self.best:
            if self.cost_ratio is None:
                reason = (
                    "its cost is not known, and every system of known cost is significantly worse"
                )
            elif self.worse:
                reason = "every cheaper system is significantly worse"
            else:
                reason = f"no {'compared ' if self.not_compared else ''}system is cheaper"
            return f"{self.name} is the most accurate; {reason}{not_compared}."
        low, high = (100 * bound for bound in self.interval)
        relative_cost = (
            "" if self.cost_ratio is None else f", at {self.cost_ratio:.2g} times its cost"
        )
        return (
            f"{self.name} is the cheapest system that is not significantly worse than the most"
            f" accurate, {self.best} ({self.best} minus {self.name}: {100 * self.difference:+.1f}"
            f" points, {100 * self.level:g} % interval {low:+.1f} to {high:+.1f})"
            f"{relative_cost}{not_compared}."
        )


def cheapest(
    systems: Sequence[SystemAnswers],
    comparisons: Sequence[Comparison],
    settings: EvaluateSettings,
    reporter: Reporter,
) -> Cheapest | None:
    """Find the cheapest system that is not significantly less accurate than the most accurate one.

    Three kinds of systems are excluded: those that read given rationales, those that read shuffled
    rationales, and teachers that were shown the gold answer. The most accurate of the
    remaining systems is compared with every cheaper one, with Holm's correction. `comparisons` are
    the comparisons made so far, which are not computed again. Returns None if fewer than two of the
    remaining systems have a known cost.
    """
    candidates = [system for system in systems if not system.oracle and not _is_shuffled(system)]
    with_cost = [system for system in candidates if system.cost is not None]
    if len(with_cost) < 2:
        return None
    best = max(candidates, key=lambda system: float(system.right.mean()))
    cheaper = [system for system in with_cost if system is not best and _is_cheaper(system, best)]
    existing = {c.second: c for c in comparisons if c.first == best.name}
    unplanned = replace(settings, primary=None)
    results: list[Comparison] = []
    not_compared = [
        system.name for system in candidates if system.cost is None and system is not best
    ]
    for system in cheaper:
        try:
            # The warnings were shown when the files were compared with the first system.
            compared = existing.get(system.name) or compare(
                best, system, unplanned, Muted(reporter)
            )
        except ScicotError:  # no common question, or different gold answers
            not_compared.append(system.name)
        else:
            results.append(compared)
    tested = corrected([replace(c, primary=False, p_adjusted=c.p_value) for c in results])
    worse = [c.second for c in tested if c.differs and c.difference > 0]
    not_worse = [system for system in cheaper if system.name not in [*worse, *not_compared]]
    if not not_worse:
        figures = 0.0, (0.0, 0.0), settings.level
        cost_ratio = 1.0 if best.cost else None
        return Cheapest(best.name, best.name, *figures, cost_ratio, worse, not_compared)
    cheapest_system = min(not_worse, key=_price)
    (comparison,) = [c for c in tested if c.second == cheapest_system.name]
    cost_ratio = _price(cheapest_system)[0] / _price(best)[0] if best.cost else None
    figures = comparison.difference, comparison.interval, settings.level
    return Cheapest(cheapest_system.name, best.name, *figures, cost_ratio, worse, not_compared)


def _is_shuffled(system: SystemAnswers) -> bool:
    return system.models.get("rationale_from") == "shuffled"


def _is_cheaper(system: SystemAnswers, best: SystemAnswers) -> bool:
    return best.cost is None or _price(system)[0] < _price(best)[0]


def _price(system: SystemAnswers) -> tuple[float, float, float]:
    """Return the sort key (work, weights, -accuracy). Unknown work counts as infinite."""
    cost = system.cost or Cost(0, 0.0, float("inf"))
    return cost.work, cost.weights, -float(system.right.mean())
