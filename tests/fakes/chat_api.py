"""The teacher server's answers as the Chat Completions API and OpenAI's Batch API give them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from fakes.wire import Answered

if TYPE_CHECKING:
    from fakes.teacher_server import Server

_REASONS = {"end_turn": "stop", "max_tokens": "length", "refusal": "content_filter"}
_STATUSES = {"succeeded": 200, "invalid_request_error": 400, "api_error": 500}


def as_chat(answered: Answered) -> Answered:
    """Convert a message of the Messages API to a chat completion; other responses are unchanged."""
    status, headers, body = answered
    try:
        message = json.loads(body)
    except ValueError:
        return answered
    if status != 200:
        error = {**message["error"], "param": None, "code": None}
        return status, headers, json.dumps({"error": error}).encode()
    return status, headers, json.dumps(completion(message)).encode()


def completion(message: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"role": "assistant"}
    for block in message["content"]:
        if block["type"] == "text":
            told["content"] = block["text"]
        else:
            told["reasoning_content"] = block["thinking"]
    usage = message["usage"]
    reason = _REASONS[message["stop_reason"]]
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "fake",
        "choices": [{"index": 0, "message": told, "finish_reason": reason}],
        "usage": {
            "prompt_tokens": usage["input_tokens"], "completion_tokens": usage["output_tokens"],
            "total_tokens": usage["input_tokens"] + usage["output_tokens"],
        },
    }  # fmt: skip


class ChatBatches:
    """OpenAI's endpoints for files and batches. The batches are stored in `server.batches`."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._files: dict[str, bytes] = {}
        self._metadata: dict[str, Any] = {}  # metadata of each batch
        self.keeps_names = True

    def answer(self, method: str, path: str, body: bytes) -> Answered:
        if path == "/files" and method == "POST":
            identity = f"file-{len(self._files)}"
            self._files[identity] = body
            return _json({"id": identity, "object": "file", "purpose": "batch"})
        if path.startswith("/files/"):
            batch = self._server.batches[path.split("/")[2].removeprefix("out-")]
            self._server.counts["fetched"] += 1
            lines = [
                _line(json.loads(line)) if line.startswith(b"{") else line + b"\n"
                for line in self._server._results(batch).splitlines()
            ]
            return 200, {"content-type": "application/jsonl"}, b"".join(lines)
        if path == "/batches" and method == "POST":
            asked = json.loads(body)
            body_of_batch = json.dumps(
                {"requests": self._requests(asked["input_file_id"])}
            ).encode()
            answered = self._server._batches("POST", "", body_of_batch)
            if answered[0] == 200:
                self._metadata[json.loads(answered[2])["id"]] = asked["metadata"]
            return self._as_batch(answered)
        return self._as_batch(self._server._batches(method, path.removeprefix("/batches"), b""))

    def _requests(self, file: str) -> list[dict[str, Any]]:
        """Convert the lines of an uploaded file to requests of the Message Batches API."""
        lines = re.findall(rb"^\{.*\}\r?$", self._files[file], re.M)
        asked = [json.loads(line) for line in lines]
        assert all(one["url"] == "/v1/chat/completions" for one in asked)
        return [{"custom_id": one["custom_id"], "params": one["body"]} for one in asked]

    def _as_batch(self, answered: Answered) -> Answered:
        status, headers, body = answered
        value = json.loads(body)
        if status == 200 and "data" in value:
            value = {"data": [self._told(batch) for batch in value["data"]], "has_more": False}
        elif status == 200:
            value = self._told(value)
        return status, headers, json.dumps(value).encode()

    def _told(self, own: dict[str, Any]) -> dict[str, Any]:
        batch = self._server.batches[own["id"]]
        ended = own["processing_status"] == "ended"
        total = len(batch.requests)
        status = "cancelled" if batch.canceled else "completed" if ended else "in_progress"
        return {
            "id": batch.id, "object": "batch", "created_at": int(batch.created), "status": status,
            "endpoint": "/v1/chat/completions", "completion_window": "24h", "input_file_id": "f",
            "output_file_id": f"out-{batch.id}" if ended else None, "error_file_id": None,
            "request_counts": {"total": total, "completed": total if ended else 0, "failed": 0},
            "metadata": self._metadata[batch.id] if self.keeps_names else None,
        }  # fmt: skip


def _line(own: dict[str, Any]) -> bytes:
    """A result of the Message Batches API as a line of an output file."""
    result, name = own["result"], own["custom_id"]
    line: dict[str, Any] = {"id": "r", "custom_id": name, "response": None, "error": None}
    kind = result["type"]
    if kind == "succeeded":
        line["response"] = {"status_code": 200, "body": completion(result["message"])}
    elif kind == "errored":
        error = result["error"]["error"]
        line["response"] = {"status_code": _STATUSES[error["type"]], "body": {"error": error}}
    elif kind == "canceled":
        return b""  # missing from both result files
    else:
        line["error"] = {"code": "batch_expired", "message": "This request was not executed"}
    return json.dumps(line).encode() + b"\n"


def _json(value: Any) -> Answered:
    return 200, {"content-type": "application/json"}, json.dumps(value).encode()
