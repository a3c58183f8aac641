"""The command `scicot generate-rationales`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from scicot.config import GenerateSettings, Keep, RationaleSource, RevealAnswer
from scicot.errors import ScicotError, UsageError
from scicot.reporting import number_of
from scicot_cli import completion, console
from scicot_cli import options as opt
from scicot_cli.generate_summary import advice, errors_line, estimated, summary_lines
from scicot_cli.reveal_option import GenerateRationales

SOME_ROWS_FAILED = 3
COMMAND_CLASS = GenerateRationales  # read by commands.py


def generate_rationales(
    ctx: typer.Context,
    questions: Annotated[
        str,
        typer.Argument(
            metavar="QUESTIONS",
            help="File of questions, a folder, a quoted glob such as 'data/*.jsonl', - for "
            "standard input, or hf://OWNER/NAME[/CONFIG]/SPLIT.",
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="File for the rationale rows, for example rationales.jsonl. Rejected replies then "
            "go to rationales.rejected.jsonl, with the reason.",
        ),
    ],
    teacher: Annotated[
        str,
        typer.Option(
            "--teacher",
            autocompletion=completion.teachers,
            metavar="KIND:NAME",
            help="anthropic:MODEL (Messages API), openai:MODEL (Chat Completions API), "
            "hf:MODEL_OR_DIR (a causal language model on this machine) or recorded:FILE "
            "(recorded replies).",
        ),
    ],
    base_url: Annotated[
        str | None,
        typer.Option(
            "--base-url",
            metavar="URL",
            help="URL of another server, for --teacher anthropic:MODEL or openai:MODEL (vLLM, "
            "Ollama, llama.cpp, SGLang, LM Studio, OpenRouter, DeepSeek, LiteLLM).",
        ),
    ] = None,
    samples: Annotated[
        int, typer.Option("--samples", help="Number of rationales to request per question.")
    ] = GenerateSettings.samples,
    reveal_answer: Annotated[
        RevealAnswer,
        typer.Option(
            "--reveal-answer",
            help="When to show the teacher the right answer (as STaR does): never, always, or only "
            "in a second request after the first reply was rejected (on-failure). --reveal-answer "
            "without a value means always.",
        ),
    ] = GenerateSettings.reveal_answer,
    keep: Annotated[
        Keep,
        typer.Option(
            "--keep",
            help="correct: keep a rationale only if the conclusion of its reply is the gold answer "
            "(or if the question has no gold answer). all: keep every usable rationale.",
        ),
    ] = GenerateSettings.keep,
    prompt: Annotated[
        Path | None,
        typer.Option(
            "--prompt",
            metavar="FILE",
            help="File with your prompt template; it must contain {question} and {choices}, and "
            "may contain {context} and, with --reveal-answer, {answer}.",
        ),
    ] = None,
    examples: Annotated[
        str | None,
        typer.Option(
            "--examples",
            metavar="FILE",
            help="File of rationale rows with gold answers, to show as few-shot examples.",
        ),
    ] = None,
    rationale_source: Annotated[
        RationaleSource,
        typer.Option(
            "--rationale-source",
            help="Text that becomes the rationale: the reply, or the thinking of a reasoning "
            "model. The answer is always read from the reply.",
        ),
    ] = GenerateSettings.rationale_source,
    max_rationale_tokens: Annotated[
        int | None,
        typer.Option(
            "--max-rationale-tokens",
            help="Maximum tokens of a rationale; a token is counted as four bytes. Longer "
            "rationales lose their last sentences. [default: no limit]",
        ),
    ] = GenerateSettings.max_rationale_tokens,
    keep_replies: Annotated[
        bool,
        typer.Option(
            "--keep-replies",
            help="Also store the raw reply in every kept row. --teacher recorded:OUT then parses "
            "the replies again without new requests. The report of evaluate also shows the "
            "replies.",
        ),
    ] = GenerateSettings.keep_replies,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            "--max-tokens",
            help="Maximum tokens of a reply, including thinking. [default: 1024, or 4096 with "
            "--rationale-source thinking]",
        ),
    ] = GenerateSettings.max_tokens,
    temperature: Annotated[
        float | None,
        typer.Option(
            "--temperature",
            help="Sampling temperature. Supported by hf:MODEL teachers and most local "
            "servers, but not by Anthropic's API or OpenAI's reasoning models. [default: the "
            "server's. For hf:MODEL: 0.7, but the first sample is greedy unless --top-p is given]",
        ),
    ] = GenerateSettings.temperature,
    top_p: Annotated[
        float | None,
        typer.Option(
            "--top-p",
            help="Nucleus sampling probability. Supported by hf:MODEL teachers and most local "
            "servers, but not by Anthropic's API or OpenAI's reasoning models.",
        ),
    ] = GenerateSettings.top_p,
    concurrency: Annotated[
        int,
        typer.Option(
            "--concurrency",
            help="Maximum requests in flight; lowered while the server reports rate limits or "
            "overload.",
        ),
    ] = GenerateSettings.concurrency,
    batch: Annotated[
        bool,
        typer.Option(
            "--batch",
            help="Use the batch API of Anthropic or OpenAI: half the price, done within a day. "
            "Run the same command again to fetch the results.",
        ),
    ] = GenerateSettings.batch,
    cancel_batches: Annotated[
        bool,
        typer.Option(
            "--cancel-batches", help="Cancel the batches sent with --batch; keep finished results."
        ),
    ] = GenerateSettings.cancel_batches,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Send nothing that costs money; print how many requests are left, their tokens "
            "and their cost.",
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result of --dry-run as JSON.")
    ] = False,
    max_cost: Annotated[
        float | None,
        typer.Option(
            "--max-cost",
            help="Maximum cost in dollars of all requests for OUT, including those of earlier "
            "runs. The command stops before the limit is exceeded, and can be resumed with a "
            "higher limit.",
        ),
    ] = GenerateSettings.max_cost,
    price: Annotated[
        str | None,
        typer.Option(
            "--price",
            metavar="IN,OUT",
            help="Prices of a million input tokens and of a million output tokens in dollars, "
            "instead of those in the built-in table.",
        ),
    ] = None,
    max_wait: Annotated[
        float,
        typer.Option(
            "--max-wait",
            help="Maximum seconds for one request with its retries. If the server answered other "
            "requests in this time and set no rate limit, this request is then recorded as an "
            "error and the command continues. Otherwise the command stops; run it again to "
            "resume.",
        ),
    ] = GenerateSettings.max_wait,
    timeout: Annotated[
        float, typer.Option("--timeout", help="Timeout of a single request, in seconds.")
    ] = GenerateSettings.timeout,
    max_failures: Annotated[
        int,
        typer.Option(
            "--max-failures",
            help="Stop after this many failed requests in a row; the same command resumes.",
        ),
    ] = GenerateSettings.max_failures,
    retry_rejected: Annotated[
        bool,
        typer.Option(
            "--retry-rejected",
            help="Send the requests of rejected rows again if the reason is error, empty, "
            "truncated, refusal or no-thinking.",
        ),
    ] = GenerateSettings.retry_rejected,
    columns: opt.Columns = "",
    answer_index: opt.AnswerIndex = None,
    answer_texts: opt.AnswerTexts = None,
    encoding: opt.Encoding = "",
    limit: opt.Limit = None,
    skip_invalid: opt.SkipInvalid = False,
    force: opt.Force = False,
    config: opt.Config = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Ask a teacher to explain every question.

    Rows are written in the order in which the replies arrive. Run the same command again to
    continue after a stop; answered requests are not repeated.
    """
    reporter = console.reporter(quiet=quiet, verbose=verbose)
    settings = GenerateSettings(
        samples=samples,
        reveal_answer=reveal_answer,
        keep=keep,
        rationale_source=rationale_source,
        max_rationale_tokens=max_rationale_tokens,
        keep_replies=keep_replies,
        max_tokens=max_tokens,
        temperature=temperature,
        top_p=top_p,
        concurrency=concurrency,
        max_wait=max_wait,
        timeout=timeout,
        max_failures=max_failures,
        retry_rejected=retry_rejected,
        batch=batch,
        cancel_batches=cancel_batches,
        max_cost=max_cost,
        price=_price(price),
    )
    if as_json and not dry_run:
        raise UsageError("--json: needs --dry-run (the output rows are JSON anyway)")
    from scicot import annotation
    from scicot.annotation.ledger import REJECTED
    from scicot.outputs import check_output_not_read

    arguments: dict[str, Any] = {
        "teacher": teacher,
        "settings": settings,
        "base_url": base_url,
        "prompt": _read(prompt) if prompt else None,
        "examples": examples,
        "reading": opt.reading(ctx, columns, answer_index, encoding, answer_texts),
        "limit": limit,
        "skip_invalid": skip_invalid,
        "force": force,
        "reporter": reporter,
    }
    if dry_run:
        console.require_stdout()
        estimate = annotation.estimate_cost(questions, output, **arguments)
        text = json.dumps(asdict(estimate), indent=1) if as_json else estimated(estimate)
        sys.stdout.write(text + "\n")
        return
    read = [file for file in (prompt, config) if file]
    check_output_not_read(output, read, [REJECTED])
    summary = annotation.generate_rationales(questions, output, **arguments)
    for line in [*summary_lines(summary, output), *advice(summary, settings)]:
        reporter.note(line)
    if thoughtless := summary.rejected["no-thinking"]:
        count = number_of(thoughtless, "reply", "replies")
        reporter.warn(f"{count} without thinking; {annotation.no_thinking(teacher)}")
    if summary.errors:
        console.error(errors_line(summary, output))
        raise typer.Exit(SOME_ROWS_FAILED)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScicotError(f"--prompt {path}: not readable ({error})") from None


def _price(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        input_price, output_price = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(
            f"--price {text}: give IN,OUT in dollars per million tokens, for example 0.10,0.50"
        ) from None
    return input_price, output_price
