"""`scicot evaluate`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from scicot.config import EvaluateSettings
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
    level: Annotated[
        float, typer.Option("--level", help="Confidence level of the intervals.")
    ] = EvaluateSettings.level,
    resamples: Annotated[
        int, typer.Option("--resamples", help="Resamples of the bootstrap.")
    ] = EvaluateSettings.resamples,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    seed: opt.Seed = EvaluateSettings.seed,
    limit: opt.Limit = None,
    skip_invalid: opt.SkipInvalid = False,
    config: opt.Config = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Judge predictions and compare systems.

    Accuracy with its interval, chance, and the paired difference between the first file and each
    other one. No answer counts as wrong. Files are joined by id.
    """
    reporter = console.reporter(quiet=quiet, verbose=verbose)
    settings = EvaluateSettings(cluster_by, level, resamples, seed)
    from scicot.evaluation import evaluate as judge

    verdict = judge(
        predictions,
        settings=settings,
        limit=limit,
        skip_invalid=skip_invalid,
        reporter=reporter,
    )
    if as_json:
        typer.echo(json.dumps(verdict.to_row(), indent=1, ensure_ascii=False))
    else:
        _show(verdict)


def _show(verdict: Evaluation) -> None:
    percent = f"{100 * verdict.level:g} %"
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("system", "questions", "answered", "accuracy", f"{percent} interval"):
        left = heading == "system"
        table.add_column(heading, justify="left" if left else "right", no_wrap=not left)
    for system in verdict.systems:
        table.add_row(*_cells(system))
    table.add_row("chance", "", "", f"{100 * verdict.systems[0].chance:.1f} %", "", style="dim")
    out = Console(highlight=False, emoji=False)
    out.print(table)
    if any(system.oracle for system in verdict.systems):
        out.print("* an upper bound: it read given rationales, or saw the answer", soft_wrap=True)
    for comparison in verdict.comparisons:
        out.print(escape(_sentence(comparison, percent)), soft_wrap=True)
    if verdict.cluster_by:
        out.print(escape(f"Intervals resample {verdict.cluster_by}, not questions."))


def _cells(system: System) -> tuple[str, ...]:
    low, high = system.interval
    return (
        escape(system.name) + (" *" if system.oracle else ""),
        f"{system.questions:,}",
        f"{system.answered:,}",
        f"{100 * system.accuracy:.1f} %",
        f"{100 * low:.1f} - {100 * high:.1f}",
    )


def _sentence(comparison: Comparison, percent: str) -> str:
    low, high = (100 * bound for bound in comparison.interval)
    test = "" if comparison.p_value is None else f", McNemar p = {comparison.p_value:.2g}"
    return (
        f"{comparison.first} minus {comparison.second}: {100 * comparison.difference:+.1f} points"
        f" ({percent} interval {low:+.1f} to {high:+.1f}{test}),"
        f" paired on {comparison.questions:,} questions."
    )
