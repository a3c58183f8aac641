"""Store plans of batches on disk. OUT.batches/ holds two files for each unfinished batch:

    0001.requests.jsonl     {"sample": ..., "revealed": ..., "question": {...}}, a line per request
    0001.json               {"name": ..., "requests": ..., "began": ..., "id": ..., "retry": ...}

A plan is valid once the second file exists. Its fields are:

- "name": the random name of the plan
- "requests": the number of requests
- "began": the time just before the batch was sent
- "id": the id that the server gave the batch
- "retry": true if the plan was made with --retry-rejected; the results of the batch then replace
  rows of rejected replies

The custom_id of a request is NAME-LINE: the name of the plan, and the line number of the request in
the first file, counted from 0. So a result can always be matched with its request.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from scicot import jsonl
from scicot.annotation.requests import RequestBuilder, RowRequest
from scicot.errors import InvalidRow, ScicotError
from scicot.outputs import beside
from scicot.records import Question
from scicot.row_fields import RowProblem

FOLDER = "batches"


@dataclass(frozen=True)
class Plan:
    """The plan of one batch, stored on disk until the batch is finished."""

    path: Path  # path of the plan's .json file
    name: str
    requests: int  # number of requests
    began: str | None = None  # time just before the batch was sent (ISO 8601); None until then
    id: str | None = None  # id that the server gave the batch; None until it accepted the batch
    retry: bool = False  # True if the requests have rows already, which the results replace

    @classmethod
    def make(cls, folder: Path, row_requests: Sequence[RowRequest], *, retry: bool = False) -> Plan:
        """Write the requests of one batch to `folder` as its next plan, and return the plan. The
        write is atomic: after a crash, the plan exists completely or not at all. `retry` is the
        value of --retry-rejected."""
        stems = [file.stem for file in folder.glob("*.json")]
        number = max([int(stem) for stem in stems if re.fullmatch(r"\d{1,9}", stem)], default=0) + 1
        plan = cls(
            folder / f"{number:04}.json", secrets.token_hex(8), len(row_requests), retry=retry
        )
        with jsonl.replacing(plan._lines) as stream:
            for row_request in row_requests:
                row = row_request.row
                fields = {"sample": row.sample, "revealed": row.saw_answer}
                stream.write(jsonl.encode({**fields, "question": row.question.to_row()}))
        plan._write()
        return plan

    @classmethod
    def all_in(cls, folder: Path) -> list[Plan]:
        """Return the plans in a folder, in the order they were made."""
        return [cls._read(file) for file in sorted(folder.glob("*.json"))]

    @classmethod
    def tidy(cls, folder: Path) -> None:
        """Remove the files of incomplete plans from `folder`. A plan is incomplete if a run was
        killed while writing or deleting the plan."""
        # Temporary files that a killed process left begin with a dot.
        for temporary in folder.glob(".*"):
            temporary.unlink()
        for lines in folder.glob("*.requests.jsonl"):
            if not (folder / f"{lines.name.partition('.')[0]}.json").exists():
                lines.unlink()

    @classmethod
    def _read(cls, file: Path) -> Plan:
        try:
            plan = cls(file, **jsonl.decode(file.read_bytes()))
            plan._check()
        except (OSError, ValueError, TypeError):
            raise ScicotError(
                f"{file}: cannot read which batch was sent; repair this file, or delete it if no"
                " batch was sent"
            ) from None
        return plan

    def _check(self) -> None:
        """Raise ValueError if a field has an invalid type or value."""
        texts = [self.name, *(text for text in (self.began, self.id) if text is not None)]
        valid = all(isinstance(text, str) for text in texts)
        if not (valid and type(self.requests) is int and type(self.retry) is bool):
            raise ValueError
        if self.began is not None and datetime.fromisoformat(self.began).tzinfo is None:
            raise ValueError

    def row_requests(self, builder: RequestBuilder) -> Iterator[RowRequest]:
        """Yield the planned requests in order, rebuilt from the questions on disk. Raises
        ScicotError if the file of requests is missing or has an invalid line."""
        if not self._lines.exists():
            batch = "the batch" if self.id is None else f"batch {self.id}"
            raise ScicotError(
                f"{self._lines}: missing; restore it, since only this file lists the requests of"
                f" {batch}"
            )
        for located in jsonl.rows_from(self._lines, 0):
            sample, revealed = located.row.get("sample"), located.row.get("revealed")
            question_row = located.row.get("question")
            if not (
                type(sample) is int and type(revealed) is bool and isinstance(question_row, dict)
            ):
                raise InvalidRow(located.where, "not a batch request; restore this file")
            try:
                question = Question.from_row(question_row)
            except RowProblem as problem:
                raise InvalidRow(located.where, f"not a batch request ({problem})") from None
            yield builder.of(question, sample, revealed=revealed)

    def beginning(self) -> Plan:
        """Write the current time to the plan as `began`, and return the updated plan. Call it just
        before the batch is sent."""
        return self._saved(replace(self, began=datetime.now(UTC).isoformat()))

    def sent(self, identity: str) -> Plan:
        return self._saved(replace(self, id=identity))

    def drop(self) -> None:
        """Delete the plan's files, because its batch is finished or was not accepted. The .json
        file is deleted first, since a .requests.jsonl file alone does not count as a plan."""
        self.path.unlink(missing_ok=True)
        self._lines.unlink(missing_ok=True)

    def custom_id(self, line: int) -> str:
        """Return the custom_id that identifies a request in the results of this plan's batch:
        NAME-LINE, with `line` counted from 0. It has at most 64 characters of [a-zA-Z0-9_-], as the
        APIs require."""
        return f"{self.name}-{line}"

    def line_of(self, custom_id: str) -> int | None:
        """Return the line number (from 0) of the request with this custom_id. None if the custom_id
        does not belong to this plan."""
        name, _, line = custom_id.rpartition("-")
        is_number = line.isdecimal() and len(line) < 10  # int() refuses thousands of digits
        is_ours = name == self.name and is_number and int(line) < self.requests
        return int(line) if is_ours else None

    @property
    def _lines(self) -> Path:
        return self.path.with_suffix(".requests.jsonl")

    def _saved(self, changed: Plan) -> Plan:
        changed._write()
        return changed

    def _write(self) -> None:
        fields = {key: value for key, value in asdict(self).items() if key != "path"}
        jsonl.write_text(self.path, json.dumps(fields) + "\n")


def plans_of(output: Path) -> list[Plan]:
    """Return the plans of the unfinished batches of an output file, in the order they were made."""
    folder = beside(output, FOLDER)
    return Plan.all_in(folder) if folder.is_dir() else []
