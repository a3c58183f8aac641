"""Names of the fields of each kind of row, and the fixed values that some fields can have."""

from __future__ import annotations

QUESTION_FIELDS = frozenset({"id", "question", "choices", "answer", "context", "meta"})
RATIONALE_FIELDS = (
    "rationale",
    "sample",
    "teacher",
    "conclusion",
    "still_concludes",
    "saw_answer",
    "request",
    "usage",
    "reply",
    "thinking",
)
# Fields that only rows of OUT.rejected.jsonl have.
REJECTED_FIELDS = ("reason", "stop_reason", "error")
# Reasons to reject a reply of the teacher (the "reason" in OUT.rejected.jsonl).
REASONS = (
    "wrong-conclusion",
    "refusal",
    "truncated",
    "no-thinking",
    "empty",
    "too-short",
    "too-long",
    "repetitive",
    "duplicate",
    "leaks-answer",
    "error",
)
# Prefix of the teacher's name if a student wrote the rationale: "student:RUN@HASH".
STUDENT = "student:"
PREDICTED = "predicted"  # the teacher's name for rationales taken from prediction rows
PREDICTION_FIELDS = ("rationales", "prediction", "scores", "confidence", "abstained", "models")
