"""Token ids of all examples: computed once, stored as Arrow, read from disk if there are many."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from scicot.devices import cores
from scicot.training.examples import Encoded

# With fewer lessons, using the cache and starting processes takes longer than tokenising.
MANY = 20_000
_CHUNK = 1024  # lessons
_COLUMNS = ("input_ids", "labels")

Rows = dict[str, list[Any]]
Encode = Callable[[Sequence[Any]], Encoded]  # tokenises lessons


class Tokens:
    """The encoded examples of lessons; those of one lesson are adjacent.

    `lengths` (examples x 2, int64) are the tokens of inputs and targets; `cuts` and `cut_targets`
    count truncations.
    """

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self.lengths = np.stack([_lengths(dataset, name) for name in _COLUMNS], axis=1)
        counts = [json.loads(text) for text in dataset["told"] if text]
        self.cuts = sum((Counter(chunk_counts["cuts"]) for chunk_counts in counts), Counter[str]())
        self.cut_targets: int = sum(chunk_counts["cut_targets"] for chunk_counts in counts)

    def rows(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Return the examples at these indices, as `encode` made them."""
        columns = self._dataset[list(indices)]
        pairs = zip(columns["input_ids"], columns["labels"], strict=True)
        return [{"input_ids": source, "labels": target} for source, target in pairs]


def tokenise(lessons: Sequence[Any], encode: Encode, *, cached_as: str | None = None) -> Tokens:
    """Encode the lessons, in memory if `cached_as` is None. Otherwise encode them in parallel and
    store them in the cache of `datasets`, from which other runs on the same data read them.
    The key `cached_as` must determine the result."""
    import datasets

    chunks = [lessons[start : start + _CHUNK] for start in range(0, len(lessons), _CHUNK)]
    if cached_as is None:
        columns: Rows = {key: [] for key in (*_COLUMNS, "told")}
        for row in _encoded(chunks, encode):
            for key, value in row.items():
                columns[key].append(value)
        return Tokens(datasets.Dataset.from_dict(columns, features=_features()))
    dataset = datasets.Dataset.from_generator(
        _encoded,
        features=_features(),
        gen_kwargs={"chunks": chunks, "encode": encode},
        num_proc=min(len(chunks), cores()),
        fingerprint=hashlib.sha256(cached_as.encode()).hexdigest()[:32],
    )
    return Tokens(dataset)


def identity(tokenizer: Any) -> str:
    """Return a digest that identifies a tokenizer."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        return hashlib.sha256(backend.to_str().encode()).hexdigest()
    from datasets.fingerprint import Hasher

    return str(Hasher.hash(tokenizer))


def _encoded(chunks: Iterable[Sequence[Any]], encode: Encode) -> Iterator[dict[str, Any]]:
    """Yield the rows of the dataset; the first of each chunk records its truncations."""
    for chunk in chunks:
        encoded = encode(chunk)
        counts = json.dumps({"cuts": encoded.cuts, "cut_targets": encoded.cut_targets})
        for row in encoded.rows:
            yield {**row, "told": counts}
            counts = ""


def _features() -> Any:
    from datasets import Features, List, Value

    ids = List(Value("int32"))
    return Features({"input_ids": ids, "labels": ids, "told": Value("string")})


def _lengths(dataset: Any, column: str) -> Any:
    import pyarrow.compute

    counted = pyarrow.compute.list_value_length(dataset.data.column(column))
    return counted.to_numpy().astype(np.int64)
