"""Train stage 1 in rounds on its own best samples. This is expert iteration, as in STaR (Zelikman
et al. 2022), with stage 2 as the judge. In a round, students write several rationales for each
question. Answer students score the rationales. The best rationales, called rewarded rationales, are
added to the training rows of the next round.

    RUN/rounds/0/student            stage 1 trained on the teacher's rationales, with fold students
    RUN/rounds/0/scored.jsonl       samples of these fold students, with rewards
    RUN/rounds/0/kept.jsonl         the rewarded rationales that round 1 adds to the teacher's;
                                    empty if the rewards are not informative
                                    (RoundReport.informative)
    RUN/rounds/0/report.json        metrics of these samples (RoundReport)
    RUN/rounds/1/student, ...       trained from the weights of round 0
    RUN                             the student of the last round, number R
    RUN/rounds/R/scored.jsonl       rationales that the fold students of round R write by greedy
                                    decoding, with rewards

Finished parts are skipped, so a repeated command resumes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from scicot import jsonl, processes
from scicot.config import RewardSettings, TrainSettings
from scicot.errors import ScicotError, UsageError
from scicot.outputs import differences
from scicot.reporting import Reporter
from scicot.row_fields import Row
from scicot.stages import rationale_target
from scicot.students.manifest import Manifest, read_manifest
from scicot.students.runs import Run
from scicot.training import examples, multi_run, replacement, run_directory
from scicot.training.examples import Lesson
from scicot.training.folds import Folds, fold_run
from scicot.training.rewards.judges import Judges
from scicot.training.rewards.report import report_of
from scicot.training.rewards.samples import EARLIER, KEPT, Sampler
from scicot.training.spec import TrainingSpec

ROUNDS, REPORT = "rounds", "report.json"


def fold_settings(settings: TrainSettings, reward: RewardSettings) -> TrainSettings:
    """Return a copy of the training settings. If `folds` or `fold_by` is not set, its value is
    taken from the answer run (`reward.reward`). Raises ScicotError for settings that cannot be
    combined with --reward."""
    judges = Judges.of(reward.reward)
    if settings.seeds > 1:
        raise UsageError(
            "--seeds: --reward trains with a single seed; run the command once for each --seed"
        )
    if settings.weights:
        raise UsageError(
            "--weights: has no effect with --reward; --reward-weight sets the weight of rewarded"
            " rationales"
        )
    if processes.count() > 1:
        raise ScicotError(
            "--reward: cannot run in several processes; start it without torchrun or accelerate"
            " launch, and use --jobs to train students in parallel"
        )
    return replace(
        settings,
        folds=settings.folds or len(judges.folds),
        fold_by=settings.fold_by or judges.fold_by,
    )


@dataclass(frozen=True)
class RewardedFolds(Folds):
    """The folds of stage 1, with the rewarded rationales of the previous round as additional
    training rows. These rows have the file index 1, and the original training rows have the file
    index 0, so the two kinds can get different weights."""

    original: Folds | None = None  # the folds before rewarded rationales were added

    @classmethod
    def of(cls, folds: Folds, rows: Sequence[Row]) -> RewardedFolds:
        """Return `folds` with the rewarded rationales of the previous round as additional training
        rows. Each rationale goes into the fold of its question. `rows` are the scored rows of the
        previous round. A row is a rewarded rationale if its field "kept" is true."""
        questions = {lesson.question.id: lesson.question for lesson in folds.lessons}
        fold_by_id = {lesson.question.id: fold for lesson, fold in zip(
            folds.lessons, folds.row_folds, strict=True
        )}  # fmt: skip
        kept_rows = [row for row in rows if row["kept"]]
        lessons = [
            # Folds.fold_specs finds dev rows by object identity, so they must not be copied.
            lesson if index in folds.dev else replace(lesson, file=0)
            for index, lesson in enumerate(folds.lessons)
        ]
        lessons += [
            Lesson(questions[row["id"]], rationale_target(row["rationale"]), 1, True, True)
            for row in kept_rows
        ]
        row_folds = [*folds.row_folds, *(fold_by_id[row["id"]] for row in kept_rows)]
        return cls(lessons, row_folds, folds.dev, folds.without_rationale, folds)

    def fold_specs(self, main: TrainingSpec) -> list[TrainingSpec]:
        return [without_unused_weights(spec) for spec in super().fold_specs(main)]

    def write(
        self, main: TrainingSpec, fold_specs: Sequence[TrainingSpec], reporter: Reporter
    ) -> dict[str, float]:
        """Write the out-of-fold rationales of the original rows, as `Folds.write` does. The rows
        with rewarded rationales get no out-of-fold rationales."""
        assert self.original is not None
        return self.original.write(main, fold_specs, reporter)

    def training_lessons(self) -> list[Lesson]:
        """Return the rows on which the main student is trained: the original training rows and the
        rewarded rationales. Dev rows and the questions of --fold-questions are left out."""
        return [
            lesson
            for index, lesson in enumerate(self.lessons)
            if index not in self.dev and index not in self.without_rationale
        ]


def without_unused_weights(spec: TrainingSpec) -> TrainingSpec:
    """If the training rows of a spec contain no rewarded rationale, return the spec without
    `settings.weights`. Otherwise return the spec unchanged."""
    # The weights are the shares of the teacher's and of the rewarded rationales in an epoch.
    if any(lesson.file for lesson in spec.lessons):  # rewarded rationales have the file index 1
        return spec
    return replace(spec, settings=replace(spec.settings, weights=()))


@dataclass(frozen=True)
class Rounds:
    """All rounds of a training run with --reward. `main` is the spec of the last round's student.
    `folds` holds the folds of the training rows before any rewarded rationale is added."""

    main: TrainingSpec
    folds: Folds
    reward: RewardSettings
    judges: Judges

    @classmethod
    def of(cls, main: TrainingSpec, folds: Folds, reward: RewardSettings) -> Rounds:
        """Create the rounds of a command. The reward settings and the identity of the answer run
        are added to the spec `main`, so that a resumed command can detect changes."""
        judges = Judges.of(reward.reward)
        reward_values = {
            **{
                name: value
                for name, value in asdict(reward).items()
                # values that earlier versions used, but did not record, are left out
                if name != "reward" and EARLIER.get(name) != value
            },
            "answer": judges.run.identity,
            "teacher_rows": examples.digest(main.lessons, main.stage),
        }
        return cls(
            replace(main, reward=json.loads(json.dumps(reward_values))), folds, reward, judges
        )

    def train(self, force: bool, reporter: Reporter) -> Manifest:
        """Run all rounds that are not finished, and return the manifest of the last student. With
        `force`, all rounds are run again (see training/replacement.py)."""
        out, last = self.main.run, self.reward.rounds
        sampler = Sampler.of(self.judges, self.folds, self.main.settings, self.reward)
        self._begin(force, reporter)
        finished = self._finished_manifest()
        if finished is not None:
            reporter.note(f"{out} is finished already and not trained again")
            return finished
        for warning in self.warnings(sampler):
            reporter.warn(warning)
        if read_manifest(out) is None:
            out.mkdir(exist_ok=True)
            self.main.manifest().write(out)  # marks the directory for a resumed command
        rows: list[Row] = []
        for number in range(last + 1):
            folds = RewardedFolds.of(self.folds, rows) if number else self.folds
            spec = self._spec(number, folds)
            if number:
                reporter.note(f"round {number} of {last}: learning from {_describe_lessons(spec)}")
            manifest = multi_run.train_all(spec, folds, False, reporter, out_of_fold=number == last)
            writers = [Run.at(fold_run(spec.run, n)) for n in range(spec.settings.folds)]
            samples = self.reward.samples if number < last else 1
            rows = sampler.write(self.folder(number), writers, number, samples, reporter)
            cap, confidence = self.reward.leak_cap, self.reward.reward_confidence
            report = report_of(number, rows, cap, confidence, last=number == last)
            if not report.informative:
                rows = []
            self._write_kept(number, rows)
            text = json.dumps(report.to_row(), indent=1) + "\n"
            jsonl.write_text(self.folder(number) / REPORT, text)
            reporter.note(report.summary)
            if report.warning is not None and number < last:
                reporter.warn(report.warning)
            elif number < last and not report.kept:
                reporter.warn(
                    f"round {number}: no rationale was kept; the next student trains on the"
                    " teacher's rationales only"
                )
        return manifest

    def folder(self, number: int) -> Path:
        """Return the folder of round `number`."""
        return self.main.run / ROUNDS / str(number)

    def _write_kept(self, number: int, rows: Sequence[Row]) -> None:
        with jsonl.replacing(self.folder(number) / KEPT) as stream:
            for row in rows:
                if row["kept"]:
                    stream.write(jsonl.encode(row))

    def _student(self, number: int) -> Path:
        last = number == self.reward.rounds
        return self.main.run if last else self.folder(number) / "student"

    def _spec(self, number: int, folds: Folds) -> TrainingSpec:
        """Return the spec of the main student of round `number`, which is trained on the rows in
        `folds`."""
        spec = replace(self.main, run=self._student(number))
        if not number:
            return replace(spec, reward=None)
        assert isinstance(folds, RewardedFolds)
        kept_data = [{"file": os.fspath(self.folder(number - 1) / KEPT), "sha256": None}]
        first, *other_data = self.main.data
        settings = replace(self.main.settings, weights=(1.0, self.reward.reward_weight))
        return without_unused_weights(
            replace(
                spec,
                settings=settings,
                lessons=folds.training_lessons(),
                data=[first, *kept_data, *other_data],
                begin_from=self._student(number - 1),
                reward={**(self.main.reward or {}), "round": number},
            )
        )

    def _begin(self, force: bool, reporter: Reporter) -> None:
        """Check the output directory. If `force` is True, also empty the directory. But keep the
        unfinished rounds of an earlier call with --force, because they are resumed."""
        out = self.main.run
        replacement.check_ours(out)
        if force and self._continues_forced():
            reporter.note(f"{out}: resuming the training that an earlier --force started")
        elif force:
            replacement.begin(out, reporter)

    def _continues_forced(self) -> bool:
        """Return True if the output directory has the unfinished rounds of an earlier call with
        --force and the same settings and data."""
        if not replacement.has_begun(self.main.run):
            return False
        try:
            return self._finished_manifest() is None
        except ScicotError:  # a run with other settings
            return False

    def _finished_manifest(self) -> Manifest | None:
        """Return the manifest of the output directory if all rounds are finished, including the
        report of the last round. Otherwise return None. Raises ScicotError if the directory holds a
        run with other settings or data."""
        out = self.main.run
        existing = read_manifest(out) if out.is_dir() else None
        if existing is None:
            return None
        old, new = run_directory.comparable(existing, self.main.manifest())
        changed = differences(
            _compared_values(old),
            _compared_values(new),
            defaults=asdict(TrainSettings())
            | {f"reward {name}": value for name, value in EARLIER.items()},
        )
        if changed:
            raise ScicotError(
                f"-o {out}: already holds a different run ({'; '.join(changed)}); choose another"
                " directory, or replace the run with --force"
            )
        report = self.folder(self.reward.rounds) / REPORT
        return existing if existing.finished and report.exists() else None

    def warnings(self, sampler: Sampler) -> list[str]:
        """Return a one-sentence warning for each likely mistake: an answer run without rationale
        dropout, and training questions without a gold answer."""
        warnings = []
        if not self.judges.without_rationale:
            warnings.append(
                f"--reward {self.reward.reward}: was not trained to answer without a rationale,"
                " but rewards are measured against such answers; retrain it with train-answer"
                " --rationale-dropout"
            )
        question_ids = {lesson.question.id for lesson in self.main.lessons}
        unlabelled = len(question_ids - {question.id for question in sampler.questions})
        if unlabelled:
            warnings.append(
                f"{unlabelled:,} training questions have no gold answer, and get no reward"
            )
        return warnings


def _compared_values(manifest: Manifest) -> dict[str, Any]:
    """Return the values that identify a run with --reward, as a dict by name. A repeated command
    resumes an existing run if all of these values are equal."""
    # The rows that rounds add are left out, because the other values determine them.
    reward: Mapping[str, Any] = manifest.reward or {}
    reward_values = {f"reward {name}": value for name, value in reward.items() if name != "round"}
    values = run_directory.determining(manifest)
    for name in ("weights", "training rows", "reward"):
        values.pop(name, None)
    folds = {name: manifest.settings.get(name) for name in ("folds", "fold_by", "dev_fraction")}
    return values | folds | reward_values


def _describe_lessons(spec: TrainingSpec) -> str:
    rewarded = sum(lesson.file for lesson in spec.lessons)
    return f"{len(spec.lessons) - rewarded:,} rows and {rewarded:,} rewarded rationales"
