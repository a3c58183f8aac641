"""Read data sets from the Hugging Face Hub with `datasets`, which caches them.

hf://allenai/openbookqa/test                  hf://OWNER/NAME/SPLIT
hf://allenai/ai2_arc/ARC-Easy/validation      hf://OWNER/NAME/CONFIG/SPLIT
hf://OWNER/NAME/data/quiz.xlsx                a file of the data set
hf://OWNER/NAME/data/*.zst                    several files of the data set
"""

from __future__ import annotations

import fnmatch
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from scicot.errors import InvalidRow, ScicotError
from scicot.jsonl import decode
from scicot.sources import shards
from scicot.sources.entries import Entry
from scicot.text import error_line

PREFIX = "hf://"

# seconds to wait for the Hub's first answer, since `datasets` would retry five times
_PATIENCE = 10.0


class Address(NamedTuple):
    repository: str
    config: str | None
    split: str


def parse(source: str) -> Address:
    parts = _parts(source)
    if len(parts) not in (3, 4) or not all(parts):
        raise ScicotError(f"{source}: write hf://OWNER/NAME/SPLIT or hf://OWNER/NAME/CONFIG/SPLIT")
    config = parts[2] if len(parts) == 4 else None
    return Address("/".join(parts[:2]), config, parts[-1])


def _parts(source: str) -> list[str]:
    return source.removeprefix(PREFIX).removeprefix("datasets/").split("/")


def files_of(source: str) -> list[tuple[str, str]] | None:
    """Download the files that `source` names, and return (local path, hf:// name) for each.

    `source` is a path or a glob pattern in a data set, such as hf://OWNER/NAME/data/*.zst. Return
    None if `source` names a split instead. Raises ScicotError if a file cannot be loaded, or if no
    file matches the pattern.
    """
    parts = _parts(source)
    repository, path = "/".join(parts[:2]), "/".join(parts[2:])
    if len(parts) < 3 or not all(parts) or not shards.names_files(path):
        return None
    from huggingface_hub import HfApi, hf_hub_download

    try:
        paths = [path]
        if shards.is_pattern(path):
            repo_files = HfApi().list_repo_files(repository, repo_type="dataset")
            paths = sorted(fnmatch.filter(repo_files, path), key=shards.by_number)
        found = [
            (
                hf_hub_download(repository, path_in_repo, repo_type="dataset"),
                f"{PREFIX}{repository}/{path_in_repo}",
            )
            for path_in_repo in paths
        ]
    except Exception as error:  # noqa: BLE001 (of any kind: missing, gated, no network)
        raise ScicotError(f"{source}: {error_line(error)}") from None
    if not found:
        raise ScicotError(f"{source}: no file of the data set matches this pattern")
    return found


def entries(source: str) -> Iterator[Entry]:
    """Yield the rows of a split, and an InvalidRow for each row that JSON cannot represent.

    `source` names the split, such as hf://OWNER/NAME/SPLIT. Raises ScicotError if the split cannot
    be loaded.
    """
    address = parse(source)
    if Path(address.repository).exists():
        # `datasets` would silently read the local folder instead.
        raise ScicotError(
            f"{source}: the local folder {address.repository} has the same name; "
            "run from another folder, or give the file inside it"
        )
    for number, row in enumerate(_load(source, address), start=1):
        where = f"{source}:{number}"
        try:
            # Converting to JSON and back turns times into strings, as in a file.
            yield where, decode(json.dumps(row, default=str))
        except ValueError as error:
            yield InvalidRow(where, f"not JSON ({error})")


def _load(source: str, address: Address) -> Any:
    try:
        import datasets  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        raise ScicotError(f"{source}: needs a package: pip install datasets") from None
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    offline = datasets.config.HF_HUB_OFFLINE
    # Offline, `datasets` would retry for half a minute; in offline mode it uses its cache at once.
    datasets.config.HF_HUB_OFFLINE = offline or not hub_answers(address.repository)
    try:
        # Since version 4, `datasets` runs no loading script from a repository, so no option is
        # needed.
        table = datasets.load_dataset(address.repository, address.config, split=address.split)
    except ConnectionError:
        raise ScicotError(
            f"{source}: the Hub cannot be reached and the data set is not in the local cache"
            " (HF_HOME); run again with a network connection, or give a local file"
        ) from None
    except Exception as error:  # noqa: BLE001 (of any kind: missing, gated, no such config or split)
        raise ScicotError(f"{source}: {error_line(error)} (hf://OWNER/NAME/CONFIG/SPLIT)") from None
    finally:
        datasets.config.HF_HUB_OFFLINE = offline
    return _without_pictures(datasets, table)


def hub_answers(repository: str) -> bool:
    """Return True if the Hub responds to a request for this repository, even with an HTTP error."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        HfApi().dataset_info(repository, timeout=_PATIENCE)
    except HfHubHTTPError:  # such as for a missing repository, which `datasets` explains better
        return True
    except Exception:  # noqa: BLE001 (of httpx or requests, whichever the Hub's client is built on)
        return False
    return True


def _without_pictures(datasets: Any, table: Any) -> Any:
    """Return the data set `table` with its images left undecoded. `datasets` is the imported
    module."""
    for name, feature in table.features.items():
        if isinstance(feature, datasets.Image):
            # decoding takes time and needs another package
            table = table.cast_column(name, datasets.Image(decode=False))
    return table
