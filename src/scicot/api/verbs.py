"""The functions of the Python API, one for each command."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scicot import annotation, checking, prediction
from scicot.annotation import Estimate
from scicot.api.keywords import takes
from scicot.api.notebook import reporter_here
from scicot.api.results import Predictions, Rationales
from scicot.api.rows import Files, Spool, in_memory, spool
from scicot.config import (
    EvaluateSettings,
    GenerateSettings,
    PredictSettings,
    ReadingSettings,
    TrainSettings,
)
from scicot.errors import ScicotError, StoppedEarly, UsageError
from scicot.reporting import Reporter
from scicot.sources import Source

if TYPE_CHECKING:
    from scicot.evaluation import Evaluation
    from scicot.students.manifest import Manifest

Name = str | os.PathLike[str]  # path of a file or folder

_ROWS = {"limit": None, "skip_invalid": False}
_TRAINING = {
    **{"dev": (), "fold_questions": (), **_ROWS},
    **{"force": False, "report_to": (), "push_to_hub": None},
}
_TEACHING = {"base_url": None, "prompt": None, "examples": None, **_ROWS, "force": False}


@takes(None, {"limit": None})
def check(
    questions: Files,
    *,
    student: str | None = None,
    overlap: Files = None,
    reading: ReadingSettings | None = None,
    reporter: Reporter | None = None,
    **options: Any,
) -> checking.Check:
    """Report how the rows of a file of questions are read, like `scicot check`.

    If `student` is given (a run, a model directory or a Hub id), the questions are also checked
    against its tokenizer. `overlap` is another set of questions. If it is given, the questions that
    occur in both sets are counted. Raises ScicotError if the file as a whole cannot be read.
    """
    with spool() as files:
        options |= {"student": student, "reading": reading, "reporter": reporter_here(reporter)}
        found = checking.check(files.file(questions), overlap=files.file(overlap), **options)
        found.file = files.without_folder(found.file)
        for sentences in (found.notes, found.problems, found.read_as):
            sentences[:] = map(files.without_folder, sentences)
        return found


@takes(GenerateSettings, _TEACHING)
def generate_rationales(
    questions: Files,
    output: Name | None = None,
    *,
    teacher: Any,
    settings: GenerateSettings | None = None,
    reading: ReadingSettings | None = None,
    reporter: Reporter | None = None,
    **options: Any,
) -> Rationales:
    """Ask a teacher to explain every question, like `scicot generate-rationales`.

    `teacher` is KIND:NAME, or an object with `name`, `ask` and `close`. With an `output`, a stopped
    call is resumed by repeating it. Without an `output`, the accepted rows are returned. If a
    call without an `output` is stopped, its rows so far are saved in a file, and the message of
    StoppedEarly names the file.
    """
    options |= {"settings": settings, "reading": reading, "reporter": reporter_here(reporter)}
    if output is None and (settings or GenerateSettings()).batch:
        raise UsageError("batch: give an output file, so that paid replies are not lost")
    with spool() as files:
        question_file, examples = files.file(questions), files.file(options.pop("examples", None))
        target = _target(output, files)
        try:
            summary = annotation.generate_rationales(
                question_file, target, teacher=teacher, examples=examples, **options
            )
        except (StoppedEarly, KeyboardInterrupt) as stopped:
            if output is None:
                kept = files.keep(target)
                raise StoppedEarly(
                    f"{stopped or 'interrupted'}; the rows so far are in {kept}; pass this"
                    " path as output to resume"
                ) from None
            raise
        rows = None if output is not None else files.rows(target)
    return Rationales.of(summary, None if output is None else os.fspath(output), rows)


@takes(GenerateSettings, _TEACHING)
def estimate_cost(
    questions: Files,
    output: Name | None = None,
    *,
    teacher: Any,
    settings: GenerateSettings | None = None,
    reading: ReadingSettings | None = None,
    reporter: Reporter | None = None,
    **options: Any,
) -> Estimate:
    """Estimate the remaining requests and their cost, like `scicot generate-rationales --dry-run`.
    The arguments are those of `generate_rationales`. No request is sent."""
    options |= {"settings": settings, "reading": reading, "reporter": reporter_here(reporter)}
    with spool() as files:
        question_file, examples = files.file(questions), files.file(options.pop("examples", None))
        target = _target(output, files)
        return annotation.estimate_cost(
            question_file, target, teacher=teacher, examples=examples, **options
        )


@takes(TrainSettings, {**_TRAINING, "reward": None})
def train_rationale(
    rationales: Files,
    run: Name,
    *,
    student: str,
    settings: TrainSettings | None = None,
    reading: ReadingSettings | None = None,
    reporter: Reporter | None = None,
    **options: Any,
) -> Manifest:
    """Train `student` to write rationales (stage 1), like `scicot train-rationale`.

    `rationales` are rationale rows: a file, rows in memory, or a list of such sources. `student` is
    a Hub id, a directory or "scratch:SIZE". Returns a `Manifest`, whose attributes are the entries
    of the run's scicot.json.

    `run` is the run directory. It may already hold a run with the same settings and data. If this
    run is unfinished, it is resumed; if it is finished, it is left unchanged. With `force`, any run
    in the directory is replaced. Raises ScicotError if the directory holds other files or, without
    `force`, a different run.

    With `reward` (a RewardSettings), rounds of sampling follow this training. In each round the
    student writes rationales. The student is then trained on the rationales that raise an answer
    student's probability of the gold choice.
    """
    from scicot.training.job import train_rationale as train

    with spool() as files:
        options = _training(files, options, settings, reading, reporter)
        return train(files.files(rationales), run, student=student, **options)


@takes(TrainSettings, _TRAINING)
def train_answer(
    rationales: Files,
    run: Name,
    *,
    student: str,
    method: str = "two-stage",
    equal_to: Name | Sequence[Name] = (),
    settings: TrainSettings | None = None,
    reading: ReadingSettings | None = None,
    reporter: Reporter | None = None,
    **options: Any,
) -> Manifest:
    """Train `student` to answer (stage 2, or a single-stage method), like `scicot train-answer`.

    `method` is "two-stage", "direct", "one-sequence", "answer-first", "multi-task" or "shared";
    "direct" also accepts questions without rationales. If `equal_to` names runs, the student is
    trained on as many tokens as these runs together. The other arguments are those of
    `train_rationale`.
    """
    from scicot.training.job import train_answer as train

    with spool() as files:
        options = _training(files, options, settings, reading, reporter)
        options |= {"method": method, "equal_to": equal_to}
        return train(files.files(rationales), run, student=student, **options)


def _target(output: Name | None, files: Spool) -> Name:
    """Return the path of the file to write: the output or, if it is None, a temporary file."""
    if output is not None and os.fspath(output) == "-":
        raise UsageError(
            "output: give a file name, or leave output out to get the rows in the result"
        )
    return files.new() if output is None else output


def _training(
    files: Any,
    options: dict[str, Any],
    settings: TrainSettings | None,
    reading: ReadingSettings | None,
    reporter: Reporter | None,
) -> dict[str, Any]:
    file_options = [name for name in ("dev", "fold_questions") if name in options]
    file_values = {name: files.files(options[name]) for name in file_options}
    common = {"settings": settings, "reading": reading, "reporter": reporter_here(reporter)}
    return options | file_values | common


@takes(PredictSettings, {**_ROWS, "force": False})
def predict(
    questions: Files,
    output: Name | None = None,
    *,
    answer_model: Source | Sequence[Source] | None = None,
    rationale_model: Source | Sequence[Source] | None = None,
    settings: PredictSettings | None = None,
    reading: ReadingSettings | None = None,
    reporter: Reporter | None = None,
    **options: Any,
) -> Predictions:
    """Answer questions, like `scicot predict`. Each question gets one prediction row, in order.

    The models are run directories, runs on the Hub ("OWNER/NAME[@REVISION]"), or "hf:MODEL" for a
    model that scicot has not trained. With an `output`, the rows are written to this file, and a
    stopped call is resumed by repeating it. Without an `output`, the rows are returned and no file
    is written.
    """
    options |= {"settings": settings, "reading": reading, "reporter": reporter_here(reporter)}
    options |= {"answer_model": answer_model, "rationale_model": rationale_model}
    with spool() as files:
        question_file = files.file(questions)
        target = _target(output, files)
        summary = prediction.predict(question_file, target, **options)
        rows = None if output is not None else files.rows(target)
    return Predictions.of(summary, None if output is None else os.fspath(output), rows)


@takes(None, {**_ROWS, "force": False})
def merge(
    questions: Files,
    parts: Files | Iterable[Files],
    output: Name,
    *,
    reading: ReadingSettings | None = None,
    reporter: Reporter | None = None,
    **options: Any,
) -> int:
    """Join `parts`, the outputs of `predict` for several shards, into one file in the order of the
    questions, like `scicot merge`. If `parts` is a single name, it counts as a list of one part.

    Parts with predictions must together have exactly one row for each question. Parts with
    rationales must have exactly one row for each sample of each question.

    Returns the number of rows. Raises ScicotError, and writes nothing, in these cases:

    - A row is missing, is repeated, or belongs to no question in `questions`.
    - A question in a part differs from the question with the same id in `questions`.
    - A part is not finished.
    - The parts were made with different students or settings.
    """
    options |= {"reading": reading, "reporter": reporter_here(reporter)}
    with spool() as files:
        part_files = [files.file(part) for part in ([parts] if _is_one(parts) else parts)]
        return prediction.merge(files.file(questions), part_files, output, **options)


def _is_one(parts: Any) -> bool:
    """Return True if `parts` is a single part (a file name, or rows in memory). Return False if
    `parts` is a list of such parts."""
    if isinstance(parts, list | tuple) and not parts:
        return False
    return isinstance(parts, str) or not isinstance(parts, Iterable) or in_memory(parts) is not None


@takes(EvaluateSettings, _ROWS)
def evaluate(
    predictions: Files,
    *,
    questions: Files = None,
    report: Name | None = None,
    force: bool = False,
    settings: EvaluateSettings | None = None,
    reading: ReadingSettings | None = None,
    reporter: Reporter | None = None,
    **options: Any,
) -> Evaluation:
    """Compute metrics of predictions and compare systems, like `scicot evaluate`.

    `predictions` has one of these forms:

    - One system: a file, rows in memory, or a result of `predict`.
    - Several systems: a list, with one such element for each system.
    - Several systems with names: a mapping from the name of each system to its predictions. If a
      system has several seeds, its predictions are a list, with one element for each seed.

    The first system is compared with each of the others.

    `report` is an HTML file to write. An existing file is replaced only with `force`. Raises
    ScicotError if there is nothing to evaluate, or if systems disagree on the gold answer.
    """
    from scicot.evaluation import evaluate as judge
    from scicot.evaluation import systems_of
    from scicot.report import check_report, write_report

    with spool() as files:
        if isinstance(predictions, Mapping):
            systems: Any = {
                name: files.files(sources_of_system)
                for name, sources_of_system in predictions.items()
            }
            empty = [name for name, sources_of_system in systems.items() if not sources_of_system]
            if empty:
                raise ScicotError(
                    f"{empty[0]}: no predictions given; pass a file, rows or a result of predict"
                )
        elif in_memory(predictions) is not None:
            systems = {"predictions": files.file(predictions)}
        else:
            systems = files.files(predictions)
        options |= {"settings": settings, "reading": reading, "reporter": reporter_here(reporter)}
        options["questions"] = files.file(questions)
        if report is not None:
            report = Path(report)
            inputs = [
                file for system_files in systems_of(systems).values() for file in system_files
            ]
            check_report([*inputs, *filter(None, [options["questions"]])], report, force=force)
        verdict = judge(systems, **options)
        if report is not None:
            write_report(verdict, systems, report, force=force, **options)
        for system in verdict.systems:
            system.files[:] = map(files.without_folder, system.files)
        return verdict
