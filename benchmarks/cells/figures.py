"""Figures computed from cells: accuracies, paired differences, the best baseline on dev."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.cells.systems import PRIMARY, SYSTEMS
from benchmarks.intervals import Floats
from scicot.statistics import bootstrap, holm

Cell = dict[str, Any]
Group = dict[str, dict[int, Cell]]  # system -> its cells by seed

# assumed share of questions that only one of two systems answers correctly, if not measured
DISCORDANT = 0.2
_LEVEL = 0.05


def values(cells: Sequence[Cell], key: str = "right", *, seen: bool = False) -> Floats:
    """Return an array (cells, questions): 1 for a right answer, 0 for a wrong one, nan if not
    predicted.

    `key` is "right" for the test questions or "dev_right" for the dev questions. Unless `seen`,
    test questions that are also in the training files are nan too.
    """
    table = np.full((len(cells), len(cells[0][key])), np.nan)
    for row, cell in zip(table, cells, strict=True):
        marks = np.array(list(cell[key]))
        row[marks == "1"], row[marks == "0"] = 1.0, 0.0
        if key == "right" and not seen:
            row[np.array(list(cell["seen"])) == "1"] = np.nan
    return table


Figure = tuple[float, float, float, float]  # estimate, low, high, p-value of the null hypothesis 0


def figure(tables: Sequence[Floats], weights: Sequence[float]) -> Figure:
    """Return the weighted sum of the systems' mean accuracies, in percentage points, with its
    interval and p-value.

    `tables` has an array (cells, questions) for each system, `weights` a number for each. A
    question that is nan in any array does not count.
    """
    answered_by_all = ~np.isnan(np.concatenate(tables)).any(axis=0)
    complete = [table[:, answered_by_all] for table in tables]
    resampled = bootstrap(complete, weights, np.arange(int(answered_by_all.sum())))
    estimate = sum(w * float(table.mean()) for table, w in zip(complete, weights, strict=True))
    low, high = resampled.interval
    return 100 * estimate, 100 * low, 100 * high, resampled.p_value


def difference(group: Group, first: str, second: str, *, seen: bool = False) -> Figure | None:
    """Return the accuracy difference of two systems, paired by seed and question; None if they have
    no seed or no question in common."""
    first_cells, second_cells = group.get(first, {}), group.get(second, {})
    seeds = sorted(first_cells.keys() & second_cells.keys())
    if not seeds:
        return None
    cells_of_both = [
        [group_cells[seed] for seed in seeds] for group_cells in (first_cells, second_cells)
    ]
    tables = [values(cells, seen=seen) for cells in cells_of_both]
    if np.isnan(np.concatenate(tables)).any(axis=0).all():
        return None  # the two systems have no question in common
    return figure(tables, [1.0, -1.0])


def dev_accuracy(group: Group, system: str) -> float | None:
    """Return the dev accuracy of a system over its seeds, None if it has none."""
    cells = [cell for cell in group.get(system, {}).values() if cell["dev_right"]]
    if not cells:
        return None
    return 100 * float(np.mean([np.nanmean(values([cell], "dev_right")) for cell in cells]))


def best_baseline(group: Group) -> str | None:
    """Return the baseline that is best on dev; of equal ones, the first in SYSTEMS."""
    accuracies = {
        system: dev_accuracy(group, system)
        for system, spec in SYSTEMS.items()
        if spec.baseline and system in group
    }
    measured = {system: value for system, value in accuracies.items() if value is not None}
    return max(measured, key=lambda system: measured[system]) if measured else None


def half_width(questions: int, discordant: float = DISCORDANT) -> float:
    """Return half of the width, in points, of the 95 % interval of a paired difference near 0.
    `discordant` is the share of questions that only one of the systems answers correctly."""
    return 100 * 1.96 * math.sqrt(discordant / questions)


def discordant_share(group: Group, baseline: str) -> float:
    shares = []
    for seed in group[PRIMARY].keys() & group[baseline].keys():
        right_first, right_second = (values([group[name][seed]])[0] for name in (PRIMARY, baseline))
        answered = ~np.isnan(right_first) & ~np.isnan(right_second)
        shares.append(float((right_first[answered] != right_second[answered]).mean()))
    return float(np.mean(shares))


def cheapest(group: Group) -> str:
    """Return a sentence on the cheapest system that is not significantly worse than the most
    accurate one, with Holm's correction as in `scicot evaluate`.

    Diagnostic systems, and those that lack a seed or a cost, are left out. If fewer than two
    systems remain, return "".
    """
    seeds = max((cells.keys() for cells in group.values()), key=len)
    complete = {
        system: cells
        for system, cells in group.items()
        if not SYSTEMS[system].diagnostic
        and cells.keys() == seeds
        and all(cell["cost"] for cell in cells.values())
    }
    if len(complete) < 2:
        return ""
    right = {
        system: float(np.nanmean(values(list(cells.values()))))
        for system, cells in complete.items()
    }
    work, weights = (
        {
            system: float(np.mean([cell["cost"][figure] for cell in cells.values()]))
            for system, cells in complete.items()
        }
        for figure in ("work", "weights")
    )
    best = max(right, key=lambda system: right[system])
    cheaper = [system for system in complete if work[system] < work[best]]
    gaps = [result for system in cheaper if (result := difference(group, best, system))]
    adjusted = holm([result[3] for result in gaps])
    not_worse = {
        system: result
        for system, result, p in zip(cheaper, gaps, adjusted, strict=True)
        if not (p < _LEVEL and result[0] > 0)
    }
    if not not_worse:
        remark = "every cheaper system is significantly worse" if gaps else "no system is cheaper"
        return f"{best} is the most accurate; {remark}."
    winner = min(not_worse, key=lambda system: (work[system], weights[system], -right[system]))
    low, high = not_worse[winner][1:3]
    return (
        f"{winner} is the cheapest system that is not significantly worse than the most accurate,"
        f" {best} ({best} minus {winner}: {not_worse[winner][0]:+.1f} points, {low:+.1f} to"
        f" {high:+.1f}), at {work[winner] / work[best]:.2g} times its cost."
    )
