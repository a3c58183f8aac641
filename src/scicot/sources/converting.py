"""Convert the rows of one source to scicot's schema, and record which field was read as what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from scicot.config import ReadingSettings
from scicot.errors import InvalidRow, ScicotError
from scicot.formats import (
    Columns,
    MappedFields,
    MissingField,
    Reading,
    Tally,
    UncertainIndex,
    is_scicot_row,
    recognised,
    to_question_row,
)
from scicot.row_fields import Row, RowProblem
from scicot.sources.gold import likely_gold
from scicot.sources.locations import Source, is_rereadable, located_rows

_LAYOUTS_SHOWN = 3  # layouts described if a file has rows of several
_MAX_LAYOUTS = 32  # further layouts are not described

Convert = Callable[[Row, Reading], Row]


class Converter:
    """Converts the rows of a source to scicot's schema with the function `convert` and the user's
    reading settings.

    A numeric gold answer may count the choices from 0 or from 1. If a row does not show which, the
    whole source is read once to find out. The same is done if a row lacks a field of --columns.
    """

    def __init__(self, source: Source, convert: Convert, settings: ReadingSettings) -> None:
        self._source = source
        self._convert = convert
        self._settings = settings
        self._fields = MappedFields()
        self._reading = Reading(
            Columns.parse(settings.columns), settings.answer_index, strict=True, fields=self._fields
        )
        self._layouts: dict[tuple[str, ...], str] = {}  # field names -> line of `recognised`
        self._likely_answers: dict[str, None] = {}

    @property
    def recognised(self) -> list[str]:
        """Lines that say which fields were read as question, choices and answer: one line for each
        layout (set of field names) of the rows so far. There is no line for layouts of scicot's own
        rows, or for layouts after the first `_MAX_LAYOUTS`."""
        return list(dict.fromkeys(filter(None, self._layouts.values())))

    @property
    def summary(self) -> list[str]:
        """The first three lines of `recognised`. If there are more than three, a fourth line gives
        the number of the others."""
        lines = self.recognised
        least = "at least " if len(self._layouts) == _MAX_LAYOUTS else ""
        more = f"and {least}{len(lines) - _LAYOUTS_SHOWN} other layouts"
        return lines[:_LAYOUTS_SHOWN] + [more] * (len(lines) > _LAYOUTS_SHOWN)

    @property
    def unused_columns(self) -> str:
        """A sentence for a warning if no row so far had all fields named by --columns, else "".
        This is not an error, because rows in scicot's own schema need no --columns."""
        if self._fields.used or not self._fields.unused:
            return ""
        return (
            f"--columns {self._reading.columns}: no row has all of these fields; all are read"
            " as scicot's own"
        )

    @property
    def likely_answer(self) -> str | None:
        """The name of an unused field that looks like the gold answer, or None. It is from the
        first layout (set of field names) that has such a field and no recognised gold answer. Only
        the first `_MAX_LAYOUTS` layouts are examined."""
        return next(iter(self._likely_answers), None)

    def question_row(self, where: str, row: Row) -> Row:
        """Convert a row, whose location is `where`, to scicot's schema. Raises RowProblem if it
        cannot be read.

        Raises ScicotError if the gold answer is a number and the source does not show whether it
        counts from 0 or from 1 (the user can give this with --answer-index), or if no row has a
        field of --columns. The error is not a RowProblem, because --skip-invalid must not skip such
        rows.
        """
        converted = self._converted(where, row)
        is_new = converted is not row and tuple(row) not in self._layouts
        if is_new and len(self._layouts) < _MAX_LAYOUTS:
            self._layouts[tuple(row)] = self._recognised(row)
        return converted

    def _converted(self, where: str, row: Row) -> Row:
        try:
            return self._convert(row, self._reading)
        except UncertainIndex as problem:
            return self._convert_with_evidence(where, row, problem)
        except MissingField as problem:
            if self._fields.final:
                raise ScicotError(f"{where}: {problem}") from None
        if is_rereadable(self._source):
            for _ in self._conversions(self._reading):
                pass  # each conversion adds the fields of its row to self._fields
        self._fields.final = True
        return self._converted(where, row)

    def _convert_with_evidence(self, where: str, row: Row, problem: UncertainIndex) -> Row:
        if self._reading.tallies is None:
            self._reading = replace(self._reading, tallies=self._index_evidence())
            try:
                return self._convert(row, self._reading)
            except UncertainIndex as second_problem:
                problem = second_problem
        raise ScicotError(f"{where}: {problem}")

    def _index_evidence(self) -> dict[str, Tally]:
        """Read the whole source, and return for each gold field the counts (Tally) that show
        whether its numbers count from 0 or from 1. Returns {} for a pipe, which cannot be read
        twice."""
        tally: dict[str, Tally] = {}
        if not is_rereadable(self._source):
            return tally
        fields = self._fields if self._fields.final else None
        for _ in self._conversions(replace(self._reading, tally=tally, fields=fields)):
            pass
        return tally

    def _conversions(self, reading: Reading) -> Iterator[Row]:
        """Yield the converted rows of the whole source, without those that cannot be read."""
        for row in self._rows():
            try:
                yield self._convert(row, reading)
            except RowProblem:
                continue

    def _rows(self) -> Iterator[Row]:
        rows = located_rows(self._source, None, self._settings)
        while True:
            try:
                yield next(rows)[1]
            except StopIteration:
                return
            except InvalidRow:
                continue

    def _recognised(self, row: Row) -> str:
        """Return a line that says which fields of the row were read as question, choices and
        answer. Returns "" for scicot's own rows."""
        if self._convert is not to_question_row or is_scicot_row(row):
            return ""
        found = recognised(row, self._reading)
        mapped = self._reading.columns is not None and self._reading.columns.maps("answer")
        likely = None if found.answer or mapped else likely_gold(row)
        if likely is None:
            return found.line()
        self._likely_answers[likely] = None
        return f"{found.line()}; if {likely} holds it: --columns answer={likely}"
