"""Apply the option --columns to the rows of a file.

A mapped field is the only source of its role. With answer=gold, the second row has no answer:

    {"question": "Which conducts?", "choices": ["wood", "copper"], "answer": "A", "gold": "B"}
    {"question": "Which burns?", "choices": ["wood", "copper"], "answer": "B"}

If no row has the field "gold", the option is wrong, and the file is refused.

A command may read the user's file together with files in scicot's own schema. The option does not
apply to the latter.
"""

from __future__ import annotations

from collections.abc import Collection

from scicot.formats import scicot_rows
from scicot.formats.mapping import missing_message
from scicot.formats.reading import FieldMapping, MappedFields, MissingField, Reading
from scicot.row_fields import Row


def is_scicot_row(row: Row) -> bool:
    """Return True if the question and the choices of a row are in scicot's own schema."""
    return isinstance(row.get("question"), str) and scicot_rows.matches(row)


def mapped_row(row: Row, reading: Reading, *, optional: Collection[str] = ()) -> Row:
    """Return the row with --columns applied, or `row` itself if the option does not apply to it.

    The mapped fields that the row has are added to `reading.fields`.

    optional: names of optional roles of --columns, such as "id". The roles in
        `reading.fields.optional` are optional too. If no row of the file has the field of an
        optional role, the mapping of this role is ignored.

    Raises RowProblem if the row lacks a mapped field of the question or of its choices. For the
    mapped fields of other roles, raises MissingField in these cases:

    - The role is not optional, and no row read so far has the field.
    - The role is optional, no row read so far has the field, and later rows may have the field
      (`reading.fields.final` is False).
    - This row has the field, but earlier rows of the same stream lack the field. These
      rows were read without the field, and a stream cannot be read again.
    """
    columns: FieldMapping | None = reading.columns
    fields = reading.fields
    if columns is None:
        return row
    applies = _applies(row, columns, fields)
    if fields is not None:
        fields.applied = applies or bool(fields.applied)
        columns = _known_part(row, columns, fields, optional) if applies else None
    return columns.applied(row) if applies and columns is not None else row


def _applies(row: Row, columns: FieldMapping, fields: MappedFields | None) -> bool:
    """Return True if --columns applies to a row. A row that is not in scicot's own schema is always
    mapped. A row in this schema is mapped only if --columns is meant for such rows."""
    if not is_scicot_row(row):
        return True
    # If a row in scicot's own schema has a mapped field with another name than in the schema, the
    # user's file is in this schema, so --columns applies to all such rows.
    if columns.lacks_question(row):
        return False
    renames = columns.renames(row)
    if not renames and not columns.missing(row):
        return True
    if fields is None:
        return renames
    if renames and fields.own_rows is False:
        raise MissingField(
            "--columns: this row has mapped fields that earlier rows of the stream lack; give a"
            " file instead of a stream"
        )
    if renames:
        fields.own_rows = True
    if fields.own_rows is None:
        if not fields.final:
            raise MissingField(missing_message(columns.missing(row), row))
        fields.own_rows = False
    return fields.own_rows


def _known_part(
    row: Row, columns: FieldMapping, fields: MappedFields, optional: Collection[str]
) -> FieldMapping | None:
    """Return `columns` without those optional roles whose fields occur in no row. Return None if no
    role is left. Raises MissingField in the cases listed in `mapped_row`."""
    present = columns.optional_fields(row)
    found = {name for name, is_present in present.items() if is_present}
    fields.found |= found
    if found & fields.ignored:
        raise MissingField(
            f'--columns: this row has the field "{min(found & fields.ignored)}", which earlier rows'
            " of the stream lack; give a file instead of a stream"
        )
    unknown = [name for name in present if name not in fields.found]
    if not unknown:
        return columns
    roles = {*optional, *fields.optional}
    ignorable = {columns.roles[role] for role in roles if role in columns.roles}
    needed = [name for name in unknown if name not in ignorable]
    if needed or not fields.final:
        raise MissingField(missing_message(needed or unknown, row))
    fields.ignored |= set(unknown)
    return columns.only(*(role for role in columns.roles if columns.roles[role] not in unknown))
