"""The inputs that fuzzing begins with: one of each layout and file that scicot reads."""

from __future__ import annotations

import json
from typing import Any

CHOICES = [{"label": "A", "text": "wood"}, {"label": "B", "text": "copper"}]
QUESTION: dict[str, Any] = {
    "id": "q1", "question": "Which conducts electricity?", "choices": CHOICES, "answer": "B",
}  # fmt: skip
RATIONALE = {
    **QUESTION, "rationale": "Copper is a metal.", "sample": 0, "teacher": "anthropic:m",
    "conclusion": "B", "saw_answer": False, "request": "0123456789abcdef",
    "usage": {"input_tokens": 11, "output_tokens": 7, "cost_usd": 0.0001},
}  # fmt: skip
REJECTED = {**RATIONALE, "id": "q2", "rationale": "", "reason": "refusal", "reply": "I cannot."}
FAILED = {**RATIONALE, "id": "q3", "rationale": "", "reason": "error", "error": "500 no"}
PREDICTION = {
    **QUESTION, "rationales": ["Copper is a metal."], "prediction": "B",
    "scores": {"A": 0.25, "B": 0.75}, "confidence": 0.75, "abstained": False,
    "models": {"answer": "run@0123456789ab", "rationale_from": "student", "score": "label"},
}  # fmt: skip

LAYOUTS: tuple[dict[str, Any], ...] = (
    QUESTION,
    {**QUESTION, "context": "A lab.", "meta": {"subject": "physics"}, "mine": [1, {"x": 2}]},
    {"id": "n1", "question": "2 + 2?", "choices": ["3", "4"], "answer": 1},
    {"id": "t1", "question": "Which?", "choices": {"label": ["A", "B"], "text": ["a jug", "a cup"]},
     "answerKey": "B", "answer": "a cup"},
    {"id": "7-980", "question": {"stem": "The sun heats", "choices": [
        {"text": "stones", "label": "A"}, {"text": "plants", "label": "B"}]}, "answerKey": "B"},
    {"question_stem": "Rocks differ by", "choices": {"text": ["hue", "age"], "label": ["1", "2"]},
     "answerKey": "2", "fact1": "rocks are old"},
    {"question": "Which?", "choices": ["a", "b"], "answer": 0, "hint": "h", "image": None,
     "lecture": "l", "solution": "Because.", "task": "closed choice", "grade": "grade2"},
    {"question": "Which floats?", "A": "iron", "B": "cork", "answer": "B"},
    {"prompt": "Which floats?", "choice1": "iron", "choice2": "cork", "correct": "2"},
    {"questionID": "M_1", "question": "Which floats? (A) iron (B) cork", "AnswerKey": "B"},
    {"question": "Which?", "choices": '["iron", "cork"]', "answer": "A"},
    {"premise": "Kim's hands were cold.", "choice1": "Gloves.", "choice2": "A book.",
     "question": "effect", "label": 0, "idx": 0},
    {"question": "Which?", "options": {"A": "tin", "B": "cork"}, "answer_idx": "B", "answer": "x"},
    {"question": "Which gas?", "answer": "C",
     "choices": [{"label": "A", "text": "C"}, {"label": "C", "text": "O2"}]},
    {"question": "Which?", "correct_answer": "cork", "distractor1": "iron", "distractor2": "tin"},
    {"Question": "Which?", "Correct Answer": "a", "Incorrect Answer 1": "b"},
    {"sent1": "x", "question": "Which?", "ending0": "iron", "ending1": "cork", "label": 1},
)  # fmt: skip

LM_EVAL = {
    "doc_id": 0, "doc": {**QUESTION, "answerKey": "B"}, "target": "1",
    "arguments": {"gen_args_0": {"arg_0": "Question: Which?\nAnswer:", "arg_1": " wood"},
                  "gen_args_1": {"arg_0": "Question: Which?\nAnswer:", "arg_1": " copper"}},
    "resps": [[["-7.1", "False"]], [["-3.6", "False"]]],
    "filtered_resps": [["-7.1", "False"], ["-3.6", "False"]], "filter": "none", "doc_hash": "ab",
}  # fmt: skip
LM_EVAL_TEXT = {
    **LM_EVAL, "doc_id": 1, "doc": {"id": "q2", "text": "free"}, "target": "1",
    "resps": [["Copper conducts.\nAnswer: B"]], "filtered_resps": ["B"], "filter": "strict",
}  # fmt: skip
LM_EVAL_LISTS = {**LM_EVAL, "doc_id": 2, "arguments": [["Which?", " wood"], ["Which?", " copper"]]}

RECORDED = (
    {"id": "q1", "reply": "Copper is a metal.\nAnswer: B", "stop_reason": "end_turn"},
    {"id": "q1", "reply": "Metals conduct", "usage": {"input_tokens": 3, "output_tokens": 4}},
    {"id": 2, "reply": ""},
)

REPLIES = (
    "Copper is a metal, and metals conduct electricity.\nAnswer: B",
    "<think>Let me see: A?</think>Wood insulates. Since copper is a metal, the answer is (B) it.",
    "To find out, let us analyze each option:\n\nA. wood\n - it insulates.\n\nB. copper\n - it"
    " conducts.\n\nThe best answer is B.",
    "I'm sorry, but I can't help with that.",
    "**Answer:** B) copper is best. Answer A suggests that wood conducts, which is wrong.",
    "Wood does not conduct; copper does.\n\nQ: What is the capital of France?\nA: Paris",
    "The answer cannot be (A). So copper, because it is a metal; hence \\boxed{B}.",
    "Copper is a metal. Copper is a metal. Copper is a metal. Copper is a metal. Answer: B",
    "The hint says B. Given the correct answer, copper conducts \N{EM DASH} as all metals do.",
)

CONFIGS = (
    "samples: 2\nkeep: all\n",
    "max-wait: 10.5\nquiet: true\n",
    "price: [0.1, 0.5]\nreveal-answer: on-failure\n",
    "limit: 5\nbatch: no\n# a line\nforce: false\n",
    "reveal_answer: true\nmax_cost: 1e3\n",
    "examples: x.jsonl\ntemperature: 0.7\n",
    "base: &x {a: 1}\nsamples: *x\n",
    "samples: !!python/object/apply:os.getcwd []\n",
    "seed: 0x10\nconcurrency: 1_000\n",
    "timeout: .inf\nmax-failures: 2026-01-01\n",
    "seed: 1\npredict: {samples: 3}\ntrain-answer:\n  epochs: 2\n",
    "columns: {question: Frage, choices: [A, B]}\n",
    '{"samples": 3, "prompt": null, "limit": [1, 2]}',
)

STATE = {
    "scicot": "0.1.0", "command": "generate-rationales",
    "settings": {"teacher": "anthropic:m", "keep": "correct", "samples": 1, "sampling": {}},
    "inputs": {"q.jsonl": "ab"}, "counts": {"kept": 2}, "finished": True,
}  # fmt: skip
PLAN = {"name": "0123456789abcdef", "requests": 2, "began": "2026-11-23T08:00:05+00:00",
        "id": "msgbatch_1", "retry": False}  # fmt: skip
PLANNED = (
    {"sample": 0, "revealed": False, "question": QUESTION},
    {"sample": 1, "revealed": True, "question": {**QUESTION, "id": "q2"}},
)
MANIFEST = {
    "stage": "answer", "student": "scratch:tiny",
    "settings": {"max_source_tokens": 256, "max_target_tokens": 64, "answer_as": "label"},
    "data": [{"file": "rows.jsonl", "sha256": "ab"}], "scicot": "0.1.0", "format": 1, "template": 1,
    "finished": True, "packages": {"torch": "2.9"}, "ways": {"device": "cpu"},
    "metrics": {"dev_temperature": 1.1}, "examples_sha256": "a", "dev_sha256": None,
    "weights_sha256": "0123456789abcdef", "fold": {"fold": 0, "folds": 4, "fold_by": "id"},
    "equal_to": None, "seeds": [],
}  # fmt: skip
TEMPLATES = (
    "Explain.\n{context}\nQ: {question}\n{choices}\nAnswer: {answer}\n",
    "{question} {choices} {{not a field}}",
    "{question!r} {choices:>10} {0} {question.x} {choices[0]}",
)

MESSAGE: dict[str, Any] = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
    "content": [{"type": "text", "text": "Copper.\nAnswer: B"}],
    "stop_reason": "end_turn", "stop_sequence": None,
    "usage": {"input_tokens": 11, "output_tokens": 7, "cache_read_input_tokens": 0},
}  # fmt: skip
THINKING = {
    **MESSAGE, "stop_reason": "max_tokens",
    "content": [{"type": "thinking", "thinking": "Hm.", "signature": ""}, MESSAGE["content"][0],
                {"type": "tool_use", "id": "t", "name": "n", "input": {}}],
}  # fmt: skip
HEADERS = {
    "content-type": "application/json", "retry-after": "3", "date": "Mon, 23 Nov 2026 08:00:00 GMT",
    "anthropic-ratelimit-requests-remaining": "12", "request-id": "r",
    "anthropic-ratelimit-requests-reset": "2026-11-23T08:00:05Z",
    "anthropic-ratelimit-tokens-remaining": "40000",
    "anthropic-ratelimit-tokens-reset": "2026-11-23T08:00:05Z",
}  # fmt: skip
# Bodies of error responses; the first ones are Anthropic's.
ERRORS: tuple[tuple[int, Any], ...] = (
    (400, {"type": "error", "error": {"type": "invalid_request_error", "message":
        "You have reached your specified API usage limits. You will regain access on 2026-12."}}),
    (400, {"type": "error", "error": {"type": "invalid_request_error", "message":
        "Your credit balance is too low to access the Anthropic API."}}),
    (400, {"type": "error", "error": {"type": "invalid_request_error", "message": "too long"}}),
    (401, {"type": "error", "error": {"type": "authentication_error", "message": "bad key"}}),
    (403, {"type": "error", "error": {"type": "permission_error", "message": "no"}}),
    (404, {"type": "error", "error": {"type": "not_found_error", "message": "model: nope"}}),
    (413, {"type": "error", "error": {"type": "request_too_large", "message": "too large"}}),
    (429, {"type": "error", "error": {"type": "rate_limit_error", "message": "rate limit"}}),
    (500, {"type": "error", "error": {"type": "api_error", "message": "Internal server error"}}),
    (529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
    (400, {"object": "error", "message": "context length", "type": "BadRequestError", "code": 400}),
    (404, {"error": "model 'x' not found"}),
    (503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}),
    (502, "<html><body>Bad gateway</body></html>"),
    (307, ""),
)  # fmt: skip
BATCH = {
    "id": "msgbatch_1", "type": "message_batch", "created_at": "2026-11-23T08:00:05Z",
    "expires_at": "2026-11-24T08:00:05Z", "processing_status": "ended", "archived_at": None,
    "request_counts": {"processing": 0, "succeeded": 2, "errored": 0, "canceled": 0, "expired": 0},
    "results_url": "/v1/messages/batches/msgbatch_1/results", "ended_at": None,
    "cancel_initiated_at": None,
}  # fmt: skip
RESULTS = (
    {"custom_id": "0123456789abcdef-0", "result": {"type": "succeeded", "message": MESSAGE}},
    {"custom_id": "0123456789abcdef-1", "result": {"type": "errored", "error": {
        "type": "error", "error": {"type": "invalid_request_error", "message": "too odd"}}}},
    {"custom_id": "0123456789abcdef-1", "result": {"type": "expired"}},
    {"custom_id": "0123456789abcdef-0", "result": {"type": "canceled"}},
)  # fmt: skip


def lines(*rows: Any) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)
