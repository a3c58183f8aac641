"""Which example a student meets at which step: the whole training, laid out before it starts.

Item k of a schedule is decided by the seed and k alone. So a training that goes on from step s
meets the same examples as one that was never stopped, and so would processes that share it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from scicot.config import TrainSettings
from scicot.stages import Stage
from scicot.training.examples import Encoded, Lesson, encode, examples_of


class Schedule:
    """The encoded examples of a training in their order: `steps` batches of `batch_size`.

    An epoch is as many lessons as there are, in a random order: each once or, with `weights`, each
    file as often as its weight says, going through all of its lessons before any comes again.
    """

    def __init__(
        self, lessons: Sequence[Lesson], stage: Stage, tokenizer: Any, settings: TrainSettings
    ) -> None:
        self._lessons = lessons
        self._stage = stage
        self._tokenizer = tokenizer
        self._settings = settings
        self._per_lesson = len(examples_of(lessons[0], stage))
        self._files = [
            [place for place, lesson in enumerate(lessons) if lesson.file == file]
            for file in range(len(settings.weights))
        ]
        self._order = lru_cache(maxsize=2)(self._new_order)
        self._file_order = lru_cache(maxsize=2 * len(settings.weights) + 2)(self._new_file_order)
        self._full = self._encoded(drop_rationale=False)
        dropout = settings.rationale_dropout > 0
        self._bare = self._encoded(drop_rationale=True) if dropout else None
        self.cuts: Counter[str] = self._full.cuts
        self.cut_targets = self._full.cut_targets
        batch, items = settings.batch_size, len(lessons) * self._per_lesson
        self.steps = settings.max_steps or max(1, round(settings.epochs * -(-items // batch)))

    def __len__(self) -> int:
        return self.steps * self._settings.batch_size

    def __getitem__(self, item: int) -> dict[str, Any]:
        draw, part = divmod(item, self._per_lesson)
        place = self._place(draw)
        dice = random.Random(f"{self._settings.seed}/{draw}")
        bare = dice.random() < self._settings.rationale_dropout
        if self._settings.shuffle_choices:
            lesson = self._lessons[place].shuffled(dice)
            example = examples_of(lesson, self._stage, drop_rationale=bare)[part]
            return self._encode([example]).rows[0]
        chosen = self._bare if bare and self._bare else self._full
        return chosen.rows[place * self._per_lesson + part]

    @property
    def in_fixed_order(self) -> int:
        """How many lessons --shuffle-choices leaves as they are."""
        return sum(lesson.in_fixed_order for lesson in self._lessons)

    def tokens(self, steps: int) -> int:
        """How many tokens, of inputs and targets, the first `steps` steps hold: without padding,
        choices that are shuffled counted as in their own order, dropped rationales by their share.
        """
        lengths, share = self._lengths(self._full), self._settings.rationale_dropout
        if self._bare:
            lengths = share * self._lengths(self._bare) + (1 - share) * lengths
        draws, total, epoch = steps * self._settings.batch_size // self._per_lesson, 0.0, 0
        while draws > 0:
            order = self._order(epoch)[:draws]
            total += lengths[order].sum()
            draws -= len(order)
            epoch += 1
        return round(total)

    def _place(self, draw: int) -> int:
        """Which lesson the draw-th of the whole training is."""
        epoch, within = divmod(draw, len(self._lessons))
        return int(self._order(epoch)[within])

    def _new_order(self, epoch: int) -> Any:
        dice = np.random.default_rng([self._settings.seed, epoch])
        if not self._settings.weights:
            return dice.permutation(len(self._lessons))
        return dice.permutation(np.concatenate(self._drawn_from_files(epoch)))

    def _drawn_from_files(self, epoch: int) -> list[Any]:
        """The places of an epoch's lessons, file by file."""
        shares = np.cumsum(self._settings.weights) / sum(self._settings.weights)
        ends = np.round(shares * len(self._lessons)).astype(int)
        drawn = []
        for file, count in enumerate(np.diff(ends, prepend=0)):
            picks = np.arange(epoch * count, (epoch + 1) * count)
            turns, places = np.divmod(picks, len(self._files[file]))
            drawn += [
                self._file_order(file, turn)[places[turns == turn]] for turn in np.unique(turns)
            ]
        return drawn

    def _new_file_order(self, file: int, turn: int) -> Any:
        dice = np.random.default_rng([self._settings.seed, turn, file + 1])
        return dice.permutation(self._files[file])

    def _encoded(self, *, drop_rationale: bool) -> Encoded:
        return self._encode(
            [
                example
                for lesson in self._lessons
                for example in examples_of(lesson, self._stage, drop_rationale=drop_rationale)
            ]
        )

    def _encode(self, examples: Sequence[Any]) -> Encoded:
        limits = self._settings.max_source_tokens, self._settings.max_target_tokens
        return encode(examples, self._tokenizer, *limits)

    def _lengths(self, encoded: Encoded) -> Any:
        """Tokens of each lesson."""
        rows = [len(row["input_ids"]) + len(row["labels"]) for row in encoded.rows]
        return np.array(rows).reshape(-1, self._per_lesson).sum(axis=1)
