"""Read and check the inputs of generate-rationales before any request is sent or any output
written."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from scicot import sources
from scicot.annotation.batch_plans import plans_of
from scicot.annotation.budget import Budget
from scicot.annotation.requests import RequestBuilder
from scicot.annotation.watermark import done_before
from scicot.config import GenerateSettings, ReadingSettings
from scicot.formats import Columns
from scicot.records import Question
from scicot.reporting import Reporter
from scicot.row_fields import RowProblem
from scicot.teachers import Teacher, load_teacher

COMMAND = "generate-rationales"
_FILTER_NEEDS_GOLD = sources.NeedsGold(
    "for --keep correct to check against",
    "their rationales are kept unfiltered",
    "use --keep all, which needs no gold answers",
)


@dataclass(frozen=True)
class Setup:
    """The checked inputs of generate-rationales, from which requests can be built and sent."""

    rows: sources.Rows[Question]
    source: str
    total: int | None  # number of requests, None if it is not known in advance
    teacher: Teacher
    builder: RequestBuilder
    budget: Budget
    settings: GenerateSettings
    reporter: Reporter


@dataclass(frozen=True)
class Inputs:
    """The arguments shared by `generate_rationales` and `estimate_cost`."""

    questions: str | os.PathLike[str]
    teacher: str | Teacher
    settings: GenerateSettings
    reporter: Reporter
    base_url: str | None = None
    prompt: str | None = None
    examples: str | os.PathLike[str] | None = None
    limit: int | None = None
    skip_invalid: bool = False
    reading: ReadingSettings | None = None


def prepare(
    inputs: Inputs,
    *,
    output: Path | None = None,
    force: bool = False,
    only_counts: bool = False,
) -> Setup:
    """Read and check the inputs, load the teacher, and return what a run needs. Raises ScicotError
    if the run is impossible.

    Questions at the start of the input are skipped if earlier runs for `output` have finished them
    (see watermark.py), but not with `force`. `only_counts` is True if the teacher is only used to
    estimate the cost. No API key is needed then.
    """
    settings, reporter, teacher = inputs.settings, inputs.reporter, inputs.teacher
    # Earlier versions sent batches without checking for gold answers. These batches are paid for,
    # so their results are still fetched.
    fetching = settings.cancel_batches or (output is not None and bool(plans_of(output)))
    rows = sources.questions(
        inputs.questions,
        reading=_for_questions(inputs),
        optional_roles=_optional_roles(inputs),
        limit=inputs.limit,
        skip_invalid=inputs.skip_invalid,
        empty_pipe=True,
        resumable=True,
        reporter=reporter,
        gold=None if settings.keep == "all" or fetching else _FILTER_NEEDS_GOLD,
        check=_has_answer if settings.reveal_answer == "always" else None,
    )
    examples = (
        list(sources.rationales(inputs.examples, reporter=reporter)) if inputs.examples else []
    )
    name = teacher if isinstance(teacher, str) else teacher.name
    builder = RequestBuilder(name, settings, inputs.prompt, examples)
    budget = Budget.of(name, settings)
    done = None if output is None or force else done_before(output, settings)
    if done is not None:
        rows.skip(done)
    unique = sources.count_unique(rows, reporter)
    if unique is not None and rows.skipped is not None:
        unique += rows.skipped.rows
    if isinstance(teacher, str):
        with reporter.task(f"loading {teacher}"):
            teacher = load_teacher(
                teacher,
                base_url=inputs.base_url,
                timeout=settings.timeout,
                sampling=settings.sampling,
                only_counts=only_counts,
                columns=inputs.reading.columns if inputs.reading else "",
            )
        identity = getattr(teacher, "identity", None)
        builder = replace(builder, teacher=teacher.name, identity=identity)
    if unique is None:
        rows.look_ahead()
    total = None if unique is None else unique * settings.samples
    source = os.fspath(inputs.questions)
    return Setup(rows, source, total, teacher, builder, budget, settings, reporter)


def _for_questions(inputs: Inputs) -> ReadingSettings | None:
    """Return the settings for reading the question file. If the teacher is recorded:FILE, the
    role "rationale" is removed from --columns, because it names a field of FILE."""
    reading = inputs.reading
    if reading is None or not _is_recorded(inputs.teacher):
        return reading
    columns = Columns.parse(reading.columns)
    others = columns and columns.only(*(role for role in columns.roles if role != "rationale"))
    return replace(reading, columns=str(others or ""))


def _optional_roles(inputs: Inputs) -> tuple[str, ...]:
    """Return the roles of --columns whose fields may be missing from the questions: ("id",) or ().

    The teacher recorded:FILE reads FILE with --columns too. If --columns maps a rationale, as in
    "id=key,rationale=why", the mapping may be meant only for FILE. The questions may then lack the
    field "key", so the role "id" is optional.
    """
    # The questions may have their ids in another field, which is recognised automatically.
    columns = Columns.parse(inputs.reading.columns) if inputs.reading else None
    for_file = columns is not None and columns.maps("rationale") and _is_recorded(inputs.teacher)
    return ("id",) if for_file else ()


def _is_recorded(teacher: str | Teacher) -> bool:
    return isinstance(teacher, str) and teacher.startswith("recorded:")


def _has_answer(question: Question) -> None:
    if question.answer is None:
        advice = sources.unused_fields(question.extra)
        raise RowProblem(f"has no gold answer, but --reveal-answer needs one {advice}")
