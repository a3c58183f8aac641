"""A real HTTP server on the loopback that speaks the Messages API as a script tells it to.

    with MessagesServer([busy(429, retry_after=0), said("Copper conducts.\\nAnswer: B")]) as server:
        ...                      server.url, server.requests

The last entry of the script answers all further requests.
"""

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


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


class MessagesServer:
    def __init__(self, script: Sequence[Answer]) -> None:
        self.requests: list[dict[str, Any]] = []
        script = list(script)
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                request = json.loads(self.rfile.read(length))
                server.requests.append({"path": self.path, **request})
                answer = script[min(len(server.requests), len(script)) - 1]
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "MessagesServer":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
