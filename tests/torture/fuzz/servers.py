"""Fuzz targets: everything that comes from a server, through the real SDK and a mock transport.

An input is a line of JSON with the status and the headers, and the body below it:

    {"status": 429, "headers": {"retry-after": "3"}}
    {"type": "error", "error": {"type": "rate_limit_error", "message": "rate limit"}}

A call may raise only TeacherError, TeacherBusy or ScicotError, with a message of one short line.
Waits and costs must be finite and not negative. The row of every reply must be readable.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import zlib
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2

from scicot.annotation.batch_plans import Plan
from scicot.annotation.budget import Budget
from scicot.annotation.pace import Pace
from scicot.annotation.requests import RequestBuilder
from scicot.annotation.retries import out_of_patience
from scicot.config import GenerateSettings
from scicot.errors import ScicotError
from scicot.teachers import Reply, TeacherBusy, TeacherError
from scicot.teachers.messages import MessagesTeacher
from torture.fuzz import seeds
from torture.fuzz.readers import ASKED, judged
from torture.fuzz.running import Broken, Target

SETTINGS = GenerateSettings(keep="all", price=(1.0, 5.0))
_DIGITS = re.compile(r"\d{40}")


class Wire:
    """A teacher whose server sends the response that `answer` set last."""

    def __init__(self) -> None:
        self.teacher = MessagesTeacher("m", base_url="http://127.0.0.1:9", timeout=5)
        client = httpx2.AsyncClient(transport=httpx2.MockTransport(self._answer))
        self.teacher.client = self.teacher.client.with_options(http_client=client)
        self.batches = self.teacher.batches()
        self.loop = asyncio.new_event_loop()
        self._response = (200, list[tuple[bytes, bytes]](), b"")
        self.turn = 0
        self.ended = False  # whether the batch of a request has ended, whatever the input says

    def answer(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self._response = status, headers, body
        self.turn = zlib.crc32(body)  # number by which a target chooses among calls

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        status, headers, body = self._response
        if self.ended and not request.url.path.endswith("/results"):
            return httpx2.Response(200, json=seeds.BATCH)
        return httpx2.Response(status, headers=headers, content=body)


def parsed(data: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Return the status, headers and body of an input. Invalid parts are replaced by defaults."""
    head, _, body = data.partition(b"\n")
    status: Any = 200
    headers: Any = {}
    try:
        settings = json.loads(head)
        status, headers = settings.get("status"), settings.get("headers")
    except (ValueError, AttributeError, RecursionError):
        body = data
    if not isinstance(status, int) or not 200 <= status <= 599:
        status = 200
    pairs = headers.items() if isinstance(headers, dict) else ()
    return status, [(_header(name), _header(value)) for name, value in pairs if _token(name)], body


def _token(name: str) -> bool:
    return re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) is not None


def _header(value: Any) -> bytes:
    text = value if isinstance(value, str) else repr(value)[:6000]
    return re.sub(r"[\r\n\x00]", " ", text).encode("latin-1", "replace")


def checked_busy(busy: TeacherBusy) -> str:
    """Check the wait and the error message that the scheduler makes from `busy`."""
    wait = busy.retry_after
    if wait is not None and not (math.isfinite(wait) and wait >= 0):
        raise Broken(f"a wait that is none: {wait}")
    Pace().refused(wait, busy.allowances)
    error = out_of_patience(str(busy), max(wait or 0.0, 0.5), 600.0)
    checked_message(error)
    if _DIGITS.search(str(error).replace(str(busy), "")):  # ignoring the server's own words
        raise Broken(f"a wait of very many digits: {error!s:.200}")
    return f"busy {busy.limited} {wait is not None}"


def checked_message(error: BaseException) -> None:
    text = str(error)
    if "\n" in text or len(text) > 800:
        raise Broken(f"a message that is no short line: {len(text)} characters: {text[:120]!r}")


def told(work: Callable[[], Any]) -> str:
    """Call `work`. Return its result, or check its exception and return a description."""
    try:
        return str(work())
    except TeacherBusy as busy:
        return checked_busy(busy)
    except (TeacherError, ScicotError) as error:
        checked_message(error)
        return type(error).__name__


def checked_reply(reply: Reply, row: Any) -> str:
    """Check the usage, the cost and the pace that follow from a reply, and its row."""
    for name, count in reply.usage.items():
        if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count < 10**15:
            raise Broken(f"usage that counts nothing: {name} {str(count)[:40]}")
    budget = Budget.of("anthropic:m", SETTINGS)
    cost = budget.pay(row.request, reply)
    if cost is None or not (math.isfinite(cost) and cost >= 0):
        raise Broken(f"a cost that is none: {cost}")
    budget.saved(reply.usage)
    tokens = sum(count for name, count in reply.usage.items() if name.endswith("tokens"))
    pace = Pace()
    pace.answered(reply.allowances, tokens)
    if not pace.rate > 0:
        raise Broken(f"a pace that is none: {pace.rate}")
    if not isinstance(reply.stop_reason, str):
        raise Broken(f"a stop reason that is no text: {reply.stop_reason!r:.60}")
    usage = {**reply.usage, "cost_usd": round(cost, 9)}
    return judged(reply, SETTINGS, usage)


def server_target(
    name: str, inputs: list[bytes], call: Callable[[Wire], Any], *, ended: bool = False
) -> Target:
    wire = Wire()
    wire.ended = ended

    def run(data: bytes) -> str:
        wire.answer(*parsed(data))
        return told(lambda: call(wire))

    return Target(name, "server", inputs, run, ())


ASK = RequestBuilder("anthropic:m", SETTINGS).of(ASKED, 0, revealed=False)
PLAN = Plan(Path("0001.json"), "0123456789abcdef", 2)  # the results name this plan's requests
SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def message(wire: Wire) -> str:
    wire.teacher._caching = True
    return checked_reply(wire.run(wire.teacher.ask(ASK.request)), ASK)


def counted(wire: Wire) -> str:
    return type(wire.run(wire.teacher.count_tokens(ASK.request))).__name__


def batch(wire: Wire) -> str:
    if wire.turn % 2:
        request = wire.run(wire.batches.state("msgbatch_1"))
    else:
        request = wire.run(wire.batches.send([b'{"custom_id": "x"}'], "x"))
    return f"{request.ended} {request.archived} {request.requests > 0} {request.created < SINCE}"


def listed(wire: Wire) -> str:
    if wire.turn % 4 == 0:
        return str(wire.run(wire.batches.cancel("msgbatch_1")))
    return str(len(wire.run(wire.batches.since(SINCE))))


def results(wire: Wire) -> str:
    async def every() -> list[tuple[Any, Any]]:
        return [pair async for pair in wire.batches.results("msgbatch_1")]

    kinds = []
    for name, outcome in wire.run(every()):
        line = None if name is None else PLAN.line_of(name)
        if isinstance(outcome, Reply):
            kinds.append(f"{line} {checked_reply(outcome, ASK)}")
        else:
            checked_message(outcome.error)
            kinds.append(f"{line} {type(outcome.error).__name__} {outcome.canceled}")
    return " ".join(kinds)


def served(status: int, body: Any, headers: dict[str, str] | None = None) -> bytes:
    """Make an input from the status, the body and the headers of a response."""
    head = json.dumps({"status": status, "headers": headers or seeds.HEADERS}).encode()
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return head + b"\n" + text


def targets() -> list[Target]:
    typed = {"content-type": "application/json"}
    lined = {"content-type": "application/x-jsonl"}
    html = served(200, b"<html>x", {"content-type": "text/html"})
    messages = [served(200, seeds.MESSAGE), served(200, seeds.THINKING, typed), html]
    errors = [served(status, body) for status, body in seeds.ERRORS]
    odd = {**seeds.HEADERS, "retry-after": "Mon, 01 Jan 99999999999 00:00:00 GMT"}
    limits = [served(429, seeds.ERRORS[7][1], {**odd, "retry-after": "1e308"})]
    limits += [served(429, seeds.ERRORS[7][1], odd)]
    page = {"data": [seeds.BATCH], "has_more": False, "first_id": None, "last_id": None}
    ended = [
        served(200, seeds.lines(result_line, seeds.RESULTS[2]), lined)
        for result_line in seeds.RESULTS
    ]
    unknown = errors[5]
    return [
        server_target("messages", messages, message),
        server_target("errors and headers", [*errors, *limits], message),
        server_target("token counts", [served(200, {"input_tokens": 11}, typed), html], counted),
        server_target("batches", [served(200, seeds.BATCH, typed), unknown], batch),
        server_target("batch lists", [served(200, page, typed), unknown], listed),
        server_target("batch results", [*ended, html, unknown], results, ended=True),
    ]
