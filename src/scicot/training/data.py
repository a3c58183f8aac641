"""Read the rows of a training command, and split them into training set, dev set and folds."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from scicot import sources
from scicot.config import ReadingSettings, TrainSettings
from scicot.errors import ScicotError, UsageError
from scicot.outputs import missing_parts
from scicot.overlap import SeenQuestions
from scicot.records import Question
from scicot.reporting import Reporter, counted, number_of
from scicot.splits import Groups, assign_folds, dev_split, group_rows
from scicot.stages import FORMS, Stage
from scicot.training.announcing import Announcements
from scicot.training.examples import Lesson
from scicot.training.folds import Folds

_NEEDS_GOLD = sources.NeedsGold("to learn from", "left out")


class Options(TypedDict, total=False):
    """Keyword arguments of the training functions: further input files, and how to read files."""

    dev: Sequence[sources.Source]  # files of dev rows, on which the best checkpoint is selected
    # further questions for which fold students write rationales
    fold_questions: Sequence[sources.Source]
    limit: int | None  # maximum number of rows of each file
    skip_invalid: bool
    reading: ReadingSettings | None


@dataclass(frozen=True)
class Parts:
    train: Sequence[Lesson]
    dev: Sequence[Lesson]
    folds: Folds | None


class Reader:
    """Reads the rows of a training command for one stage, and splits them into training rows, dev
    rows and folds."""

    def __init__(
        self, stage: Stage, settings: TrainSettings, options: Options, reporter: Reporter
    ) -> None:
        self._stage = stage
        self._settings = settings
        self._options = options
        self._reporter = reporter
        self.dev_files = sources.listed(options.get("dev"))
        self.fold_files = sources.listed(options.get("fold_questions"))
        if self.dev_files and settings.dev_fraction:
            raise UsageError("--dev and --dev-fraction: give one of the two")
        for option, value in {
            "patience": settings.patience,
            "eval-steps": settings.eval_steps,
            "select-by": None if settings.select_by == "auto" else settings.select_by,
        }.items():
            if value is not None and not (self.dev_files or settings.dev_fraction):
                raise UsageError(f"--{option}: needs dev rows; give --dev or --dev-fraction")
        if self.fold_files and not settings.folds:
            raise UsageError(
                "--fold-questions needs --folds: fold students write the rationales of these"
                " questions"
            )
        if settings.fold_by and not (settings.folds or settings.dev_fraction):
            raise UsageError("--fold-by needs --dev-fraction or --folds")

    def read(self, files: Sequence[sources.Source]) -> list[Lesson]:
        """Read the rows of `files` on which this stage can be trained. Raises ScicotError if there
        is no such row. With --weights, also raises ScicotError if one of the files has no such
        row."""
        weights = self._settings.weights
        if weights and len(weights) != len(files):
            raise UsageError(
                f"--weights: {len(weights)} numbers for {len(files)} files; give one for each file"
            )
        votes = _Votes() if self._settings.soft_labels else None
        lessons = self._lessons(
            files, questions_only=self._stage is Stage.DIRECT, dev=False, votes=votes
        )
        if votes is not None:
            lessons = votes.added_to(lessons, self._reporter)
        for number, file in enumerate(files):
            if weights and not any(lesson.file == number for lesson in lessons):
                raise ScicotError(
                    f"{os.fspath(file)}: no training row is left, and --weights needs one in each"
                    " file; leave out the file and its weight"
                )
        if not lessons:
            raise ScicotError("no training row is left; see the messages above")
        return lessons

    def part(self, lessons: Sequence[Lesson]) -> Parts:
        """Split the rows into training rows, dev rows and folds. Rows that would reveal each
        other's answers stay together (splits.py)."""
        settings = self._settings
        groups, dev_rows = [], set()
        rows = [*lessons, *self._fold_questions(lessons)]
        extra = set(range(len(lessons), len(rows)))
        if settings.dev_fraction or settings.folds:
            groups = group_rows([lesson.question for lesson in rows], settings.fold_by)
        if settings.dev_fraction:
            dev_rows = self._split_off_dev(lessons, _without(groups, extra))
        train = [lesson for row, lesson in enumerate(lessons) if row not in dev_rows]
        folds = None
        if settings.folds:
            row_folds = assign_folds(groups, settings.folds, dev_rows, extra)
            folds = Folds(rows, row_folds, dev_rows, extra)
        if self.dev_files:
            dev = self._dev_from_files(train)
        else:
            dev = [lessons[row] for row in sorted(dev_rows)]
        return Parts(train, self._preferring_out_of_fold(dev), folds)

    def _fold_questions(self, lessons: Sequence[Lesson]) -> list[Lesson]:
        """Read the questions of --fold-questions, except those that are also in `lessons`. Raises
        ScicotError if two different questions have the same id."""
        skip = self._options.get("skip_invalid", False)
        known = {lesson.question.id: lesson.question for lesson in lessons}
        found: list[Lesson] = []
        for file in self.fold_files:
            rows = sources.questions(
                file,
                reading=self._options.get("reading"),
                skip_invalid=skip,
                reporter=self._reporter,
            )
            for question in sources.unique(rows, self._reporter):
                same_id = known.setdefault(question.id, question)
                if same_id is question:
                    found.append(Lesson(question))
                elif _words(same_id) != _words(question):
                    raise ScicotError(
                        f"{os.fspath(file)}: two different questions have the id {question.id!r};"
                        " rename one"
                    )
        if self.fold_files:
            self._reporter.note(
                f"--fold-questions: {len(found):,} questions that are not among the training rows"
            )
        return found

    def _split_off_dev(self, lessons: Sequence[Lesson], groups: Groups) -> set[int]:
        settings = self._settings
        questions = [lesson.question for lesson in lessons]
        dev_rows = dev_split(questions, groups, settings.dev_fraction, settings.fold_by)
        dev_groups = [group for group in groups if group[0] in dev_rows]
        self._reporter.note(
            f"dev: {len(dev_rows):,} of {len(lessons):,} rows, in {len(dev_groups):,} groups of"
            f" related questions (largest: {number_of(max(map(len, dev_groups)), 'row')})"
        )
        return dev_rows

    def _lessons(
        self,
        files: Sequence[sources.Source],
        *,
        questions_only: bool,
        dev: bool,
        votes: _Votes | None = None,
    ) -> list[Lesson]:
        """Read the rows of `files` on which this stage can be trained.

        With `questions_only`, rationales are ignored and each question is read once. If `votes` is
        given, it counts the conclusions of all rows, including rows that are left out. With `dev`,
        messages to the user say that the rows are dev rows.
        """
        options: Any = {
            "limit": self._options.get("limit"),
            "reading": self._options.get("reading"),
            "skip_invalid": self._options.get("skip_invalid", False),
            "gold": None if self._stage is Stage.RATIONALE else _NEEDS_GOLD,
            "conflicts": sources.GoldConflicts(),
            "reporter": self._reporter,
        }
        with self._reporter.task("reading") as task:
            if questions_only:
                records = (row for file in files for row in sources.questions(file, **options))
                if votes is not None:
                    records = (votes.count(row, row.extra.get("conclusion")) for row in records)
                unique = sources.unique(counted(records, task), self._reporter)
                rows = [Lesson(question) for question in unique]
            else:
                announcements = Announcements(clean=self._settings.clean)
                rows = []
                for number, file in enumerate(files):
                    for rationale in counted(sources.rationales(file, **options), task):
                        if votes is not None:
                            votes.count(rationale.question, rationale.conclusion)
                        row = announcements.checked(rationale)
                        if row is not None:
                            rows.append(Lesson.of(row, number))
                announcements.report(self._reporter, dev=dev)
                for _ in sources.unique((lesson.question for lesson in rows), None):
                    pass  # raises an error if two different questions have the same id
        for warning in missing_parts(files):
            self._reporter.warn(warning)
        lessons = [lesson for lesson in rows if lesson.teaches(self._stage)]
        if self._stage is Stage.RATIONALE and len(lessons) < len(rows):
            empty = number_of(len(rows) - len(lessons), "row")
            self._reporter.warn(f"left out {empty} with an empty rationale")
        return lessons

    def _dev_from_files(self, train: Sequence[Lesson]) -> list[Lesson]:
        form = FORMS[self._stage]
        reads_rationales = (form.reads_rationale and not form.writes_rationale) or not form.answers
        dev = self._lessons(self.dev_files, questions_only=not reads_rationales, dev=True)
        if not dev:
            raise ScicotError("--dev: no usable row is left; see the messages above")
        self._warn_of_conflicts(train, dev)
        seen = SeenQuestions()
        seen.add(lesson.question for lesson in train)
        overlap = seen.overlap_with(lesson.question for lesson in dev)
        if overlap:
            report = self._reporter.note if overlap.is_of_templates else self._reporter.warn
            report(f"--dev: {overlap.describe('training questions')}")
        return dev

    def _warn_of_conflicts(self, train: Sequence[Lesson], dev: Sequence[Lesson]) -> None:
        """Warn if a question is both a dev and a training question, with different gold answers."""
        gold = sources.GoldConflicts()
        for lesson in train:
            gold.check(lesson.question)
        conflicts: dict[str, sources.GoldConflict] = {}
        for lesson in dev:
            try:
                gold.check(lesson.question)
            except sources.GoldConflict as conflict:
                conflicts.setdefault(lesson.question.id, conflict)
        if conflicts:
            contradict = "question contradicts" if len(conflicts) == 1 else "questions contradict"
            first = next(iter(conflicts.values()))
            self._reporter.warn(
                f"--dev: {len(conflicts):,} {contradict} the gold answers of training rows;"
                f" the first {first}"
            )

    def _preferring_out_of_fold(self, dev: list[Lesson]) -> list[Lesson]:
        """Return the dev rows to evaluate on. In stage 2, if a question has dev rows with
        out-of-fold rationales, only these dev rows of the question are kept. If a question has no
        such rows, all its dev rows are kept."""
        if self._stage is not Stage.ANSWER or not dev:
            return dev
        # Out-of-fold rationales are the most similar to the rationales that `predict` reads.
        with_out_of_fold = {lesson.question.id for lesson in dev if lesson.out_of_fold}
        judged = [
            lesson
            for lesson in dev
            if lesson.out_of_fold or lesson.question.id not in with_out_of_fold
        ]
        if with_out_of_fold and len(judged) < len(dev):
            self._reporter.note(
                f"dev: evaluated on {len(judged)} rows; if a question has out-of-fold rationales,"
                " only these are used"
            )
        elif not any(lesson.by_student for lesson in dev):
            self._reporter.warn(
                "dev: evaluated with a teacher's rationales, but predict uses a student's; so the"
                " accuracy is an upper bound, and confidence is not calibrated (train-rationale"
                " --folds writes suitable rationales)"
            )
        return judged


def _words(question: Question) -> tuple[str, frozenset[str]]:
    """Return (text of the question, set of the texts of its choices), for a comparison that ignores
    the order of the choices."""
    return question.question, frozenset(choice.text for choice in question.choices)


class _Votes:
    """Collects the teacher's conclusions for each question (--soft-labels)."""

    def __init__(self) -> None:
        self._labels: dict[str, list[str]] = defaultdict(list)

    def count(self, question: Question, conclusion: object) -> Question:
        """Count a vote for `conclusion`, the label that a teacher's reply gives as the answer. If
        `conclusion` is not a label of the question, count nothing. Return the question
        unchanged."""
        if isinstance(conclusion, str) and conclusion in question.labels:
            self._labels[question.id].append(conclusion)
        return question

    def added_to(self, lessons: Sequence[Lesson], reporter: Reporter) -> list[Lesson]:
        """Return copies of the rows. Each copy also has the votes for the row's question. Raises
        ScicotError if no row gets votes."""
        voted = [
            replace(lesson, votes=tuple(self._labels[lesson.question.id])) for lesson in lessons
        ]
        with_other_votes = sum(
            any(vote != lesson.question.answer for vote in lesson.votes) for lesson in voted
        )
        if not any(lesson.votes for lesson in voted):
            raise ScicotError(
                '--soft-labels: no row has a label as its "conclusion"; train on rows that'
                " generate-rationales wrote"
            )
        if not with_other_votes:
            reporter.warn(
                "--soft-labels: no effect, because every conclusion is the gold answer; generate"
                " rationales with --samples N --keep all"
            )
        reporter.note(
            f"--soft-labels: for {with_other_votes:,} of {len(voted):,} rows, a conclusion of the"
            " teacher differs from the gold answer"
        )
        return voted


def _without(groups: Groups, removed: set[int]) -> Groups:
    """Return a copy of the groups without the row indices in `removed`. Groups that become empty
    are left out."""
    remaining = [[row for row in group if row not in removed] for group in groups]
    return [group for group in remaining if group]
