"""The option --columns, which maps fields of a file to the parts of a question.

    question=Frage,choices=A+B+C+D,answer=gold.label,context=Text

Several fields are joined by +, and consecutive ones may be given as a range (A-D). A dotted path
leads into nested objects and lists. Parts that are not mapped are recognised automatically.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from scicot.errors import UsageError
from scicot.formats import choice_columns, choices
from scicot.formats.choice_set import Cells, lettered
from scicot.formats.names import IDS, RIGHT, plain_name
from scicot.formats.values import is_blank
from scicot.row_fields import Row, RowProblem

ROLES = ("question", "choices", "distractors", "answer", "context", "id", "rationale", "prediction")
_PART = re.compile(rf"\s*({'|'.join(ROLES)})\s*=")
_SEVERAL = ("choices", "distractors", "context")
_REQUIRED = ("question", "choices", "distractors")  # a row without these fields is invalid
_ABSENT = object()
_POSITION = re.compile(r"[0-9]{1,9}")  # of an element of a list, in a dotted path
_EXAMPLE = "question=FIELD,choices=FIELD+FIELD,answer=FIELD"


@dataclass(frozen=True)
class Columns:
    """The parsed value of --columns. `roles` maps roles (see ROLES) to fields: for
    "choices=A+B+C+D", it maps "choices" to "A+B+C+D"."""

    roles: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> Columns | None:
        """Parse `text`, the value of --columns. Return None if `text` is blank. Raises UsageError
        if `text` is invalid."""
        if not text.strip():
            return None
        starts = [match for match in _PART.finditer(text) if _is_start(text, match.start())]
        if not starts or starts[0].start() != 0:
            raise UsageError(
                f"--columns {text}: write {_EXAMPLE}; names allowed before =: {', '.join(ROLES)}"
            )
        ends = [match.start() - 1 for match in starts[1:]] + [len(text)]
        roles: dict[str, str] = {}
        for match, end in zip(starts, ends, strict=True):
            value = text[match.end() : end].strip()
            if not value or match[1] in roles:
                problem = "twice" if match[1] in roles else "without a field"
                raise UsageError(f"--columns {text}: names {match[1]} {problem}; write {_EXAMPLE}")
            roles[match[1]] = value
        if "choices" in roles and "distractors" in roles:
            raise UsageError(
                f"--columns {text}: names both choices and distractors; name choices (all choices)"
                " or distractors (only the wrong ones)"
            )
        return cls(roles)

    def maps(self, role: str) -> bool:
        return role in self.roles

    def cell_labels(self, row: Row) -> Cells | None:
        """Return the label of the choice in each column to which --columns maps the choices, in
        order. The label is None if the cell of the row is blank or missing. Return None if
        --columns does not map the choices to at least two columns of the row."""
        names = self._choice_fields(row)
        if not names:
            return None
        values = [_at(row, name) for name in names]
        return tuple(
            None if value is _ABSENT or is_blank(value) else label
            for label, value in zip(_labels(names), values, strict=True)
        )

    def labels_by_name(self, row: Row) -> Mapping[str, str]:
        """Return a dict from the name of each choice column to the label of its choice. The names
        are in the form of `plain_name`. Return {} if --columns does not map the choices to at least
        two columns of the row."""
        names = self._choice_fields(row)
        return _labels_by_name(names) if names else {}

    def _choice_fields(self, row: Row) -> tuple[str, ...]:
        """Return the columns of the row to which --columns maps the choices. Return () if there are
        fewer than two."""
        if "choices" not in self.roles:
            return ()
        mapped = _fields(tuple(row), self.roles["choices"], allow_several=True)
        return () if len(mapped) < 2 else tuple(dict.fromkeys(mapped))

    def only(self, *roles: str) -> Columns | None:
        """Return a copy with only the roles in `roles`. Return None if no role is left."""
        selected = {role: field for role, field in self.roles.items() if role in roles}
        return Columns(selected) if selected else None

    def __str__(self) -> str:
        return ",".join(f"{role}={field}" for role, field in self.roles.items())

    @property
    def names(self) -> tuple[str, ...]:
        """The names in --columns that may occur in the header of a table. "choices=A+B" gives three
        names: "A", "B" and "A+B", since a column's name may contain a plus sign."""
        found = []
        for value in self.roles.values():
            found += [value, *value.split("+")]
        return tuple(name.strip() for name in found)

    def missing(self, row: Row) -> list[str]:
        """Return the names of the mapped fields that the row lacks."""
        return [
            name
            for role, value in self.roles.items()
            for name in _fields(tuple(row), value, allow_several=role in _SEVERAL)
            if _at(row, name) is _ABSENT
        ]

    def lacks_question(self, row: Row) -> bool:
        """Return True if the row lacks a field that is mapped to the question or its choices."""
        required = self.only(*_REQUIRED)
        return required is not None and bool(required.missing(row))

    def optional_fields(self, row: Row) -> dict[str, bool]:
        """Return which fields of --columns the row has, such as {"gold": True, "why": False}. The
        keys are the names that the user wrote in --columns. Fields that are mapped to the question
        and to its choices are left out."""
        names = tuple(row)
        found: dict[str, bool] = {}
        for role, value in self.roles.items():
            if role in _REQUIRED:
                continue
            several = role in _SEVERAL
            for part in map(str.strip, value.split("+") if several else [value]):
                fields_of_part = _fields(names, part, allow_several=several)
                found[part] = value in row or all(
                    _at(row, name) is not _ABSENT for name in fields_of_part
                )
        return found

    def renames(self, row: Row) -> bool:
        """Return True if the row has a mapped field whose name is not a role ("question", "answer"
        and so on).

        With answer=gold, the field "gold" is such a field. With answer=answer, there is none.
        """
        return any(
            name not in ROLES and _at(row, name) is not _ABSENT
            for role, value in self.roles.items()
            for name in _fields(tuple(row), value, allow_several=role in _SEVERAL)
        )

    def applied(self, row: Row) -> Row:
        """Return the row with each mapped field renamed to its role, such as "question".

        With answer=gold, the field "gold" becomes "answer". A field that is already called "answer"
        becomes "original.answer", whether or not the row has a field "gold". So only the mapped
        field can give the answer.

        Raises RowProblem if a field of the question or of its choices is missing.
        """
        mapped: dict[str, Any] = {}
        used: set[str] = set()
        for role, value in self.roles.items():
            names = _fields(tuple(row), value, allow_several=role in _SEVERAL)
            found = {name: _at(row, name) for name in names}
            absent = [name for name in names if found[name] is _ABSENT]
            if absent and role in _REQUIRED:
                raise RowProblem(missing_message(absent, row))
            used |= {name for name in names if name in row}
            present = {name: cell for name, cell in found.items() if cell is not _ABSENT}
            if present:
                right = _at(row, self.roles.get("answer", ""))
                mapped[role] = _value(role, present, right)
        roles = set(self.roles)
        if "distractors" in mapped:
            mapped = self._with_distractors(mapped, row)
            roles |= {*mapped, *map(plain_name, choice_columns.wrong_columns(tuple(row)))}
            roles |= set(RIGHT) if "answer" in self.roles else set()
        if "id" in roles and is_blank(mapped.get("id")):
            roles |= set(IDS)
        rest = {
            f"original.{name}" if plain_name(name) in roles or name in roles else name: cell
            for name, cell in row.items()
            if name not in used
        }
        return {**mapped, **rest}

    def _with_distractors(self, mapped: Row, row: Row) -> Row:
        """Return `mapped` with the distractors and the right answer under the names that
        choice_columns.py recognises: "distractor1", "correct_answer"."""
        if "answer" in self.roles and "answer" not in mapped:
            raise RowProblem(missing_message([self.roles["answer"]], row))
        texts = mapped.pop("distractors")
        wrong = {f"distractor{number}": text for number, text in enumerate(texts, start=1)}
        if isinstance(mapped.get("answer"), str):
            wrong["correct_answer"] = mapped.pop("answer")
        return {**mapped, **wrong}


def missing_message(absent: Sequence[str], row: Row) -> str:
    """Return the error message for a row that lacks the mapped fields `absent`."""
    names = ", ".join(f'"{name[:40]}"' for name in list(row)[:12])
    return f'--columns: there is no field "{absent[0][:40]}"; the row has {names}'


def _is_start(text: str, index: int) -> bool:
    return index == 0 or text[index - 1] == ","


def _value(role: str, cells: Mapping[str, Any], right: Any) -> Any:
    """Return the value of a role. `cells` holds the values of the fields that are mapped to the
    role, by field name. `right` is the value of the field that is mapped to the answer. `right`
    is used only for the role "distractors"."""
    if role == "choices" and len(cells) > 1:
        return _choices_of(cells)
    if role == "distractors":
        texts: list[Any] = []
        for value in cells.values():
            texts += choices.distractors(value, right) if len(cells) == 1 else [value]
        return [text for text in texts if not is_blank(text)]
    if role == "context":
        texts_present = [str(value) for value in cells.values() if not is_blank(value)]
        return "\n".join(texts_present)
    return next(iter(cells.values()))


def _choices_of(cells: Mapping[str, Any]) -> Any:
    """Make choices from the cells of several columns. Blank cells are left out."""
    return [
        {"label": label, "text": str(text)}
        for label, text in zip(_labels(tuple(cells)), cells.values(), strict=True)
        if not is_blank(text)
    ]


def _labels(names: tuple[str, ...]) -> list[str]:
    """Return the labels of the choices in these columns. They are taken from consecutive column
    names, such as "opt1" and "opt2". For other names they are A, B, C and so on."""
    family = next(iter(choice_columns.families(names)), None)
    if family and family.columns == names:
        return list(family.labels)
    return [row["label"] for row in lettered(names)]


@lru_cache(maxsize=256)  # cached because all rows of a file have the same choice columns
def _labels_by_name(names: tuple[str, ...]) -> Mapping[str, str]:
    family = next(iter(choice_columns.families(names)), None)
    if family and family.columns == names:
        return family.labels_by_name
    # A letter or a number would not show if it is the name of a column or a label.
    pairs = zip(map(plain_name, names), _labels(names), strict=True)
    return {name: label for name, label in pairs if len(name) > 1 and not name.isdigit()}


@lru_cache(maxsize=1024)  # cached because nearly all rows of a file have the same fields
def _fields(names: tuple[str, ...], value: str, *, allow_several: bool) -> tuple[str, ...]:
    """Split `value`, the fields of a role in --columns ("A+B", "A-D"), into names of fields. Return
    `value` unsplit if it is one of the row's field names (`names`), or if `allow_several` is
    False."""
    if value in names or not allow_several:
        return (value,)
    found: list[str] = []
    for part in (part.strip() for part in value.split("+")):
        ends = [end.strip() for end in part.split("-")]
        found += _range(names, *ends) if part not in names and len(ends) == 2 else [part]
    return tuple(found)


def _range(names: tuple[str, ...], first: str, last: str) -> list[str]:
    """Return the field names from `first` to `last`, in the row's order. If the row has no such
    range, return the text FIRST-LAST as the only name."""
    if first in names and last in names and names.index(first) <= names.index(last):
        return list(names[names.index(first) : names.index(last) + 1])
    return [f"{first}-{last}"]


def _at(row: Row, path: str) -> Any:
    """Return the value of the field `path`. If there is no such field, return the value at the
    dotted path `path`. Return _ABSENT if there is no such value either."""
    if path in row:
        return row[path]
    value: Any = row
    for name in path.split("."):
        if isinstance(value, Mapping) and name in value:
            value = value[name]
        elif isinstance(value, list) and _POSITION.fullmatch(name) and int(name) < len(value):
            value = value[int(name)]
        else:
            return _ABSENT
    return value
