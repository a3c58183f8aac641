"""Sample and score the rationales of a round, and write them to RUN/rounds/ROUND/scored.jsonl.

Each row is a rationale row with its reward:

    {"id": "q1", "question": ..., "rationale": "Copper is a metal.", "sample": 3,
     "teacher": "student:rationale/rounds/0/student/folds/1@1f2e...", "fold": 1,
     "scorer": "student:answer/folds/1@9c0d...", "reward": 0.41, "leak": 0.62, "kept": true,
     "rejected": null, "names": null, "reward_teacher": 0.38, "reward_shuffled": -0.11,
     "answered": {"own": "B", "none": "A", "announced": "B", "shuffled": "A", "teacher": "B"}}

- teacher: the source of the rationale, here the fold student that sampled it. All other fields
  use the word "teacher" for the real teacher, whose rationales are in the training rows.
- scorer: the answer student that scored the rationale.
- reward, leak: see scoring.py. All rewards and the leak are in nats. A reward or leak is null if
  a score is not finite.
- kept: true if the rationale was selected for training.
- rejected: the reason why the rationale must not be selected, or null.
- names: the label of the only choice that the rationale names. null if the rationale names no
  choice, or several.
- reward_teacher: the reward of the real teacher's best rationale for this question. null if the
  training rows have no such rationale.
- reward_shuffled: the reward for this question if the scorer reads the first sample of another
  question instead. null if there is no other question.
- answered: the scorer's answer (a label) with each of the following rationales. null if the scorer
  has no answer, or if the rationale does not exist.
      own: this rationale
      none: no rationale
      announced: the text of the right choice, used as a rationale
      shuffled: the other question's rationale (see reward_shuffled)
      teacher: the real teacher's rationale (see reward_teacher)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scicot.config import RewardSettings, TrainSettings
from scicot.decoding.engine import Decoding
from scicot.decoding.sampling import sample_seed
from scicot.devices import resolve_device
from scicot.errors import ScicotError
from scicot.outputs import open_output
from scicot.records import STUDENT, Question, Rationale
from scicot.reporting import Reporter
from scicot.row_fields import Row
from scicot.stages import Stage
from scicot.students.answering import write_rationales
from scicot.students.runs import Run
from scicot.students.student import Student
from scicot.training.folds import Folds, load_alike
from scicot.training.rewards.judges import Judges
from scicot.training.rewards.scoring import ScoredQuestion, best, gain, score

SCORED, KEPT = "scored.jsonl", "kept.jsonl"
_SEQUENCES = {"cuda": 4096}  # rationales generated before they are written to disk
_SEQUENCES_ON_CPU = 512
# Settings that earlier versions did not record, and the values that they used.
EARLIER = {"reward_above": "none"}


@dataclass(frozen=True)
class QuestionBatch:
    """A batch of questions. One student writes the rationales of all these questions, and another
    student scores them."""

    fold: int  # number of the fold student of stage 1, which writes
    judge: int  # number of the fold student of the answer run, which scores
    questions: Sequence[Question]


@dataclass(frozen=True)
class Sampler:
    """Samples rationales of the training questions, and scores them. For each question, one fold
    student writes the rationales and another scores them. Neither was trained on the question."""

    judges: Judges
    settings: TrainSettings
    reward: RewardSettings
    questions: Sequence[Question]  # questions with a gold answer, without repetitions
    question_folds: Sequence[int]
    question_judges: Sequence[int]
    teacher_texts: Mapping[str, Sequence[str]]  # the teacher's rationales by question id

    @classmethod
    def of(
        cls, judges: Judges, folds: Folds, settings: TrainSettings, reward: RewardSettings
    ) -> Sampler:
        """Create a sampler for all training questions that have a gold answer. Raises ScicotError
        if no question has a gold answer, or if a question has no judge (see Judges.assign)."""
        fold_by_id: dict[str, int] = {}
        questions: list[Question] = []
        for index, lesson in enumerate(folds.lessons):
            question = lesson.question
            if index in folds.dev or question.answer is None or question.id in fold_by_id:
                continue
            fold_by_id[question.id] = folds.row_folds[index]
            questions.append(question)
        if not questions:
            raise ScicotError("--reward: needs gold answers, but no training question has one")
        question_folds = [fold_by_id[question.id] for question in questions]
        question_judges = judges.assign(questions, question_folds, settings.fold_by)
        texts: dict[str, list[str]] = defaultdict(list)
        for index, lesson in enumerate(folds.lessons):
            if lesson.rationale and not lesson.by_student and index not in folds.without_rationale:
                texts[lesson.question.id].append(lesson.rationale)
        return cls(judges, settings, reward, questions, question_folds, question_judges, texts)

    def batches(self, samples: int) -> list[QuestionBatch]:
        """Return the questions in batches, in the order in which their rows are written. `samples`
        is the number of rationales for each question. The larger `samples` is, the fewer questions
        a batch has."""
        device = resolve_device(self.settings.device).type
        size = max(2, _SEQUENCES.get(device, _SEQUENCES_ON_CPU) // samples)
        by_students: dict[tuple[int, int], list[Question]] = defaultdict(list)
        for question, fold, judge in zip(
            self.questions, self.question_folds, self.question_judges, strict=True
        ):
            by_students[fold, judge].append(question)
        return [
            QuestionBatch(fold, judge, members[start : start + size])
            for (fold, judge), members in sorted(by_students.items(), key=lambda item: item[0])
            for start in range(0, len(members), size)
        ]

    def write(
        self, folder: Path, writers: Sequence[Run], number: int, samples: int, reporter: Reporter
    ) -> list[Row]:
        """Sample and score `samples` rationales of each question for round `number`. Write the rows
        to `folder`/scored.jsonl, and return all rows of this file. Rows that an interrupted run
        wrote to the file are reused. `writers` are the fold students of stage 1, one for each
        fold."""
        batches = self.batches(samples)
        folder.mkdir(parents=True, exist_ok=True)
        limit = self.settings.rationale_target_tokens
        students = _StudentPair(self, writers)
        rows: list[Row] = []
        total = samples * len(self.questions)
        file_settings = {
            "writers": [writer.manifest.weights_sha256 for writer in writers],
            "scorers": [judge.manifest.weights_sha256 for judge in self.judges.folds],
            "samples": samples,
            "temperature": self.reward.sample_temperature,
            "keep_best": self.reward.keep_best,
            "leak_cap": self.reward.leak_cap,
            "reward_above": self.reward.reward_above,
            "seed": self.settings.seed,
            "max_new_tokens": limit,
        }
        with (
            open_output(
                folder / SCORED,
                command="train-rationale",
                settings=file_settings,
                inputs={},
                defaults=EARLIER,
            ) as out,
            reporter.task(f"sampling round {number}", total) as task,
        ):
            existing = out.existing()
            for batch in batches:
                batch_rows = _existing(existing, batch, samples)
                expected = samples * len(batch.questions)
                if len(batch_rows) < expected:
                    new_rows = self._sample_batch(batch, students, writers, number, samples, folder)
                    # A batch cut short by a crash is generated again as a whole: in a smaller
                    # batch the last digits of the scores would differ.
                    out.write_all(new_rows[len(batch_rows) :])
                    batch_rows += new_rows[len(batch_rows) :]
                rows += batch_rows
                task.advance(expected)
            out.finish({"rows": len(rows)})
        return rows

    def _sample_batch(
        self,
        batch: QuestionBatch,
        students: _StudentPair,
        writers: Sequence[Run],
        number: int,
        samples: int,
        folder: Path,
    ) -> list[Row]:
        seed = self.settings.seed
        seeds = [
            [None, *(sample_seed(seed, q.id, n, number) for n in range(1, samples))]
            for q in batch.questions
        ]
        decoding = Decoding(
            self.settings.rationale_target_tokens, self.reward.sample_temperature, 1.0, 1
        )
        writer, scorer = students.of(batch)
        written = write_rationales(writer, Stage.RATIONALE, batch.questions, decoding, seeds)
        scoring = self.judges.folds[batch.judge].manifest.answer_as
        scored = score(scorer, scoring, batch.questions, written, self.teacher_texts)
        return [
            row
            for result in scored
            for row in self._rows(result, batch, writers[batch.fold], folder)
        ]

    def _rows(
        self, result: ScoredQuestion, batch: QuestionBatch, writer: Run, folder: Path
    ) -> Iterator[Row]:
        judge = self.judges.folds[batch.judge]
        main_run, answer_run = folder.parents[1], self.judges.run.directory
        teacher_gain = gain(result.teacher, result.none) if result.teacher else None
        at_least = teacher_gain if self.reward.reward_above == "teacher" else None
        kept = best(result.samples, self.reward.keep_best, self.reward.leak_cap, at_least)
        other_outputs = {
            "none": result.none,
            "announced": result.announced,
            "shuffled": result.shuffled,
            "teacher": result.teacher,
        }
        other_labels = {name: output and output.label for name, output in other_outputs.items()}
        shuffled_gain = result.shuffled and gain(result.shuffled, result.none)
        for sample, scored in enumerate(result.samples):
            row = Rationale(
                result.question.without_rationale(),
                scored.rationale,
                sample=sample,
                teacher=_name(writer, main_run),
                fold=batch.fold,
            ).to_row()
            yield {
                **row,
                "scorer": _name(judge, answer_run),
                "reward": scored.reward,
                "reward_shuffled": shuffled_gain,
                "reward_teacher": teacher_gain,
                "leak": scored.leak,
                "kept": sample in kept,
                "rejected": scored.rejected,
                "names": scored.names,
                "answered": {"own": scored.output.label, **other_labels},
            }


class _StudentPair:
    """Loads the two students of a batch: one writes the rationales, the other scores them. Only one
    pair is in memory at a time."""

    def __init__(self, sampler: Sampler, writers: Sequence[Run]) -> None:
        self._sampler = sampler
        self._writers = writers
        self._loaded: dict[tuple[str, int], Student] = {}

    def of(self, batch: QuestionBatch) -> tuple[Student, Student]:
        runs = {
            ("writer", batch.fold): self._writers[batch.fold],
            ("scorer", batch.judge): self._sampler.judges.folds[batch.judge],
        }
        for key in [key for key in self._loaded if key not in runs]:
            del self._loaded[key]
        for key, run in runs.items():
            if key not in self._loaded:
                self._loaded[key] = load_alike(run, self._sampler.settings)
        writer, scorer = (self._loaded[key] for key in runs)
        return writer, scorer


def _existing(
    rows_on_disk: Iterator[tuple[str, Row]], batch: QuestionBatch, samples: int
) -> list[Row]:
    """Read the rows of `batch` from `rows_on_disk`, which yields (location, row). Raises
    ScicotError if a row does not belong to the expected question and sample."""
    found: list[Row] = []
    expected = [(question.id, n) for question in batch.questions for n in range(samples)]
    for key, (where, row) in zip(expected, rows_on_disk, strict=False):
        if (row.get("id"), row.get("sample")) != key:
            raise ScicotError(
                f"{where}: was written for other training rows; delete this file and run the"
                " command again"
            )
        found.append(row)
    return found


def _name(fold_student: Run, main: Path) -> str:
    """Return the name of a fold student for the fields "teacher" and "scorer". For example, if
    `main` is runs/answer, the student in runs/answer/folds/1 has the name
    "student:answer/folds/1@9c0d..."."""
    folder = fold_student.directory.parent.relative_to(main.parent)
    return f"{STUDENT}{folder}/{fold_student.identity}"
