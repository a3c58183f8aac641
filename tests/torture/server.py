"""A Messages server that fails in every way a server or a proxy can, and records its replies.

    with FaultyServer(Faults(share=0.3)) as server:       in a thread of this process
        ...                                               server.behaviour.given, .kinds
    python -m torture.server --overload 0.05              in a process of its own; see main()

Each complete reply carries a number of its own, so that a test can find it in the rows. The faults
in PASSING, in ODD and in RESULTS are each sent in turn, so that every kind occurs.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from fakes.teacher_server import Batch, Conduct, Server, _asked, _chance, _error, _json, message
from fakes.wire import Answered, HttpServer, listen

from torture.kinds import LASTING, ODD, PASSING, RESULTS, SPENT, TYPED, dumped, make_odd, numbered


@dataclass
class Faults:
    """The probabilities of faults."""

    share: float = 0.0  # share of requests that get one of PASSING, up to `again` times each
    again: int = 2
    odd: float = 0.0  # share of replies with one of ODD
    lasting: float = 0.0  # share of questions with one of LASTING
    results: int = 0  # the first fetches of each batch's results get one of RESULTS, this many
    unknown: int = 0  # number of times that each new batch is not found
    created: tuple[str, ...] = ()  # faults of the first calls that create a batch
    overload: float = 0.0  # share of all requests that randomly get a 529
    spent_from: int = 0  # replies until the spend limit is reached
    spent_for: int = 0  # requests that are then refused, before the limit is lifted
    kinds: frozenset[str] = field(default_factory=frozenset)  # kinds of PASSING to use; empty: all


class Faulty(Server):
    """A server that answers with faults, and records the replies and the faults that it sent."""

    def __init__(self, faults: Faults, conduct: Conduct | None = None, seed: int = 0) -> None:
        super().__init__(conduct or Conduct())
        self.faults = faults
        self.kinds: Counter[str] = Counter()  # faults sent, by kind
        self.given: dict[str, str] = {}  # number of a reply -> the request's content
        self.errors: Counter[str] = Counter()  # questions with one of LASTING
        self.results_given: dict[str, str] = {}  # custom_id -> number of its reply
        self._numbers = itertools.count(1)
        self._draw = Random(seed)
        self._spent = 0
        names = [name for name in PASSING if not faults.kinds or name in faults.kinds]
        self._next_passing = _by_turns(names, seed)
        self._next_odd = _by_turns(ODD, seed)
        self._next_result = _by_turns(RESULTS, seed)

    async def _message(self, request: dict[str, Any]) -> Answered:
        self.counts["requests"] += 1
        if self.conduct.latency:
            await asyncio.sleep(self.conduct.latency)
        asked, faults = _asked(request), self.faults
        self.asked[asked] += 1
        if faults.overload and self._draw.random() < faults.overload:
            self.kinds["status 529 at random"] += 1
            return _error(529, "Overloaded")
        if self._out_of_money():
            return _json(400, SPENT)
        times = self.asked[asked]
        if times <= faults.again and _chance("fault", asked, times) < faults.share:
            kind = next(self._next_passing)
            self.kinds[kind] += 1
            return PASSING[kind]
        lasting = _chance("lasting", asked, 0)
        if lasting < faults.lasting:
            kind = LASTING[lasting < faults.lasting / 2]
            self.kinds[kind] += 1
            self.errors[asked] += 1
            return _error(int(kind.partition(" ")[2]), "prompt is too long: 300000 tokens")
        return self._reply(request, asked)

    def _out_of_money(self) -> bool:
        if not self.faults.spent_from or len(self.given) < self.faults.spent_from:
            return False
        self._spent += 1
        if self._spent > self.faults.spent_for:
            return False
        self.kinds["spend limit"] += 1
        return True

    def _reply(self, request: dict[str, Any], asked: str) -> Answered:
        number, reply, headers = next(self._numbers), message(request, None), dict(TYPED)
        self.given[str(number)] = asked
        self.answered[asked] += 1
        reply["content"][0]["text"] = numbered(reply["content"][0]["text"], number)
        if _chance("odd", asked, number) < self.faults.odd:
            kind = next(self._next_odd)
            self.kinds[kind] += 1
            make_odd(kind, reply, headers)
        return 200, headers, dumped(reply)

    def _batches(self, method: str, path: str, body: bytes) -> Answered:
        if method == "POST" and not path and self.faults.created:
            kind, *later = self.faults.created
            self.faults.created = tuple(later)
            self.kinds[f"making a batch: {kind}"] += 1
            if not kind.startswith("made, "):
                return PASSING[kind]
            made = super()._batches(method, path, body)
            return PASSING[kind.removeprefix("made, ")] if made[0] == 200 else made
        identity, _, rest = path.strip("/").partition("/")
        if rest == "cancel" and identity in self.batches and self._has_ended(identity):
            # too late to cancel, so nothing changes
            return _json(200, self._told(self.batches[identity]))
        unknown = self.counts[f"unknown {identity}"]
        if method == "GET" and identity in self.batches and unknown < self.faults.unknown:
            self.counts[f"unknown {identity}"] += 1
            self.kinds["batch not found for a while"] += 1
            return _json(
                404, {"type": "error", "error": {"type": "not_found_error", "message": "no"}}
            )
        return super()._batches(method, path, body)

    def _has_ended(self, identity: str) -> bool:
        return bool(self._told(self.batches[identity])["processing_status"] == "ended")

    async def answer(self, method: str, path: str, body: bytes) -> Answered:
        kind = ""
        if path.partition("?")[0].endswith("/results"):
            self.counts[f"fetches of {path}"] += 1
            if self.counts[f"fetches of {path}"] <= self.faults.results:
                kind = next(self._next_result)
        if kind:
            self.kinds[f"results: {kind}"] += 1
        if kind in ("html 200", "reset", "status 500", "empty 200"):
            return PASSING[kind]
        if kind == "status 404":
            return _error(404, "no such results")
        status, headers, answer = await super().answer(method, path, body)
        if kind and status == 200:
            answer = self._odd_results(kind, answer)
            headers = {**headers, **({"x-wire": "torn"} if kind == "torn" else {})}
        return status, headers, answer

    def _results(self, batch: Batch) -> bytes:
        """Return the results. A reply has the same number at each fetch."""
        lines = []
        for line in super()._results(batch).splitlines():
            row = json.loads(line)
            reply = row["result"].get("message")
            if reply is not None and reply["content"][-1].get("text"):
                name = row["custom_id"]
                number = self.results_given.setdefault(name, str(next(self._numbers)))
                params = next(
                    request["params"] for request in batch.requests if request["custom_id"] == name
                )
                self.given[number] = _asked(params)
                block = reply["content"][-1]
                block["text"] = numbered(block["text"], int(number))
            lines.append(json.dumps(row).encode() + b"\n")
        return b"".join(lines)

    def _odd_results(self, kind: str, answer: bytes) -> bytes:
        lines = answer.splitlines(keepends=True)
        foreign = json.dumps({"custom_id": "somebody-0", "result": {"type": "expired"}}).encode()
        match kind:
            case "duplicates":
                return answer + b"".join(lines[::2])
            case "foreign ids":
                return foreign + b"\n" + answer
            case "missing":
                return b"".join(lines[: len(lines) // 2])
            case "custom_id null":
                return foreign.replace(b'"somebody-0"', b"null") + b"\n" + answer
            case "half a line":
                return answer[: max(0, len(answer) - 40)]
            case "lone surrogate":
                return answer.replace(b"properties", b"\\ud83d properties")
            case "usage odd":
                return answer.replace(b'"input_tokens": ', b'"input_tokens": -99')
        return answer


def _by_turns(names: Iterable[str], seed: int) -> Iterator[str]:
    """Yield the names in a cycle, whose start depends on the seed."""
    order = list(names)
    first = 3 * seed % len(order)
    return itertools.cycle([*order[first:], *order[:first]])


class FaultyServer(HttpServer):
    """A `Faulty` that serves in a thread of its own."""

    def __init__(self, faults: Faults, conduct: Conduct | None = None, seed: int = 0) -> None:
        self.behaviour = Faulty(faults, conduct, seed)
        super().__init__(self.behaviour.answer)


def main() -> None:
    """Print the address, and serve until stdin ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=0.1)
    parser.add_argument("--overload", type=float, default=0.0)
    parser.add_argument("--rate", type=float, default=0.0)
    options = parser.parse_args()
    faulty = Faulty(Faults(overload=options.overload), Conduct(latency=options.latency))
    plain = Server(Conduct(latency=options.latency, rate=options.rate))
    answering = plain.answer if options.rate else faulty.answer

    async def serve() -> None:
        server = await listen(answering)
        print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

    asyncio.run(serve())


if __name__ == "__main__":
    main()
