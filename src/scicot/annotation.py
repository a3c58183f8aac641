"""Questions x teacher -> rationales: ask, read, filter, and never ask twice for what is on disk.

A reply becomes a row of OUT, or of OUT.rejected.jsonl with the reason why nothing should be learnt
from it. Both grow by whole lines; a question counts as done when a row of either says so.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import time
from collections import Counter
from collections.abc import Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from scicot import sources
from scicot.config import GenerateSettings
from scicot.errors import StoppedEarly
from scicot.ledger import Ledger, open_ledger
from scicot.outputs import open_output
from scicot.prompts import BUILT_IN_PROMPT, build_prompt, check_template
from scicot.records import (
    PREDICTION_FIELDS,
    RATIONALE_FIELDS,
    Question,
    Rationale,
    Row,
    RowProblem,
)
from scicot.replies import announces_answer, is_refusal, read_reply
from scicot.reporting import LogReporter, Reporter, Task
from scicot.teachers import Reply, Request, Teacher, TeacherBusy, TeacherError, load_teacher

# Fields of an earlier answer to the same question, which the teacher's answer replaces.
SUPERSEDED = (*PREDICTION_FIELDS, *RATIONALE_FIELDS, "reason", "reply", "error")


@dataclass
class GenerateSummary:
    """What became of a run: rows kept, rejected by reason, found done before, and tokens used."""

    kept: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    already_done: int = 0
    errors: int = 0  # rows of this run and earlier ones that still wait for a reply
    tokens: Counter[str] = field(default_factory=Counter)


def generate_rationales(
    questions: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    teacher: str | Teacher,
    settings: GenerateSettings | None = None,
    base_url: str | None = None,
    prompt: str | None = None,
    limit: int | None = None,
    skip_invalid: bool = False,
    force: bool = False,
    reporter: Reporter | None = None,
) -> GenerateSummary:
    """Ask a teacher to explain every question, and write what is fit to learn from to `output`.

    `teacher` is KIND:NAME or an object with `name`, `ask` and `close`; `prompt` is the text of an
    own prompt with {question} and {choices}. Called again it goes on: a (question, sample, request)
    that has a row in `output`, or beside it in `.rejected.jsonl`, is not asked again. Raises
    ScicotError for what the user can mend, StoppedEarly where the same call later goes on.
    """
    settings = settings or GenerateSettings()
    reporter = reporter or LogReporter()
    rows = sources.questions(
        questions,
        limit=limit,
        skip_invalid=skip_invalid,
        empty_pipe=True,
        reporter=reporter,
        check=_has_answer if settings.reveal_answer else None,
    )
    if prompt is not None:
        check_template(prompt, reveal_answer=settings.reveal_answer)
    unique = sources.count_unique(rows, reporter)
    total = None if unique is None else unique * settings.samples
    if isinstance(teacher, str):
        teacher = load_teacher(teacher, base_url=base_url, timeout=settings.timeout)
    same = {
        "teacher": teacher.name,
        "reveal_answer": settings.reveal_answer,
        "keep": settings.keep,
        "max_tokens": settings.max_tokens,
        # Of the built-in prompt too: asked in other words is asked anew, and must not mix.
        "prompt": hashlib.sha256((prompt or BUILT_IN_PROMPT).encode()).hexdigest()[:16],
    }
    inputs = {os.fspath(questions): sources.sha256_of(questions)}
    with (
        open_output(
            output,
            command="generate-rationales",
            settings=same,
            inputs=inputs,
            companions=["rejected.jsonl"],
            force=force,
        ) as out,
        open_ledger(out, retry_rejected=settings.retry_rejected, force=force) as ledger,
        reporter.task(f"asking {teacher.name}", total) as task,
    ):
        job = _Job(teacher, settings, prompt, ledger, reporter)
        _complete(job.run(sources.unique(rows, reporter), task))
        out.finish({"kept": ledger.kept, **+ledger.rejected})
        job.summary.errors = ledger.rejected["error"]
    return job.summary


def _complete(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end, also from within a running loop (a notebook's)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work)
        return
    with ThreadPoolExecutor(1) as aside:
        aside.submit(asyncio.run, work).result()


class _Job:
    """One run of a teacher over questions."""

    def __init__(
        self,
        teacher: Teacher,
        settings: GenerateSettings,
        template: str | None,
        ledger: Ledger,
        reporter: Reporter,
    ) -> None:
        self.summary = GenerateSummary()
        self._teacher = teacher
        self._settings = settings
        self._template = template
        self._ledger = ledger
        self._reporter = reporter

    async def run(self, questions: Iterable[Question], task: Task) -> None:
        try:
            for question in questions:
                for sample in range(self._settings.samples):
                    await self._one(question.without(SUPERSEDED), sample)
                    task.advance(kept=self.summary.kept, rejected=self.summary.rejected.total())
        finally:
            await self._teacher.close()

    async def _one(self, question: Question, sample: int) -> None:
        reveal = self._settings.reveal_answer
        prompt = build_prompt(question, reveal_answer=reveal, template=self._template)
        request = Request(question.id, sample, prompt, self._settings.max_tokens)
        row = Rationale(
            question,
            "",
            sample,
            self._teacher.name,
            saw_answer=reveal,
            request=_request_hash(self._teacher.name, request),
        )
        if self._ledger.is_done(row):
            self.summary.already_done += 1
            return
        try:
            reply = await self._ask(request)
        except TeacherError as error:
            self._reject(row, "error", {"error": str(error)})
            return
        self.summary.tokens.update(reply.usage)
        row, reason = judge(replace(row, usage=reply.usage), reply, self._settings)
        if reason is None and self._ledger.is_repeated(row):
            reason = "duplicate"
        if reason is not None:
            self._reject(row, reason, {"reply": reply.text})
        else:
            self._ledger.keep(row)
            self.summary.kept += 1

    def _reject(self, row: Rationale, reason: str, why: Row) -> None:
        self._ledger.reject(row, reason, why)
        self.summary.rejected[reason] += 1

    async def _ask(self, request: Request) -> Reply:
        """Ask until an answer comes, waiting longer each time, `max_wait` seconds in all."""
        began, backoff, told = time.monotonic(), 0.5, False
        while True:
            try:
                return await self._teacher.ask(request)
            except TeacherBusy as busy:
                # Never at once again, even where the server says so: that would be a storm.
                delay = max(busy.retry_after or 0.0, backoff * random.uniform(0.5, 1.0))
                backoff = min(2 * backoff, 60.0)
                if time.monotonic() - began + delay > self._settings.max_wait:
                    raise StoppedEarly(
                        f"{self._teacher.name}: {busy}; would have to wait {delay:.0f} s more,"
                        f" --max-wait is {self._settings.max_wait:.0f} s in all;"
                        " the same command goes on from here"
                    ) from None
                if not told:
                    self._reporter.warn(f"{self._teacher.name}: {busy}; asking again")
                    told = True
                await asyncio.sleep(delay)


def judge(row: Rationale, reply: Reply, settings: GenerateSettings) -> tuple[Rationale, str | None]:
    """Read a reply into its row, with the reason why it is not fit to learn from, or None."""
    parsed = read_reply(reply.text, row.question)
    row = replace(row, rationale=parsed.rationale, conclusion=parsed.conclusion)
    gold = row.question.answer
    if reply.stop_reason == "refusal" or is_refusal(reply.text):
        reason = "refusal"
    elif reply.stop_reason == "max_tokens" and not (parsed.announced and parsed.conclusion):
        reason = "truncated"
    elif not row.rationale:
        reason = "empty"
    elif settings.keep == "correct" and gold is not None and row.conclusion != gold:
        reason = "wrong-conclusion"
    elif announces_answer(row.rationale, row.question):
        reason = "leaks-answer"
    else:
        return row, None
    return row, reason


def _has_answer(question: Question) -> None:
    if question.answer is None:
        raise RowProblem("has no gold answer, which --reveal-answer shows to the teacher")


def _request_hash(teacher: str, request: Request) -> str:
    content = [teacher, request.prompt.system, request.prompt.user, request.max_tokens]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
