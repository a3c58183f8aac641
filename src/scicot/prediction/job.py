"""The function `predict`: answer the questions of a file in windows (groups of questions that are
predicted together). A stopped call can be resumed."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

from scicot import processes, sources
from scicot.config import PredictSettings, ReadingSettings
from scicot.errors import UsageError
from scicot.outputs import (
    STDOUT,
    check_suffix,
    is_begun_with_force,
    missing_parts,
    open_output,
    own_state,
    starts_over,
)
from scicot.overlap import SeenQuestions
from scicot.prediction import compatibility, identities
from scicot.prediction.plan import Plan
from scicot.prediction.students import QuestionPair, Students
from scicot.prediction.team import Team
from scicot.prediction.window_job import PredictSummary, WindowJob
from scicot.prediction.windows import of_shard, size_of_shard, uneven_shares, windows
from scicot.records import Question
from scicot.reporting import LogReporter, Reporter
from scicot.row_fields import Row, RowProblem, checked_utf8


def predict(
    questions: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    answer_model: sources.Source | Sequence[sources.Source] | None = None,
    rationale_model: sources.Source | Sequence[sources.Source] | None = None,
    settings: PredictSettings | None = None,
    reading: ReadingSettings | None = None,
    limit: int | None = None,
    skip_invalid: bool = False,
    force: bool = False,
    reporter: Reporter | None = None,
) -> PredictSummary:
    """Answer every question of a file, and write one prediction row for each question, in the order
    of the file.

    An answer model that reads rationales is given the rationales of all models in
    `rationale_model`. `rationale_model` may be None in three cases: the answer models read no
    rationales, the answer model writes rationales itself (method "shared"), or
    `settings.rationale_from` is not "student". The probabilities of several answer models are
    averaged. Without an `answer_model`, rationale rows are written instead of prediction rows.

    A repeated call resumes after the rows in `output`. Raises ScicotError for errors that the user
    can fix, such as a run that was trained for another stage.
    """
    settings = settings or PredictSettings()
    check_suffix(Path(output))  # before students are loaded
    reporter = reporter or LogReporter()
    answers, writers = sources.listed(answer_model), sources.listed(rationale_model)
    with Team(settings.device) as team:
        students = team.on_all_ranks(
            lambda: Students(Plan.check(answers, writers, settings, _recorded(output, force)))
        )
        if processes.rank() > 0:
            team.serve(students)
            return PredictSummary()
        return _predict(
            questions,
            output,
            students,
            team,
            settings,
            reading=reading,
            limit=limit,
            skip_invalid=skip_invalid,
            force=force,
            reporter=reporter,
        )


def _predict(
    questions: str | os.PathLike[str],
    output: str | os.PathLike[str],
    students: Students,
    team: Team,
    settings: PredictSettings,
    *,
    reading: ReadingSettings | None,
    limit: int | None,
    skip_invalid: bool,
    force: bool,
    reporter: Reporter,
) -> PredictSummary:
    """Run `predict` on rank 0, the process that reads the questions and writes the output."""
    plan = students.plan
    for warning in compatibility.warnings(plan.answers, settings):
        reporter.warn(warning)
    for warning in missing_parts([questions] if plan.reads_given else []):
        reporter.warn(warning)
    rows = sources.questions(
        questions,
        reading=reading,
        limit=limit,
        skip_invalid=skip_invalid,
        empty_pipe=True,
        uses_gold=False,
        reporter=reporter,
        check=_check_rationale if plan.reads_given else None,
    )
    total = sources.count_unique(rows, reporter)
    shift = _rotation(total, settings) if plan.shuffles else 0
    duplicate_of = "further rationale" if plan.reads_given else None
    pairs = _question_pairs(rows, shift, sources.unique(rows, reporter, duplicate_of))
    size = max(1, students.loaded.window // max(1, plan.rationales_each))
    for warning in uneven_shares(total, size, settings.shard, max(1, plan.rationales_each)):
        reporter.warn(warning)
    # A shard selects windows by their number, so a slow pipe must not shorten them.
    idle = None if total is not None or settings.shard else rows.idle
    shard_windows = of_shard(windows(pairs, size, idle), settings.shard)
    seen, job = plan.seen_questions(), WindowJob(students, team, os.fspath(questions))
    students.loaded.restore(_engines_of(_resumed_state(output, force) or {}))
    description = plan.description(students.loaded.engines())
    team.agree(description["engines"])
    for sentence in students.loaded.measured():
        reporter.note(sentence)
    recorded: Any = {
        "command": "predict",
        "settings": {
            **description,
            # Must be equal in all parts of a shuffled or sharded run.
            **({"rotation": f"{shift} of {total}"} if shift else {}),
            **({"shard": str(settings.shard), "window": size} if settings.shard else {}),
        },
        "inputs": {os.fspath(questions): sources.sha256_of(questions)},
    }
    force = starts_over(output, **recorded, force=force, reporter=reporter)
    if force or total is None:
        # Students are loaded before the old predictions are deleted, and before a row of a pipe is
        # consumed, which could not be read again.
        students.loaded.load_all()
    if force:
        sources.check_not_empty(rows, output)
    provenance = {"students": plan.students}
    with (
        open_output(output, **recorded, provenance=provenance, force=force) as out,
        reporter.task("answering", total and size_of_shard(total, size, settings.shard)) as task,
    ):
        # From a pipe, one window at a time, since its writer may wait for the answers.
        job.run(_count_seen(shard_windows, seen), 1 if idle else team.size, out, task)
        if not job.rows and settings.shard:
            reporter.warn(f"shard {settings.shard} is empty: {_why_empty(total, size, settings)}")
        out.finish({"rows": job.rows})
    team.count(students)
    for cut in students.loaded.cuts():
        reporter.warn(cut)
    if seen.overlap:
        report = reporter.note if seen.overlap.is_of_templates else reporter.warn
        report(seen.overlap.describe("questions that the students were trained or selected on"))
    _report_unanswered(job.summary, settings, reporter)
    return job.summary


def _why_empty(total: int | None, size: int, settings: PredictSettings) -> str:
    """Return the reason why a shard is empty. `total` is the number of questions, or None if it is
    not known. `size` is the number of questions in a window."""
    if size == 1 or (total is not None and settings.shard and total < settings.shard.count):
        return "there are fewer questions than shards"
    return f"shards have whole windows of {size:,} questions; give every shard a smaller --window"


def _recorded(output: str | os.PathLike[str], force: bool) -> Collection[str]:
    """Return the identities of the runs that the state file of `output` records. The collection is
    empty if there is no state file, or if `force` is True."""
    return identities.recorded_in(_resumed_state(output, force) or {})


def _resumed_state(output: str | os.PathLike[str], force: bool) -> Row | None:
    """Return the content of the state file of an output that may be resumed, else None."""
    path = Path(output)
    if os.fspath(output) == STDOUT or (force and not is_begun_with_force(path)):
        return None
    return own_state(path)


def _engines_of(state: Row) -> dict[str, str]:
    """Return the engine of each run that a state file records. `state` is the content of the file.
    Returns {} if the entry "engines" is missing or malformed."""
    engines = state.get("settings", {}).get("engines")
    good = isinstance(engines, dict) and all(isinstance(name, str) for name in engines.values())
    return engines if good else {}


def _question_pairs(
    rows: sources.Rows[Question], shift: int, questions: Iterator[Question]
) -> Iterator[QuestionPair]:
    """Return a pair for each of `questions`: the question itself, and the question whose rationales
    are used.

    The second question comes `shift` places after the first. After the last question, counting
    continues at the beginning. If `shift` is 0, both are the same question. `questions` must be the
    unique questions of `rows`, in order.
    """
    if not shift:
        return ((question, question) for question in questions)
    # These questions come in another order, so `rows` is read again.
    rationale_sources = chain(
        islice(sources.unique(rows, None), shift, None), islice(sources.unique(rows, None), shift)
    )
    return zip(questions, rationale_sources, strict=True)


def _rotation(total: int | None, settings: PredictSettings) -> int:
    """Return the `shift` of `_question_pairs` for --rationale-from shuffled: a number from 1 to
    `total` - 1.

    `total` is the number of questions, or None if they come from a pipe, which cannot be read
    twice. Raises UsageError if `total` is None or less than 2.
    """
    if total is None:
        raise UsageError("--rationale-from shuffled: reads the questions twice; give a file")
    if total < 2:
        raise UsageError("--rationale-from shuffled: needs at least two questions")
    # The seed plus about half of `total`, since neighbouring questions are often similar. The shift
    # must not depend on the window size.
    return 1 + (total // 2 - 1 + settings.seed) % (total - 1)


def _count_seen(
    question_windows: Iterable[list[QuestionPair]], seen: SeenQuestions
) -> Iterator[list[QuestionPair]]:
    """Yield the windows unchanged, and count in `seen` how many of their questions are training or
    dev questions of the students."""
    for window in question_windows:
        seen.overlap_with(question for question, _ in window)
        yield window


def _report_unanswered(
    summary: PredictSummary, settings: PredictSettings, reporter: Reporter
) -> None:
    if summary.abstained:
        reporter.note(
            f"{summary.abstained} questions got no answer: confidence below"
            f" {settings.abstain_below:g} (--abstain-below)"
        )
    if summary.unanswered:
        reporter.warn(
            f"{summary.unanswered} questions got no answer: two choices score exactly alike"
            " (labels that the student cannot tell apart?), or a score is not a number"
        )


def _check_rationale(question: Question) -> None:
    rationale = question.extra.get("rationale")
    if not isinstance(rationale, str):
        raise RowProblem('has no "rationale" text, which this --rationale-from needs')
    checked_utf8(rationale, '"rationale"')
