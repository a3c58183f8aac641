"""The command `scicot evaluate`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scicot.config import EvaluateSettings
from scicot.errors import ScicotError, UsageError
from scicot_cli import console
from scicot_cli import options as opt
from scicot_cli.verdict import show

if TYPE_CHECKING:
    from scicot.evaluation import Evaluation
    from scicot.sources import Source


def evaluate(
    ctx: typer.Context,
    predictions: Annotated[
        list[str],
        typer.Argument(
            metavar="PREDICTIONS",
            help="Files of predictions: prediction rows, rationale rows (whose conclusions are the "
            "answers), logs of lm-evaluation-harness or Inspect or, with --questions, rows of id "
            "and prediction. NAME=FILE names a system. The first system is compared with each "
            "of the others.",
        ),
    ],
    questions: Annotated[
        str | None,
        typer.Option(
            "--questions",
            metavar="FILE",
            help="Questions and gold answers, if the predictions do not contain them; joined by "
            "id. Questions without a prediction count as not answered.",
        ),
    ] = None,
    cluster_by: Annotated[
        str | None,
        typer.Option(
            "--cluster-by",
            metavar="FIELD",
            help="Field (for example meta.fact) that has the same value in rows that are not "
            "independent. The bootstrap resamples such rows together, as a cluster.",
        ),
    ] = EvaluateSettings.cluster_by,
    by: Annotated[
        list[str],
        typer.Option(
            "--by",
            metavar="FIELD",
            help="Also show the accuracy for groups of questions: by a field (for example "
            "meta.subject), by the number of choices (choices) or by the length of the question "
            "(length). May be repeated.",
        ),
    ] = [],  # noqa: B006  (Typer reads it, nobody changes it)
    primary: Annotated[
        str | None,
        typer.Option(
            "--primary",
            metavar="NAME",
            help="System whose comparison with the first system was planned in advance. Holm's "
            "correction, which otherwise applies to all comparisons, then leaves this one out.",
        ),
    ] = EvaluateSettings.primary,
    level: Annotated[
        float, typer.Option("--level", help="Confidence level of the intervals.")
    ] = EvaluateSettings.level,
    bins: Annotated[
        int,
        typer.Option(
            "--bins",
            help="Number of bins for the calibration error, each with about the same number of "
            "questions.",
        ),
    ] = EvaluateSettings.bins,
    resamples: Annotated[
        int, typer.Option("--resamples", help="Number of bootstrap resamples.")
    ] = EvaluateSettings.resamples,
    min_accuracy: Annotated[
        float | None,
        typer.Option(
            "--min-accuracy",
            metavar="X",
            min=0,
            max=1,
            help="Exit with code 1 if the accuracy of the first system is below X (0 to 1).",
        ),
    ] = None,
    fail_if_worse_than: Annotated[
        str | None,
        typer.Option(
            "--fail-if-worse-than",
            metavar="FILE",
            help="Also compare with this file, and exit with code 1 if the first system is "
            "significantly worse. This is the planned comparison, unless --primary names "
            "another.",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE.html",
            help="Also write an HTML report with plots and every question, in one file.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    per_character: Annotated[
        bool,
        typer.Option(
            "--per-character",
            help="For lm-evaluation-harness logs: divide log-likelihoods by the number of "
            "characters of the choice (the harness's acc_norm; without this option, acc).",
        ),
    ] = EvaluateSettings.per_character,
    seed: opt.Seed = EvaluateSettings.seed,
    columns: opt.Columns = "",
    answer_index: opt.AnswerIndex = None,
    answer_texts: opt.AnswerTexts = None,
    encoding: opt.Encoding = "",
    limit: opt.Limit = None,
    skip_invalid: opt.SkipInvalid = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the report if it exists.")
    ] = False,
    config: opt.Config = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Evaluate predictions and compare systems.

    It prints the accuracy of each system with its confidence interval, the accuracy of guessing,
    the calibration, and the paired difference between the first system and each other system, with
    a verdict in words. Missing answers count as wrong. Predictions are joined by id. Several files
    with the same NAME count as one system, trained with several seeds.
    """
    if report is None or as_json:  # the report has all figures, so it is enough as the result
        console.require_stdout()
    reporter = console.reporter(quiet=quiet, verbose=verbose)
    settings = EvaluateSettings(
        cluster_by=cluster_by,
        by=tuple(by),
        primary=primary,
        level=level,
        bins=bins,
        resamples=resamples,
        per_character=per_character,
        seed=seed,
    )
    from scicot.evaluation import evaluate as judge
    from scicot.evaluation import name_files
    from scicot.report import check_report, write_report

    named = name_files(predictions)
    gate = None
    if fail_if_worse_than is not None:
        named, gate = _with_gate(named, fail_if_worse_than)
        settings = replace(settings, primary=settings.primary or gate)
    if report is not None:
        inputs = [*chain(*named.values()), *filter(None, [questions])]
        check_report(inputs, report, settings_file=config, force=force)
    reading: dict[str, Any] = {
        "questions": questions,
        "settings": settings,
        "reading": opt.reading(ctx, columns, answer_index, encoding, answer_texts),
        "limit": limit,
        "skip_invalid": skip_invalid,
        "reporter": reporter,
    }
    verdict = judge(named, **reading)
    if report is not None:
        write_report(verdict, named, report, force=force, **reading)
        reporter.note(f"{report}: report written; open it in a browser")
    if as_json:
        typer.echo(json.dumps(verdict.to_dict(), indent=1, ensure_ascii=False))
    else:
        show(verdict)
    problems = list(_below(verdict, min_accuracy))
    problems += _worse(verdict, gate)
    for problem in problems:
        console.error(problem)
    if problems:
        raise typer.Exit(ScicotError.exit_code)


def _with_gate(named: dict[str, list[Source]], file: str) -> tuple[dict[str, list[Source]], str]:
    """Add the file of --fail-if-worse-than as a new system, unless a system already contains it.

    `named` maps the name of each system to its files. `file` is FILE or NAME=FILE. Returns the
    mapping with the new system, and the name of the system that contains the file. Raises
    UsageError in two cases:

    - The first system contains the file. A system cannot be compared with itself.
    - The new system has the name of another system.
    """
    from scicot.evaluation import name_files

    ((name, (path,)),) = name_files([file]).items()
    for existing, files in named.items():
        if os.path.realpath(path) in map(os.path.realpath, files):
            if existing == next(iter(named)):
                raise UsageError(
                    f"--fail-if-worse-than {file}: belongs to the first system itself; give a file"
                    " of another system"
                )
            return named, existing
    if name in named:
        raise UsageError(
            f"--fail-if-worse-than {file}: another system is already called {name!r}; give another"
            " name as NAME=FILE"
        )
    return {**named, name: [path]}, name


def _below(verdict: Evaluation, minimum: float | None) -> Iterator[str]:
    first = verdict.systems[0]
    if minimum is not None and not first.accuracy >= minimum:
        yield f"{first.name}: accuracy {first.accuracy:.6g} is below --min-accuracy {minimum:g}"


def _worse(verdict: Evaluation, gate: str | None) -> Iterator[str]:
    """Yield the error message of --fail-if-worse-than, if the first system is significantly worse
    than the system called `gate`."""
    for comparison in verdict.comparisons:
        if comparison.second == gate and comparison.differs and comparison.difference < 0:
            yield f"{comparison.verdict} (--fail-if-worse-than)"
