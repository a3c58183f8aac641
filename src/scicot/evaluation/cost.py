"""Estimate the inference cost of a system's answers. It is computed from the texts in the
prediction rows and from their field `models`.

    {"models": {"answer": "answer@1f0c", "rationale": "rationale@77ab", "rationale_from": "student",
                "weights": {"answer@1f0c": 560000, "rationale@77ab": 560000}}, ...}

A transformer does about two operations per weight for each token that it reads or writes. Rows
contain texts, not tokens, so words are counted instead. Students with the same tokenizer have about
the same ratio of tokens to words, so their costs can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scicot.records import Prediction


@dataclass(frozen=True)
class Cost:
    """The inference cost of a system. `words` and `work` are means over the questions."""

    weights: int  # number of parameters of all students, each student counted once
    words: float  # words that the students read and write for a question
    work: float  # weights times words, summed over the students


class CostCounts:
    """Sums up the costs of a system's answers, row by row, and returns their mean."""

    def __init__(self) -> None:
        self._rows = 0
        self._words = self._work = 0.0
        self._weights: Mapping[str, int] | None = None
        self._known = True

    def add(self, row: Prediction) -> None:
        """Add the cost of a row. If the row lacks the number of weights of one of its students, the
        cost of the whole system becomes unknown."""
        weights = _weights_of(row.models)
        if weights is None:
            self._known = False
        if not self._known or weights is None:
            return
        self._weights = self._weights or weights
        for student, words in _passes(row):
            if student not in weights:
                self._known = False
                return
            self._words += words
            self._work += weights[student] * words
        self._rows += 1

    def cost(self) -> Cost | None:
        """Return the mean cost of the rows added so far. Returns None if no row was added, or if
        the cost of a row is unknown."""
        if not self._known or not self._rows or self._weights is None:
            return None
        total = sum(self._weights.values())
        return Cost(total, self._words / self._rows, self._work / self._rows)


def mean_cost(costs: Sequence[Cost | None]) -> Cost | None:
    """Return the mean of `costs`, which has one element for each seed of a system. Returns None if
    `costs` is empty or contains None, an unknown cost."""
    known = [cost for cost in costs if cost is not None]
    if not known or len(known) < len(costs):
        return None
    count = len(known)
    return Cost(
        round(sum(cost.weights for cost in known) / count),
        sum(cost.words for cost in known) / count,
        sum(cost.work for cost in known) / count,
    )


def _weights_of(models: Mapping[str, Any]) -> dict[str, int] | None:
    weights = models.get("weights")
    if not isinstance(weights, dict) or not weights:
        return None
    valid = all(type(count) is int and count > 0 for count in weights.values())
    return weights if valid else None


def _passes(row: Prediction) -> Iterator[tuple[str, int]]:
    """Yield (student name, number of words read and written) for each pass of a student over the
    question of `row`. Yields nothing if `row` does not name an answer student."""
    models, question = row.models, row.question
    if not isinstance(models.get("answer"), str):
        return
    answer_name = models["answer"]
    # Several answer students are joined by " + ", but the name of a single one may contain it too.
    students = [answer_name] if answer_name in models["weights"] else answer_name.split(" + ")
    choice_words = sum(_words(choice.text) for choice in question.choices)
    question_words = _words(question.question) + _words(question.context) + choice_words
    # Rationales from the input cost nothing. Shuffled ones were written by a student too, for other
    # questions.
    if models.get("rationale_from") in ("student", "shuffled"):
        yield from _writing_passes(models, students, question_words, row.rationales)
    # Equal rationales are scored once.
    rationale_words = [_words(text) for text in dict.fromkeys(row.rationales)] or [0]
    if models.get("mix_direct"):
        rationale_words.append(0)  # the answer without a rationale
    scored_words = choice_words if "text" in str(models.get("scoring")) else len(question.choices)
    for student in students:
        for words in rationale_words:
            yield student, question_words + words + scored_words


def _writing_passes(
    models: Mapping[str, Any], answer_students: list[str], question_words: int, texts: Sequence[str]
) -> Iterator[tuple[str, int]]:
    """Yield (student name, words read plus words written) for each student that wrote some of
    the rationales `texts`.

    All `texts` belong to one question. `question_words` is the number of words of its text, its
    context and its choices.
    """
    rationale_models = models.get("rationale")
    if rationale_models is None and models.get("rationale_from") == "shuffled":
        return  # the rationales were in the input, so no student wrote them
    # Without rationale students, the answer students wrote the rationales.
    writers = (
        answer_students
        if rationale_models is None
        else rationale_models
        if isinstance(rationale_models, list)
        else [rationale_models]
    )
    per_writer = max(1, len(texts) // len(writers))
    # Each writer wrote equally many rationales; those of the first writer come first.
    for number, writer in enumerate(writers):
        written = texts[number * per_writer : (number + 1) * per_writer]
        yield str(writer), question_words + sum(map(_words, written))


def _words(text: str) -> int:
    return len(text.split())
