"""What a teacher is asked for, read and checked before anything is asked or written."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from scicot import sources
from scicot.annotation.asking import Asking
from scicot.annotation.batches import plans_of
from scicot.annotation.budget import Budget
from scicot.annotation.watermark import done_before
from scicot.config import GenerateSettings
from scicot.records import Question, RowProblem
from scicot.reporting import Reporter
from scicot.teachers import Teacher, load_teacher

COMMAND = "generate-rationales"
_FILTER_NEEDS_GOLD = sources.NeedsGold(
    "by which --keep correct filters",
    "their rationales are kept unfiltered",
    "give --keep all if no filter is meant",
)


@dataclass(frozen=True)
class Work:
    """What was asked for, checked, before anything is written."""

    rows: sources.Rows[Question]
    source: str
    total: int | None  # requests, where they can be counted
    teacher: Teacher
    asking: Asking
    budget: Budget
    settings: GenerateSettings
    reporter: Reporter


def prepare(
    questions: str | os.PathLike[str],
    *,
    teacher: str | Teacher,
    settings: GenerateSettings,
    base_url: str | None,
    prompt: str | None,
    examples: str | os.PathLike[str] | None,
    limit: int | None,
    skip_invalid: bool,
    reporter: Reporter,
    output: Path | None = None,
    only_counts: bool = False,
) -> Work:
    """Check what was asked for; raises ScicotError where it cannot be done. What earlier runs have
    come through for the same output is not read again."""
    # A batch that an earlier version sent without this check is paid for, so it is still fetched.
    fetching = settings.cancel_batches or (output is not None and bool(plans_of(output)))
    rows = sources.questions(
        questions,
        limit=limit,
        skip_invalid=skip_invalid,
        empty_pipe=True,
        reporter=reporter,
        gold=None if settings.keep == "all" or fetching else _FILTER_NEEDS_GOLD,
        check=_has_answer if settings.reveal_answer == "always" else None,
    )
    shown = [] if examples is None else list(sources.rationales(examples, reporter=reporter))
    name = teacher if isinstance(teacher, str) else teacher.name
    asking = Asking(name, settings, prompt, shown)
    budget = Budget.of(name, settings)
    done = None if output is None else done_before(output, settings)
    if done is not None:
        rows.pass_over(done)
    unique = sources.count_unique(rows, reporter)
    if unique is not None and rows.passed is not None:
        unique += rows.passed.rows
    if isinstance(teacher, str):
        with reporter.task(f"loading {teacher}"):
            teacher = load_teacher(
                teacher,
                base_url=base_url,
                timeout=settings.timeout,
                sampling=settings.sampling,
                only_counts=only_counts,
            )
        identity = getattr(teacher, "identity", None)
        asking = replace(asking, teacher=teacher.name, identity=identity)
    if unique is None:
        rows.look_ahead()
    total = None if unique is None else unique * settings.samples
    source = os.fspath(questions)
    return Work(rows, source, total, teacher, asking, budget, settings, reporter)


def _has_answer(question: Question) -> None:
    if question.answer is None:
        told = sources.unused_fields(question.extra)
        raise RowProblem(f"has no gold answer, which --reveal-answer shows to the teacher {told}")
