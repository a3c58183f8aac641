"""Out-of-fold rationales: for every question, what a student writes that has never seen it.

Stage 2 is to read the rationales of stage 1, which are worse than its teacher's, and worse than
stage 1's own on questions it was trained on. So K students are trained as stage 1 is, each without
one fold of the questions, and each writes for the fold it lacks: cross-fitting, as stacking makes
its second-level data (Wolpert 1992).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from scicot import jsonl
from scicot.outputs import open_output
from scicot.records import STUDENT, Rationale, Row
from scicot.reporting import Reporter
from scicot.rouge import rouge_l
from scicot.stages import Stage
from scicot.students.answering import write_rationales
from scicot.students.runs import Run
from scicot.training.examples import Lesson
from scicot.training.runs import Work

FILE = "out_of_fold.jsonl"
_WINDOW = 256  # rationales written before any is put on disk
_BATCH = 128  # sequences that are decoded together


@dataclass(frozen=True)
class Folds:
    """All rows of a stage 1, dev rows too, and the fold (from 0) that each lies in."""

    lessons: Sequence[Lesson]
    fold_of: Sequence[int]
    dev: set[int]  # places of the rows that no student learns from

    def works(self, main: Work) -> list[Work]:
        """The fold students: each as the main student, without its fold."""
        settings = main.settings
        return [
            replace(
                main,
                run=main.run / "folds" / str(fold),
                lessons=[
                    lesson
                    for place, lesson in enumerate(self.lessons)
                    if self.fold_of[place] != fold and place not in self.dev
                ],
                fold={"fold": fold, "folds": settings.folds, "fold_by": settings.fold_by},
            )
            for fold in range(settings.folds)
        ]

    def rows(self, fold: int) -> Iterator[tuple[int, Lesson]]:
        """(sample, lesson) of a fold, in the order of the files: the n-th row of a question is
        its sample n, whatever number it had."""
        seen: Counter[str] = Counter()
        for place, lesson in enumerate(self.lessons):
            sample = seen[lesson.question.id]
            seen[lesson.question.id] += 1
            if self.fold_of[place] == fold:
                yield sample, lesson

    def write(self, main: Work, works: Sequence[Work], reporter: Reporter) -> dict[str, float]:
        """Write RUN/out_of_fold.jsonl by the trained fold students; rationales that were written
        before are kept. Gives what is known of them as metrics."""
        overlaps: list[float] = []
        with reporter.task("writing out-of-fold rationales", len(self.lessons)) as task:
            for fold, work in enumerate(works):
                for lesson, row in zip(self.rows(fold), self._fold_rows(work, fold), strict=True):
                    overlaps.append(rouge_l(row["rationale"], lesson[1].rationale))
                    task.advance()
        files = [(work.run / "rationales.jsonl").open("rb") for work in works]
        try:
            with jsonl.replacing(main.run / FILE) as stream:
                stream.writelines(next(files[fold]) for fold in self.fold_of)
        finally:
            for file in files:
                file.close()
        return {
            "out_of_fold_rows": len(overlaps),
            "out_of_fold_rouge_l": sum(overlaps) / len(overlaps),
        }

    def _fold_rows(self, work: Work, fold: int) -> Iterator[Row]:
        """The rows of one fold, those on disk first, each written when it is asked for."""
        run = Run.at(work.run)
        teacher = f"{STUDENT}{run.identity}"
        wanted = list(self.rows(fold))
        with open_output(
            work.run / "rationales.jsonl",
            command="train-rationale",
            settings={"teacher": teacher, "max_new_tokens": work.settings.max_target_tokens},
            inputs={},
        ) as out:
            done = [row for _, row in out.existing()]
            yield from done
            student = None
            for start in range(len(done), len(wanted), _WINDOW):
                student = student or run.load(
                    batch_size=_BATCH,
                    device=work.settings.device,
                    precision=work.settings.precision,
                )
                window = wanted[start : start + _WINDOW]
                texts = write_rationales(
                    student,
                    Stage.RATIONALE,
                    [lesson.question for _, lesson in window],
                    max_new_tokens=work.settings.max_target_tokens,
                    draws=[_draw(work.settings.seed, lesson, sample) for sample, lesson in window],
                )
                for (sample, lesson), text in zip(window, texts, strict=True):
                    made = Rationale(lesson.question, text, sample=sample, teacher=teacher)
                    row = {**made.to_row(), "fold": fold}
                    out.write(row)
                    yield row
            out.finish({"rows": len(wanted)})


def _draw(seed: int, lesson: Lesson, sample: int) -> int | None:
    """The seed of a further sample of a question; the first is greedy."""
    if sample == 0:
        return None
    key = f"{seed}/{sample}/{lesson.question.id}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(key).digest()[:8]) >> 1
