"""Write report.html from an evaluation and its predictions.

The page contains a JSON document, which its scripts (SCRIPTS) render. The scripts insert all
strings of the document as text, never as markup.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.resources import files as resources
from itertools import chain
from pathlib import Path
from typing import Any

from scicot import jsonl, sources
from scicot.config import EvaluateSettings, ReadingSettings
from scicot.errors import ScicotError, no_room
from scicot.evaluation import Evaluation, systems_of
from scicot.evaluation.answers import Answers
from scicot.evaluation.system_answers import LENGTH, group_of
from scicot.outputs import STDOUT, check_not_read, make_parent
from scicot.records import Prediction
from scicot.report.provenance import provenance_of, total_usage
from scicot.reporting import LogReporter, Muted, Reporter, counted
from scicot.version import __version__

SCRIPTS = ("helpers.js", "figures.js", "provenance.js", "questions.js", "address.js", "start.js")
LONGEST = 4000  # maximum number of characters shown of a rationale or reply
MOST = 50_000  # maximum number of questions on a page, which a browser loads within two seconds


def write_report(
    verdict: Evaluation,
    predictions: Mapping[str, sources.Source | Sequence[sources.Source]]
    | Sequence[sources.Source]
    | sources.Source,
    output: str | os.PathLike[str],
    *,
    questions: sources.Source | None = None,
    settings: EvaluateSettings | None = None,
    reading: ReadingSettings | None = None,
    limit: int | None = None,
    skip_invalid: bool = False,
    force: bool = False,
    reporter: Reporter | None = None,
) -> None:
    """Write an evaluation as an HTML page. The page shows the first 50,000 questions (`MOST`).

    `verdict` is the result of `evaluate`. `predictions` and the keyword arguments, except `force`,
    are those that were given to `evaluate`. The predictions are read a second time, so they must be
    files. If a system has several seeds, only its first file is shown. Raises ScicotError if
    a file cannot be read twice, or if `output` exists and `force` is False.
    """
    reporter = reporter or LogReporter()
    target = Path(output)
    settings = settings or EvaluateSettings()
    files = systems_of(predictions)
    inputs = [*chain(*files.values()), *([] if questions is None else [questions])]
    check_report(inputs, target, force=force)
    answers = Answers(
        questions=questions,
        per_character=settings.per_character,
        reading=reading,
        limit=limit,
        skip_invalid=skip_invalid,
        reporter=Muted(reporter),
    )
    # lengths have too many values for a filter
    filters = [path for path in settings.by if path != LENGTH]
    questions_shown: dict[str, dict[str, Any]] = {}
    # usage in the first file of each system: tokens by kind, and dollars
    usage: list[dict[str, float]] = []
    for number, (file, *_) in enumerate(files.values()):
        with reporter.task(f"reading {os.fspath(file)} again") as task:
            rows = _with_usage(counted(answers.of(file), task), usage)
            for row in rows:
                _add(questions_shown, row, number, os.fspath(file), len(files), filters)
    provenance = [
        {**provenance_of(system_files, system.rationale_from), "usage": used}
        for system_files, system, used in zip(files.values(), verdict.systems, usage, strict=True)
    ]
    document = {
        "verdict": verdict.to_dict(),
        "made": {
            "version": __version__,
            "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "questions": None if questions is None else os.fspath(questions),
            "settings": asdict(settings),
            "systems": provenance,
        },
        "questions": [*questions_shown.values()],
    }
    try:
        with jsonl.replacing(target) as stream:
            for part in _page(document):
                stream.write(part.encode("utf-8", "replace"))
    except OSError as error:
        if no_room(error):
            raise
        raise ScicotError(f"--report {target}: cannot be written ({error.strerror})") from None


def check_report(
    files: Iterable[sources.Source],
    target: Path,
    *,
    settings_file: str | os.PathLike[str] | None = None,
    force: bool = False,
) -> None:
    """Check that a report on `files` can be written to `target`, and create the folder of `target`.
    Call this function before the evaluation, so that the evaluation's result is not lost.

    Raises ScicotError in any of these cases:

    - One of `files` can be read only once, such as a pipe.
    - `target` is a directory, a device, or "-" (standard output).
    - `target` is one of `files`, or the settings file.
    - `target` exists, and `force` is False.
    - The folder of `target` cannot be created or written to.
    """
    inputs = [os.fspath(file) for file in files]
    for file in inputs:
        if not sources.is_rereadable(file):
            raise ScicotError(
                f"--report: needs to read {file} twice; give a file instead of a pipe"
            )
    if os.fspath(target) == STDOUT or target.is_dir() or (target.exists() and not target.is_file()):
        raise ScicotError(f"--report {target}: is not a file; name a file such as report.html")
    if target.exists():
        check_not_read([target], [*inputs, *([os.fspath(settings_file)] if settings_file else [])])
        if not force:
            raise ScicotError(
                f"--report {target}: exists; choose another file, or overwrite it with --force"
            )
    make_parent(target)


def _with_usage(rows: Iterable[Prediction], usage: list[dict[str, float]]) -> Iterator[Prediction]:
    """Yield the rows unchanged. After the last one, append their total usage (tokens by kind, and
    dollars) to `usage`."""
    total: dict[str, float] = {}
    for row in rows:
        if used := row.models.get("usage"):
            total = total_usage([total, used])
        yield row
    usage.append(total)


def _add(
    questions: dict[str, dict[str, Any]],
    row: Prediction,
    number: int,
    file: str,
    systems: int,
    by: Sequence[str],
) -> None:
    question = row.question
    if question.answer is None or (len(questions) >= MOST and question.id not in questions):
        return
    entry = questions.setdefault(
        question.id,
        {
            "id": question.id,
            "text": question.question,
            "context": question.context,
            "choices": [[choice.label, choice.text] for choice in question.choices],
            "gold": question.labels.index(question.answer),
            "groups": [group_of(question, path, file) for path in by],
            "said": [None] * systems,
        },
    )
    if entry["said"][number] is None:
        # Other files may list the choices in another order or with other labels.
        order: list[str | None] = list(question.labels)
        texts = [choice.text for choice in question.choices]
        if texts != [text for _, text in entry["choices"]]:
            labels = dict(zip(texts, question.labels, strict=True))
            order = [labels.get(text) for _, text in entry["choices"]]
        entry["said"][number] = {
            "place": order.index(row.prediction) if row.prediction in order else None,
            "sure": row.confidence,
            "scores": [row.scores.get(label or "") for label in order] if row.scores else None,
            "rationales": [*map(_cut, row.rationales)],
            **_reply_of(row),
        }


def _reply_of(row: Prediction) -> dict[str, Any]:
    """Return the fields of a teacher's reply that the page shows, or {} if the row is not from a
    teacher. "reply" is the text, "reason" tells why the reply was rejected, and "usage" has its
    tokens and dollars. Fields that the row lacks are left out."""
    if "teacher" not in row.models:
        return {}
    fields: dict[str, Any] = {}
    texts = {"reply": row.models.get("reply"), "reason": row.question.extra.get("reason")}
    for name, value in texts.items():
        if isinstance(value, str):
            fields[name] = _cut(value)
    if usage := row.models.get("usage"):
        fields["usage"] = total_usage([usage])
    return fields


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} [...]"


def _page(data: Mapping[str, Any]) -> Iterator[str]:
    package = resources("scicot.report")
    document = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    parts = {
        "/*CSS*/": (package / "page.css").read_text("utf-8"),
        # "</script>" in a question would close the script element that holds the document
        "/*DATA*/": document.replace("<", "\\u003c"),
        "/*SCRIPT*/": "".join((package / name).read_text("utf-8") for name in SCRIPTS),
    }
    rest = (package / "page.html").read_text("utf-8")
    for mark, text in parts.items():
        head, _, rest = rest.partition(mark)
        yield head
        yield text
    yield rest
