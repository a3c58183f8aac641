"""Error responses of real servers, and how they are classified."""

import json
from typing import Any

import pytest

from scicot.errors import ScicotError, StoppedEarly
from scicot.teachers import TeacherBusy, TeacherError
from scicot.teachers.error_table import classify


def anthropic(kind: str, message: str, **error: Any) -> dict[str, Any]:
    return {
        "type": "error",
        "error": {"type": kind, "message": message, **error},
        "request_id": "req_011CZLrUfBVkVHn5T6EqQaf7",
    }


def openai(message: str, kind: str | None, code: object) -> dict[str, Any]:
    """Return the body of an error as vLLM, llama.cpp and LiteLLM write it."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


LIMITS = "You have reached your specified API usage limits. You will regain access on 2026-12-01"
CREDIT = "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing"
INVALID = "invalid_request_error"

# (server, status, body, cause)
BODIES: list[tuple[str, int, Any, str]] = [
    # The account: the user must wait or act.
    ("anthropic", 400, anthropic(INVALID, f"{LIMITS} at 00:00 UTC."), "paused"),
    ("anthropic", 400, anthropic(INVALID, CREDIT), "account"),
    ("anthropic", 400, anthropic(INVALID, "This organization has been disabled."), "account"),
    ("anthropic", 401, anthropic("authentication_error", "invalid x-api-key"), "account"),
    ("anthropic", 402, anthropic("billing_error", "There's an issue with your billing"), "account"),
    ("anthropic", 403, anthropic("permission_error", "Your API key cannot use m"), "account"),
    (
        "anthropic",
        429,
        anthropic(
            "rate_limit_error",
            "Your organization's limit",
            details={"error_code": "enforced_spend_limit_reached"},
        ),
        "account",
    ),
    (
        "anthropic",
        429,
        anthropic("rate_limit_error", "Usage credits are required for long context requests."),
        "account",
    ),
    (
        "litellm",
        400,
        openai("Budget has been exceeded! Current cost: 26.0, Max budget: 0.25", None, "400"),
        "account",
    ),
    (
        "litellm",
        429,
        openai("LiteLLM User: u, exceeded budget for model=m", "budget_exceeded", "429"),
        "account",
    ),
    (
        "litellm",
        400,
        openai("ExceededBudget: End User=u over budget. Spend=0.0008", "auth_error", 400),
        "account",
    ),
    (
        "litellm",
        401,
        openai("Authentication Error, Invalid proxy server token passed", "auth_error", "401"),
        "account",
    ),
    ("llama.cpp", 401, openai("Invalid API Key", "authentication_error", 401), "account"),
    ("vllm", 401, {"error": "Unauthorized"}, "account"),
    # The settings: every question fails.
    ("anthropic", 404, anthropic("not_found_error", "model: claude-nope"), "account"),
    (
        "anthropic",
        400,
        anthropic(
            INVALID,
            "max_tokens: 100000 > 8192, which is the maximum allowed number of output tokens for m",
        ),
        "account",
    ),
    (
        "anthropic",
        400,
        anthropic(INVALID, "temperature: Extra inputs are not permitted"),
        "account",
    ),
    ("vllm", 404, openai("The model `nope` does not exist.", "NotFoundError", 404), "account"),
    ("vllm", 404, {"detail": "Not Found"}, "account"),
    ("ollama", 404, {"error": "model 'nope' not found, try pulling it first"}, "account"),
    ("ollama", 404, "404 page not found", "account"),
    (
        "litellm",
        400,
        openai(
            "/v1/messages: Invalid model name passed in model=nope. Call `/v1/models`", None, 400
        ),
        "account",
    ),
    (
        "llama.cpp",
        501,
        openai("This feature is not supported", "not_supported_error", 501),
        "account",
    ),
    # The question: too long for the model, or blocked.
    (
        "anthropic",
        400,
        anthropic(INVALID, "prompt is too long: 210000 tokens > 200000 maximum"),
        "question",
    ),
    (
        "anthropic",
        413,
        anthropic("request_too_large", "Request exceeds the maximum size"),
        "question",
    ),
    (
        "anthropic",
        400,
        anthropic(INVALID, "Output blocked by content filtering policy"),
        "question",
    ),
    (
        "vllm",
        400,
        openai("This model's maximum context length is 4096 tokens.", "BadRequestError", 400),
        "question",
    ),
    ("ollama", 400, {"error": "input length exceeds the context length"}, "question"),
    (
        "llama.cpp",
        400,
        openai("the request exceeds the available context size", "exceed_context_size_error", 400),
        "question",
    ),
    (
        "llama.cpp",
        200,
        openai("the request exceeds the available context size", "exceed_context_size_error", 400),
        "question",
    ),
    (
        "litellm",
        400,
        openai("litellm.ContextWindowExceededError: litellm.BadRequestError", None, "400"),
        "question",
    ),
    (
        "litellm",
        400,
        openai("litellm.ContentPolicyViolationError: flagged", None, "400"),
        "question",
    ),
    # Unclear: it depends on whether other questions are answered.
    ("anthropic", 400, anthropic(INVALID, "messages.0: something is odd"), "unclear"),
    (
        "anthropic",
        400,
        anthropic(INVALID, "input length and `max_tokens` exceed context limit: 9 + 1 > 8"),
        "unclear",
    ),
    ("vllm", 400, openai("'max_tokens' is too large: 9999.", "BadRequestError", 400), "unclear"),
    ("any", 418, None, "unclear"),
    ("any", 400, [], "unclear"),
    (
        "vllm",
        400,
        openai(
            "This model's maximum context length is 4096 tokens. However, you requested 8292 tokens"
            " (100 in the messages, 8192 in the completion).",
            "BadRequestError",
            400,
        ),
        "unclear",
    ),
    ("firewall", 403, "<html><body>Sorry, you have been blocked</body></html>", "unclear"),
    ("openrouter", 403, openai("your input was flagged", None, 403), "question"),
    (
        "gemini",
        400,
        openai("API key not valid. Please pass a valid API key.", None, 400),
        "account",
    ),
    ("proxy", 400, {"error": "Bad Request", "message": CREDIT}, "account"),
    ("proxy", 400, {"error": True, "message": CREDIT}, "account"),
    # Too many requests.
    ("bedrock", 429, {"message": "Too many tokens, please wait before trying again."}, "limited"),
    (
        "cerebras",
        429,
        openai("Tokens per minute limit exceeded - too many tokens", None, None),
        "limited",
    ),
    (
        "anthropic",
        429,
        anthropic("rate_limit_error", "would exceed the rate limit of 50"),
        "limited",
    ),
    ("anthropic", 529, anthropic("overloaded_error", "Overloaded"), "limited"),
    (
        "ollama",
        503,
        {"error": "server busy, please try again.  maximum pending requests exceeded"},
        "limited",
    ),
    (
        "litellm",
        429,
        openai("No deployments available for selected model, Try again in 60 seconds", None, "429"),
        "limited",
    ),
    # A temporary fault of the server.
    ("proxy", 504, {"error": "The request took too long to process"}, "passing"),
    ("tgi", 424, {"error": "Request failed during generation: CUDA out of memory"}, "passing"),
    ("nginx", 499, "", "passing"),
    ("anthropic", 500, anthropic("api_error", "Internal server error"), "passing"),
    ("anthropic", 504, anthropic("timeout_error", "Request timed out"), "passing"),
    ("llama.cpp", 503, openai("Loading model", "unavailable_error", 503), "passing"),
    ("ollama", 500, {"error": "model runner has unexpectedly stopped"}, "passing"),
    ("proxy", 502, "<html><body>502 Bad Gateway</body></html>", "passing"),
    ("proxy", 408, "", "passing"),
]


def meaning(error: Exception) -> str:
    if isinstance(error, TeacherBusy):
        return "limited" if error.limited else "passing"
    if isinstance(error, TeacherError):
        return "question" if error.certain else "unclear"
    assert isinstance(error, ScicotError)
    return "paused" if isinstance(error, StoppedEarly) else "account"


@pytest.mark.parametrize(("server", "status", "body", "expected"), BODIES)
def test_what_servers_send_is_sorted_by_where_the_fault_lies(
    server: str, status: int, body: Any, expected: str
) -> None:
    error = classify(status, body, {})
    assert meaning(error) == expected
    assert "\n" not in str(error)
    assert len(str(error)) < 500


def test_a_pause_tells_until_when() -> None:
    error = classify(400, anthropic(INVALID, f"{LIMITS} at 00:00 UTC."))
    assert "2026-12-01" in str(error)


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": {"a": [1]}, "code": 10**400}},
        {"error": {"type": 5, "code": True, "details": "x"}},
        {"error": [{"message": "x"}]},
        {"error": "half \ud83d"},
        json.loads('{"error": ' + "[" * 500 + "]" * 500 + "}"),
        "x" * 1_000_000,
    ],
)
def test_any_body_gives_one_short_line(body: Any) -> None:
    error = classify(400, body, {"retry-after": "soon"})
    assert len(str(error).encode()) < 1300
    assert "\n" not in str(error)
