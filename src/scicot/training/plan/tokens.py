"""Tokenise all examples once and keep their token ids in Arrow format: in memory or, for many
training rows, on disk."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from scicot.devices import cores
from scicot.training.examples import Encoded

# With fewer training rows, using the cache and starting processes takes longer than tokenising.
MANY = 20_000
_CHUNK = 1024  # training rows per chunk
_COLUMNS = ("input_ids", "labels")

Rows = dict[str, list[Any]]
Encode = Callable[[Sequence[Any]], Encoded]  # tokenises training rows


class Tokens:
    """The tokenised examples of all training rows. The examples of one row are adjacent.

    - `lengths`: the numbers of input and target tokens, in an int64 array of shape (examples, 2).
    - `cuts`: counts of truncated inputs, and of texts with characters that the tokenizer lacks (see
      Encoded).
    - `cut_targets`: the number of truncated targets.
    """

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self.lengths = np.stack([_lengths(dataset, name) for name in _COLUMNS], axis=1)
        counts = [json.loads(text) for text in dataset["counts"] if text]
        self.cuts = sum((Counter(chunk_counts["cuts"]) for chunk_counts in counts), Counter[str]())
        self.cut_targets: int = sum(chunk_counts["cut_targets"] for chunk_counts in counts)

    def rows(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Return the examples with these indices, as {"input_ids": token ids, "labels": token
        ids}."""
        columns = self._dataset[list(indices)]
        pairs = zip(columns["input_ids"], columns["labels"], strict=True)
        return [{"input_ids": source, "labels": target} for source, target in pairs]


def tokenise(lessons: Sequence[Any], encode: Encode, *, cached_as: str | None = None) -> Tokens:
    """Tokenise training rows with `encode`. If `cached_as` is None, the result stays in memory.

    Otherwise several processes tokenise the rows, and the result is stored in the cache of the
    library `datasets` under the key `cached_as`. Later runs with the same key read the stored
    result, so the key must contain everything that the result depends on.
    """
    import datasets

    chunks = [lessons[start : start + _CHUNK] for start in range(0, len(lessons), _CHUNK)]
    if cached_as is None:
        columns: Rows = {key: [] for key in (*_COLUMNS, "counts")}
        for row in _encoded(chunks, encode):
            for key, value in row.items():
                columns[key].append(value)
        return Tokens(datasets.Dataset.from_dict(columns, features=_features()))
    dataset = datasets.Dataset.from_generator(
        _encoded,
        features=_features(),
        gen_kwargs={"chunks": chunks, "encode": encode},
        num_proc=min(len(chunks), cores()),
        fingerprint=hashlib.sha256(f"{list(_features())} {cached_as}".encode()).hexdigest()[:32],
    )
    return Tokens(dataset)


def identity(tokenizer: Any) -> str:
    """Return a hash of a tokenizer, which differs between tokenizers that encode differently."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        return hashlib.sha256(backend.to_str().encode()).hexdigest()
    from datasets.fingerprint import Hasher

    return str(Hasher.hash(tokenizer))


def _encoded(chunks: Iterable[Sequence[Any]], encode: Encode) -> Iterator[dict[str, Any]]:
    """Encode chunks of training rows, and yield one table row for each example. In the first table
    row of each chunk, the field "counts" holds the truncation counts of the whole chunk. In the
    other table rows, the field is ""."""
    for chunk in chunks:
        encoded = encode(chunk)
        counts = json.dumps({"cuts": encoded.cuts, "cut_targets": encoded.cut_targets})
        for row in encoded.rows:
            yield {**row, "counts": counts}
            counts = ""


def _features() -> Any:
    from datasets import Features, List, Value

    ids = List(Value("int32"))
    return Features({"input_ids": ids, "labels": ids, "counts": Value("string")})


def _lengths(dataset: Any, column: str) -> Any:
    import pyarrow.compute

    counted = pyarrow.compute.list_value_length(dataset.data.column(column))
    return counted.to_numpy().astype(np.int64)
