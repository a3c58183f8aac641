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
    """The cheapest system whose accuracy does not differ significantly from the best one's."""

    name: str
    best: str  # the most accurate system; equal to `name` if no cheaper one is as good
    difference: float  # accuracy of the best minus that of the cheapest
    interval: Interval
    level: float
    cost_ratio: float | None  # its work divided by the best system's; None if either is unknown
    worse: list[str]  # cheaper systems that are significantly worse
    not_compared: list[str]  # systems of unknown cost, or with answers to other questions

    @property
    def sentence(self) -> str:
        """The result as one sentence."""
        unknown = ""
        if self.not_compared:
            unknown = f" (not compared: {', '.join(self.not_compared)})"
        if self.name == self.best:
            if self.cost_ratio is None:
                others = "its cost is not known, and every system of known cost is worse"
            elif self.worse:
                others = "every cheaper system is distinguishably worse"
            else:
                others = f"no {'compared ' if self.not_compared else ''}system is cheaper"
            return f"{self.name} is the most accurate; {others}{unknown}."
        low, high = (100 * bound for bound in self.interval)
        at = "" if self.cost_ratio is None else f", at {self.cost_ratio:.2g} times its cost"
        return (
            f"{self.name} is the cheapest system that is not distinguishably worse than the most"
            f" accurate, {self.best}: {100 * self.difference:.1f} points below it"
            f" ({100 * self.level:g} % interval {low:+.1f} to {high:+.1f}){at}{unknown}."
        )


def cheapest(
    judged: Sequence[SystemAnswers],
    comparisons: Sequence[Comparison],
    settings: EvaluateSettings,
    reporter: Reporter,
) -> Cheapest | None:
    """Compare the most accurate system with every cheaper one, with Holm's correction over these.

    `comparisons` with the first system are reused where they compare the same pair. Upper bounds
    and systems that read shuffled rationales are excluded. Returns None if fewer than two
    candidates have a known cost.
    """
    candidates = [one for one in judged if not one.oracle and not _is_shuffled(one)]
    known = [one for one in candidates if one.cost is not None]
    if len(known) < 2:
        return None
    best = max(candidates, key=lambda one: float(one.right.mean()))
    cheaper = [one for one in known if one is not best and _is_cheaper(one, best)]
    made = {c.second: c for c in comparisons if c.first == best.name}
    plain = replace(settings, primary=None)
    found: list[Comparison] = []
    unknown = [one.name for one in candidates if one.cost is None and one is not best]
    for one in cheaper:
        try:
            # Muted: all warnings were shown when the files were compared with the first system.
            compared = made.get(one.name) or compare(best, one, plain, Muted(reporter))
        except ScicotError:  # no common question, or different gold answers
            unknown.append(one.name)
        else:
            found.append(compared)
    tested = corrected([replace(c, primary=False, p_adjusted=c.p_value) for c in found])
    worse = [c.second for c in tested if c.differs and c.difference > 0]
    left = [one for one in cheaper if one.name not in [*worse, *unknown]]
    if not left:
        told = 0.0, (0.0, 0.0), settings.level
        own_ratio = 1.0 if best.cost else None
        return Cheapest(best.name, best.name, *told, own_ratio, worse, unknown)
    least = min(left, key=_price)
    (comparison,) = [c for c in tested if c.second == least.name]
    ratio = _price(least)[0] / _price(best)[0] if best.cost else None
    told = comparison.difference, comparison.interval, settings.level
    return Cheapest(least.name, best.name, *told, ratio, worse, unknown)


def _is_shuffled(one: SystemAnswers) -> bool:
    return one.models.get("rationale_from") == "shuffled"


def _is_cheaper(one: SystemAnswers, best: SystemAnswers) -> bool:
    return best.cost is None or _price(one)[0] < _price(best)[0]


def _price(one: SystemAnswers) -> tuple[float, float, float]:
    """Sort key: least work first, then fewest weights, then highest accuracy."""
    cost = one.cost or Cost(0, 0.0, float("inf"))
    return cost.work, cost.weights, -float(one.right.mean())
