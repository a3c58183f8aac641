"""Print an evaluation as tables and sentences on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.markup import escape

from scicot_cli.console import visible
from scicot_cli.folded_table import WideTable
from scicot_cli.rich_console import Console

if TYPE_CHECKING:
    from scicot.evaluation import Evaluation, Group, System

WIDEST = 10_000  # width with which tables are measured, so that nothing is wrapped


def _escaped(text: str) -> str:
    return escape(visible(text))


def show(verdict: Evaluation) -> None:
    """Print an evaluation: tables of the systems, then sentences on the differences between
    them."""
    percent = f"{100 * verdict.level:g} %"
    out = Console(highlight=False, emoji=False)
    width = out.width
    for figures in _tables(verdict, percent):
        for table in figures.tables(width if out.is_terminal else None):
            # Rich would cut a table that is too wide, and hide figures.
            out.width = max(
                width, out.measure(table, options=out.options.update(width=WIDEST)).maximum
            )
            out.print(table)
    for sentence in _sentences(verdict):
        out.print(sentence, soft_wrap=True)


def _tables(verdict: Evaluation, percent: str) -> Iterator[WideTable]:
    systems = verdict.systems
    headings = ["system", "questions", "answered", "accuracy", f"{percent} interval"]
    work = [system.cost.work for system in systems if system.cost]
    if work:
        headings += ["weights", "cost"]
    table = WideTable(headings)
    for system in systems:
        table.add_row(*_cells(system), *(_price(system, min(work)) if work else ()))
    chances = dict.fromkeys(f"{100 * system.chance:.1f} %" for system in systems)
    table.add_row("chance", "", "", " / ".join(chances), "", style="dim")
    yield table
    if any(system.calibration for system in systems):
        yield _confidence(systems)
    if any(system.rationales for system in systems):
        yield _rationales(systems)
    for path in systems[0].groups:
        yield _breakdown(systems, path)


def _sentences(verdict: Evaluation) -> Iterator[str]:
    """Yield the sentences printed below the tables, as lines of Rich markup."""
    if any(system.oracle for system in verdict.systems):
        yield "* an upper bound: it read rationales from the input file, or saw the answer"
    for system in verdict.systems:
        if system.zero_shot:
            yield _escaped(f"{system.name}: zero-shot; scicot did not train its answer model")
        if system.spread is not None:
            seeds = ", ".join(f"{100 * accuracy:.1f}" for accuracy in system.by_seed)
            summary = f"{system.name}: {len(system.files)} seeds, {seeds} %"
            yield _escaped(f"{summary} (sd {100 * system.spread:.1f})")
    for comparison in verdict.comparisons:
        yield _escaped(comparison.sentence)
    if verdict.cheapest:
        yield _escaped(verdict.cheapest.sentence)
    for answer, accuracies in verdict.reliance.items():
        summary = ", ".join(
            f"{source} {100 * accuracy:.1f} %" for source, accuracy in accuracies.items()
        )
        yield _escaped(f"{answer}, accuracy by source of the rationales: {summary}.")
    for hint in verdict.hints:
        yield f"[yellow]hint:[/] {_escaped(hint)}."
    if verdict.cluster_by:
        yield _escaped(
            f"Intervals resample groups of the same {verdict.cluster_by}, not single questions."
        )


def _price(system: System, lowest: float) -> tuple[str, str]:
    """Return two texts: the number of weights of `system`, and its cost as a multiple of `lowest`.
    `lowest` is the cost of the cheapest system. Return ("", "") if the cost is not known."""
    if system.cost is None:
        return "", ""
    weights = system.cost.weights
    count = f"{weights:,}" if weights < 1e6 else f"{weights / 1e6:,.3g} M"
    if weights >= 1e9:
        count = f"{weights / 1e9:,.3g} B"
    return count, f"{system.cost.work / lowest:.1f} x"


def _confidence(systems: Sequence[System]) -> WideTable:
    headings = ("confidence", "ECE", "noise", "Brier", "NLL", "AURC", "surest 80 %", "60 %", "40 %")
    table = WideTable(headings, following=("60 %", "40 %"))
    for system in systems:
        calibration = system.calibration
        if calibration is not None:
            right = [
                f"{100 * (1 - calibration.risk_at[f'{share}%']):.1f} %" for share in (80, 60, 40)
            ]
            figures = (
                calibration.ece,
                calibration.ece_by_chance,
                calibration.brier,
                calibration.nll,
                calibration.aurc,
            )
            cells = ["" if figure is None else f"{figure:.3f}" for figure in figures]
            table.add_row(_escaped(system.name), *cells, *right)
    return table


def _rationales(systems: Sequence[System]) -> WideTable:
    headings = ("rationales", "words", "repeated", "leak", "name one", "and agree", "ROUGE-L")
    table = WideTable(headings, following=("and agree",))
    for system in systems:
        figures_of_rationales = system.rationales
        if figures_of_rationales is not None:
            shares = (
                figures_of_rationales.repeated,
                figures_of_rationales.leaks,
                figures_of_rationales.names_one,
                figures_of_rationales.agree,
            )
            cells = ["" if share is None else f"{100 * share:.1f} %" for share in shares]
            overlap = (
                ""
                if figures_of_rationales.rouge_l is None
                else f"{figures_of_rationales.rouge_l:.3f}"
            )
            table.add_row(
                _escaped(system.name), f"{figures_of_rationales.words:.1f}", *cells, overlap
            )
    return table


def _breakdown(systems: Sequence[System], path: str) -> WideTable:
    table = WideTable([_escaped(path), "questions", *(_escaped(system.name) for system in systems)])
    groups: dict[str, list[Group | None]] = {}
    for index, system in enumerate(systems):
        for group in system.groups[path]:
            groups.setdefault(group.value, [None] * len(systems))[index] = group
    for value, groups_of_value in groups.items():
        counts = dict.fromkeys(f"{group.questions:,}" for group in groups_of_value if group)
        cells = [
            _with_interval(group.accuracy, group.interval) if group else ""
            for group in groups_of_value
        ]
        shown = _escaped(value) if value.strip() else "(empty)"
        table.add_row(shown, " / ".join(counts), *cells)
    table.add_row("mean of groups", "", *(f"{100 * s.macro[path]:.1f} %" for s in systems))
    return table


def _with_interval(accuracy: float, interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{100 * accuracy:.1f} % ({100 * low:.0f} - {100 * high:.0f})"


def _cells(system: System) -> tuple[str, ...]:
    low, high = system.interval
    return (
        _escaped(system.name) + (" *" if system.oracle else ""),
        f"{system.questions:,}",
        f"{system.answered:,}" if isinstance(system.answered, int) else f"{system.answered:,.1f}",
        f"{100 * system.accuracy:.1f} %",
        f"{100 * low:.1f} - {100 * high:.1f}",
    )
