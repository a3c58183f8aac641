"""An HTTP server on the loopback interface that answers Messages API requests from a script.

    with MessagesServer([busy(429, retry_after=0), said("Copper conducts.\\nAnswer: B")]) as server:
        ...                      server.url, server.requests

The last entry of the script answers all further requests.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fakes.wire import Answered, HttpServer


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def said(text: str, stop_reason: str = "end_turn", thinking: str | None = None) -> Answer:
    blocks: list[dict[str, Any]] = []
    if thinking is not None:
        blocks.append({"type": "thinking", "thinking": thinking, "signature": ""})
    blocks.append({"type": "text", "text": text})
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "fake",
        "content": blocks,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {"input_tokens": 11, "output_tokens": 7},
    }
    return Answer(200, json.dumps(message).encode(), {"content-type": "application/json"})


def failed(status: int, message: str = "no", retry_after: float | None = None) -> Answer:
    body = {"type": "error", "error": {"type": "some_error", "message": message}}
    headers = {"content-type": "application/json"}
    if retry_after is not None:
        headers["retry-after"] = str(retry_after)
    return Answer(status, json.dumps(body).encode(), headers)


class MessagesServer(HttpServer):
    def __init__(self, script: Sequence[Answer]) -> None:
        self.requests: list[dict[str, Any]] = []
        self._script = list(script)
        super().__init__(self._next)

    async def _next(self, method: str, path: str, body: bytes) -> Answered:
        self.requests.append({"path": path, **json.loads(body)})
        answer = self._script[min(len(self.requests), len(self._script)) - 1]
        return answer.status, answer.headers, answer.body
