"""Detect test questions that a student was trained on.

Texts are compared without regard to case, punctuation and white space. Two questions are the same
if they have the same text, the same context and, in any order, the same choices.

Training on a test question reveals its answer. Training on a question with the same text but other
choices reveals little, because the text is a template, for example "Which of these floats on
water?".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from scicot import jsonl
from scicot.errors import ScicotError
from scicot.records import Question
from scicot.text import normalized

FILE = "trained_on.jsonl"
_MEND = "the file is damaged: copy the run again, or retrain it"


def text_key(question: Question) -> str:
    """Return a digest of the question's normalised text, without its context and choices."""
    return _digest(normalized(question.question))


def whole_key(question: Question) -> str:
    """Return a digest of the question's normalised text, context and choices. It does not depend on
    the order of the choices."""
    choices = sorted(normalized(choice.text) for choice in question.choices)
    return _digest(
        "\n".join([normalized(question.question), normalized(question.context), *choices])
    )


@dataclass
class Overlap:
    """The overlap of a first set of questions, such as dev, with another set, such as train.

    - `questions`: the number of questions in the first set.
    - `same_text`: how many of them have a text that is also in the other set.
    - `same_question`: how many of them are in the other set with the same text, context and
      choices.
    """

    questions: int = 0
    same_text: int = 0
    same_question: int = 0
    # For each text_key that occurs in the other set: the whole_keys of the counted questions that
    # have it.
    by_text: dict[str, set[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.same_text > 0

    @property
    def is_of_templates(self) -> bool:
        """True if the shared texts seem to be templates, such as "Which of these floats on water?".
        Both conditions must hold:

        - No question of the first set has the same text, context and choices as a question of the
          other set.
        - For each shared text, the first set has several questions, which differ in their choices
          or context.
        """
        return not self.same_question and all(
            len(questions) > 1 for questions in self.by_text.values()
        )

    def describe(self, other_set: str) -> str:
        """Describe the overlap in one sentence, in which the other set is called `other_set`."""
        same = f"{self.same_question} of them" if self.same_question else "none of them"
        return (
            f"{self.same_text:,} of {self.questions:,} questions have the text of {other_set},"
            f" {same} with the same context and choices too"
        )


@dataclass
class SeenQuestions:
    """Digests of the questions that one or several students were trained on, or that were used to
    select their checkpoints (dev).

    `overlap` counts the questions that were passed to `watch` or `overlap_with`, and how many of
    these questions have digests in this object.
    """

    texts: set[str] = field(default_factory=set)
    whole_keys: set[str] = field(default_factory=set)
    overlap: Overlap = field(default_factory=Overlap)

    def add(self, questions: Iterable[Question]) -> None:
        for question in questions:
            self.texts.add(text_key(question))
            self.whole_keys.add(whole_key(question))

    def watch(self, questions: Iterable[Question]) -> Iterator[Question]:
        """Yield the questions unchanged, and add them to the counts of `overlap`."""
        for question in questions:
            self.overlap.questions += 1
            text = text_key(question)
            if text in self.texts:
                self.overlap.same_text += 1
                key = whole_key(question)
                self.overlap.by_text.setdefault(text, set()).add(key)
                self.overlap.same_question += key in self.whole_keys
            yield question

    def overlap_with(self, questions: Iterable[Question]) -> Overlap:
        """Add `questions` to the counts of `overlap`, as `watch` does. Return `overlap`, which also
        counts the questions of earlier calls."""
        for _ in self.watch(questions):
            pass
        return self.overlap

    def read(self, run: Path) -> None:
        """Add the questions listed in a run's trained_on.jsonl. Does nothing if the run has no such
        file."""
        file = run / FILE
        if not file.exists():
            return
        with file.open("rb") as lines:
            for location, row in jsonl.decode_lines(lines, str(file)):
                try:
                    self.texts.add(row["text"])
                    self.whole_keys.add(row["question"])
                except KeyError as missing:
                    raise ScicotError(f"{location}: has no {missing}; {_MEND}") from None
                except TypeError:
                    raise ScicotError(
                        f'{location}: "text" and "question" must be strings; {_MEND}'
                    ) from None


def write_seen(run: Path, train: Iterable[Question], dev: Iterable[Question]) -> None:
    """Write a run's trained_on.jsonl. It lists two groups of questions: those in `train`, on which
    the student was trained, and those in `dev`, by which its checkpoint was selected.

    Each question is one row: {"id": ..., "split": "train" or "dev", "text": T, "question": W}. T is
    the question's `text_key`, and W its `whole_key`.
    """
    with jsonl.replacing(run / FILE) as stream:
        for split, questions in (("train", train), ("dev", dev)):
            seen = set()
            for question in questions:
                key = (question.id, whole_key(question))
                if key not in seen:
                    seen.add(key)
                    row = {"id": question.id, "split": split, "text": text_key(question)}
                    stream.write(jsonl.encode({**row, "question": key[1]}))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
