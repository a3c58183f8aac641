"""Fuzz targets: the readers of rows, tables, answers, recorded replies, reply texts and ledgers.

A reader may raise only ScicotError. A record that was read must be equal after it is written and
read again.
"""

from __future__ import annotations

import asyncio
import json
import os
import zlib
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from scicot import jsonl, sources
from scicot.annotation.judging import judge
from scicot.annotation.ledger_files import read_ledger
from scicot.config import GenerateSettings
from scicot.errors import ScicotError
from scicot.evaluation.answers import Answers
from scicot.prompts import Prompt
from scicot.records import Prediction, Question, Rationale
from scicot.replies import read_reply
from scicot.row_fields import RowProblem
from scicot.teachers import Reply, Request, TeacherError
from scicot.teachers.recorded import RecordedTeacher
from torture.fuzz import seeds
from torture.fuzz.forms import as_table, gzipped
from torture.fuzz.running import Broken, Target

SPLIT = b"\n\x1e\n"  # separates the two files of an input


class Silent:
    """A reporter that says nothing."""

    def note(self, message: str) -> None:
        pass

    def warn(self, message: str) -> None:
        pass

    def task(self, description: str, total: int | None = None) -> Silent:
        return self

    @contextmanager
    def stops_deferred(self) -> Any:
        yield

    def advance(self, steps: int = 1, **figures: Any) -> None:
        pass

    def __enter__(self) -> Silent:
        return self

    def __exit__(self, *exc: object) -> None:
        pass


SILENT = Silent()


def read_again(record: Any) -> None:
    """Write a record and read it again."""
    line = jsonl.encode(record.to_row())
    again = type(record).from_row(jsonl.decode(line))
    if again != record:
        raise Broken(f"another {type(record).__name__.lower()} when read again: {record!r:.200}")


def checked(rows: Sequence[Any]) -> str:
    for record in rows:
        read_again(record)
    if rows and isinstance(rows[0], Question):
        list(sources.unique(rows, None))
    return f"{len(rows)} rows {sorted({shape(row) for row in rows})}"


def shape(record: Any) -> str:
    """Return a rough description of a record, to distinguish outcomes."""
    row = record.to_row()
    return f"{len(row.get('choices', ()))}{sorted(row)[:12]}{row.get('answer') is None}"


def file_target(
    name: str,
    inputs: list[bytes],
    read: Callable[[Path], Any],
    folder: Path,
    *,
    extra: Callable[[bytes, Random], bytes] | None = None,
    file_name: str | None = None,
) -> Target:
    """Return a target that writes its input to a file, and calls `read` with the path."""
    path = folder / (file_name or name.replace(" ", "-"))

    def run(data: bytes) -> str:
        path.write_bytes(data)
        return str(read(path))

    return Target(name, "reader", inputs, run, (ScicotError,), extra)


def rows_of(kind: Callable[..., Any]) -> Callable[[Path], str]:
    def read(path: Path) -> str:
        return checked(list(kind(path, skip_invalid=True, reporter=SILENT)))

    return read


def any_rows(path: Path) -> str:
    """Read the file as questions, rationales or predictions, as a checksum of its bytes decides."""
    kinds = (sources.questions, sources.rationales, sources.predictions)
    return rows_of(kinds[zlib.crc32(path.read_bytes()) % 3])(path)


def answered(path: Path, questions: Path | None = None, *, per_character: bool = False) -> str:
    answers = Answers(
        questions=questions, per_character=per_character, skip_invalid=True, reporter=SILENT
    )
    return checked(list(answers.of(path)))


def with_questions(path: Path) -> str:
    """Read a file of questions and a file of answers, which are separated by SPLIT."""
    first, _, second = path.read_bytes().partition(SPLIT)
    questions_file = path.with_name("asked")
    questions_file.write_bytes(first)
    path.write_bytes(second)
    return answered(path, questions_file)


def log_of(path: Path) -> str:
    try:
        text = answered(path)
    except ScicotError as error:
        text = str(error)[:60]
    return text + answered(path, per_character=True)


def recorded(path: Path) -> str:
    teacher = RecordedTeacher(str(path))

    async def all_replies() -> list[Reply | None]:
        found: list[Reply | None] = []
        for identity, sample in (("q1", 0), ("q1", 1), ("2", 0)):
            try:
                found.append(await teacher.ask(Request(identity, sample, Prompt("", "?"), 64)))
            except TeacherError:
                found.append(None)
        await teacher.close()
        return found

    replies = run_now(all_replies())
    for reply in replies:
        if reply is not None:
            judged(reply)
    return str([reply and (reply.stop_reason, sorted(reply.usage)) for reply in replies])


def run_now(work: Any) -> Any:
    """Return the result of a coroutine. An event loop is started only if the coroutine waits."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    return asyncio.run(work)


ASKED = Question.from_row(seeds.QUESTION)
KEEP, ANY = GenerateSettings(), GenerateSettings(keep="all")


def judged(
    reply: Reply, settings: GenerateSettings = KEEP, usage: dict[str, float] | None = None
) -> str:
    """Judge a reply, then write its row and read that row again."""
    usage = dict(reply.usage) if usage is None else usage
    row = Rationale(ASKED, "", 0, "anthropic:m", saw_answer=True, usage=usage)
    row, reason = judge(row, reply, settings)
    written = jsonl.decode(jsonl.encode({**row.to_row(), "reply": reply.text}))
    if reason is None:
        read_again(row)
    else:
        Rationale.from_row({**written, "rationale": written["rationale"] or "(none)"})
    return f"{reason} {row.conclusion}"


def reply_target(questions: tuple[Question, ...]) -> Target:
    def run(data: bytes) -> str:
        text = data.decode("utf-8", "surrogateescape")
        if "@surrogate" in text:
            text = text.replace("@surrogate", "\ud83d")
        reads = [read_reply(text, question) for question in questions]
        for read, question in zip(reads, questions, strict=True):
            if read.conclusion is not None and read.conclusion not in question.labels:
                raise Broken(f"a conclusion that is no label: {read.conclusion!r}")
        reason = judged(Reply(text, "max_tokens" if len(text) % 3 == 0 else "end_turn"), ANY)
        return f"{[(r.conclusion, r.announced, r.ran_on, r.leaks) for r in reads]} {reason}"

    inputs = [text.encode() for text in (*seeds.REPLIES, "Half @surrogate\nAnswer: B")]
    return Target("replies", "reader", inputs, run, (), structured=0.0)


def ledger(path: Path) -> str:
    """Read a ledger without an index from OUT and OUT.rejected.jsonl, which are separated by
    SPLIT."""
    kept, _, rejected = path.read_bytes().partition(SPLIT)
    path.write_bytes(kept)
    path.with_name("ledger.rejected.jsonl").write_bytes(rejected)
    with read_ledger(path, retry=("error",)) as read:
        attempts = read.attempts(ASKED)
        return f"{read.kept} {dict(read.rejected)} {len(attempts)} {read.replies} {read.spent > 0}"


def targets(folder: Path) -> list[Target]:
    folder.mkdir(parents=True, exist_ok=True)
    lines = seeds.lines
    everything = [lines(row) for row in (*seeds.LAYOUTS, seeds.RATIONALE, seeds.PREDICTION)]
    taught = [lines(seeds.RATIONALE), lines(seeds.RATIONALE, seeds.REJECTED),
              lines(seeds.PREDICTION, seeds.RATIONALE)]  # fmt: skip
    predicted = [lines(seeds.PREDICTION), lines(seeds.PREDICTION, {**seeds.PREDICTION, "id": "q2"}),
                 lines(seeds.RATIONALE), lines({**seeds.REJECTED, "conclusion": None})]  # fmt: skip
    documents = [
        json.dumps(list(seeds.LAYOUTS[:3])).encode(),
        json.dumps(list(seeds.LAYOUTS[3:6]), indent=1).encode(),
        json.dumps({"12": {"question": "Q?", "choices": ["a", "b"], "answer": 0}}).encode(),
        json.dumps({"12": seeds.RATIONALE, "13": seeds.LAYOUTS[6]}, indent=2).encode(),
        json.dumps([seeds.PREDICTION]).encode(),
        json.dumps(seeds.QUESTION, indent=1).encode(),
        b'["Copper is a metal.", "Wood is not."]',
    ]
    tabled = [lines(row, {**row, "id": "z9"}) for row in (*seeds.LAYOUTS[:12], seeds.RATIONALE)]
    bare = {"id": "q1", "prediction": "B"}
    pairs = [
        lines(seeds.QUESTION) + SPLIT + lines(bare),
        lines(*seeds.LAYOUTS[:3]) + SPLIT + lines({"id": "n1", "prediction": 1}, bare),
        lines(seeds.QUESTION) + SPLIT + lines(seeds.PREDICTION),
        lines(seeds.QUESTION) + SPLIT + lines({"id": "q1", "conclusion": "B", "rationale": "So."}),
        lines(seeds.QUESTION) + SPLIT + b"id,prediction\nq1,copper\n",
        lines(seeds.QUESTION) + SPLIT + lines(seeds.LM_EVAL),
        lines(seeds.LAYOUTS[13]) + SPLIT + lines({"question": "Which gas?", "prediction": "O2"}),
    ]
    logs = [lines(seeds.LM_EVAL), lines(seeds.LM_EVAL_TEXT, seeds.LM_EVAL),
            lines(seeds.LM_EVAL_LISTS), lines({**seeds.LM_EVAL, "doc": {"q": 1}})]  # fmt: skip
    books = [
        lines(seeds.RATIONALE) + SPLIT + lines(seeds.REJECTED, seeds.FAILED),
        lines(seeds.RATIONALE, {**seeds.RATIONALE, "sample": 1}) + SPLIT + lines(seeds.FAILED),
        lines(seeds.RATIONALE) + SPLIT + lines({**seeds.REJECTED, "id": "q1", "saw_answer": True}),
    ]
    questions = (ASKED, Question.from_row(seeds.LAYOUTS[13]))
    return [
        file_target("question rows", everything, rows_of(sources.questions), folder),
        file_target("rationale rows", taught, rows_of(sources.rationales), folder),
        file_target("prediction rows", predicted, rows_of(sources.predictions), folder),
        file_target("JSON documents", documents, any_rows, folder),
        file_target("tables", tabled, any_rows, folder, extra=as_table),
        file_target("gzip", [*everything, *documents[:2]], any_rows, folder, extra=gzipped),
        file_target("answers with --questions", pairs, with_questions, folder),
        file_target("lm-eval logs", logs, log_of, folder),
        file_target("recorded replies", [lines(*seeds.RECORDED)], recorded, folder),
        reply_target(questions),
        file_target("ledger rows", books, ledger, folder, file_name="ledger.jsonl"),
    ]


def scratch_folder(fallback: Path) -> Path:
    """Return a folder in memory if there is one, otherwise a folder below `fallback`."""
    # Each execution writes a file, which is too much for a disk.
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK):
        return memory / f"scicot-torture-{os.getpid()}"
    return fallback / "fuzz"


__all__ = ["ASKED", "Prediction", "RowProblem", "Silent", "scratch_folder", "targets"]
