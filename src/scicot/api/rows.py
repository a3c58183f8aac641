"""Accept rows in memory in place of files: a list of dicts, a datasets.Dataset or a DataFrame.

They are written to a temporary file for the duration of a call, because readers read files twice,
resume by digests, and pass file names to other processes.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scicot.errors import ScicotError
from scicot.jsonl import rows_from
from scicot.row_fields import Row
from scicot.sources.binary import plain

Files = Any  # a source or several, rows in memory among them


def in_memory(value: Any) -> Iterable[Any] | None:
    """Return the rows of a value that holds rows, None for file names and lists of them."""
    if hasattr(value, "to_dict") and hasattr(value, "columns"):  # a DataFrame, pandas' or like it
        records: Iterable[Any] = value.to_dict("records")
        return records
    if hasattr(value, "column_names") and hasattr(value, "features"):  # a datasets.Dataset
        rows: Iterable[Any] = value
        return rows
    if hasattr(value, "rows") and not isinstance(value, Mapping):  # a result of another verb
        found: Iterable[Any] = value.rows
        return found
    if isinstance(value, Sequence) and not isinstance(value, str | bytes) and value:
        return value if isinstance(value[0], Mapping) else None
    return None


class Spool:
    """Writes rows to files of a temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0

    def file(self, value: Any) -> Any:
        """Write rows in memory to a file and return its name; return other values unchanged."""
        rows = in_memory(value)
        if rows is None:
            return value
        path = self.new()
        with path.open("w", encoding="utf-8") as stream:
            for number, row in enumerate(rows):
                if not isinstance(row, Mapping):
                    raise TypeError(f"row {number} is no dict but a {type(row).__name__}")
                stream.write(json.dumps(_json(row), ensure_ascii=False) + "\n")
        return str(path)

    def files(self, value: Any) -> Any:
        """Return the file of a source, or the list of files of a list of sources."""
        if in_memory(value) is None and isinstance(value, list | tuple):
            return [self.file(one) for one in value]
        return self.file(value)

    def new(self) -> Path:
        """Return the name of a new file in the folder."""
        self._count += 1
        return self.folder / ("rows.jsonl" if self._count == 1 else f"rows-{self._count}.jsonl")

    def rows(self, file: Any) -> list[Row]:
        """The rows of a file that was written here."""
        return [located.row for located in rows_from(Path(file), 0)]


@contextmanager
def spool() -> Iterator[Spool]:
    """Make a Spool whose files are removed at the end; error messages call the files "rows"."""
    with tempfile.TemporaryDirectory(prefix="scicot-") as folder:
        try:
            yield Spool(Path(folder))
        except ScicotError as error:
            error.args = tuple(str(own).replace(f"{folder}/", "") for own in error.args)
            raise


def _json(value: Any) -> Any:
    """Convert numpy and pandas values to JSON's lists, numbers and None."""
    if isinstance(value, Mapping):
        return {str(key): _json(own) for key, own in value.items()}
    if isinstance(value, list | tuple):
        return [_json(own) for own in value]
    convert: Callable[[], Any] | None = getattr(value, "tolist", None)
    if convert is not None:  # an array, or a number of numpy
        return _json(convert())
    return None if type(value).__name__ in ("NAType", "NaTType") else plain(value)
