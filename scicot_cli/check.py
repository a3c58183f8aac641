"""The command `scicot check`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from scicot.errors import ScicotError
from scicot.reporting import number_of
from scicot_cli import console
from scicot_cli import options as opt

if TYPE_CHECKING:
    from scicot.checking import Check

_SHORT = 300  # maximum number of characters shown of a text


def check(
    ctx: typer.Context,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="File of questions, a folder, a quoted glob such as 'data/*.jsonl', - for "
            "standard input, or hf://OWNER/NAME[/CONFIG]/SPLIT.",
        ),
    ],
    student: Annotated[
        str | None,
        typer.Option(
            "--student",
            metavar="RUN|ID|DIR",
            help="Also count characters that the tokenizer of this student lacks, and inputs "
            "that are too long for it. Runs and models may be on the Hub "
            "(OWNER/NAME[@REVISION]).",
        ),
    ] = None,
    overlap: Annotated[
        str | None,
        typer.Option(
            "--overlap",
            metavar="FILE",
            help="Also count how many of the questions occur in FILE.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
    columns: opt.Columns = "",
    answer_index: opt.AnswerIndex = None,
    answer_texts: opt.AnswerTexts = None,
    encoding: opt.Encoding = "",
    limit: opt.Limit = None,
    config: opt.Config = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Show how scicot reads a file of questions.

    It also lists the problems of the file, so run it first on a new file. It calls no teacher and
    writes no file. It exits with code 1 if something has to be fixed.
    """
    if as_json or not quiet:
        console.require_stdout()
    reporter = console.reporter(quiet=quiet, verbose=verbose)
    from scicot.checking import check as run

    found = run(
        file,
        student=student,
        overlap=overlap,
        reading=opt.reading(ctx, columns, answer_index, encoding, answer_texts),
        limit=limit,
        reporter=reporter,
    )
    if as_json:  # also with --quiet: JSON is asked for as the result, not as a report to read
        typer.echo(json.dumps(found.to_row(), indent=1, ensure_ascii=False))
    elif not quiet:
        typer.echo(console.visible_lines(list(_report_lines(found, overlap))))
    for problem in found.problems:
        console.error(problem)
    if not found.fit:
        raise typer.Exit(ScicotError.exit_code)


def _report_lines(found: Check, overlap: str | None) -> Iterator[str]:
    """Yield the lines of the report that is printed on a terminal. `overlap` is the name of the
    other file that the questions were compared with."""
    yield found.file
    for line in found.read_as:
        yield f"  {line}"
    if found.kept_fields:
        yield f"  other fields, kept unchanged: {', '.join(found.kept_fields[:12])}"
    for number, row in enumerate(found.first, start=1):
        yield ""
        if row.get("context"):
            yield f"     ({_short(row['context'])})"
        yield f"  {number}  {_short(row['question'])}"
        for choice in row["choices"]:
            mark = "  <- right" if choice["label"] == row["answer"] else ""
            yield f"     {choice['label']}  {_short(choice['text'])}{mark}"
    yield ""
    for name, figure in _figures(found, overlap):
        yield f"{name:<18}{figure}"
    for note in found.notes:
        yield f"note: {note}"


def _figures(found: Check, overlap: str | None) -> Iterator[tuple[str, str]]:
    images = f", {found.images:,} image questions skipped" if found.images else ""
    unreadable = f", {found.unreadable:,} rows that cannot be read" if found.unreadable else ""
    yield "questions", f"{found.questions:,}{images}{unreadable}"
    yield "ids", _ids(found)
    yield (
        "choices",
        ", ".join(f"{n} ({number_of(count, 'question')})" for n, count in found.choices.items()),
    )
    labels = ", ".join(f"{label} {count:,}" for label, count in found.gold.items())
    gold = found.questions - found.without_answer
    yield "gold answers", f"{gold:,} of {found.questions:,}" + (f": {labels}" if labels else "")
    yield (
        "duplicates",
        f"{found.repeated:,} repeated, {found.same_text:,} more with the same question text,"
        f" {found.equal_choices:,} with two equal choices",
    )
    limit = "for the student" if found.unit == "tokens" else "(over 2,000 characters)"
    yield (
        "long texts",
        f"{found.long:,} too long {limit}, the longest has {found.longest:,} {found.unit}",
    )
    if found.unit == "tokens":
        lacking = found.characters.get("lacking", 0)
        meaning = " (the student reads them as the unknown token)" if lacking else ""
        yield (
            "characters",
            f"{lacking:,} questions with characters that the tokenizer lacks{meaning}",
        )
    if found.overlap is not None:
        yield (
            "overlap",
            f"{found.overlap['same_text']:,} questions have the same text as one in {overlap};"
            f" {found.overlap['same_question']:,} of them also have the same choices",
        )


def _ids(found: Check) -> str:
    """Return the text for the line "ids" of the report. The text says from which fields the ids
    were read."""
    # Files are joined by id, so the user must be able to check which field the ids are from.
    made = "made from the texts of question, context and choices"
    if not found.id_fields:
        return f"{made}; no field was recognised as the id (--columns id=FIELD names one)"
    named = ", ".join(f'"{name}"' for name in found.id_fields)
    blank = f"; {found.made_ids:,} without an id, {made}" if found.made_ids else ""
    return f"from {named}{blank}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHORT else f"{line[:_SHORT]}..."
