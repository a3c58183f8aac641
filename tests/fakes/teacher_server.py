"""A server that fails like real ones, with given probabilities. It implements the Messages API and,
through chat_api.py, Chat Completions.

    with TeacherServer(Conduct(latency=0.1, faults=0.1)) as server:   in a thread of the test
        ...                                                           server.url, server.behaviour
    python -m fakes.teacher_server --latency 0.1 --rate 50            in a process of its own

The reply to a question is the choice with the lowest hash, so that two runs can be compared.
Whether a request gets a fault depends on its content and on how often it was sent before. GET
/stats returns the counts of requests.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import itertools
import json
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from fakes.chat_api import ChatBatches, as_chat
from fakes.wire import Answered, HttpServer, listen

# Temporary faults, used in turn, and permanent ones, each tied to a question.
PASSING = ("429", "retry-after", "529", "500", "reset", "torn", "drip", "html", "broken")
LASTING = ("400", "refusal", "max_tokens", "thinking")
_CHOICE = re.compile(r"^([A-Z])\. (.*)$", re.M)


@dataclass
class Conduct:
    """How a server behaves."""

    latency: float = 0.0  # seconds
    faults: float = 0.0  # share of first requests that get a temporary fault
    oddities: float = 0.0  # share of questions with one of LASTING
    rate: float = 0.0  # allowed requests per second, a fifth of them at once; 0: no limit
    spend_limit: int = 0  # answers until the spend limit is reached; 0: no limit
    ended_after: float = 0.0  # seconds until a batch ends
    batch_faults: float = 0.0  # share of a batch's requests that expire or fail the first time
    # Number of responses to drop, by kind.
    forgets: Counter[str] = field(default_factory=Counter)
    drip: float = 3.0  # seconds in which a slow body is sent
    thinks: bool = False  # return thinking before each reply


@dataclass
class Batch:
    id: str
    created: float
    requests: list[dict[str, Any]]
    canceled: bool = False


class Server:
    """The server's behaviour, without its HTTP transport (wire.py)."""

    def __init__(self, conduct: Conduct) -> None:
        self.conduct = conduct
        self.chat = ChatBatches(self)
        self.counts: Counter[str] = Counter()  # events by name
        self.asked: Counter[str] = Counter()  # requests by content
        self.answered: Counter[str] = Counter()  # requests that got a message, by content
        self.batches: dict[str, Batch] = {}
        self.bodies: list[dict[str, Any]] = []  # bodies of the first requests
        self.refusals: list[float] = []  # times of refusals, by time.monotonic
        self.accepted: list[float] = []
        self._bucket, self._filled = conduct.rate / 5, time.monotonic()
        self._turns = itertools.cycle(PASSING)

    async def answer(self, method: str, path: str, body: bytes) -> Answered:
        """Return status, headers and body. wire.py explains the header "x-wire"."""
        path = path.partition("?")[0]
        if path == "/stats":
            return _json(200, self.stats())
        if path.startswith("/v1/messages/batches"):
            return self._batches(method, path.removeprefix("/v1/messages/batches"), body)
        if path.startswith(("/v1/files", "/v1/batches")):
            return self.chat.answer(method, path.removeprefix("/v1"), body)
        request = json.loads(body)
        if path == "/v1/chat/completions":
            return as_chat(await self._message(request))
        if path == "/v1/messages/count_tokens":
            self.counts["count_tokens"] += 1
            return _json(200, {"input_tokens": _tokens(request)})
        if path != "/v1/messages":
            return _error(404, f"no {path}")
        return await self._message(request)

    def stats(self) -> dict[str, Any]:
        return {
            "counts": dict(self.counts),
            "asked": dict(self.asked),
            "answered": dict(self.answered),
            "refusals": self.refusals,
            "accepted": self.accepted,
        }

    async def _message(self, request: dict[str, Any]) -> Answered:
        self.counts["requests"] += 1
        if len(self.bodies) < 1000:
            self.bodies.append(request)
        if not self._allowed():
            self.refusals.append(time.monotonic())
            return _error(429, "rate limit")
        self.accepted.append(time.monotonic())
        if self.conduct.latency:
            await asyncio.sleep(self.conduct.latency)
        asked = _asked(request)
        self.asked[asked] += 1
        kind = self._trouble(asked, self.asked[asked])
        if kind:
            self.counts[kind] += 1
            return self._passing(kind)
        lasting = self._lasting(asked)
        if lasting == "400":
            self.answered[asked] += 1
            return _error(400, "prompt is too odd")
        if self.conduct.spend_limit and self.answered.total() >= self.conduct.spend_limit:
            return _error(429, "enforced_spend_limit_reached")
        self.answered[asked] += 1
        return _json(200, self._replied(request, lasting))

    def _replied(self, request: dict[str, Any], lasting: str | None) -> dict[str, Any]:
        reply = message(request, lasting)
        if self.conduct.thinks:
            label = reply["content"][-1]["text"][-1:]
            thought = f"Parts of machines are made of what lasts. Let me see. Is it {label}? Yes."
            reply["content"].insert(0, {"type": "thinking", "thinking": thought, "signature": ""})
        return reply

    def _allowed(self) -> bool:
        if not self.conduct.rate:
            return True
        now = time.monotonic()
        more = (now - self._filled) * self.conduct.rate
        self._bucket, self._filled = min(self.conduct.rate / 5, self._bucket + more), now
        if self._bucket < 1:
            return False
        self._bucket -= 1
        return True

    def _trouble(self, asked: str, times: int) -> str | None:
        if times > 1 or _chance("fault", asked, times) >= self.conduct.faults:
            return None
        return next(self._turns)

    def _lasting(self, asked: str) -> str | None:
        chance = _chance("odd", asked, 0)
        if chance >= self.conduct.oddities:
            return None
        return LASTING[int(chance / self.conduct.oddities * len(LASTING))]

    def _passing(self, kind: str) -> Answered:
        if kind.isdecimal():
            return _error(int(kind), "some trouble")
        if kind == "retry-after":
            status, headers, body = _error(429, "wait a little")
            return status, {**headers, "retry-after": "0.3"}, body
        whole = _json(200, message({"messages": [{"role": "user", "content": "A. x"}]}, None))
        if kind == "html":
            return 200, {"content-type": "text/html"}, b"<html>a proxy's page</html>"
        if kind == "broken":
            return 200, whole[1], whole[2][: len(whole[2]) // 2]
        wire = f"drip {self.conduct.drip}" if kind == "drip" else kind
        return whole[0], {**whole[1], "x-wire": wire}, whole[2]

    def _batches(self, method: str, path: str, body: bytes) -> Answered:
        if method == "POST" and not path:
            requests = json.loads(body)["requests"]
            self.counts["batches"] += 1
            batch = Batch(f"msgbatch_{len(self.batches):04}", time.time(), requests)
            self.batches[batch.id] = batch
            for request in requests:
                self.asked[_asked(request["params"])] += 1
            status, headers, answer = _json(200, self._told(batch))
            if self.conduct.forgets["created"] > 0:
                self.conduct.forgets["created"] -= 1
                headers["x-wire"] = "reset"
            return status, headers, answer
        if not path:
            latest = sorted(self.batches.values(), key=lambda own: own.created, reverse=True)
            listed = [self._told(own) for own in latest]
            return _json(
                200, {"data": listed, "has_more": False, "first_id": None, "last_id": None}
            )
        _, identity, *rest = path.split("/")
        found = self.batches.get(identity)
        if found is None:
            return _error(404, f"no batch {identity}")
        if rest == ["cancel"]:
            found.canceled = True
            self.counts["canceled"] += 1
        elif rest == ["results"]:
            self.counts["fetched"] += 1
            return 200, {"content-type": "application/x-jsonl"}, self._results(found)
        return _json(200, self._told(found))

    def _told(self, batch: Batch) -> dict[str, Any]:
        ended = batch.canceled or time.time() - batch.created >= self.conduct.ended_after
        names = ("processing", "succeeded", "errored", "canceled", "expired")
        counts = dict.fromkeys(names, 0)
        counts["succeeded" if ended else "processing"] = len(batch.requests)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(batch.created))
        return {
            "id": batch.id, "type": "message_batch", "created_at": stamp, "expires_at": stamp,
            "processing_status": "ended" if ended else "in_progress", "request_counts": counts,
            "results_url": f"/v1/messages/batches/{batch.id}/results" if ended else None,
            "ended_at": stamp if ended else None, "archived_at": None, "cancel_initiated_at": None,
        }  # fmt: skip

    def _results(self, batch: Batch) -> bytes:
        lines = []
        for number, request in enumerate(batch.requests):
            asked = _asked(request["params"])
            chance = _chance("batch", asked, 0)
            if batch.canceled and number % 2:
                result: dict[str, Any] = {"type": "canceled"}
            elif self.asked[asked] == 1 and chance < self.conduct.batch_faults / 2:
                result = {"type": "expired"}
            elif self.asked[asked] == 1 and chance < self.conduct.batch_faults:
                error = {"type": "api_error", "message": "Internal server error"}
                result = {"type": "errored", "error": {"type": "error", "error": error}}
            else:
                lasting = self._lasting(asked)
                if lasting == "400":
                    error = {"type": "invalid_request_error", "message": "prompt is too odd"}
                    result = {"type": "errored", "error": {"type": "error", "error": error}}
                else:
                    self.answered[asked] += 1
                    reply = self._replied(request["params"], lasting)
                    result = {"type": "succeeded", "message": reply}
            lines.append({"custom_id": request["custom_id"], "result": result})
        lines.sort(key=lambda line: _chance("order", line["custom_id"], 0))
        return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def message(request: dict[str, Any], lasting: str | None) -> dict[str, Any]:
    asked = _asked(request)
    options = _CHOICE.findall(asked)
    label, text = (
        min(options, key=lambda option: _chance("answer", option[1], 0)) if options else ("A", "")
    )
    said = f"What is asked for has the properties of {text}. That settles it.\nAnswer: {label}"
    reason = "end_turn"
    blocks: list[dict[str, Any]] = []
    if lasting == "refusal":
        said, reason = "", "refusal"
    elif lasting == "max_tokens":
        said, reason = "What is asked for has", "max_tokens"
    elif lasting == "thinking":
        blocks.append({"type": "thinking", "thinking": "Answer: Z?", "signature": ""})
    blocks.append({"type": "text", "text": said})
    usage = {"input_tokens": _tokens(request), "output_tokens": len(said) // 4 + 1}
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "fake", "content": blocks,
        "stop_reason": reason, "stop_sequence": None, "usage": usage,
    }  # fmt: skip


def _asked(request: dict[str, Any]) -> str:
    content = request["messages"][-1]["content"]
    return content if isinstance(content, str) else json.dumps(content)


def _tokens(request: dict[str, Any]) -> int:
    return len(json.dumps([request.get("system", ""), request["messages"]])) // 4


def _chance(*what: object) -> float:
    digest = hashlib.blake2b(repr(what).encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def _json(status: int, value: Any) -> Answered:
    return status, {"content-type": "application/json"}, json.dumps(value).encode()


def _error(status: int, text: str) -> Answered:
    error = {"type": "some_error", "message": text}
    return _json(status, {"type": "error", "error": error})


class TeacherServer(HttpServer):
    """The server in a thread of its own."""

    def __init__(self, conduct: Conduct | None = None) -> None:
        self.behaviour = Server(conduct or Conduct())
        super().__init__(self.behaviour.answer)


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("latency", "faults", "oddities", "rate", "ended_after"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=0.0)
    parser.add_argument("--port", type=int, default=0)
    arguments = vars(parser.parse_args())
    port = arguments.pop("port")

    async def serve() -> None:
        server = await listen(Server(Conduct(**arguments)).answer, port)
        print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

    asyncio.run(serve())


if __name__ == "__main__":
    main()
