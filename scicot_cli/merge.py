"""The command `scicot merge`."""

from __future__ import annotations

from typing import Annotated

import typer

from scicot_cli import console
from scicot_cli import options as opt


def merge(
    ctx: typer.Context,
    questions: Annotated[
        str,
        typer.Argument(
            metavar="QUESTIONS", help="The file of questions that was given to predict."
        ),
    ],
    parts: Annotated[
        list[str],
        typer.Argument(metavar="PARTS", help="Outputs of predict --shard, for all shards."),
    ],
    output: Annotated[str, typer.Option("--output", "-o", metavar="OUT", help="The merged file.")],
    columns: opt.Columns = "",
    answer_index: opt.AnswerIndex = None,
    answer_texts: opt.AnswerTexts = None,
    encoding: opt.Encoding = "",
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            min=1,
            help="Read only the first N questions. If predict had --limit, give the same N.",
        ),
    ] = None,
    skip_invalid: opt.SkipInvalid = False,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT if it exists.")] = False,
    config: opt.Config = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Join the parts of predict --shard.

    The rows are written in the order of the questions. Every question must occur exactly once in
    the parts, and all parts must be from the same students with the same settings. Otherwise
    nothing is written, and the missing or repeated questions are named.
    """
    reporter = console.reporter(quiet=quiet, verbose=verbose)
    from scicot.prediction import merge as run

    rows = run(
        questions,
        parts,
        output,
        reading=opt.reading(ctx, columns, answer_index, encoding, answer_texts),
        limit=limit,
        skip_invalid=skip_invalid,
        force=force,
        reporter=reporter,
    )
    reporter.note(f"{output}: {rows:,} rows from {len(parts)} parts")
