"""Estimate the requests, tokens and cost of `generate_rationales` without generating or writing
anything."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scicot import sources
from scicot.annotation.batch_plans import Plan, plans_of
from scicot.annotation.budget import CHARACTERS_A_TOKEN, characters
from scicot.annotation.ledger import REJECTED
from scicot.annotation.ledger_files import read_ledger
from scicot.annotation.requests import EARLIER, MISSING, REPEATED, RowRequest
from scicot.annotation.retries import complete
from scicot.annotation.setup import COMMAND, Inputs, Setup, prepare
from scicot.config import GenerateSettings, RationaleSource, ReadingSettings
from scicot.outputs import check_beside, check_continues, starts_over
from scicot.reporting import LogReporter, Reporter, counted
from scicot.teachers import Request, Teacher

_COUNTED = 20  # requests whose tokens the server counts; the total is extrapolated from them
# Output tokens assumed for a reply if there are no earlier replies to extrapolate from. A reply has
# two to five sentences and the answer, after some paragraphs of thinking if that is requested.
OUTPUT_TOKENS: dict[RationaleSource, int] = {"reply": 150, "thinking": 1200}


@dataclass(frozen=True)
class Estimate:
    """Estimated requests, tokens and cost of a run.

    Requests:

    requests: the number of requests that are still to be sent.
    already_done: the number of requests that earlier runs finished.
    under_way: the number of requests already sent in batches that are not finished.
    followed_up: the number of requests that may need a second request, which reveals the answer
        (--reveal-answer on-failure).

    Tokens and dollars of the requests that are still to be sent:

    input_tokens: the expected input tokens.
    input_counted: True if `input_tokens` is based on counts of the server, False if it is based on
        the number of characters.
    output_tokens: the expected output tokens, extrapolated from earlier replies. Without earlier
        replies, a typical length is assumed.
    most_output_tokens: the maximum that --max-tokens allows, including second requests.
    cost: the expected cost, None if the price is unknown.
    most_cost: the highest possible cost, including second requests. None if the price is unknown.
    batched_cost: `cost` with the batch API.
    batched_most_cost: `most_cost` with the batch API.
    """

    teacher: str
    requests: int
    already_done: int
    input_tokens: int
    input_counted: bool
    output_tokens: int
    most_output_tokens: int
    cost: float | None
    most_cost: float | None
    batched_cost: float | None
    batched_most_cost: float | None
    followed_up: int = 0
    under_way: int = 0


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
    arguments.

    Only requests that are still to be sent are included. If the server can count tokens, it counts
    the input tokens of a sample of these requests.

    With --reveal-answer on-failure, a rejected reply is followed by a second request, which reveals
    the answer. It is not known how many new replies will be rejected. So the expected tokens and
    cost include a second request only for replies that an earlier run rejected. The maximums
    (`most_output_tokens`, `most_cost` and `batched_most_cost`) assume that every first reply is
    rejected.

    Raises ScicotError in the same cases as `generate_rationales`.
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
    force = starts_over(
        path,
        command=COMMAND,
        settings=work.builder.fingerprint(),
        inputs={work.source: sources.sha256_of(work.source)},
        companions=[REJECTED],
        defaults=EARLIER,
        force=force,
        reporter=reporter,
    )
    if not force:
        check_continues(path, COMMAND, work.builder.fingerprint(), [REJECTED], EARLIER)
    survey, asked, under_way = _Survey(work), 0, 0
    plans = [] if force else plans_of(path)
    sent = _sent(plans, work)
    retries = settings.retry_rejected or any(plan.retry for plan in plans)
    with (
        read_ledger(None if force else path, retry=MISSING if retries else ()) as ledger,
        reporter.task("counting", work.total) as task,
    ):
        if retries and not plans:
            ledger.retry_also(REPEATED)
        for question in counted(sources.unique(work.rows, reporter), task):
            asked += settings.samples
            for row_request in work.builder.pending(question, ledger):
                if _key(row_request) in sent:
                    under_way += 1
                else:
                    survey.add(row_request)
        replies = ledger.replies
        reply_tokens = ledger.output_tokens
    guess = min(OUTPUT_TOKENS[settings.rationale_source], settings.reply_tokens)
    tokens_per_reply = reply_tokens / replies if reply_tokens else guess
    input_tokens, by_server = complete(survey.tokens(close_teacher=isinstance(teacher, str)))
    expected_output, max_output = (
        round(tokens_per_reply * survey.requests),
        settings.reply_tokens * (survey.requests + survey.followed_up),
    )
    # a follow-up has the same prompt as the first request, and the answer
    most_input = round(input_tokens * survey.most_characters / (survey.characters or 1))
    price = work.budget.price

    def dollars(input_tokens: int, output_tokens: int, batched: bool) -> float | None:
        usage = {"input_tokens": input_tokens, "output_tokens": output_tokens}
        return None if price is None else price.of(usage, batched=batched)

    return Estimate(
        work.teacher.name,
        survey.requests,
        max(0, asked - survey.requests - under_way),
        input_tokens,
        by_server,
        expected_output,
        max_output,
        dollars(input_tokens, expected_output, False),
        dollars(most_input, max_output, False),
        dollars(input_tokens, expected_output, True),
        dollars(most_input, max_output, True),
        survey.followed_up,
        under_way,
    )


_Key = tuple[str, int, bool]  # question id, sample, whether the answer is revealed


def _key(row_request: RowRequest) -> _Key:
    return row_request.request.question_id, row_request.row.sample, row_request.row.saw_answer


def _sent(plans: list[Plan], work: Setup) -> set[_Key]:
    """Return the keys of the requests in batches that were sent or may have been sent."""
    return {
        _key(row_request)
        for plan in plans
        if plan.began is not None
        for row_request in plan.row_requests(work.builder)
    }


class _Survey:
    """Counts the requests and their characters, and keeps a uniform random sample of 20 requests
    (reservoir sampling)."""

    def __init__(self, work: Setup) -> None:
        self.requests = self.followed_up = 0
        self.characters = 0
        self.most_characters = 0  # with the follow-ups
        self._work = work
        self._sample: list[Request] = []
        self._random = random.Random(0)

    def add(self, row_request: RowRequest) -> None:
        request, row = row_request.request, row_request.row
        self.requests += 1
        self.characters += characters(request)
        self.most_characters += characters(request)
        on_failure = self._work.settings.reveal_answer == "on-failure"
        if on_failure and not row.saw_answer and row.question.answer is not None:
            self.followed_up += 1
            revealed = self._work.builder.of(row.question, row.sample, revealed=True)
            self.most_characters += characters(revealed.request)
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
            return round(sum(counts) * self.characters / sampled), True
        return round(self.characters / CHARACTERS_A_TOKEN), False
