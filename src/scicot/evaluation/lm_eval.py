"""Read sample logs of lm-evaluation-harness (`--log_samples`). Such a log has one row, called a
sample, for each pair of a document and an answer filter.

{"doc_id": 0, "doc": {"id": "q1", "question": ..., "choices": ..., "answerKey": "B"}, "target": "1",
 "arguments": {"gen_args_0": {"arg_0": "Question: ...", "arg_1": " wood"}, ...},
 "resps": [[["-7.1", "False"]], [["-3.6", "False"]]],
 "filtered_resps": [["-7.1", "False"], ["-3.6", "False"]], "filter": "none", ...}

A multiple-choice task logs one log-likelihood for each choice, in the order of the choices. A
generation task logs one text.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

from scicot.formats import Reading, to_question_row
from scicot.formats.choice_set import Choices, choice_rows, lettered
from scicot.formats.meaning import labels_of_text, read_choice
from scicot.records import PREDICTION_FIELDS, Question
from scicot.replies import read_reply
from scicot.row_fields import Row, RowProblem

_INDEX_DIGITS = 9  # digits of an index; Python refuses to convert very long numbers
# The log-likelihoods follow the order in which the task lists the choices.
_ORDERED = Reading(ordered=True)
_BY_POSITION = Reading(ordered=True, by_position=True)
FILTER = "lm_eval_filter"  # key in a prediction's `models`: the filter that found the answer


def is_sample(row: Row) -> bool:
    return "filtered_resps" in row and isinstance(row.get("doc"), Mapping)


def question_of(row: Row) -> Question | None:
    """Return the question of a sample. Try these sources in turn:

    1. The field "doc", if it is a question with a gold answer.
    2. The logged requests. The prompt becomes the question's text, and the continuations become
       the choices.
    3. The field "doc", if it is a question without a gold answer.

    Return None if no source gives a question.
    """
    doc_question = _question_of_doc(row)
    if doc_question is not None and doc_question.answer is not None:
        return doc_question
    prompts, texts = _arguments(row, "arg_0", 0), _arguments(row, "arg_1", 1)
    if not texts or len(set(prompts)) != 1 or not all(text.strip() for text in texts):
        return doc_question
    choices = lettered([text.strip() for text in texts])
    identity = row["doc"].get("id", row.get("doc_hash"))
    question = {"id": identity, "question": prompts[0].strip(), "choices": choices}
    index = _target_index(row)
    if index is None:
        # The harness does not know scicot's letters, so the target is compared with the texts.
        labels = labels_of_text(str(row.get("target")), choices)
        question["answer"] = labels[0] if labels else None
    else:
        question["answer"] = choices[index]["label"] if index < len(choices) else None
    return Question.from_row(question)


def _question_of_doc(row: Row) -> Question | None:
    """Return the question in the field "doc" of a sample, or None if "doc" is no question."""
    doc_question = None
    with contextlib.suppress(RowProblem):
        doc_question = Question.from_row(to_question_row(row["doc"], _ORDERED)).without(
            PREDICTION_FIELDS
        )
        if doc_question.answer is None or _is_target(row, doc_question):
            return doc_question
    if _target_index(row) is None:
        return doc_question
    # If letters are printed in the choices, tasks differ in whether an answer "A" is the printed A
    # or the first choice. The logged index shows which.
    with contextlib.suppress(RowProblem):
        by_position = Question.from_row(to_question_row(row["doc"], _BY_POSITION))
        if _is_target(row, by_position):
            return by_position.without(PREDICTION_FIELDS)
    return doc_question


def _is_target(row: Row, question: Question) -> bool:
    """Return True if the index "target" in `row` is the index of the gold answer."""
    index = _target_index(row)
    return question.answer is not None and index == question.labels.index(question.answer)


def answer_of(row: Row, question: Question, *, per_character: bool) -> Row:
    """Return the answer of a sample of lm-evaluation-harness as fields of a prediction row.

    A sample has either log-likelihoods or a text:

    - Log-likelihoods: the prediction is the choice with the highest log-likelihood, as in the
      harness's metric acc. With `per_character`, each log-likelihood is first divided by the number
      of characters of its choice, as in the metric acc_norm.
    - A text: the prediction is read from the text.

    Raises RowProblem if the sample has no responses, or if its log-likelihoods do not match the
    choices.
    """
    responses = row["filtered_resps"]
    models = {FILTER: row.get("filter")}
    if not isinstance(responses, list) or not responses:
        raise RowProblem('"filtered_resps" is empty')
    if isinstance(responses[0], list) and len(responses[0]) == 2 and len(responses) > 1:
        models["scored"] = "log-likelihood per character" if per_character else "log-likelihood"
        scores = _probabilities(_log_likelihoods(row, question, per_character=per_character))
        best = max(range(len(scores)), key=scores.__getitem__)
        return {
            "prediction": question.labels[best],
            "scores": dict(zip(question.labels, scores, strict=True)),
            "confidence": scores[best],
            "models": models,
        }
    answer_text, reply = _text(responses), _text(row.get("resps"))
    parsed = read_reply(reply, question)
    rationales = [parsed.rationale] if parsed.rationale and reply != answer_text else []
    answer = label_in(answer_text, question) or read_reply(answer_text, question).conclusion
    return {"prediction": answer, "rationales": rationales, "models": models}


def _log_likelihoods(row: Row, question: Question, *, per_character: bool) -> list[float]:
    count = len(question.choices)
    responses = row["filtered_resps"]
    if len(responses) not in (
        count,
        2 * count,
    ):
        raise RowProblem(f"has {len(responses)} log-likelihoods for {count} choices")
    _check_target(row, question)
    try:
        found = [float(response[0]) for response in responses[:count]]
    except (TypeError, ValueError, LookupError, OverflowError):
        raise RowProblem('"filtered_resps" holds no log-likelihoods') from None
    if any(math.isnan(value) for value in found):
        raise RowProblem('"filtered_resps" holds a NaN')
    if not per_character:
        return found
    texts = _arguments(row, "arg_1", 1)[:count]
    if len(texts) < count:
        raise RowProblem(
            '"arguments" lacks the texts of the choices, whose lengths --per-character needs; leave'
            " --per-character out"
        )
    lengths = [max(1, len(text.removeprefix(" "))) for text in texts]
    return [value / length for value, length in zip(found, lengths, strict=True)]


def _check_target(row: Row, question: Question) -> None:
    """Raise RowProblem if the index "target" in `row` is not the index of the gold answer."""
    index, labels = _target_index(row), question.labels
    if question.answer is None or index is None or str(row.get("target")) in labels:
        return
    if index != labels.index(question.answer):
        raise RowProblem(
            f'"target" is {index}, counted from 0, but the answer to {question.id!r} is'
            f" {question.answer!r}; the log seems to have the choices in another order"
        )


def _target_index(row: Row) -> int | None:
    """Return the "target" of a sample as an int, or None if it is not an index."""
    target = str(row.get("target"))
    return int(target) if target.isdecimal() and len(target) <= _INDEX_DIGITS else None


def _arguments(row: Row, name: str, index: int) -> list[str]:
    """Return one argument of each request in `row`, or [] if `row` has no such arguments.

    The harness logs the arguments of a request in one of two forms, depending on its version:

        {"arg_0": PROMPT, "arg_1": CONTINUATION}        `name` is the key of the argument
        [PROMPT, CONTINUATION]                          `index` is the index of the argument
    """
    arguments = row.get("arguments")
    requests = list(arguments.values()) if isinstance(arguments, Mapping) else arguments
    try:
        found = [
            request[name] if isinstance(request, Mapping) else request[index]
            for request in requests or ()
        ]
    except (TypeError, LookupError):
        return []
    return found if all(isinstance(text, str) for text in found) else []


def _probabilities(log_likelihoods: Sequence[float]) -> list[float]:
    highest = max(log_likelihoods)
    if math.isinf(highest):
        return [1 / len(log_likelihoods)] * len(log_likelihoods)
    powers = [math.exp(value - highest) for value in log_likelihoods]
    return [power / sum(powers) for power in powers]


def _text(responses: Any) -> str:
    """Return the first entry of nested lists of responses, such as "B" for [["B"], ["A"]]. Return
    "" if this entry is not a text."""
    while isinstance(responses, list) and responses:
        responses = responses[0]
    return responses if isinstance(responses, str) else ""


def label_in(text: str, question: Question) -> str | None:
    """Return the label of the choice that `text` names, or None if it does not name exactly one.
    For example, "(b)" and "B." name the choice B, and "Wood" names the choice with the text "wood".
    """
    choices = Choices(choice_rows(question.labels, [c.text for c in question.choices]))
    stripped = text.strip().strip("().").strip()
    meaning = read_choice(stripped, choices)
    if meaning is not None:
        return None if meaning.ambiguity else meaning.labels[0]
    folded = [
        choice["label"]
        for choice in choices.rows
        if choice["text"].strip().casefold() == stripped.casefold()
    ]
    return folded[0] if len(folded) == 1 else None
