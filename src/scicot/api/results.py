"""The results of `predict` and `generate_rationales`: counts and rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from html import escape
from pathlib import Path
from typing import Any, Self

from scicot.annotation import GenerateSummary
from scicot.jsonl import rows_from
from scicot.prediction import PredictSummary
from scicot.row_fields import Row

_SHOWN = 10  # rows shown in a notebook
_LONGEST = 120  # characters shown of a cell


class _WithRows:
    """Base class of results that give access to the rows of an output file, or to rows in
    memory."""

    output: str | None
    _rows: Sequence[Row] | None = None

    @property
    def rows(self) -> Sequence[Row]:
        """All rows of the output, in order. If they are in a file, they are read at the first
        access."""
        if self._rows is None:
            file = None if self.output is None else Path(self.output)
            self._rows = [] if file is None else [found.row for found in rows_from(file, 0)]
        return self._rows

    def to_pandas(self) -> Any:
        """Return the rows as a pandas DataFrame."""
        import pandas

        return pandas.DataFrame(list(self.rows))

    def _repr_html_(self) -> str:
        rows = list(self.rows)
        names = list(dict.fromkeys(name for row in rows[:_SHOWN] for name in row))
        head = "".join(f"<th>{escape(name)}</th>" for name in names)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_cell(row.get(name)))}</td>" for name in names) + "</tr>"
            for row in rows[:_SHOWN]
        )
        count_note = f"<p>{len(rows):,} rows</p>" if len(rows) > _SHOWN else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{count_note}"


@dataclass
class Predictions(_WithRows, PredictSummary):
    """The result of `predict`: its counts and `rows`. `output` is the file that was written, or
    None if the rows were kept in memory."""

    output: str | None = None

    @classmethod
    def of(cls, summary: PredictSummary, output: str | None, rows: Sequence[Row] | None) -> Self:
        result = cls(**_counts(summary), output=output)
        result._rows = rows
        return result


@dataclass
class Rationales(_WithRows, GenerateSummary):
    """The result of `generate_rationales`: its counts and `rows`. `output` is the file that was
    written, or None if the rows were kept in memory."""

    output: str | None = None

    @classmethod
    def of(cls, summary: GenerateSummary, output: str | None, rows: Sequence[Row] | None) -> Self:
        result = cls(**_counts(summary), output=output)
        result._rows = rows
        return result


def _counts(summary: Any) -> dict[str, Any]:
    return {field.name: getattr(summary, field.name) for field in fields(summary)}


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
