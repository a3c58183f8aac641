import asyncio
import json
import re
import sys
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
    usage = {"input_tokens": 11, "output_tokens": 7}
    assert reply == Reply("Answer: B", "end_turn", usage, thinking="Hmm, A?")
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
        (failed(404, "model: nope"), ScicotError, "has no such model or path"),
        (failed(400, "Your credit balance is too low"), ScicotError, "credit"),
        (failed(429, "enforced_spend_limit_reached"), ScicotError, "spend_limit"),
        (failed(400, "prompt is too long"), TeacherError, "too long"),
        (failed(413), TeacherError, "413"),
        (failed(429), TeacherBusy, "429"),
        (failed(500), TeacherBusy, "500"),
        (failed(529, "Overloaded"), TeacherBusy, "Overloaded"),
        (Answer(200, b"{", {"content-type": "application/json"}), TeacherBusy, "not JSON"),
        (Answer(200, b"<html>", {"content-type": "text/html"}), TeacherBusy, "is not a message"),
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
    message = {**json.loads(said("B").body), **change}
    answer = Answer(200, json.dumps(message).encode(), {"content-type": "application/json"})
    with MessagesServer([answer]) as server:
        reply = ask("anthropic:m", base_url=server.url)
    assert (reply.text, reply.stop_reason) == ("B", "end_turn")


@pytest.mark.parametrize(
    "url",
    [
        "", "localhost:8000", "ftp://x", "http://[", "http://", "bob:SECRET@host",
        "//bob:SECRET@host", "http://host:99999", "http://host:0", "http://host:x", "http://a b", "http://h\u0000",
        "https://bob:SECRET@host:70000",
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_and_its_password_not_shown(url: str) -> None:
    with pytest.raises(ScicotError, match="give the server as http://HOST:PORT") as refused:
        load_teacher("anthropic:m", base_url=url)
    assert "SECRET" not in str(refused.value)


@pytest.mark.parametrize("key", ["sk-\udcff", "sk-é", "sk-\n", " sk-1"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", key)
    with pytest.raises(ScicotError, match="ANTHROPIC_API_KEY: not a valid API key") as refused:
        load_teacher("anthropic:m")
    assert "sk" not in str(refused.value)


@pytest.mark.parametrize("kind", ["anthropic", "openai"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1080"), ("HTTPS_PROXY", "socks4://x:1"),
        ("all_proxy", "foo://bob:SECRET@x"), ("SSL_CERT_FILE", "/nonexistent"),
        ("SSL_CERT_FILE", __file__), ("OPENAI_ORG_ID", "é SECRET"),
        ("OPENAI_PROJECT_ID", "a\nb"), ("ANTHROPIC_CUSTOM_HEADERS", "a: 1\nb: é SECRET"),
        ("ANTHROPIC_CUSTOM_HEADERS", "a b: SECRET"), ("ANTHROPIC_CUSTOM_HEADERS", ": SECRET"),
        ("ANTHROPIC_CUSTOM_HEADERS", "a: SECRET\rb"), ("OPENAI_CUSTOM_HEADERS", "a: é SECRET"),
    ],
)  # fmt: skip
def test_a_variable_that_no_client_can_use_is_named(
    kind: str, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = name.partition("_")[0].lower()
    if owner in ("anthropic", "openai") and owner != kind:
        pytest.skip("is not read")
    if value.startswith("socks5"):
        monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.setenv(name, value)
    with pytest.raises(ScicotError, match=f"^{name}: ") as refused:
        load_teacher(f"{kind}:m", base_url="http://localhost:1")
    assert "SECRET" not in str(refused.value)
    assert "key" not in str(refused.value)
    monkeypatch.setenv("NO_PROXY", "*")
    if name.lower().endswith("proxy"):
        load_teacher(f"{kind}:m", base_url="http://localhost:1")


def test_headers_of_ones_own_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "x-team: a b\tc\r\n\nno header\nX_2:1\n")
    with MessagesServer([said("B")]) as server:
        assert ask("anthropic:m", base_url=server.url).text == "B"


@pytest.mark.parametrize("kind", ["anthropic", "openai"])
@pytest.mark.parametrize(
    ("page", "problem"),
    [
        (Answer(200, b"<html>Log in</html>", {"content-type": "text/html"}), r"\(200 from HOST"),
        (Answer(200, b"{", {"content-type": "application/json"}), r"not JSON \(200 from HOST"),
        (Answer(200, b"[]", {"content-type": "application/json"}), r"is not a .* \(200 from HOST"),
        (None, r"redirects too many times \(status 3xx, last to HOST"),
    ],
)
def test_a_redirect_to_another_page_is_told_with_its_address(
    kind: str, page: Answer | None, problem: str
) -> None:
    redirect = Answer(307, b"", {"location": "/login?next=SECRET"})
    with MessagesServer([redirect, page or redirect]) as server:
        host = server.url.removeprefix("http://").rstrip("/")
        words = problem.replace("HOST", re.escape(f"{host}/login)"))
        with pytest.raises(TeacherBusy, match=words) as busy:
            ask(f"{kind}:m", base_url=server.url.replace("http://", "http://bob:SECRET@"))
    assert "SECRET" not in str(busy.value)


def test_an_error_that_comes_as_a_success_is_an_error() -> None:
    """llama.cpp and some proxies send errors with status 200."""
    body = (
        b'{"error": {"code": 400, "type": "exceed_context_size_error",'
        b' "message": "the request exceeds the available context size"}}'
    )
    answer = Answer(200, body, {"content-type": "application/json"})
    with MessagesServer([answer]) as server, pytest.raises(TeacherError, match="context size"):
        ask("anthropic:m", base_url=server.url)


@pytest.mark.parametrize(
    ("counts", "kept", "wrong"),
    [
        ({"input_tokens": 10**399, "output_tokens": -5}, {}, ["input_tokens", "output_tokens"]),
        ({"input_tokens": 12.0, "output_tokens": 1.5}, {"input_tokens": 12}, ["output_tokens"]),
        ({"input_tokens": 5, "output_tokens": 10**12}, {"input_tokens": 5}, ["output_tokens"]),
        ({"input_tokens": "7", "output_tokens": True}, {}, ["input_tokens", "output_tokens"]),
        (
            {"input_tokens": None, "output_tokens": 0, "service_tier": "standard"},
            {"output_tokens": 0},
            [],
        ),
    ],
)
def test_counts_of_tokens_that_cannot_be_true_are_left_out(
    counts: dict[str, object], kept: dict[str, int], wrong: list[str]
) -> None:
    message = {**json.loads(said("B").body), "usage": counts}
    answer = Answer(200, json.dumps(message).encode(), {"content-type": "application/json"})
    with MessagesServer([answer]) as server:
        reply = ask("anthropic:m", base_url=server.url)
    assert (dict(reply.usage), sorted(reply.misstated)) == (kept, wrong)


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
    with pytest.raises(ScicotError, match="anthropic:MODEL or openai:MODEL or hf:MODEL_OR_DIR"):
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


def test_rationales_of_others_are_replayed_as_replies(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(
        '{"id": "q1", "rationale": "Metal conducts.", "conclusion": "B"}\n'
        '{"id": "q2", "rationale": "Metal conducts."}\n'
    )
    assert ask(f"recorded:{file}").text == "Metal conducts.\n\nAnswer: (B)"
    assert ask(f"recorded:{file}", Request("q2", 0, REQUEST.prompt, 1)) == Reply("Metal conducts.")


def test_a_recorded_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ScicotError, match="nowhere: no such file"):
        load_teacher(f"recorded:{tmp_path / 'nowhere'}")
    file = tmp_path / "replies.jsonl"
    file.write_text('{"id": "q1"}\n')
    with pytest.raises(InvalidRow, match=r"replies.jsonl:1: a recorded reply needs"):
        load_teacher(f"recorded:{file}")
