"""Accept rows in memory instead of files: a list of dicts, a datasets.Dataset or a DataFrame.

They are written to a temporary file for the duration of a call, because readers read files twice,
resume by digests, and pass file names to other processes.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scicot import jsonl
from scicot.errors import ScicotError
from scicot.jsonl import rows_from
from scicot.row_fields import Row
from scicot.sources.binary import json_value

Files = Any  # one or several sources, or rows in memory


def in_memory(value: Any) -> Iterable[Any] | None:
    """Return the rows if the value holds rows; None for file names and lists of them."""
    if hasattr(value, "to_dict") and hasattr(value, "columns"):  # a pandas.DataFrame
        records: Iterable[Any] = value.to_dict("records")
        return records
    if hasattr(value, "column_names") and hasattr(value, "features"):  # a datasets.Dataset
        rows: Iterable[Any] = value
        return rows
    # the result of another function of the API
    if hasattr(value, "rows") and not isinstance(value, Mapping):
        found: Iterable[Any] = value.rows
        return found
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return value if not value or isinstance(value[0], Mapping) else None
    return None


class Spool:
    """Writes rows to files in a temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0

    def file(self, value: Any) -> Any:
        """Write rows in memory to a file and return its name; return other values unchanged."""
        rows = in_memory(value)
        if rows is None:
            if value is not None and not isinstance(value, str | os.PathLike):
                raise TypeError(
                    f"a {type(value).__name__} is no file and no rows; give the name of a file, a"
                    " list of dicts, a datasets.Dataset or a pandas.DataFrame"
                )
            return value
        path = self.new()
        with path.open("wb") as stream:
            for number, row in enumerate(rows):
                if not isinstance(row, Mapping):
                    raise TypeError(f"row {number} is no dict but a {type(row).__name__}")
                stream.write(jsonl.encode(json_value(row)))
        return str(path)

    def files(self, value: Any) -> Any:
        """Return the file of a source, or the list of files of a list of sources."""
        if isinstance(value, list | tuple) and (not value or in_memory(value) is None):
            return [self.file(source) for source in value]
        return self.file(value)

    def new(self) -> Path:
        """Return the name of a new file in the folder."""
        self._count += 1
        return self.folder / ("rows.jsonl" if self._count == 1 else f"rows-{self._count}.jsonl")

    def keep(self, file: Any) -> Path:
        """Move a file of rows, and the files beside it, out of the temporary folder. Return its new
        path."""
        folder = Path(tempfile.mkdtemp(prefix="scicot-kept-"))
        for path in self.folder.glob(f"{Path(file).stem}*"):
            shutil.move(path, folder / path.name)
        return folder / Path(file).name

    def without_folder(self, text: str) -> str:
        """Remove the temporary folder's path, which will be gone, from a message or a file name."""
        return text.replace(f"{self.folder}{os.sep}", "")

    def rows(self, file: Any) -> list[Row]:
        """Return the rows of a file in the folder."""
        return [located.row for located in rows_from(Path(file), 0)]


@contextmanager
def spool() -> Iterator[Spool]:
    """Make a Spool whose files are deleted at the end; error messages call the files "rows"."""
    with tempfile.TemporaryDirectory(prefix="scicot-") as folder:
        files = Spool(Path(folder))
        try:
            yield files
        except ScicotError as error:
            error.args = tuple(files.without_folder(str(argument)) for argument in error.args)
            raise
