"""Sample the training rows of each epoch.

With --rationale-dropout, rows chosen at random in each epoch are used without their rationales.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from scicot.config import TrainSettings

# Last part of the seeds of an epoch's random generators. Those of the files are numbered from 1.
_STREAMS = {"dropout": 1_000_001, "batches": 1_000_002}


class RowSampler:
    """Samples the training rows of each epoch. `files` holds, for each row, the index of the input
    file that it was read from. The samples depend only on the seed and the number of the epoch."""

    def __init__(self, files: Sequence[int], settings: TrainSettings) -> None:
        self._count = len(files)
        self._settings = settings
        self._files = [
            [row for row, file_of_row in enumerate(files) if file_of_row == file]
            for file in range(len(settings.weights))
        ]
        self._file_order = lru_cache(maxsize=2 * len(settings.weights) + 2)(self._new_file_order)

    def epoch(self, number: int) -> tuple[Any, Any]:
        """Return the training rows of an epoch in random order, as two arrays. The first holds the
        indices of the rows. The second is True for each row that is used without its rationale."""
        rng = np.random.default_rng([self._settings.seed, number])
        if self._settings.weights:
            rows = rng.permutation(np.concatenate(self._drawn_from_files(number)))
        else:
            rows = rng.permutation(self._count)
        dropped = self.rng(number, "dropout").random(self._count) < self._settings.rationale_dropout
        return rows, dropped

    def rng(self, epoch: int, stream: str) -> np.random.Generator:
        return np.random.default_rng([self._settings.seed, epoch, _STREAMS[stream]])

    def _drawn_from_files(self, epoch: int) -> list[Any]:
        """Return the indices of the rows of an epoch, as a list of arrays. The rows of the first
        file come first, then those of the second, and so on.

        The share of a file in the epoch is proportional to the file's weight. Each row of a file is
        used once, in random order, before any row of the file is used again.
        """
        weights = np.array(self._settings.weights)
        largest = int(np.argmax(weights))

        def drawn_until(epochs: int) -> Any:
            # Rounded over all epochs, so that a file with a very small share is used in some epoch.
            counts = np.round(weights / weights.sum() * self._count * epochs).astype(int)
            counts[largest] = max(0, self._count * epochs - np.delete(counts, largest).sum())
            return counts

        firsts, ends = drawn_until(epoch), drawn_until(epoch + 1)
        # If many files get a row in the same epoch, there may be too few left for the largest file,
        # and it may get more in the next epoch. The epochs keep their length even then.
        ends = np.maximum(ends, firsts)
        while (excess := (ends - firsts).sum() - self._count) > 0:
            file = int(np.argmax(ends - firsts))
            ends[file] -= min(excess, ends[file] - firsts[file])
        ends[largest] -= excess
        drawn = []
        for file, (first, end) in enumerate(zip(firsts, ends, strict=True)):
            picks = np.arange(first, end)
            turns, rows = np.divmod(picks, len(self._files[file]))
            drawn += [
                self._file_order(file, turn)[rows[turns == turn]] for turn in np.unique(turns)
            ]
        return drawn

    def _new_file_order(self, file: int, turn: int) -> Any:
        rng = np.random.default_rng([self._settings.seed, turn, file + 1])
        return rng.permutation(self._files[file])
