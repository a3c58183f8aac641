"""Convert the rows of one source to scicot's schema, and record which fields were read."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

from scicot.config import ReadingSettings
from scicot.errors import InvalidRow, ScicotError
from scicot.formats import (
    Columns,
    Evidence,
    MappedFields,
    MissingField,
    Reading,
    Recognised,
    UncertainIndex,
    is_scicot_row,
    recognised,
    to_question_row,
)
from scicot.formats.fields import named
from scicot.formats.names import IDS
from scicot.formats.values import is_blank
from scicot.reporting import number_of
from scicot.row_fields import Row, RowProblem
from scicot.sources import bare_rationales
from scicot.sources.gold import likely_gold
from scicot.sources.locations import Source, is_rereadable, located_rows

_LAYOUTS_SHOWN = 3  # layouts described if a file has rows of several
_MAX_LAYOUTS = 32  # further layouts are not described

Convert = Callable[[Row, Reading], Row]


class Converter:
    """Converts the rows of one source to scicot's schema.

    The function `convert` is called for each row, with the settings that the user gave. In three
    cases, the row alone does not show how to read it:

    1. The gold answer is a number that may count from 0 or from 1.
    2. The gold answer is the label of one choice and the text of another.
    3. The row lacks a field of --columns.

    The other rows of the source then decide. To examine them, the whole source is read again.

    A pipe cannot be read again. In case 1, ScicotError is raised. In the cases 2 and 3, the rows
    that were already read decide.

    `optional_roles` are roles of --columns, such as "id". If no row has the field of such a role,
    the role is ignored.
    """

    def __init__(
        self,
        source: Source,
        convert: Convert,
        settings: ReadingSettings,
        *,
        optional_roles: Collection[str] = (),
    ) -> None:
        self._source = source
        self._convert = convert
        self._settings = settings
        self._fields = MappedFields(optional_roles)
        self._reading = Reading(
            Columns.parse(settings.columns),
            settings.answer_index,
            settings.answer_texts,
            from_file=True,
            fields=self._fields,
            kinds={},
            evidence=None if is_rereadable(source) else Evidence("pipe"),
        )
        # field names -> parts of a line of `recognised`, None for scicot's own rows
        self._layouts: dict[tuple[str, ...], tuple[Recognised, str] | None] = {}
        self._has_more_layouts = False  # more than _MAX_LAYOUTS
        self._likely_answers: dict[str, None] = {}
        # for each layout, the fields that may be the id, but were not the id of any row so far
        self._possible_ids: dict[tuple[str, ...], list[str]] = {}
        self._id_fields: dict[str, None] = {}

    @property
    def recognised(self) -> list[str]:
        """Lines that say which fields were read as question, choices and answer.

        There is one line for each layout (set of field names), but equal lines are listed only
        once. Rows in scicot's own schema have no line. Only the first `_MAX_LAYOUTS` layouts are
        described.
        """
        layouts = filter(None, self._layouts.values())
        return list(dict.fromkeys(f"{found.line()}{hint}" for found, hint in layouts))

    @property
    def summary(self) -> list[str]:
        """The first three lines of `recognised`. If `recognised` has more lines, a fourth line
        gives the number of the lines that are not shown."""
        lines = self.recognised
        least = "at least " if self._has_more_layouts else ""
        rest = number_of(len(lines) - _LAYOUTS_SHOWN, "more line")
        more = f"and {least}{rest} like these, for rows with other fields"
        return lines[:_LAYOUTS_SHOWN] + [more] * (len(lines) > _LAYOUTS_SHOWN)

    @property
    def columns_warning(self) -> str:
        """A warning if no row so far has all the fields that --columns names, else ""."""
        # A warning, not an error, because rows in scicot's own schema need no --columns.
        columns = self._reading.columns
        if self._fields.applied is not False or columns is None:
            return ""
        if columns.roles.keys() <= set(self._fields.optional):
            return ""
        return (
            f"--columns {self._reading.columns}: ignored, because no row has all of these fields;"
            " rows are read in scicot's own schema"
        )

    @property
    def likely_answer(self) -> str | None:
        """The name of an unused field that looks like the gold answer, or None.

        Only rows without a recognised gold answer are examined, and only the first `_MAX_LAYOUTS`
        layouts (sets of field names). The first field found is returned.
        """
        return next(iter(self._likely_answers), None)

    @property
    def id_fields(self) -> list[str]:
        """The names of the fields that were read as the id.

        Only rows of the first `_MAX_LAYOUTS` layouts (sets of field names) are examined. Rows in
        scicot's own schema are not examined.
        """
        return list(self._id_fields)

    def question_row(self, where: str, row: Row) -> Row:
        """Convert a row to scicot's schema. `where` is its location.

        Raises RowProblem if this row cannot be read. Raises ScicotError in the cases in which
        --skip-invalid must not skip the row:

        - The gold answer is a number, and neither the source nor --answer-index shows whether it
          counts from 0 or from 1.
        - A field of --columns is in no row of the source. In a pipe, only the rows up to this row
          are examined.
        """
        converted = self._converted(where, row)
        if converted is not row:
            self._record_fields(row, converted)
        return converted

    def _record_fields(self, row: Row, converted: Row) -> None:
        """Record which fields of a row were read. `recognised` and `id_fields` report them."""
        layout = tuple(row)
        if layout not in self._layouts:
            if len(self._layouts) == _MAX_LAYOUTS:
                self._has_more_layouts = True
                return
            self._layouts[layout] = self._recognised(row)
            self._possible_ids[layout] = self._id_names(row)
        possible = self._possible_ids[layout]
        if not possible or is_blank(converted.get("id")):
            return
        # In a row with a blank "id", another field may be the id.
        mapped = self._mapped_id
        is_id = (name for name in possible if name == mapped or row[name] == converted["id"])
        found = next(is_id, None)
        if found is not None:
            self._id_fields[found] = None
            possible.remove(found)

    def _converted(self, where: str, row: Row) -> Row:
        try:
            return self._convert(row, self._reading)
        except UncertainIndex as problem:
            return self._convert_with_evidence(where, row, problem)
        except MissingField as problem:
            if self._fields.final:
                raise ScicotError(f"{where}: {problem}") from None
        except RowProblem as problem:
            if type(problem) is not RowProblem or self._convert is not to_question_row:
                raise  # Rows handles subclasses such as NotText
            columns = self._reading.columns
            mapped = columns.roles.get("rationale") if columns is not None else None
            advice = bare_rationales.advice_for(row, os.fspath(self._source), mapped)
            raise (RowProblem(advice) if advice else problem) from None
        if is_rereadable(self._source):
            for _ in self._conversions(self._reading):
                pass  # each conversion adds the fields of its row to self._fields
        self._fields.final = True
        return self._converted(where, row)

    def _convert_with_evidence(self, where: str, row: Row, problem: UncertainIndex) -> Row:
        if self._reading.evidence is None:
            self._reading = replace(self._reading, evidence=self._count_evidence())
            try:
                return self._convert(row, self._reading)
            except UncertainIndex as second_problem:
                problem = second_problem
        raise ScicotError(f"{where}: {problem}")

    def _count_evidence(self) -> Evidence:
        """Count the answers of the whole source. The counts show how to read ambiguous answers."""
        evidence = Evidence("counting")
        fields = self._fields if self._fields.final else None
        counting = replace(self._reading, evidence=evidence, fields=fields, kinds=None)
        for _ in self._conversions(counting):
            pass
        return replace(evidence, stage="complete")

    def _conversions(self, reading: Reading) -> Iterator[Row]:
        """Yield the converted rows of the whole source. Skip rows that cannot be read."""
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

    def _recognised(self, row: Row) -> tuple[Recognised, str] | None:
        """Return (recognised fields, hint) for a row. The hint names an unused field that looks
        like the gold answer, or is "". Return None for a row in scicot's own schema."""
        if self._convert is not to_question_row or is_scicot_row(row):
            return None
        found = recognised(row, self._reading)
        mapped = self._reading.columns is not None and self._reading.columns.maps("answer")
        likely = None if found.answer or mapped else likely_gold(row)
        if likely is None:
            return found, ""
        self._likely_answers[likely] = None
        return found, f"; if {likely} is the gold answer, add --columns answer={likely}"

    def _id_names(self, row: Row) -> list[str]:
        """Return the names of the fields of a row from which its id may be read."""
        mapped = self._mapped_id
        return list(named(row, IDS)) if mapped is None else [mapped]

    @property
    def _mapped_id(self) -> str | None:
        """The field that --columns gives for the id: "key" for "id=key". None if --columns gives no
        such field, or if the field is ignored because no row so far has it."""
        columns = self._reading.columns
        name = columns.roles.get("id") if columns is not None else None
        return None if name in self._fields.ignored else name
