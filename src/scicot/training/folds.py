"""Train fold students, and write out-of-fold rationales with them.

The training questions are split into K folds. For each fold, a fold student is trained like the
main student, but without the questions of the fold. In stage 1, each fold student then writes the
out-of-fold rationales: those for the questions of its fold. This is cross-fitting, as for the
second-level data of stacking (Wolpert 1992).

In prediction, stage 2 reads rationales that stage 1 writes for new questions. Out-of-fold
rationales are of similar quality, so stage 2 is trained on them. The teacher's rationales are
better, and so are the rationales that stage 1 writes for its own training questions.

The fold students of a stage-2 run write nothing. They score rationales of questions that they were
not trained on (rewards/).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from scicot import jsonl, processes
from scicot.config import TrainSettings
from scicot.decoding.engine import Decoding
from scicot.decoding.engine_spec import EngineRequest
from scicot.decoding.sampling import sample_seed
from scicot.devices import resolve_device, resolve_precision
from scicot.errors import ScicotError
from scicot.outputs import open_output
from scicot.records import STUDENT, Rationale
from scicot.reporting import Reporter, Task
from scicot.rouge import rouge_l
from scicot.row_fields import Row
from scicot.stages import Stage
from scicot.students.answering import write_rationales
from scicot.students.runs import Run
from scicot.students.student import Student
from scicot.training.examples import Lesson
from scicot.training.spec import TrainingSpec

OUT_OF_FOLD = "out_of_fold.jsonl"
_WINDOW = 256  # number of rationales generated before they are written to disk
_BATCHES = {"cuda": 1024}  # sequences decoded together, by device type
_BATCH = 128


@dataclass(frozen=True)
class Folds:
    """All rows of a training command (training rows, dev rows and the questions of
    --fold-questions) and their split into folds. `row_folds[i]` is the fold, from 0, of row i."""

    lessons: Sequence[Lesson]
    row_folds: Sequence[int]
    dev: set[int]  # indices of the dev rows, on which no student is trained
    # indices of rows without a teacher's rationale
    without_rationale: set[int] = field(default_factory=set)

    def fold_specs(self, main: TrainingSpec) -> list[TrainingSpec]:
        """Return the specs of the fold students, one for each fold. A fold student is specified
        like the main student, but without the rows of the fold, in training and in dev. If the main
        student starts from the weights of a run RUN, the student of fold k starts from the weights
        of RUN/folds/k."""
        settings, start_run = main.settings, main.begin_from
        dev_lessons = set(map(id, main.dev))  # Reader.part may leave out some dev rows

        def without(fold: int, *, dev: bool) -> list[Lesson]:
            return [
                lesson
                for row, lesson in enumerate(self.lessons)
                if self.row_folds[row] != fold
                and row not in self.without_rationale
                and (row in self.dev) == dev
                and (not dev or id(lesson) in dev_lessons)
            ]

        return [
            replace(
                main,
                run=fold_run(main.run, fold),
                begin_from=fold_run(start_run, fold) if start_run else None,
                lessons=without(fold, dev=False),
                dev=without(fold, dev=True) if self.dev else main.dev,
                fold={"fold": fold, "folds": settings.folds, "fold_by": settings.fold_by},
            )
            for fold in range(settings.folds)
        ]

    def write(
        self, main: TrainingSpec, fold_specs: Sequence[TrainingSpec], reporter: Reporter
    ) -> dict[str, float]:
        """Generate out-of-fold rationales with the trained fold students, and write the rationales
        to RUN/out_of_fold.jsonl. `fold_specs` are the specs of the fold students. Rationales that a
        stopped call has already written are reused.

        Returns two metrics: out_of_fold_rows, the number of rationales, and out_of_fold_rouge_l,
        their mean ROUGE-L against the teacher's rationales.
        """
        with reporter.task("writing out-of-fold rationales", len(self.lessons)) as task:
            local = {
                fold: self._fold_rationales(spec, fold, task)
                for fold, spec in enumerate(fold_specs)
                if fold % processes.count() == processes.rank()
            }
            processes.wait()
            return processes.on_rank_zero(lambda: self._gathered(main, fold_specs, local, task))

    def _gathered(
        self,
        main: TrainingSpec,
        fold_specs: Sequence[TrainingSpec],
        local: Mapping[int, Iterator[str]],
        task: Task,
    ) -> dict[str, float]:
        # Rationales of folds that other processes wrote are read from disk.
        texts_by_fold = [
            local.get(fold) or self._fold_rationales(spec, fold, task)
            for fold, spec in enumerate(fold_specs)
        ]
        names = [
            f"{STUDENT}{main.run.name}/folds/{Run.at(spec.run).identity}" for spec in fold_specs
        ]
        overlap = 0.0
        with jsonl.replacing(main.run / OUT_OF_FOLD) as stream:
            for (sample, lesson), fold in zip(_samples(self.lessons), self.row_folds, strict=True):
                text = next(texts_by_fold[fold])
                overlap += rouge_l(text, lesson.rationale) if lesson.rationale else 0.0
                row = Rationale(
                    lesson.question, text, sample=sample, teacher=names[fold], fold=fold
                )
                stream.write(jsonl.encode(row.to_row()))
        count, with_teacher = len(self.lessons), len(self.lessons) - len(self.without_rationale)
        return {"out_of_fold_rows": count, "out_of_fold_rouge_l": overlap / with_teacher}

    def _fold_rationales(self, spec: TrainingSpec, fold: int, task: Task) -> Iterator[str]:
        """Write the rationales for the rows of `fold` to RUN/folds/FOLD/rationales.jsonl, and
        return them in row order. Rationales that are already in the file are not generated again.

        The file holds only id, sample and rationale.
        """
        fold_rows = [
            row
            for row, fold_of_row in zip(_samples(self.lessons), self.row_folds, strict=True)
            if fold_of_row == fold
        ]
        run = Run.at(spec.run)
        limit = spec.settings.rationale_target_tokens
        with open_output(
            spec.run / "rationales.jsonl",
            command="train-rationale",
            settings={"weights": run.manifest.weights_sha256, "max_new_tokens": limit},
            inputs={},
        ) as out:
            texts = [_checked(location, row, fold_rows) for location, row in out.existing()]
            task.advance(len(texts))
            student = None
            for start in range(len(texts), len(fold_rows), _WINDOW):
                window = fold_rows[start : start + _WINDOW]
                student = student or load_alike(run, spec.settings)
                samples = write_rationales(
                    student,
                    Stage.RATIONALE,
                    [lesson.question for _, lesson in window],
                    Decoding(limit),
                    [
                        [_sample_seed(spec.settings.seed, lesson, sample)]
                        for sample, lesson in window
                    ],
                )
                for (sample, lesson), (text,) in zip(window, samples, strict=True):
                    out.write({"id": lesson.question.id, "sample": sample, "rationale": text})
                    texts.append(text)
                task.advance(len(samples))
            out.finish({"rows": len(texts)})
        return iter(texts)


def fold_run(run: Path, fold: int) -> Path:
    """Return the directory of the fold student of a run: RUN/folds/FOLD."""
    return run / "folds" / str(fold)


def load_alike(run: Run, settings: TrainSettings) -> Student:
    """Load the student of a run. The student's precision (bf16 or fp32) and batch size depend only
    on `settings` and the device. So a command that is resumed on the same device writes and scores
    exactly as before."""
    device = resolve_device(settings.device)
    # `predict` chooses the precision by a speed measurement, whose result may change between calls.
    precision = str(resolve_precision(settings.precision, device))
    precision_name = "bf16" if precision == "torch.bfloat16" else "fp32"
    size = _BATCHES.get(device.type, _BATCH)
    return run.load(
        EngineRequest(precision=precision_name, device=settings.device, batch_size=size)
    )


def _samples(lessons: Sequence[Lesson]) -> Iterator[tuple[int, Lesson]]:
    """Yield each row with its sample number: the rows of a question are numbered from 0, in
    order."""
    seen: Counter[str] = Counter()
    for lesson in lessons:
        yield seen[lesson.question.id], lesson
        seen[lesson.question.id] += 1


def _checked(location: str, row: Row, expected: Sequence[tuple[int, Lesson]]) -> str:
    """Return the rationale of `row`, which was read from `location` (FILE:LINE).

    `expected` has a (sample number, training row) for each line of the file. Raises ScicotError if
    `row` has another question id or sample number than `expected` has for its line.
    """
    number = int(location.rpartition(":")[2]) - 1
    if number < len(expected):
        sample, lesson = expected[number]
        if (row.get("id"), row.get("sample")) == (lesson.question.id, sample):
            return str(row["rationale"])
    raise ScicotError(
        f"{location}: was written for other training rows or other --fold-questions; give the same"
        " files as before, or delete rationales.jsonl in each folder of"
        f" {Path(location).parent.parent} and run the command again"
    )


def _sample_seed(seed: int, lesson: Lesson, sample: int) -> int | None:
    """Return the random seed of a question's sample, or None for sample 0, which is decoded
    greedily."""
    return sample_seed(seed, lesson.question.id, sample) if sample else None
