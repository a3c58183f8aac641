"""Metrics of rationales: answer leakage, repetition, agreement with the answer, ROUGE-L."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from scicot.records import Prediction, Question
from scicot.replies import announces_answer
from scicot.rouge import rouge_l

MAX_EXAMINED = 2_000  # rationales examined in a file, since parsing one is slow
_WORD = re.compile(r"\w+")
_GRAM = 3


@dataclass(frozen=True)
class RationaleFigures:
    """Metrics of the rationales of a file: means over its first MAX_EXAMINED rationales. Shares are
    from 0 to 1."""

    rationales: int  # number of rationales examined
    words: float  # words in a rationale
    repeated: float  # share of the word trigrams that occurred before in the same rationale
    leaks: float  # share of rationales that announce an answer ("so the answer is B")
    names_one: float  # share of rationales that contain the text of exactly one choice
    agree: float | None  # share of the `names_one` rationales whose choice was predicted, or None
    rouge_l: float | None  # ROUGE-L against the reference rationales in the rows, or None


class RationaleCounts:
    """Sums up the metrics of rationales, row by row, and returns their means."""

    def __init__(self) -> None:
        self._rationales = self._words = self._leaks = self._names = self._agree = 0
        self._repeated = self._overlap = 0.0
        self._references = 0

    def add(self, row: Prediction) -> None:
        """Add the rationales of a prediction row, until MAX_EXAMINED rationales have been added."""
        from_input = row.models.get("rationale_from") in ("input", "shuffled")
        reference = None if from_input else row.question.extra.get("rationale")
        for text in row.rationales:
            if self._rationales == MAX_EXAMINED:
                return
            self._rationales += 1
            self._words += len(_WORD.findall(text))
            self._repeated += repetition(text)
            self._leaks += announces_answer(text, row.question)
            named = choices_named(text, row.question)
            if len(named) == 1:
                self._names += 1
                self._agree += named[0] == row.prediction
            if isinstance(reference, str):
                self._references += 1
                self._overlap += rouge_l(text, reference)

    def figures(self) -> RationaleFigures | None:
        """Return the means over the rationales added so far; None if there are none."""
        count = self._rationales
        if not count:
            return None
        return RationaleFigures(
            count,
            self._words / count,
            self._repeated / count,
            self._leaks / count,
            self._names / count,
            self._agree / self._names if self._names else None,
            self._overlap / self._references if self._references else None,
        )


def repetition(text: str) -> float:
    """Return the share of a text's word trigrams that repeat an earlier one; 0.0 for a text of
    fewer than three words."""
    words = _WORD.findall(text.casefold())
    grams = [tuple(words[start : start + _GRAM]) for start in range(len(words) - _GRAM + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def choices_named(text: str, question: Question) -> Sequence[str]:
    """Return the labels of the choices whose text occurs in the rationale `text` as whole words,
    ignoring case."""
    words = f" {' '.join(_WORD.findall(text.casefold()))} "
    return [
        choice.label
        for choice in question.choices
        if f" {' '.join(_WORD.findall(choice.text.casefold()))} " in words
    ]
