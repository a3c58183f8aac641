"""Stop reasons: the words by which a server says why a reply ended.

kind_of("stop")      -> Stop.COMPLETE       Chat Completions
kind_of("end_turn")  -> Stop.COMPLETE       Messages API
kind_of("SAFETY")    -> Stop.DECLINED       Gemini
kind_of("length")    -> Stop.TOKEN_LIMIT    Chat Completions
"""

from __future__ import annotations

from enum import Enum


class Stop(Enum):
    """The kinds of stop reasons."""

    COMPLETE = "the reply is complete"
    DECLINED = "the model or a filter declined to answer"
    TOKEN_LIMIT = "the reply reached --max-tokens"
    CONTEXT_WINDOW = "prompt and reply filled the context window of the model"
    BROKEN_OFF = "a failure of the server broke off the reply"
    OTHER = "the reply ended for another reason, or for an unknown one"


_WORDS = {
    Stop.COMPLETE: (
        *("end_turn", "stop", "stop_sequence", "eos", "eos_token"),
        *("complete", "completed", "finish", "finished"),
    ),
    Stop.DECLINED: (
        *("refusal", "content_filter", "content_filtered"),  # Messages API, OpenAI, Bedrock
        "guardrail_intervened",  # Bedrock
        *("safety", "recitation", "prohibited_content", "blocklist", "spii"),  # Gemini
    ),
    Stop.TOKEN_LIMIT: (
        *("max_tokens", "length", "max_output_tokens", "max_completion_tokens"),
        *("max_new_tokens", "max_length"),
    ),
    Stop.CONTEXT_WINDOW: (
        *("model_context_window_exceeded", "context_window_exceeded", "context_length_exceeded"),
        "model_length",  # Mistral
    ),
    Stop.BROKEN_OFF: (
        *("error", "abort", "aborted", "cancelled", "canceled"),  # OpenRouter, vLLM, SGLang
        "insufficient_system_resource",  # DeepSeek
    ),
}
_KINDS = {word: kind for kind, words in _WORDS.items() for word in words}


def kind_of(reason: str) -> Stop:
    """Return the kind of a stop reason. Upper and lower case are not distinguished."""
    # Proxies that print Gemini's enum send "FinishReason.STOP".
    return _KINDS.get(reason.strip().rpartition(".")[2].lower(), Stop.OTHER)


def is_unusual(reason: str) -> bool:
    """Return True if a stop reason tells more about a rejected reply than the row's `reason` does.
    False for complete replies, for replies that reached --max-tokens, and for "refusal"."""
    usual = kind_of(reason) in (Stop.COMPLETE, Stop.TOKEN_LIMIT)
    return not usual and reason != "refusal"
