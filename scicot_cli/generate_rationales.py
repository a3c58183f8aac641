"""`scicot generate-rationales`."""

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
from scicot_cli.generate_summary import advice, estimated, told
from scicot_cli.grouped import GroupedCommand

SOME_ROWS_FAILED = 3
_REVEAL = "--reveal-answer"
_WHEN = ("never", "always", "on-failure")


class GenerateRationales(GroupedCommand):
    """The command. The value of --reveal-answer may be omitted and is then "always"."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        words = [
            f"{_REVEAL}=always" if arg == _REVEAL and following not in _WHEN else arg
            for arg, following in zip(args, [*args[1:], ""], strict=False)  # none may be given
        ]
        return super().parse_args(ctx, words)


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
            autocompletion=completion.teachers,
            metavar="KIND:NAME",
            help="anthropic:MODEL asks through the Messages API, openai:MODEL through OpenAI's Chat"
            " Completions API, hf:MODEL_OR_DIR a causal language model on this machine;"
            " recorded:FILE replays replies.",
        ),
    ],
    base_url: Annotated[
        str | None,
        typer.Option(
            "--base-url",
            metavar="URL",
            help="Another server that speaks the API of anthropic: or openai: (vLLM, Ollama,"
            " llama.cpp, SGLang, LM Studio, OpenRouter, DeepSeek, LiteLLM).",
        ),
    ] = None,
    samples: Annotated[
        int, typer.Option("--samples", help="Rationales asked for each question.")
    ] = GenerateSettings.samples,
    reveal_answer: Annotated[
        RevealAnswer,
        typer.Option(
            _REVEAL,
            help="Show the teacher the right answer (as STaR does): always (also without a value),"
            " or on-failure, a second time where the first reply was not fit to learn from.",
        ),
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
    examples: Annotated[
        str | None,
        typer.Option(
            "--examples",
            metavar="FILE",
            help="Rationale rows with answers that the teacher is shown first (few-shot).",
        ),
    ] = None,
    rationale_source: Annotated[
        RationaleSource,
        typer.Option(
            "--rationale-source",
            help="reply: what the teacher replies becomes the rationale; thinking: what a reasoning"
            " model thought before. The answer is read from the reply in any case.",
        ),
    ] = GenerateSettings.rationale_source,
    max_rationale_tokens: Annotated[
        int | None,
        typer.Option(
            "--max-rationale-tokens",
            help="Tokens of a rationale, four bytes each; longer ones lose their last sentences."
            " [default: all]",
        ),
    ] = GenerateSettings.max_rationale_tokens,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            "--max-tokens",
            help="Tokens a reply may have, its thinking included. [default: 1024, or 4096 with"
            " --rationale-source thinking]",
        ),
    ] = GenerateSettings.max_tokens,
    temperature: Annotated[
        float | None,
        typer.Option(
            "--temperature",
            help="Of sampling, where the teacher takes it: hf: and most local servers do,"
            " Anthropic's API and OpenAI's reasoning models do not.",
        ),
    ] = GenerateSettings.temperature,
    top_p: Annotated[
        float | None, typer.Option("--top-p", help="Of sampling, likewise.")
    ] = GenerateSettings.top_p,
    concurrency: Annotated[
        int,
        typer.Option(
            "--concurrency",
            help="Requests in flight; fewer leave while the server says it is too much.",
        ),
    ] = GenerateSettings.concurrency,
    batch: Annotated[
        bool,
        typer.Option(
            "--batch",
            help="Send all through Anthropic's or OpenAI's batch API: half the price, done within a"
            " day. The same command fetches what was sent before.",
        ),
    ] = GenerateSettings.batch,
    cancel_batches: Annotated[
        bool,
        typer.Option(
            "--cancel-batches", help="Take back what was sent with --batch; keep what is done."
        ),
    ] = GenerateSettings.cancel_batches,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Ask nothing: print how many requests and tokens are left, and what they cost.",
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --dry-run: print it as JSON.")
    ] = False,
    max_cost: Annotated[
        float | None,
        typer.Option(
            "--max-cost",
            help="Dollars that OUT may cost in all its runs; stops before more, resumable.",
        ),
    ] = GenerateSettings.max_cost,
    price: Annotated[
        str | None,
        typer.Option(
            "--price",
            metavar="IN,OUT",
            help="Dollars for a million tokens in and out, where the built-in table is wrong.",
        ),
    ] = None,
    max_wait: Annotated[
        float,
        typer.Option(
            "--max-wait", help="Seconds to wait on one request in all before stopping, resumable."
        ),
    ] = GenerateSettings.max_wait,
    timeout: Annotated[
        float, typer.Option("--timeout", help="Seconds one request may take.")
    ] = GenerateSettings.timeout,
    max_failures: Annotated[
        int,
        typer.Option("--max-failures", help="Requests in a row that may fail before all stops."),
    ] = GenerateSettings.max_failures,
    retry_rejected: Annotated[
        bool,
        typer.Option(
            "--retry-rejected",
            help="Ask again where no usable reply came (error, empty, truncated, refusal,"
            " no-thinking).",
        ),
    ] = GenerateSettings.retry_rejected,
    columns: opt.Columns = "",
    answer_index: opt.AnswerIndex = None,
    encoding: opt.Encoding = "",
    limit: opt.Limit = None,
    skip_invalid: opt.SkipInvalid = False,
    force: opt.Force = False,
    config: opt.Config = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Ask a teacher to explain every question.

    A repeated command resumes where it stopped, and sends no request twice. Rows are in the order
    of the replies.
    """
    reporter = console.reporter(quiet=quiet, verbose=verbose)
    settings = GenerateSettings(
        samples=samples,
        reveal_answer=reveal_answer,
        keep=keep,
        rationale_source=rationale_source,
        max_rationale_tokens=max_rationale_tokens,
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
        raise UsageError("--json: what --dry-run finds is printed so; rows are JSON anyway")
    from scicot import annotation

    arguments: dict[str, Any] = {
        "teacher": teacher,
        "settings": settings,
        "base_url": base_url,
        "prompt": _read(prompt) if prompt else None,
        "examples": examples,
        "reading": opt.reading(columns, answer_index, encoding),
        "limit": limit,
        "skip_invalid": skip_invalid,
        "force": force,
        "reporter": reporter,
    }
    if dry_run:
        estimate = annotation.estimate_cost(questions, output, **arguments)
        text = json.dumps(asdict(estimate), indent=1) if as_json else estimated(estimate)
        sys.stdout.write(text + "\n")
        return
    summary = annotation.generate_rationales(questions, output, **arguments)
    for line in [*told(summary, output), *advice(summary, settings)]:
        reporter.note(line)
    if thoughtless := summary.rejected["no-thinking"]:
        what = number_of(thoughtless, "reply", "replies")
        reporter.warn(f"{what} without thinking; {annotation.no_thinking(teacher)}")
    if summary.errors:
        console.error(f"{summary.errors} rows met an error; --retry-rejected asks them again")
        raise typer.Exit(SOME_ROWS_FAILED)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ScicotError(f"--prompt {path}: not readable ({error})") from None


def _price(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        read, written = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--price {text}: give IN,OUT, as 0.10,0.50") from None
    return read, written
