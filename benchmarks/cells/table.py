"""Make the tables of docs/evidence.md from the cells that exist, and mark missing ones."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cells.figures import (
    DISCORDANT,
    Cell,
    Figure,
    Group,
    best_baseline,
    cheapest,
    dev_accuracy,
    difference,
    discordant_share,
    figure,
    half_width,
    values,
)
from benchmarks.cells.sets import CELL_SETS
from benchmarks.cells.systems import PRIMARY, SYSTEMS, VARIANTS


@dataclass(frozen=True)
class Kind:
    """The set, student, sizes and number of steps shared by the cells of one table."""

    set: str
    student: str
    rows: int | None
    test_rows: int | None
    max_steps: int | None

    @property
    def title(self) -> str:
        size = (
            "all training questions" if self.rows is None else f"{self.rows:,} training questions"
        )
        if self.max_steps is not None:
            size += f", {self.max_steps} steps (no result: it tries the commands)"
        elif self.rows is not None or self.test_rows is not None:
            size += " (a pilot)"
        return f"{CELL_SETS[self.set].title}: {self.student}, {size}"

    @property
    def setup(self) -> tuple[Any, ...]:
        """The fields other than `set`. Tables with equal setups may be pooled."""
        return self.student, self.rows, self.test_rows, self.max_steps

    def command(self, seed: Any, system: str) -> str:
        """Return the command that runs a cell, as Markdown code."""
        rows = "" if self.rows is None else f" --rows {self.rows}"
        rows += "" if self.test_rows is None else f" --test-rows {self.test_rows}"
        rows += "" if self.max_steps is None else f" --max-steps {self.max_steps}"
        student = self.student if self.student.startswith("scratch:") else "DIR"
        shell = f"python -m benchmarks.evidence run OUT {self.set}-{seed} {system}"
        return f"`{shell} --student {student}{rows}`"


def read_cells(paths: Iterable[Path]) -> dict[Kind, Group]:
    """Read the cells of these files and folders, sorted. Exits with an error if a cell occurs
    twice, or if cells of one seed have different test questions."""
    found: defaultdict[Kind, Group] = defaultdict(dict)
    for file in _files(paths):
        cell = json.loads(file.read_text())
        keys = ("set", "student", "rows", "test_rows", "max_steps")
        kind = Kind(**{key: cell[key] for key in keys})
        cells = found[kind].setdefault(cell["system"], {})
        if cell["seed"] in cells:
            raise SystemExit(f"evidence: {file}: another cell of the same system and seed is there")
        for cells_of_system in found[kind].values():
            same_seed = cells_of_system.get(cell["seed"])
            if same_seed and same_seed["test_sha256"] != cell["test_sha256"]:
                raise SystemExit(f"evidence: {file}: has other test questions than its neighbours")
        cells[cell["seed"]] = cell
    order = list(CELL_SETS)
    return dict(sorted(found.items(), key=lambda kind: (order.index(kind[0].set), str(kind[0]))))


def _files(paths: Iterable[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            # OUT also contains files of steps and predictions, so only cells are selected.
            files += sorted(file for file in path.rglob("*-*.*.json") if _is_cell(file))
        elif path.exists():
            files.append(path)
        else:
            raise SystemExit(f"evidence: {path}: no such file or folder of cells")
    return files


def _is_cell(file: Path) -> bool:
    name, _, system = file.stem.partition(".")
    return system in SYSTEMS and name.rpartition("-")[0] in CELL_SETS


def tables(found: dict[Kind, Group]) -> str:
    """Return the part of the page that is made from cells, in Markdown."""
    real = {kind: group for kind, group in found.items() if CELL_SETS[kind.set].real}
    lines = [*_primary(real), ""]
    for kind, group in real.items():
        lines += [*_table(kind, group), ""]
    return "\n".join([*lines, *_not_run(real)])


def _gap(result: Figure | None) -> str:
    return "" if result is None else "{:+.1f} ({:+.1f} to {:+.1f})".format(*result)


def _accuracy(cells: Sequence[Cell], *, seen: bool = False) -> str:
    table = values(cells, seen=seen)
    if np.isnan(table).all():
        return ""
    return "{:.1f} ({:.1f} to {:.1f})".format(*figure([table], [1.0]))


def _primary(found: dict[Kind, Group]) -> list[str]:
    """Compare default two-stage with the baseline that is best on dev, for each set and pooled."""
    lines = [
        "| set | student | training questions | seeds | best baseline on dev | test questions |"
        " two-stage minus baseline | the same, questions seen in training included | resolution of"
        " one seed |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    pooled: defaultdict[tuple[Any, ...], list[tuple[Group, str]]] = defaultdict(list)
    for kind, group in found.items():
        if kind.max_steps is not None:
            continue  # these cells were only made to try the commands
        baseline = best_baseline(group)
        result = baseline and difference(group, PRIMARY, baseline)
        if not baseline or not result:
            continue
        pooled[kind.setup].append((group, baseline))
        seeds = sorted(group[PRIMARY].keys() & group[baseline].keys())
        cell = group[PRIMARY][seeds[0]]
        count = int((~np.isnan(values([cell]))).sum())
        with_seen = ""
        if "1" in cell["seen"]:
            gap_of_all = _gap(difference(group, PRIMARY, baseline, seen=True))
            with_seen = f"{gap_of_all}; {len(cell['right']):,} questions"
        share = discordant_share(group, baseline)
        lines.append(
            f"| {kind.set} | {kind.student} | {cell['sizes']['train']:,} |"
            f" {' '.join(map(str, seeds))} | {baseline} | {count:,} | {_gap(result)} |"
            f" {with_seen} |"
            f" ±{half_width(count, share):.1f} points (only one of the two is right on"
            f" {100 * share:.0f} %) |"
        )
    if len(lines) == 2:
        return ["Not run yet: no set has cells of two-stage and of a baseline.", *_power()]
    return [*lines, *_pooled(pooled), *_power()]


def _power() -> list[str]:
    return [
        "",
        "*Resolution*: half the width of the 95 % interval of a difference, with one seed. It is"
        f" ±{half_width(1000):.1f} points with 1,000 questions and ±{half_width(500):.1f} with 500,"
        f" if {100 * DISCORDANT:.0f} % of the questions are answered correctly by only one of the"
        " two systems."
        " Smaller differences cannot be detected.",
    ]


def _pooled(groups: dict[tuple[Any, ...], list[tuple[Group, str]]]) -> list[str]:
    """Return a table row for each setup that two or more sets share. It pools the questions of
    these sets, over the seeds that all of them have."""
    lines = []
    for setup, pairs in groups.items():
        seeds_of_pairs = [
            group[PRIMARY].keys() & group[baseline].keys() for group, baseline in pairs
        ]
        seeds = sorted(set.intersection(*map(set, seeds_of_pairs)))
        if len(pairs) < 2 or not seeds:
            continue
        systems = [
            np.concatenate(
                [values([group[name(baseline)][s] for s in seeds]) for group, baseline in pairs], 1
            )
            for name in (lambda _: PRIMARY, lambda baseline: baseline)
        ]
        result = figure(systems, [1.0, -1.0])
        count = int((~np.isnan(systems[0]).any(axis=0)).sum())
        lines.append(
            f"| all {len(pairs)} sets | {setup[0]} | | {' '.join(map(str, seeds))} | as above |"
            f" {count:,} | {_gap(result)} | | ±{half_width(count):.1f} points |"
        )
    return lines


def _table(kind: Kind, group: Group) -> list[str]:
    first_cell = next(
        cell for cells_of_system in group.values() for cell in cells_of_system.values()
    )
    sizes, seeds = (
        first_cell["sizes"],
        sorted({seed for cells_of_system in group.values() for seed in cells_of_system}),
    )
    devices = dict.fromkeys(
        cell["device"] for cells_of_system in group.values() for cell in cells_of_system.values()
    )
    unseen = first_cell["seen"].count("0")
    lines = [
        f"### {kind.title}\n",
        f"Seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))};"
        f" {sizes['train']:,} training questions, with"
        f" {sizes['teacher']:,} kept rationales; {sizes['dev']:,} dev and"
        f" {sizes['test']:,} test questions. The figures are of the {unseen:,} test questions whose"
        f" text is not in the training files. Chance {100 * first_cell['chance']:.1f}; run on"
        f" {', '.join(devices)}.\n",
        "| system | accuracy | minus direct | accuracy, seen questions included | dev accuracy |"
        " training tokens | seconds | weights | cost |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    costs = [
        c["cost"]["work"]
        for cells_of_system in group.values()
        for c in cells_of_system.values()
        if c["cost"]
    ]
    for system, spec in SYSTEMS.items():
        name = f"*{system}*" if spec.diagnostic else system
        cells = [cell for _, cell in sorted(group.get(system, {}).items())]
        if not cells:
            lines.append(f"| {name} | not run: {kind.command(seeds[0], system)} | | | | | | | |")
            continue
        missing = [seed for seed in seeds if seed not in group[system]]
        note = f" (seeds {', '.join(map(str, missing))} not run)" if missing else ""
        gap = "" if system == "direct" else _gap(difference(group, system, "direct"))
        seen = _accuracy(cells, seen=True) if "1" in first_cell["seen"] else ""
        dev = dev_accuracy(group, system)
        lines.append(
            f"| {name}{note} | {_accuracy(cells)} | {gap} | {seen} |"
            f" {'' if dev is None else f'{dev:.1f}'} | {_mean(cells, 'training_tokens'):,.0f} |"
            f" {_mean(cells, 'prediction_seconds'):,.0f} | {_price(cells, min(costs, default=1))} |"
        )
    advice = cheapest(group)
    descriptions = "; ".join(f"*{name}*: {spec.about}" for name, spec in SYSTEMS.items())
    notes = [f"{text}\n" for text in (_variants(group), advice) if text]
    return [*lines, "", *notes, f"{descriptions}."]


def _variants(group: Group) -> str:
    """Describe the effect of other ways of training stage 2 in one sentence; "" if none was run."""
    gaps = {name: _gap(difference(group, name, PRIMARY)) for name in VARIANTS}
    sentence = " and ".join(f"{name} {gap}" for name, gap in gaps.items() if gap)
    return f"Minus {PRIMARY}, paired by question: {sentence} points." if sentence else ""


def _mean(cells: Sequence[Cell], name: str) -> float:
    return float(np.mean([cell[name] for cell in cells]))


def _price(cells: Sequence[Cell], lowest: float) -> str:
    priced = [cell["cost"] for cell in cells if cell["cost"]]
    if len(priced) < len(cells):
        return " | "
    weights, work = (
        float(np.mean([cost[name] for cost in priced])) for name in ("weights", "work")
    )
    return f"{weights / 1e6:,.3g} M | {work / lowest:.1f} x"


def _not_run(found: dict[Kind, Group]) -> list[str]:
    """Return a table of the sets that were not run on all training questions, each with its
    command."""
    complete = {kind.set for kind in found if kind.setup[1:] == (None, None, None)}
    missing = [
        name for name, cell_set in CELL_SETS.items() if cell_set.real and name not in complete
    ]
    if not missing:
        return []
    lines = [
        "### Not run on all training questions\n",
        "| set | seeds | all systems, on one GPU |",
        "| --- | --- | --- |",
    ]
    for name in missing:
        seeds = " ".join(map(str, CELL_SETS[name].seeds))
        command = f"STUDENT=DIR bash benchmarks/device.sh OUT evidence {name} SEED"
        lines.append(f"| {name} | {seeds} | not run: `{command}` |")
    return [*lines, ""]
