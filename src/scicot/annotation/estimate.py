"""Estimate the requests, tokens and cost of `generate_rationales` without generating or writing
anything."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scicot import sources
from scicot.annotation.budget import CHARACTERS_A_TOKEN, characters
from scicot.annotation.ledger import REJECTED, read_ledger
from scicot.annotation.requests import EARLIER, MISSING, REPEATED
from scicot.annotation.retries import complete
from scicot.annotation.setup import COMMAND, Inputs, Setup, prepare
from scicot.config import GenerateSettings, RationaleSource, ReadingSettings
from scicot.outputs import check_beside, check_continues
from scicot.reporting import LogReporter, Reporter, counted
from scicot.teachers import Request, Teacher

_COUNTED = 20  # requests whose tokens the server counts; the total is extrapolated from them
# Output tokens assumed for a reply if there are no earlier replies to extrapolate from. A reply has
# two to five sentences and the answer, after some paragraphs of thinking if that is requested.
OUTPUT_TOKENS: dict[RationaleSource, int] = {"reply": 150, "thinking": 1200}


@dataclass(frozen=True)
class Estimate:
    """Estimated requests, tokens and cost of a run.

    `requests` counts the requests that are still to be sent. `already_done` counts the requests
    that earlier runs finished. `output_tokens` is extrapolated from earlier replies, or from a
    typical length if there are none. `most_output_tokens` is the maximum that --max-tokens allows.
    `cost` and `most_cost` are the expected and the highest possible cost in dollars; `batched_cost`
    and `batched_most_cost` are the same with the batch API. All four costs are None if the price is
    unknown.
    """

    teacher: str
    requests: int
    already_done: int
    input_tokens: int
    # True if counted by the server on a sample, False if estimated from the characters
    input_counted: bool
    output_tokens: int
    most_output_tokens: int
    cost: float | None
    most_cost: float | None
    batched_cost: float | None
    batched_most_cost: float | None


def estimate_cost(
    questions: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    teacher: str | Teacher,
    settings: GenerateSettings | None = None,
    base_url: str | None = None,
    prompt: str | None = None,
    examples: str | os.PathLike[str] | None = None,
    reading: ReadingSettings | None = None,
    limit: int | None = None,
    skip_invalid: bool = False,
    force: bool = False,
    reporter: Reporter | None = None,
) -> Estimate:
    """Estimate the requests, tokens and cost of a call of `generate_rationales` with the same
    arguments. Requests that are done already are not included.

    If the server can count tokens, it counts the input tokens of a sample of the requests. With
    --reveal-answer on-failure, a second request, which reveals the answer, is included only if the
    reply to the first request has already been rejected. Raises ScicotError in the
    same cases as `generate_rationales`.
    """
    settings, reporter = settings or GenerateSettings(), reporter or LogReporter()
    check_beside(Path(output))
    inputs = Inputs(
        questions,
        teacher,
        settings,
        reporter,
        base_url,
        prompt,
        examples,
        limit,
        skip_invalid,
        reading,
    )
    work = prepare(inputs, only_counts=True)
    path = Path(output)
    if not force:
        check_continues(path, COMMAND, work.builder.fingerprint(), [REJECTED], EARLIER)
    survey = _Survey(work)
    with (
        read_ledger(
            None if force else path, retry=MISSING if settings.retry_rejected else ()
        ) as ledger,
        reporter.task("counting", work.total) as task,
    ):
        if settings.retry_rejected:
            ledger.retry_also(REPEATED)
        for question in counted(sources.unique(work.rows, reporter), task):
            for row_request in work.builder.pending(question, ledger):
                survey.add(row_request.request)
        done = (work.total or 0) - survey.requests
        replies = ledger.replies
        reply_tokens = ledger.output_tokens
    guess = min(OUTPUT_TOKENS[settings.rationale_source], settings.reply_tokens)
    tokens_per_reply = reply_tokens / replies if reply_tokens else guess
    input_tokens, by_server = complete(survey.tokens(close_teacher=isinstance(teacher, str)))
    expected_output, max_output = (
        round(tokens_per_reply * survey.requests),
        settings.reply_tokens * survey.requests,
    )
    price = work.budget.price

    def dollars(output_tokens: int, batched: bool) -> float | None:
        usage = {"input_tokens": input_tokens, "output_tokens": output_tokens}
        return None if price is None else price.of(usage, batched=batched)

    return Estimate(
        work.teacher.name,
        survey.requests,
        max(0, done),
        input_tokens,
        by_server,
        expected_output,
        max_output,
        dollars(expected_output, False),
        dollars(max_output, False),
        dollars(expected_output, True),
        dollars(max_output, True),
    )


class _Survey:
    """Counts the requests and their characters, and keeps a uniform random sample of 20 requests
    (reservoir sampling)."""

    def __init__(self, work: Setup) -> None:
        self.requests = 0
        self._work = work
        self._characters = 0
        self._sample: list[Request] = []
        self._random = random.Random(0)

    def add(self, request: Request) -> None:
        self.requests += 1
        self._characters += characters(request)
        if len(self._sample) < _COUNTED:
            self._sample.append(request)
        elif (slot := self._random.randrange(self.requests)) < _COUNTED:
            self._sample[slot] = request

    async def tokens(self, *, close_teacher: bool) -> tuple[int, bool]:
        """Estimate the number of input tokens of all requests. Return this number, and True if it
        is based on counts of the server.

        If the server can count tokens, it counts those of a sample of the requests, and the result
        is extrapolated to all requests. Otherwise the number is estimated from the number of
        characters. If `close_teacher` is True, the teacher is closed afterwards.
        """
        teacher = self._work.teacher
        count: Any = getattr(teacher, "count_tokens", None)
        try:
            counts = []
            for request in self._sample if count is not None else ():
                tokens = await count(request)
                if tokens is None:
                    break
                counts.append(tokens)
        finally:
            if close_teacher:
                await teacher.close()
        if counts and len(counts) == len(self._sample):
            sampled = sum(map(characters, self._sample))
            return round(sum(counts) * self._characters / sampled), True
        return round(self._characters / CHARACTERS_A_TOKEN), False
