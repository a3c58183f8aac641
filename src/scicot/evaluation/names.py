"""Choose short, distinct names for the evaluated files, as shown in the report."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from scicot.errors import UsageError
from scicot.sources import Source


def name_files(files: Sequence[Source]) -> dict[str, list[Source]]:
    """Return a dict from the name of each system to its files. Files given as NAME=FILE with the
    same NAME belong to one system, one file for each seed.

    A file given without a NAME is a system of its own. Its name is its stem, or its path if several
    files have the same stem. The argument "a=b.jsonl" has no NAME if a file "a=b.jsonl" exists.

    Raises UsageError if two systems would have the same name, if a system has the same file twice,
    or if a file has an empty path.
    """
    pairs = [_split_name(file) for file in files]
    stems = ["stdin" if file == "-" else Path(file).stem for _, file in pairs]
    given_names = {name for name, _ in pairs if name}
    files_by_system: dict[str, list[Source]] = {}
    for (name, file), stem in zip(pairs, stems, strict=True):
        system_name = name or (stem if stems.count(stem) == 1 else os.fspath(file))
        if not name and files_by_system.get(system_name) == [file]:
            raise UsageError(f"{file}: is given twice")
        if not name and (system_name in given_names or system_name in files_by_system):
            raise UsageError(
                f"two files are named {system_name!r}; give NAME=FILE with other names"
            )
        seeds = files_by_system.setdefault(system_name, [])
        if os.path.realpath(file) in map(os.path.realpath, seeds):
            raise UsageError(f"{name}={file}: is given twice; give a different file for each seed")
        seeds.append(file)
    return files_by_system


def _split_name(file: Source) -> tuple[str, str]:
    text = os.fspath(file)
    name, equals, rest = text.partition("=")
    if not text.strip() or (equals and not rest.strip() and not Path(text).exists()):
        raise UsageError(f"{text or 'PREDICTIONS'}: names no file; write FILE or NAME=FILE")
    return (name, rest) if equals and not Path(text).exists() else ("", text)
