"""The teacher openai:MODEL, with a server that answers Chat Completions requests from a script."""

import asyncio
import json
from typing import Any

import httpx2
import pytest
from fakes.messages_server import Answer, MessagesServer

from scicot.errors import ScicotError
from scicot.prompts import Prompt
from scicot.teachers import Allowance, Reply, Request, TeacherBusy, TeacherError, load_teacher
from scicot.teachers.chat_wire import decoded
from scicot.teachers.rate_limits import allowances

REQUEST = Request("q1", 0, Prompt("Explain.", "Which?"), 64)
JSON = {"content-type": "application/json"}


def said(content: Any, reason: str | None = "stop", **message: Any) -> Answer:
    body = {
        "choices": [{"message": {"content": content, **message}, "finish_reason": reason}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    }
    return Answer(200, json.dumps(body).encode(), JSON)


def failed(status: int, message: str, **error: Any) -> Answer:
    return Answer(status, json.dumps({"error": {"message": message, **error}}).encode(), JSON)


def ask(url: str, request: Request = REQUEST, **options: Any) -> Reply:
    async def once() -> Reply:
        teacher = load_teacher("openai:m", base_url=url, timeout=5, **options)
        try:
            return await teacher.ask(request)
        finally:
            await teacher.close()

    return asyncio.run(once())


def test_a_chat_completion_is_asked_for_and_read() -> None:
    with MessagesServer([said("Answer: B", reasoning_content="Hmm, A?")]) as server:
        reply = ask(server.url, sampling={"temperature": 0.5})
    usage = {"input_tokens": 11, "output_tokens": 7}
    assert reply == Reply("Answer: B", "end_turn", usage, thinking="Hmm, A?")
    turns = [{"role": "system", "content": "Explain."}, {"role": "user", "content": "Which?"}]
    assert server.requests == [
        {
            "path": "/v1/chat/completions", "model": "m", "messages": turns, "max_tokens": 64,
            "temperature": 0.5,
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "text", "reason", "thinking"),
    [
        (said("B", "length"), "B", "max_tokens", ""),
        (said(None, "content_filter"), "", "refusal", ""),
        (said(None, refusal="I won't."), "I won't.", "refusal", ""),
        (said("B", None), "B", "end_turn", ""),
        (said("B", "odd"), "B", "odd", ""),
        (said("B", "STOP"), "B", "end_turn", ""),
        (said("B", reasoning="Hm."), "B", "end_turn", "Hm."),
        (
            said([{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
                  {"type": "text", "text": "B"}, "odd"]),
            "B", "end_turn", "Hm.",
        ),
        (said("half \ud83d"), "half \ufffd", "end_turn", ""),
    ],
)  # fmt: skip
def test_replies_as_servers_write_them(
    answer: Answer, text: str, reason: str, thinking: str
) -> None:
    with MessagesServer([answer]) as server:
        reply = ask(server.url)
    assert (reply.text, reply.stop_reason, reply.thinking) == (text, reason, thinking)


@pytest.mark.parametrize(
    ("answer", "outcome", "words"),
    [
        (failed(401, "Incorrect API key provided"), ScicotError, "401 Incorrect"),
        (failed(429, "You exceeded your quota", code="insufficient_quota"), ScicotError, "quota"),
        (failed(404, "The model `nope` does not exist"), ScicotError, "has no such model or path"),
        (failed(400, "maximum context length is 8192 tokens. Your messages resulted in 9000",
                code="context_length_exceeded"), TeacherError, "maximum context"),
        (failed(400, "Invalid prompt: your prompt was flagged as potentially violating our policy",
                code="invalid_prompt"), TeacherError, "flagged"),
        (failed(429, "Rate limit reached"), TeacherBusy, "Rate limit"),
        (failed(503, "The engine is currently overloaded"), TeacherBusy, "overloaded"),
        (Answer(200, b'{"error": {"message": "Upstream", "code": 502}}', JSON), TeacherBusy, "502"),
        (Answer(200, b'{"choices": [{"error": {"code": 502, "message": "Up"}}]}', JSON),
         TeacherBusy, "Up"),
        (Answer(200, b"{", JSON), TeacherBusy, "not JSON"),
        (Answer(200, b"[]", JSON), TeacherBusy, "a chat completion"),
        (Answer(200, b'{"choices": []}', JSON), TeacherBusy, "a chat completion"),
        (Answer(200, b'{"choices": [{"message": "x"}]}', JSON), TeacherBusy, "a chat completion"),
        (Answer(200, b"\xff", JSON), TeacherBusy, "cannot be read"),
        (Answer(200, b"<html>", {"content-type": "text/html"}), TeacherBusy, "not JSON"),
    ],
)  # fmt: skip
def test_trouble_is_sorted_by_who_can_mend_it(
    answer: Answer, outcome: type[Exception], words: str
) -> None:
    with MessagesServer([answer]) as server, pytest.raises(outcome, match=words):
        ask(server.url)
    assert len(server.requests) == 1, "the SDK is not to retry behind our back"


@pytest.mark.parametrize("reason", ["error", "ABORT", "insufficient_system_resource"])
def test_a_reply_that_the_server_broke_off_is_trouble_that_may_pass(reason: str) -> None:
    answer = said("Copper is a met", reason)
    with MessagesServer([answer]) as server, pytest.raises(TeacherBusy, match="broke off"):
        ask(server.url)


def test_a_server_is_asked_in_the_form_that_it_takes() -> None:
    new = failed(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
    with MessagesServer([new, failed(400, "System role not supported"), said("B")]) as server:
        assert ask(server.url).text == "B"
    first, second, third = server.requests
    assert (first["max_tokens"], second["max_completion_tokens"]) == (64, 64)
    assert third["messages"] == [{"role": "user", "content": "Explain.\n\nWhich?"}]
    both = failed(400, "unknown parameter: max_tokens, max_completion_tokens")
    with MessagesServer([both]) as server, pytest.raises(ScicotError, match="unknown parameter"):
        ask(server.url)
    assert len(server.requests) == 2
    large = failed(400, "max_tokens is too large: 9999")
    with MessagesServer([large]) as server, pytest.raises(TeacherError, match="too large"):
        ask(server.url)
    assert len(server.requests) == 1


def test_requests_on_their_way_take_the_other_limit_too() -> None:
    """Three requests are sent before the first error arrives. Each of them is sent again with the
    other parameter for the token limit."""
    import openai

    teacher = load_teacher("openai:m", base_url="http://127.0.0.1:1")
    said_so = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    error = openai.APIStatusError("refused", response=_refused(400), body={"message": said_so})
    sent = {"max_tokens": 64, "messages": [{"role": "user", "content": "Which?"}]}
    assert all(teacher._adapts(error, sent) for _ in range(3))  # type: ignore[attr-defined]
    later = {"max_completion_tokens": 64, "messages": sent["messages"]}
    assert not teacher._adapts(error, later)  # type: ignore[attr-defined]


def test_an_error_that_speaks_of_the_system_prompt_does_not_refuse_it() -> None:
    long = failed(400, "Your input (system prompt and messages) has 9000 tokens, which is too long")
    with MessagesServer([long]) as server, pytest.raises(TeacherError, match="9000"):
        ask(server.url)
    assert len(server.requests) == 1


def _refused(status: int) -> httpx2.Response:
    return httpx2.Response(status, request=httpx2.Request("POST", "http://127.0.0.1:1"))


def test_no_key_and_a_bad_one_are_told_before_anything_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ScicotError, match="set OPENAI_API_KEY"):
        load_teacher("openai:m")
    monkeypatch.setenv("OPENAI_API_KEY", " sk-1")
    with pytest.raises(ScicotError, match="OPENAI_API_KEY: not a valid API key") as refused:
        load_teacher("openai:m")
    assert "sk" not in str(refused.value)
    with pytest.raises(ScicotError, match="give the server as http://HOST:PORT"):
        load_teacher("openai:m", base_url="localhost:8000")


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [("1s", 1), ("6m0s", 360), ("12ms", 0.012), ("1h2m3.5s", 3723.5), ("", None), ("soon", None)],
)
def test_what_is_left_of_a_rate_is_read(reset: str, seconds: float | None) -> None:
    headers = {"x-ratelimit-remaining-requests": "7", "x-ratelimit-reset-requests": reset}
    assert allowances(headers) == (() if seconds is None else (Allowance(True, 7.0, seconds),))


def test_a_byte_order_mark_before_the_json_is_skipped() -> None:
    assert decoded(b'\xef\xbb\xbf{"choices": []}') == {"choices": []}
