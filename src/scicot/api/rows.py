"""Accept rows in memory instead of files: a list of dicts, a datasets.Dataset or a DataFrame.

Such rows are written to a temporary file for the duration of a call, because the functions of the
library need files. They read a file twice, compare digests of files when they resume, and pass file
names to other processes.
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
    """Return the rows if `value` holds rows in memory. Return None for anything else, such as a
    file name or a list of file names."""
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
    """Writes rows that are in memory to files in a temporary folder, for functions that read
    files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0

    def file(self, value: Any) -> Any:
        """If `value` holds rows in memory, write them to a new file and return its path. A file
        name or None is returned as it is. Raises TypeError for any other value."""
        rows = in_memory(value)
        if rows is None:
            if value is not None and not isinstance(value, str | os.PathLike):
                raise TypeError(
                    f"cannot read rows from a {type(value).__name__}; give a file name, a list of"
                    " dicts, a datasets.Dataset or a pandas.DataFrame"
                )
            return value
        path = self.new()
        with path.open("wb") as stream:
            for number, row in enumerate(rows):
                if not isinstance(row, Mapping):
                    raise TypeError(f"row {number} is a {type(row).__name__}, not a dict")
                stream.write(jsonl.encode(json_value(row)))
        return str(path)

    def files(self, value: Any) -> Any:
        """Write rows that are in memory to files (see `file`). `value` is one source (a file or
        rows in memory) or a list of sources. Return the path of the source or a list of paths."""
        if isinstance(value, list | tuple) and (not value or in_memory(value) is None):
            return [self.file(source) for source in value]
        return self.file(value)

    def new(self) -> Path:
        """Return the path of a new file in the folder, without creating it."""
        self._count += 1
        return self.folder / ("rows.jsonl" if self._count == 1 else f"rows-{self._count}.jsonl")

    def keep(self, file: Any) -> Path:
        """Move `file` and its companion files, such as rows.rejected.jsonl, from the temporary
        folder to a folder that is not deleted. Return the new path of `file`."""
        folder = Path(tempfile.mkdtemp(prefix="scicot-kept-"))
        for path in self.folder.glob(f"{Path(file).stem}*"):
            shutil.move(path, folder / path.name)
        return folder / Path(file).name

    def without_folder(self, text: str) -> str:
        """Return `text`, a message or a file name, without the path of the temporary folder."""
        return text.replace(f"{self.folder}{os.sep}", "")

    def rows(self, file: Any) -> list[Row]:
        """Return the rows of `file`, a file in the temporary folder."""
        return [located.row for located in rows_from(Path(file), 0)]


@contextmanager
def spool() -> Iterator[Spool]:
    """Make a Spool whose files are deleted at the end of the `with` block. Error messages name the
    files without their folder, such as rows.jsonl."""
    with tempfile.TemporaryDirectory(prefix="scicot-") as folder:
        files = Spool(Path(folder))
        try:
            yield files
        except ScicotError as error:
            error.args = tuple(files.without_folder(str(argument)) for argument in error.args)
            raise
