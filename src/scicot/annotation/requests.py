"""Build the requests to a teacher: one for each question and sample. With --reveal-answer
on-failure, if the reply for a sample is rejected for a reason in FAILED, the sample gets a second
request, which shows the gold answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from scicot.annotation.judging import NO_THINKING
from scicot.annotation.ledger import Attempt, Ledger
from scicot.config import GenerateSettings
from scicot.prompts import BUILT_IN_PROMPT, build_example, build_prompt, check_template
from scicot.records import (
    PREDICTION_FIELDS,
    RATIONALE_FIELDS,
    REJECTED_FIELDS,
    Question,
    Rationale,
)
from scicot.teachers import Request
from scicot.text import normalized

# Fields of an earlier prediction or rationale in the row of a question. The teacher's reply
# replaces them.
SUPERSEDED = (*PREDICTION_FIELDS, *RATIONALE_FIELDS, *REJECTED_FIELDS)

# Reasons for rejection that mean a missing or incomplete reply and not a bad one, so that sending
# the request again may help (--retry-rejected).
MISSING = ("error", "empty", "truncated", "refusal", NO_THINKING)
# Of these, the reasons for which a retry that was stopped and goes on asks once more. They have a
# cause that the user was told to fix, such as a server that sends no thinking.
REPEATED = ("error", NO_THINKING)
# Settings that earlier versions did not record with an output, and the values that they used.
EARLIER = {"rationale_source": "reply", "keep_replies": False}
# Reasons for rejection after which --reveal-answer on-failure shows the teacher the answer.
FAILED = (
    *("wrong-conclusion", "leaks-answer", "too-long", "too-short", "repetitive", "empty"),
    *("truncated", "refusal"),
)


@dataclass(frozen=True, slots=True)
class RowRequest:
    """A request, and the rationale row that its reply will complete."""

    request: Request
    row: Rationale


@dataclass(frozen=True)
class RequestBuilder:
    """Builds requests from questions. The same settings and question always give the same
    request."""

    teacher: str
    settings: GenerateSettings
    template: str | None = None
    examples: Sequence[Rationale] = ()
    identity: str | None = None  # distinguishes teachers of the same name
    _example_texts: dict[bool, tuple[tuple[str, str], ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        modes = {"never": (False,), "always": (True,), "on-failure": (False, True)}
        for revealed in modes[self.settings.reveal_answer]:
            if self.template is not None:
                check_template(self.template, reveal_answer=revealed)
            self._example_texts[revealed] = tuple(
                build_example(
                    example.question,
                    example.rationale,
                    reveal_answer=revealed,
                    template=self.template,
                )
                for example in self.examples
            )

    def fingerprint(self) -> dict[str, Any]:
        """Return, as JSON values, the settings that must be equal in all runs that write to the
        same output. They include a digest of the prompt template, so that replies to differently
        worded prompts are never mixed."""
        examples = [[list(pair) for pair in pairs] for pairs in self._example_texts.values()]
        return {
            "teacher": self.teacher,
            **({"identity": self.identity} if self.identity else {}),
            "reveal_answer": self.settings.reveal_answer,
            "keep": self.settings.keep,
            "max_tokens": self.settings.reply_tokens,
            "rationale_source": self.settings.rationale_source,
            "max_rationale_tokens": self.settings.max_rationale_tokens,
            **({"keep_replies": True} if self.settings.keep_replies else {}),
            "sampling": self.settings.sampling,
            "prompt": _digest(self.template or BUILT_IN_PROMPT),
            "examples": _digest(json.dumps(examples)) if self.examples else None,
        }

    def of(self, question: Question, sample: int, *, revealed: bool) -> RowRequest:
        prompt = build_prompt(
            question,
            reveal_answer=revealed,
            template=self.template,
            examples=self._examples_for(question, revealed),
        )
        settings = self.settings
        thinking = settings.rationale_source == "thinking"
        request = Request(question.id, sample, prompt, settings.reply_tokens, thinking=thinking)
        row = Rationale(
            question,
            "",
            sample,
            self.teacher,
            saw_answer=revealed,
            request=request_hash(self.teacher, request),
        )
        return RowRequest(request, row)

    def pending(self, original: Question, ledger: Ledger) -> list[RowRequest]:
        """Return the requests of a question that are still to be sent, at most one for each sample.
        `original` is the question as read from the input. `ledger` records which requests are
        done."""
        question = original.without(SUPERSEDED)
        attempts = ledger.attempts(question)
        row_requests = [
            self._next_request(question, n, attempts) for n in range(self.settings.samples)
        ]
        return [row_request for row_request in row_requests if row_request is not None]

    def follow_up(self, row: Rationale, reason: str | None, ledger: Ledger) -> RowRequest | None:
        """Return the second request of a sample, which reveals the gold answer, or None if it is
        not needed. It is needed if --reveal-answer is on-failure, and the reply to the first
        request was rejected for a reason in FAILED. `row` is the row of the first request. `reason`
        is the reason why its reply was rejected, None if it was kept."""
        if self.settings.reveal_answer != "on-failure" or row.saw_answer or reason not in FAILED:
            return None
        attempt = ledger.attempts(row.question).get((row.sample, True))
        return self._revealed_request(row.question, row.sample, attempt)

    def _next_request(
        self, question: Question, sample: int, attempts: dict[tuple[int, bool], Attempt]
    ) -> RowRequest | None:
        hidden, revealed = attempts.get((sample, False)), attempts.get((sample, True))
        if any(attempt is not None and attempt.reason is None for attempt in (hidden, revealed)):
            return None  # a rationale was kept already, with or without the answer shown
        if self.settings.reveal_answer == "always":
            needed = revealed is None or _to_retry(revealed)
            return self.of(question, sample, revealed=True) if needed else None
        if hidden is None or _to_retry(hidden):
            return self.of(question, sample, revealed=False)
        if self.settings.reveal_answer == "on-failure" and hidden.reason in FAILED:
            return self._revealed_request(question, sample, revealed)
        return None

    def _revealed_request(
        self, question: Question, sample: int, attempt: Attempt | None
    ) -> RowRequest | None:
        """Return the second request of a sample, which reveals the gold answer. `attempt` is the
        recorded outcome of this request, if there is one. Return None if the request is done
        already or if the gold answer is unknown."""
        needed = question.answer is not None and (attempt is None or _to_retry(attempt))
        return self.of(question, sample, revealed=True) if needed else None

    def _examples_for(self, question: Question, revealed: bool) -> tuple[tuple[str, str], ...]:
        """Return the (prompt, reply) texts of the few-shot examples, except examples with this very
        question, which would reveal its answer."""
        example_texts = self._example_texts[revealed]
        if not example_texts:
            return ()
        text = normalized(question.question)
        return tuple(
            pair
            for pair, example in zip(example_texts, self.examples, strict=True)
            if normalized(example.question.question) != text
        )


def _to_retry(attempt: Attempt) -> bool:
    return attempt.retry and attempt.reason in MISSING


def request_hash(teacher: str, request: Request) -> str:
    """Return a digest (16 hex digits) of the teacher and the request. The rows of the reply have
    this digest in their field `request`."""
    prompt = request.prompt
    content: list[Any] = [teacher, prompt.system, prompt.user, request.max_tokens]
    if prompt.examples:
        content.append([list(pair) for pair in prompt.examples])
    if request.thinking:
        content.append("thinking")
    return _digest(json.dumps(content))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
