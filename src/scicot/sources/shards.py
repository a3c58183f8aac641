"""List the shards of a source: the files of a folder or of a glob pattern, in order."""

from __future__ import annotations

import glob
import re
from pathlib import Path

from scicot.errors import ScicotError

_KINDS = (".jsonl", ".json", ".csv", ".tsv", ".parquet", ".xlsx", ".ndjson", ".eval")
_COMPRESSED = (".gz", ".zst")
# Files that the Hub and `datasets` write beside the data.
_METADATA_FILES = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json")
_SPLITS = re.compile(
    r"(?<![a-z])(train|training|test|testing|dev|devel|valid|validation|val|eval)(?![a-z])"
)
_SHOWN = 4


def is_pattern(source: str) -> bool:
    """Return True if a name is a glob pattern and not the name of an existing file."""
    return glob.has_magic(source) and not Path(source).exists()


def files_of(source: str) -> list[str] | None:
    """Return the files of a folder or a glob pattern, in natural order of their names. Return None
    if `source` is neither.

    Raises ScicotError if there is no file, or if the files in a folder have different extensions or
    belong to different splits.
    """
    if is_pattern(source):
        found = [
            path
            for path in glob.glob(source, recursive=True)  # noqa: PTH207 (absolute ones too)
            if Path(path).is_file()
        ]
        if not found:
            raise ScicotError(f"{source}: no file matches this pattern")
        return sorted(found, key=by_number)
    folder = Path(source)
    try:
        if not folder.is_dir():
            return None
        files = [path for path in folder.iterdir() if path.is_file() and _kind(path.name)]
    except (OSError, ValueError):  # ValueError: the name contains a NUL
        return None
    if not files:
        _check_not_saved(folder)
        raise ScicotError(
            f"{source}: a directory without data files ({', '.join(_KINDS)}); give a file"
        )
    kinds = sorted({_kind(path.name) or "" for path in files})
    if len(kinds) > 1:
        raise ScicotError(
            f"{source}: a directory with several kinds of files ({', '.join(kinds[:_SHOWN])}); give"
            f" a pattern, such as '{folder}/*{kinds[0]}'"
        )
    splits = sorted({split for path in files if (split := _split(path.name))})
    if len(splits) > 1:
        raise ScicotError(
            f"{source}: a directory with several splits ({', '.join(splits[:_SHOWN])}); give a"
            f" pattern, such as '{folder}/{splits[-1]}*'"
        )
    return sorted(map(str, files), key=by_number)


def _check_not_saved(folder: Path) -> None:
    """Raise ScicotError if `datasets` wrote this folder by `Dataset.save_to_disk`. The error
    message says how to convert the folder."""
    splits = (folder / "dataset_dict.json").is_file()
    if not splits and not ((folder / "state.json").is_file() and any(folder.glob("*.arrow"))):
        return
    split = '["train"]' if splits else ""
    convert = f'datasets.load_from_disk({str(folder)!r}){split}.to_parquet("rows.parquet")'
    raise ScicotError(
        f"{folder}: a data set saved by save_to_disk, which is not supported; convert it in"
        f" Python: {convert}"
    )


def names_files(path: str) -> bool:
    """Return True if a path is a glob pattern, or ends in an extension of files with rows, such as
    .csv."""
    return glob.has_magic(path) or _kind(path.rpartition("/")[2]) is not None


def _kind(name: str) -> str | None:
    """Return the extension of a file with rows, such as ".csv" for "a.csv" or "a.csv.gz". Return
    None for any other file."""
    lower = name.lower()
    if lower.startswith(".") or lower in _METADATA_FILES:
        return None
    for extension in _COMPRESSED:
        lower = lower.removesuffix(extension)
    return next((kind for kind in _KINDS if lower.endswith(kind)), None)


def _split(name: str) -> str | None:
    match = _SPLITS.search(re.sub(r"[_\-.]+", " ", name.lower()))
    return match[1] if match else None


def by_number(path: str) -> list[tuple[int, str]]:
    """Return a key by which paths are sorted naturally, so that shard-2 comes before shard-10."""
    return [
        (int(part), "") if part.isdecimal() and len(part) < 20 else (-1, part)
        for part in re.split(r"(\d+)", path)
    ]
