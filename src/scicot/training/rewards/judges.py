"""Assign a judge to each question. A judge is a fold student of an answer run. It scores rationales
of questions that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from scicot import jsonl, overlap
from scicot.errors import ScicotError
from scicot.records import Question
from scicot.splits import group_keys
from scicot.stages import Stage
from scicot.students.runs import Run, check_run
from scicot.training.folds import fold_run


@dataclass(frozen=True)
class Judges:
    """The fold students of an answer run (train-answer --folds), which score rationales. `run` is
    the answer run; `folds[k]` is its student that was trained without fold k."""

    run: Run
    folds: Sequence[Run]

    @classmethod
    def of(cls, name: str) -> Judges:
        """Find the answer run `name` and its fold students, without loading their weights. Raises
        ScicotError if the run has no fold students or is on the Hub."""
        run = check_run(name, "--reward", Stage.ANSWER)
        count = int(run.manifest.settings.get("folds") or 0)
        if not count:
            raise ScicotError(
                f"--reward {name}: has no fold students; train it with train-answer --folds"
            )
        if run.hub is not None:
            raise ScicotError(
                f"--reward {name}: is on the Hub, without its fold students; give the local"
                " directory of the run"
            )
        directories = [fold_run(run.directory, fold) for fold in range(count)]
        return cls(
            run, [check_run(directory, "--reward", Stage.ANSWER) for directory in directories]
        )

    @property
    def fold_by(self) -> str | None:
        """The value of --fold-by with which the answer run was trained: the name of a field, or
        None for the default grouping (splits.py). Rows with the same value of this field are in the
        same fold."""
        field = self.run.manifest.settings.get("fold_by")
        return None if field is None else str(field)

    @cached_property
    def without_rationale(self) -> bool:
        """True if the answer run was trained with rationale dropout, so that its students can also
        answer without a rationale."""
        return bool(self.run.manifest.settings.get("rationale_dropout"))

    def assign(
        self, questions: Sequence[Question], question_folds: Sequence[int], fold_by: str | None
    ) -> list[int]:
        """Return the judge of each question: the index of a fold student in `folds`. The judge's
        training and dev sets contain neither the question nor any other question of the same group.
        (The questions of a group reveal each other's answers, see splits.py.)

        `question_folds[i]` is the fold of `questions[i]` in the training of stage 1. If possible,
        the judge of `questions[i]` is `folds[question_folds[i]]`. `fold_by` is the field by which
        questions are grouped, None for the default grouping. Raises ScicotError if no fold student
        can be the judge of a question.
        """
        keys = [{*group_keys(question, fold_by)} for question in questions]
        whole_keys = [overlap.whole_key(question) for question in questions]
        training_keys = [
            self._training_keys(fold, questions, keys) for fold in range(len(self.folds))
        ]
        assigned = []
        for index, question in enumerate(questions):
            order = sorted(
                range(len(self.folds)), key=lambda fold: (fold != question_folds[index], fold)
            )
            question_keys = {*keys[index], whole_keys[index]}
            judge = next(
                (fold for fold in order if question_keys.isdisjoint(training_keys[fold])), None
            )
            if judge is None:
                raise ScicotError(
                    f"--reward {self.run.location}: all its fold students were trained on question"
                    f" {question.id!r} or a related one; train it again with --folds on the same"
                    " questions and with the same --fold-by"
                )
            assigned.append(judge)
        return assigned

    def _training_keys(
        self, fold: int, questions: Sequence[Question], keys_of_questions: Sequence[set[str]]
    ) -> set[str]:
        """Return the keys of the training and dev questions of the fold student `folds[fold]`. The
        student must not judge a question that has one of these keys.

        A key is either a digest of a question (overlap.whole_key), or a group key
        (splits.group_keys). `questions` are all questions to judge. `keys_of_questions[i]` are the
        group keys of `questions[i]`.

        The student's trained_on.jsonl lists its training and dev questions by id and digest. The
        result contains:

        - all digests in trained_on.jsonl
        - the group keys of each of `questions` whose id is in trained_on.jsonl

        Raises ScicotError if trained_on.jsonl is missing.
        """
        ids = set()
        training_keys: set[str] = set()
        file = self.folds[fold].directory / overlap.FILE
        if not file.exists():
            raise ScicotError(
                f"{file}: is missing, so the training questions of the student are unknown; copy"
                " the run again, or train it again with --folds"
            )
        with file.open("rb") as lines:
            for _, row in jsonl.decode_lines(lines, str(file)):
                ids.add(row.get("id"))
                training_keys.add(str(row.get("question")))
        for question, question_keys in zip(questions, keys_of_questions, strict=True):
            if question.id in ids:
                training_keys |= question_keys
        return training_keys
