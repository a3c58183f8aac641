"""Read samples from logs of Inspect (inspect_ai): `.eval` archives and `.json` files.

{"id": 1, "epoch": 1, "input": "Which conducts?", "choices": ["wood", "copper"], "target": "B",
 "output": {"completion": "ANSWER: B", ...},
 "scores": {"choice": {"value": "C", "answer": "B", "explanation": "ANSWER: B"}}}

Inspect's multiple-choice solver labels the choices A, B, C in their order. Its scorer records the
letter that the model chose ("answer"), and whether this letter is correct ("value"). The value "C"
means correct, and "I" means incorrect. Here, "C" is not a label.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scicot.evaluation.lm_eval import label_in
from scicot.formats import Reading, to_question_row
from scicot.records import PREDICTION_FIELDS, Question
from scicot.replies import read_reply
from scicot.row_fields import Row, RowProblem

# key in a prediction's `models` for the sample's epoch: the number of this reply to the question
EPOCH = "inspect_epoch"
# Inspect labels by position also if a text begins with a letter, as "C) copper" at position 2 does.
_BY_POSITION = Reading(by_position=True)
_LOG_FIELDS = ("epoch", "output", "scores", "error")


def is_sample(row: Row) -> bool:
    return "input" in row and "target" in row and ("scores" in row or "output" in row)


def question_of(row: Row, *, needed: bool = False) -> Question | None:
    """Return the question of a sample, or None if the sample has no complete question. For example,
    some tasks write the choices only into the prompt. If `needed` is True, a sample that has
    choices but no complete question raises RowProblem instead."""
    question_fields = {name: value for name, value in row.items() if name not in _LOG_FIELDS}
    if question_fields.get("choices") is None:  # the task writes the choices into its prompt
        question_fields.pop("choices", None)
    try:
        return Question.from_row(to_question_row(question_fields, _BY_POSITION)).without(
            PREDICTION_FIELDS
        )
    except RowProblem:
        if needed and "choices" in question_fields:
            raise
        return None


def answer_of(row: Row, question: Question) -> Row:
    """Return the answer of an Inspect sample as the fields "prediction", "rationales" and "models"
    of a prediction row. The prediction is the answer that a scorer recorded or, if there is none,
    the conclusion of the model's reply."""
    models: dict[str, Any] = {EPOCH: row.get("epoch")}
    output = row.get("output")
    if isinstance(output, Mapping) and isinstance(output.get("model"), str):
        models["model"] = output["model"]
    reply = _completion(output)
    parsed = read_reply(reply, question)
    return {
        "prediction": _scored_label(row, question) or parsed.conclusion,
        "rationales": [parsed.rationale] if parsed.rationale else [],
        "models": models,
    }


def _scored_label(row: Row, question: Question) -> str | None:
    """Return the label of the model's answer, as recorded by the scorers. Return None if no scorer
    shows the label. The first scorer of these two kinds decides:

    - A scorer that recorded a label. This label is returned.
    - A scorer that recorded only that the answer is correct. The gold answer is returned.
    """
    scores = row.get("scores")
    for score in scores.values() if isinstance(scores, Mapping) else ():
        if not isinstance(score, Mapping):
            continue
        answer = score.get("answer")
        label = label_in(answer, question) if isinstance(answer, str) else None
        if label is not None:
            return label
        if score.get("value") == "C" and question.answer is not None:
            return question.answer
    return None


def _completion(output: Any) -> str:
    if not isinstance(output, Mapping):
        return ""
    if isinstance(output.get("completion"), str):
        return str(output["completion"])
    try:
        content = output["choices"][0]["message"]["content"]
    except (LookupError, TypeError):
        return ""
    if isinstance(content, list):
        content = "".join(
            part["text"]
            for part in content
            if isinstance(part, Mapping) and isinstance(part.get("text"), str)
        )
    return content if isinstance(content, str) else ""
