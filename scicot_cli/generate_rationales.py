"""`scicot generate-rationales`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scicot.config import GenerateSettings, Keep
from scicot.errors import ScicotError
from scicot_cli import console
from scicot_cli import options as opt

SOME_ROWS_FAILED = 3


def generate_rationales(
    questions: Annotated[
        str,
        typer.Argument(
            metavar="QUESTIONS", help="A file of questions, - or hf://OWNER/NAME[/CONFIG]/SPLIT."
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="Rationale rows; OUT.rejected.jsonl takes the rest, with the reason.",
        ),
    ],
    teacher: Annotated[
        str,
        typer.Option(
            "--teacher",
            metavar="KIND:NAME",
            help="anthropic:MODEL asks through the Messages API; recorded:FILE replays replies.",
        ),
    ],
    base_url: Annotated[
        str | None,
        typer.Option(
            "--base-url",
            metavar="URL",
            help="Another server that speaks the Messages API (vLLM, Ollama, llama.cpp, LiteLLM).",
        ),
    ] = None,
    samples: Annotated[
        int, typer.Option("--samples", help="Rationales asked for each question.")
    ] = GenerateSettings.samples,
    reveal_answer: Annotated[
        bool,
        typer.Option("--reveal-answer", help="Show the teacher the right answer (as STaR does)."),
    ] = GenerateSettings.reveal_answer,
    keep: Annotated[
        Keep,
        typer.Option(
            "--keep", help="correct: only rationales that conclude the gold answer; all: any."
        ),
    ] = GenerateSettings.keep,
    prompt: Annotated[
        Path | None,
        typer.Option(
            "--prompt",
            metavar="FILE",
            help="Your own prompt, with {question} and {choices}; also {context}, {answer}.",
        ),
    ] = None,
    max_tokens: Annotated[
        int, typer.Option("--max-tokens", help="Tokens a reply may have.")
    ] = GenerateSettings.max_tokens,
    max_wait: Annotated[
        float,
        typer.Option(
            "--max-wait", help="Seconds to wait on one request in all before stopping, resumable."
        ),
    ] = GenerateSettings.max_wait,
    timeout: Annotated[
        float, typer.Option("--timeout", help="Seconds one request may take.")
    ] = GenerateSettings.timeout,
    retry_rejected: Annotated[
        bool,
        typer.Option(
            "--retry-rejected",
            help="Ask again where no usable reply came (error, empty, truncated, refusal).",
        ),
    ] = GenerateSettings.retry_rejected,
    limit: opt.Limit = None,
    skip_invalid: opt.SkipInvalid = False,
    force: opt.Force = False,
    config: opt.Config = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Ask a teacher to explain every question.

    The same command again goes on where it stopped and asks nothing twice.
    """
    reporter = console.reporter(quiet=quiet, verbose=verbose)
    settings = GenerateSettings(
        samples=samples,
        reveal_answer=reveal_answer,
        keep=keep,
        max_tokens=max_tokens,
        max_wait=max_wait,
        timeout=timeout,
        retry_rejected=retry_rejected,
    )
    from scicot.annotation import generate_rationales as generate

    summary = generate(
        questions,
        output,
        teacher=teacher,
        settings=settings,
        base_url=base_url,
        prompt=_read(prompt) if prompt else None,
        limit=limit,
        skip_invalid=skip_invalid,
        force=force,
        reporter=reporter,
    )
    reasons = ", ".join(f"{count} {reason}" for reason, count in summary.rejected.most_common())
    done = f", {summary.already_done} done before" if summary.already_done else ""
    tokens = ", ".join(f"{count:,} {name}" for name, count in summary.tokens.items())
    reporter.note(
        f"{output}: {summary.kept} kept, {summary.rejected.total()} rejected"
        + (f" ({reasons})" if reasons else "")
        + done
        + (f"; {tokens}" if tokens else "")
    )
    if summary.errors:
        console.error(f"{summary.errors} rows met an error; --retry-rejected asks them again")
        raise typer.Exit(SOME_ROWS_FAILED)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ScicotError(f"--prompt {path}: not readable ({error})") from None
