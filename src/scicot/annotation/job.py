"""generate_rationales: send every question to a teacher and write the usable rationales."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from scicot import sources
from scicot.annotation import batch_jobs
from scicot.annotation.batch_plans import plans_of
from scicot.annotation.generation import GenerateSummary, Generation
from scicot.annotation.ledger import REJECTED
from scicot.annotation.ledger_files import open_ledger
from scicot.annotation.requests import EARLIER, MISSING, REPEATED
from scicot.annotation.retries import complete
from scicot.annotation.setup import COMMAND, Inputs, prepare
from scicot.config import GenerateSettings, ReadingSettings
from scicot.outputs import (
    check_beside,
    check_output_not_read,
    check_suffix,
    open_output,
    starts_over,
)
from scicot.reporting import LogReporter, Reporter
from scicot.teachers import Teacher


def generate_rationales(
    questions: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    teacher: str | Teacher,
    settings: GenerateSettings | None = None,
    base_url: str | None = None,
    prompt: str | None = None,
    examples: str | os.PathLike[str] | None = None,
    reading: ReadingSettings | None = None,
    limit: int | None = None,
    skip_invalid: bool = False,
    force: bool = False,
    reporter: Reporter | None = None,
) -> GenerateSummary:
    """Ask a teacher to explain every question, and write the rationales that pass the filters to
    `output`.

    `teacher` is a string KIND:NAME or an object with `name`, `ask` and `close`
    (`teachers.Teacher`). `prompt` is the text of a custom prompt with the placeholders {question}
    and {choices}. `examples` is a file of rationale rows used as few-shot examples. A second call
    resumes: a request that has a row in `output`, or in the `.rejected.jsonl` file next to it, is
    not sent again. A request is identified by its question, its sample number, and whether it
    reveals the answer. Rows are written in the order in which replies arrive. Raises ScicotError
    for problems that the user can fix, and StoppedEarly if the same call can resume later.
    """
    check_suffix(Path(output))
    check_beside(Path(output))
    check_output_not_read(output, _files_read(teacher, examples), [REJECTED])
    inputs = Inputs(
        questions,
        teacher,
        settings or GenerateSettings(),
        reporter or LogReporter(),
        base_url,
        prompt,
        examples,
        limit,
        skip_invalid,
        reading,
    )
    work = prepare(inputs, output=Path(output), force=force)
    settings, reporter = work.settings, work.reporter
    recorded: Any = {
        "command": COMMAND,
        "settings": work.builder.fingerprint(),
        "inputs": {work.source: sources.sha256_of(work.source)},
        "companions": [REJECTED],
        "defaults": EARLIER,
    }
    force = starts_over(output, **recorded, force=force, reporter=reporter)
    batch_jobs.check(work, Path(output), force=force)
    if force:
        sources.check_not_empty(work.rows, output)
    plans = plans_of(Path(output))
    retries = settings.retry_rejected or any(plan.retry for plan in plans)
    with (
        open_output(output, **recorded, force=force) as out,
        open_ledger(out, retry=MISSING if retries else (), force=force) as ledger,
        reporter.task(f"asking {work.teacher.name}", work.total) as task,
        reporter.stops_deferred(),
    ):
        # Results of a batch that were written before a crash must not be written and counted again.
        if retries and not plans:
            ledger.retry_also(REPEATED)
        job = Generation(work, out, ledger, task)
        try:
            complete(_run(job))
        finally:
            job.update_summary()
        ledger.finish_retry()
        out.finish({"kept": ledger.kept, **+ledger.rejected})
    return job.summary


def _files_read(
    teacher: str | Teacher, examples: str | os.PathLike[str] | None
) -> list[str | os.PathLike[str]]:
    """Return the files that a run reads besides the questions: the recorded replies and the
    few-shot examples."""
    kind, _, name = teacher.partition(":") if isinstance(teacher, str) else ("", "", "")
    recorded = [name] if kind == "recorded" else []
    return [*recorded, *([examples] if examples else [])]


async def _run(job: Generation) -> None:
    """Send all requests that have no row yet, one per API call or in batches. Close the teacher at
    the end."""
    settings = job.work.settings
    try:
        if settings.batch or settings.cancel_batches:
            await batch_jobs.run(job)
        else:
            pending = job.pending()
            try:
                await job.send_each(pending)
            finally:
                if job.work.rows.rereadable:  # otherwise a thread may still be waiting for a row
                    pending.close()
    finally:
        await job.work.teacher.close()
