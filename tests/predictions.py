"""Prediction rows for tests of evaluation."""

from typing import Any


def prediction(n: int, predicted: str | None, **more: Any) -> dict[str, Any]:
    return {
        "id": f"q{n}",
        "question": f"Which is {n}?",
        "choices": [{"label": label, "text": f"{label}{n}"} for label in "ABCD"],
        "answer": "A",
        "meta": {"fact": f"f{n // 2}"},
        "prediction": predicted,
        **more,
    }


def rows_of(answers: str, **more: Any) -> list[dict[str, Any]]:
    return [prediction(n, None if a == "-" else a, **more) for n, a in enumerate(answers)]
