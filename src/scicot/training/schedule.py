"""Which example a student meets at which step: the whole training, laid out before it starts.

Item k of a schedule is decided by the seed and k alone. So a training that goes on from step s
meets the same examples as one that was never stopped, and so would processes that share it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from scicot.config import TrainSettings
from scicot.stages import Stage
from scicot.training.examples import Encoded, Example, Lesson, encode, examples_of

Ids = npt.NDArray[np.int32]
_CHUNK = 1024  # lessons


class Schedule:
    """The encoded examples of a training in their order: `steps` batches of `batch_size` lessons,
    each lesson one item, or two that stand together for a multi-task student.

    An epoch is as many lessons as there are, in a random order: each once or, with `weights`, each
    file as often as its weight says, going through all of its lessons before any comes again.
    An item is {"input_ids": token ids, "labels": token ids, "task": 0 or 1}.
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
        self.cuts: Counter[str] = Counter()
        self.cut_targets = 0
        self._rows: list[tuple[Ids, Ids]] = []
        for encoded in self._in_chunks(drop_rationale=False):
            self.cuts += encoded.cuts
            self.cut_targets += encoded.cut_targets
            self._rows += [
                (np.array(row["input_ids"], np.int32), np.array(row["labels"], np.int32))
                for row in encoded.rows
            ]
        an_epoch = -(-len(lessons) // settings.batch_size)
        self.steps = settings.max_steps or max(1, round(settings.epochs * an_epoch))

    @property
    def batch_items(self) -> int:
        """Items of a step."""
        return self._settings.batch_size * self._per_lesson

    def __len__(self) -> int:
        return self.steps * self.batch_items

    def __getitem__(self, item: int) -> dict[str, Any]:
        draw, part = divmod(item, self._per_lesson)
        place = self._place(draw)
        dice = random.Random(f"{self._settings.seed}/{draw}")
        bare = dice.random() < self._settings.rationale_dropout
        if bare or self._settings.shuffle_choices:
            lesson = self._lessons[place]
            lesson = lesson.shuffled(dice) if self._settings.shuffle_choices else lesson
            example = self._examples(lesson, drop_rationale=bare)[part]
            return self._encode([example]).rows[0]
        source, target = self._rows[place * self._per_lesson + part]
        return {"input_ids": source.tolist(), "labels": target.tolist(), "task": part}

    @property
    def in_fixed_order(self) -> int:
        """How many lessons --shuffle-choices leaves as they are."""
        return sum(lesson.in_fixed_order for lesson in self._lessons)

    def tokens(self, steps: int) -> int:
        """How many tokens, of inputs and targets, the first `steps` steps hold: without padding,
        choices that are shuffled counted as in their own order, dropped rationales by their share.
        """
        lengths = self._lengths(len(source) + len(target) for source, target in self._rows)
        share = self._settings.rationale_dropout
        if share:
            bare = self._lengths(
                len(row["input_ids"]) + len(row["labels"])
                for encoded in self._in_chunks(drop_rationale=True)
                for row in encoded.rows
            )
            lengths = share * bare + (1 - share) * lengths
        draws, total, epoch = steps * self._settings.batch_size, 0.0, 0
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
        # Rounded over all epochs so far, so that the smallest share has its turn some day.
        before, after = (np.round(shares * len(self._lessons) * n) for n in (epoch, epoch + 1))
        firsts, ends = (np.diff(bounds, prepend=0).astype(int) for bounds in (before, after))
        drawn = []
        for file, (first, end) in enumerate(zip(firsts, ends, strict=True)):
            picks = np.arange(first, end)
            turns, places = np.divmod(picks, len(self._files[file]))
            drawn += [
                self._file_order(file, turn)[places[turns == turn]] for turn in np.unique(turns)
            ]
        return drawn

    def _new_file_order(self, file: int, turn: int) -> Any:
        dice = np.random.default_rng([self._settings.seed, turn, file + 1])
        return dice.permutation(self._files[file])

    def _in_chunks(self, *, drop_rationale: bool) -> Iterator[Encoded]:
        """All lessons, encoded some at a time: token ids as lists take 30 times their size."""
        for start in range(0, len(self._lessons), _CHUNK):
            yield self._encode(
                [
                    example
                    for lesson in self._lessons[start : start + _CHUNK]
                    for example in self._examples(lesson, drop_rationale=drop_rationale)
                ]
            )

    def _examples(self, lesson: Lesson, *, drop_rationale: bool) -> tuple[Example, ...]:
        answer_as = self._settings.answer_as
        return examples_of(lesson, self._stage, answer_as=answer_as, drop_rationale=drop_rationale)

    def _encode(self, examples: Sequence[Example]) -> Encoded:
        limits = self._settings.max_source_tokens, self._settings.max_target_tokens
        return encode(examples, self._tokenizer, *limits)

    def _lengths(self, lengths: Iterable[int]) -> Any:
        """Tokens of each lesson, of those of its examples."""
        return np.fromiter(lengths, float).reshape(-1, self._per_lesson).sum(axis=1)
