"""`scicot evaluate`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from scicot.config import EvaluateSettings
from scicot.errors import ScicotError
from scicot_cli import console
from scicot_cli import options as opt

if TYPE_CHECKING:
    from scicot.evaluation import Comparison, Evaluation, System


def evaluate(
    predictions: Annotated[
        list[str],
        typer.Argument(
            metavar="PREDICTIONS",
            help="Files of prediction rows, or of rationale rows (judged by their conclusions); "
            "NAME=FILE names a system. The first is compared with each of the others.",
        ),
    ],
    cluster_by: Annotated[
        str | None,
        typer.Option(
            "--cluster-by",
            metavar="FIELD",
            help="Resample by this field (as meta.fact) where rows are not independent.",
        ),
    ] = EvaluateSettings.cluster_by,
    by: Annotated[
        list[str],
        typer.Option(
            "--by",
            metavar="FIELD",
            help="Break down by a field (as meta.subject), by the number of choices (choices) or by"
            " the length of the question (length). May be repeated.",
        ),
    ] = [],  # noqa: B006  (Typer reads it, nobody changes it)
    primary: Annotated[
        str | None,
        typer.Option(
            "--primary",
            metavar="NAME",
            help="The system that the first was to be compared with, decided before looking; Holm's"
            " correction is then for the other comparisons alone.",
        ),
    ] = EvaluateSettings.primary,
    level: Annotated[
        float, typer.Option("--level", help="Confidence level of the intervals.")
    ] = EvaluateSettings.level,
    bins: Annotated[
        int, typer.Option("--bins", help="Bins of the calibration error, of equal mass.")
    ] = EvaluateSettings.bins,
    resamples: Annotated[
        int, typer.Option("--resamples", help="Resamples of the bootstrap.")
    ] = EvaluateSettings.resamples,
    min_accuracy: Annotated[
        float | None,
        typer.Option(
            "--min-accuracy", metavar="X", help="Exit with 1 where the first is below (0 to 1)."
        ),
    ] = None,
    fail_if_worse_than: Annotated[
        str | None,
        typer.Option(
            "--fail-if-worse-than",
            metavar="FILE",
            help="Compare with this file too, and exit with 1 where the first is really worse.",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE.html",
            help="Also write a page with plots and every question, in one file.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    seed: opt.Seed = EvaluateSettings.seed,
    limit: opt.Limit = None,
    skip_invalid: opt.SkipInvalid = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the report where it exists.")
    ] = False,
    config: opt.Config = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Judge predictions and compare systems.

    Accuracy with its interval, chance, calibration, and the paired difference between the first
    system and each other one, with what the data support. No answer counts as wrong. Files are
    joined by id; several files of one NAME are seeds of one system.
    """
    reporter = console.reporter(quiet=quiet, verbose=verbose)
    settings = EvaluateSettings(cluster_by, tuple(by), primary, level, bins, resamples, seed)
    from scicot.evaluation import evaluate as judge
    from scicot.evaluation import name_files
    from scicot.report import check_report, first_files, write_report

    files = predictions
    if fail_if_worse_than is not None and fail_if_worse_than not in predictions:
        files = [*predictions, fail_if_worse_than]
    if report is not None:
        check_report(first_files(name_files(files)), report, force=force)
    verdict = judge(
        files, settings=settings, limit=limit, skip_invalid=skip_invalid, reporter=reporter
    )
    if report is not None:
        write_report(
            verdict,
            files,
            report,
            by=by,
            limit=limit,
            skip_invalid=skip_invalid,
            force=force,
            reporter=reporter,
        )
        reporter.note(f"{report}: the page to look at")
    if as_json:
        typer.echo(json.dumps(verdict.to_row(), indent=1, ensure_ascii=False))
    else:
        _show(verdict)
    problems = list(_below(verdict, min_accuracy))
    if fail_if_worse_than is not None and verdict.comparisons:
        problems += _worse(verdict.comparisons[files.index(fail_if_worse_than) - 1])
    for problem in problems:
        console.error(problem)
    if problems:
        raise typer.Exit(ScicotError.exit_code)


def _below(verdict: Evaluation, least: float | None) -> Iterator[str]:
    first = verdict.systems[0]
    if least is not None and first.accuracy < least:
        yield f"{first.name}: accuracy {first.accuracy:.3f} is below --min-accuracy {least:g}"


def _worse(comparison: Comparison) -> list[str]:
    if comparison.differs and comparison.difference < 0:
        return [f"{comparison.verdict} (--fail-if-worse-than)"]
    return []


def _show(verdict: Evaluation) -> None:
    percent = f"{100 * verdict.level:g} %"
    out = Console(highlight=False, emoji=False)
    table = _table("system", "questions", "answered", "accuracy", f"{percent} interval")
    for system in verdict.systems:
        table.add_row(*_cells(system))
    table.add_row("chance", "", "", f"{100 * verdict.systems[0].chance:.1f} %", "", style="dim")
    out.print(table)
    if any(system.oracle for system in verdict.systems):
        out.print("* an upper bound: it read given rationales, or saw the answer", soft_wrap=True)
    for system in verdict.systems:
        if system.spread is not None:
            seeds = ", ".join(f"{100 * own:.1f}" for own in system.by_seed)
            told = f"{system.name}: {len(system.files)} seeds, {seeds} %"
            out.print(escape(f"{told} (sd {100 * system.spread:.1f})"), soft_wrap=True)
    if any(system.calibration for system in verdict.systems):
        out.print(_confidence(verdict.systems))
    for path in verdict.systems[0].groups:
        out.print(_breakdown(verdict.systems, path))
    for comparison in verdict.comparisons:
        out.print(escape(_sentence(comparison, percent)), soft_wrap=True)
    if verdict.cluster_by:
        out.print(escape(f"Intervals resample {verdict.cluster_by}, not questions."))


def _table(*headings: str) -> Table:
    """A table whose first column is text, and the others figures."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, heading in enumerate(headings):
        justify: Any = "right" if number else "left"
        width = 0 if number else min(24, len(heading))
        table.add_column(heading, justify=justify, no_wrap=number > 0, min_width=width)
    return table


def _confidence(systems: Sequence[System]) -> Table:
    headings = ("confidence", "ECE", "Brier", "NLL", "AURC", "surest 80 %", "60 %", "40 %")
    table = _table(*headings)
    for system in systems:
        own = system.calibration
        if own is not None:
            right = [f"{100 * (1 - own.risk_at[f'{share}%']):.1f} %" for share in (80, 60, 40)]
            figures = (own.ece, own.brier, own.nll, own.aurc)
            table.add_row(escape(system.name), *(f"{figure:.3f}" for figure in figures), *right)
    return table


def _breakdown(systems: Sequence[System], path: str) -> Table:
    table = _table(escape(path), "questions", *(escape(system.name) for system in systems))
    found = {group.value: group.questions for one in systems for group in one.groups[path]}
    for value, questions in found.items():
        cells = []
        for system in systems:
            own = next((group for group in system.groups[path] if group.value == value), None)
            cells.append("" if own is None else _with_interval(own.accuracy, own.interval))
        table.add_row(escape(value), f"{questions:,}", *cells)
    table.add_row("mean of groups", "", *(f"{100 * s.macro[path]:.1f} %" for s in systems))
    return table


def _with_interval(accuracy: float, interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{100 * accuracy:.1f} % ({100 * low:.0f} - {100 * high:.0f})"


def _cells(system: System) -> tuple[str, ...]:
    low, high = system.interval
    return (
        escape(system.name) + (" *" if system.oracle else ""),
        f"{system.questions:,}",
        f"{system.answered:,g}" if system.answered < 1e6 else f"{system.answered:,.0f}",
        f"{100 * system.accuracy:.1f} %",
        f"{100 * low:.1f} - {100 * high:.1f}",
    )


def _sentence(comparison: Comparison, percent: str) -> str:
    low, high = (100 * bound for bound in comparison.interval)
    test = ""
    if comparison.p_value is not None:
        test = f", McNemar p = {comparison.p_value:.2g}"
        if comparison.p_adjusted not in (None, comparison.p_value):
            test += f", {comparison.p_adjusted:.2g} after Holm"
    return (
        f"{comparison.first} minus {comparison.second}: {100 * comparison.difference:+.1f} points"
        f" ({percent} interval {low:+.1f} to {high:+.1f}{test}),"
        f" paired on {comparison.questions:,} questions: {comparison.verdict}."
    )
