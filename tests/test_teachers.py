import asyncio
from pathlib import Path

import pytest
from fakes.messages_server import Answer, MessagesServer, failed, said

from scicot.errors import InvalidRow, ScicotError
from scicot.prompts import Prompt
from scicot.teachers import Reply, Request, TeacherBusy, TeacherError, load_teacher

REQUEST = Request("q1", 0, Prompt("Explain.", "Which?"), 64)


def ask(spec: str, request: Request = REQUEST, base_url: str | None = None) -> Reply:
    async def once() -> Reply:
        teacher = load_teacher(spec, base_url=base_url, timeout=5)
        try:
            return await teacher.ask(request)
        finally:
            await teacher.close()

    return asyncio.run(once())


def test_the_messages_api_is_asked_and_its_text_blocks_read() -> None:
    with MessagesServer([said("Answer: B", thinking="Hmm, A?")]) as server:
        reply = ask("anthropic:some-model", base_url=server.url)
    assert reply == Reply("Answer: B", "end_turn", {"input_tokens": 11, "output_tokens": 7})
    assert server.requests == [
        {
            "path": "/v1/messages",
            "model": "some-model",
            "max_tokens": 64,
            "system": "Explain.",
            "messages": [{"role": "user", "content": "Which?"}],
        }
    ]


@pytest.mark.parametrize(
    ("answer", "outcome", "words"),
    [
        (failed(401, "invalid key"), ScicotError, "401 invalid key"),
        (failed(402), ScicotError, "402"),
        (failed(403), ScicotError, "403"),
        (failed(404, "model: nope"), ScicotError, "does not know the model"),
        (failed(400, "Your credit balance is too low"), ScicotError, "credit"),
        (failed(429, "enforced_spend_limit_reached"), ScicotError, "spend_limit"),
        (failed(400, "prompt is too long"), TeacherError, "too long"),
        (failed(413), TeacherError, "413"),
        (failed(429), TeacherBusy, "429"),
        (failed(500), TeacherBusy, "500"),
        (failed(529, "Overloaded"), TeacherBusy, "Overloaded"),
        (Answer(200, b"{", {"content-type": "application/json"}), TeacherBusy, "not JSON"),
        (Answer(200, b"<html>", {"content-type": "text/html"}), TeacherBusy, "no message"),
    ],
)
def test_trouble_is_sorted_by_who_can_mend_it(
    answer: Answer, outcome: type[Exception], words: str
) -> None:
    with MessagesServer([answer]) as server, pytest.raises(outcome, match=words):
        ask("anthropic:m", base_url=server.url)
    assert len(server.requests) == 1, "the SDK is not to retry behind our back"


@pytest.mark.parametrize(
    "change",
    [
        {"usage": None},
        {"usage": {"input_tokens": None}},
        {"content": [{"type": "text", "text": None}, {"type": "text", "text": "B"}]},
        {"content": ["odd", {"type": "text", "text": "B"}], "usage": {}},
        {"stop_reason": None},
    ],
)
def test_what_servers_of_another_make_leave_out(change: dict[str, object]) -> None:
    import json

    message = {**json.loads(said("B").body), **change}
    answer = Answer(200, json.dumps(message).encode(), {"content-type": "application/json"})
    with MessagesServer([answer]) as server:
        reply = ask("anthropic:m", base_url=server.url)
    assert (reply.text, reply.stop_reason) == ("B", "end_turn")


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://x", "http://[", "http://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ScicotError, match="give the server as http://HOST:PORT"):
        load_teacher("anthropic:m", base_url=url)


def test_a_wait_the_server_asks_for_is_passed_on() -> None:
    answer = failed(429, retry_after=7)
    with MessagesServer([answer]) as server, pytest.raises(TeacherBusy) as caught:
        ask("anthropic:m", base_url=server.url)
    assert caught.value.retry_after == 7


def test_nobody_at_the_address_is_trouble_that_may_pass() -> None:
    with pytest.raises(TeacherBusy):
        ask("anthropic:m", base_url="http://127.0.0.1:9")


def test_no_key_is_said_before_anything_is_asked() -> None:
    with pytest.raises(ScicotError, match="ANTHROPIC_API_KEY"):
        load_teacher("anthropic:m")


@pytest.mark.parametrize("spec", ["claude", "anthropic:", "oracle:x", ""])
def test_an_unknown_teacher_is_refused_with_the_kinds(spec: str) -> None:
    with pytest.raises(ScicotError, match="anthropic:MODEL or hf:MODEL_OR_DIR or recorded:FILE"):
        load_teacher(spec)


def test_recorded_replies_are_replayed_by_id_and_sample(tmp_path: Path) -> None:
    file = tmp_path / "replies.jsonl"
    file.write_text(
        '{"id": "q1", "reply": "One."}\n'
        '{"id": "q2", "reply": "other", "stop_reason": "refusal"}\n'
        '{"id": "q1", "reply": "two"}\n'
    )
    spec = f"recorded:{file}"
    assert ask(spec) == Reply("One.")
    broken_off = Reply("two", "max_tokens")
    assert ask(spec, Request("q1", 1, REQUEST.prompt, 1)) == broken_off
    assert ask(spec, Request("q2", 0, REQUEST.prompt, 1)).stop_reason == "refusal"
    for request in (Request("q1", 2, REQUEST.prompt, 1), Request("q3", 0, REQUEST.prompt, 1)):
        with pytest.raises(TeacherError, match="none for sample"):
            ask(spec, request)


def test_a_recorded_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ScicotError, match="nowhere: no such file"):
        load_teacher(f"recorded:{tmp_path / 'nowhere'}")
    file = tmp_path / "replies.jsonl"
    file.write_text('{"id": "q1"}\n')
    with pytest.raises(InvalidRow, match=r"replies.jsonl:1: a recorded reply needs"):
        load_teacher(f"recorded:{file}")
