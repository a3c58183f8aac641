"""The schedule of a training run: the examples of every step, fixed before the run starts.

The examples of step k depend only on the seed and k. So a run that is resumed at step s gets the
same examples as an uninterrupted one, and each of several processes can compute the whole schedule.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import numpy as np

from scicot.config import TrainSettings
from scicot.models.families import ENCODER_DECODER, Family
from scicot.models.prompt_format import PromptFormat
from scicot.stages import Stage
from scicot.training.examples import (
    Encoded,
    Example,
    Lesson,
    digest,
    encode,
    examples_of,
    with_short_rationales,
)
from scicot.training.plan import length_buckets
from scicot.training.plan.layout import Layout, cheapest_batch_count, measured
from scicot.training.plan.row_sampler import RowSampler
from scicot.training.plan.tokens import MANY, Tokens, identity, tokenise


@dataclass(frozen=True)
class Epoch:
    """The rows of one epoch, divided into steps, and each step into groups. With --weights, a
    training row may occur several times in an epoch, or not at all."""

    lessons: Any  # index of the training row, for each row of the epoch
    dropped: Any  # True if the rationale is dropped, for each row of the epoch
    # steps[step][group]: the rows of the group, as indices into `lessons` and `dropped`
    steps: list[list[length_buckets.Indices]]


class Schedule:
    """The training examples of every step, as a dataset of micro-batches.

    A training row (a question with its rationale) yields one example for each task of the student:
    one or two. An epoch has as many rows as the training set. Without --weights, an epoch contains
    each training row once. With --weights, each file has a share of the epoch's rows that is
    proportional to the file's weight. The rows of an epoch are grouped by similar length, and the
    groups are put in random order. A step consists of `layout.groups` groups, joined into
    micro-batches.

    Item i is a micro-batch for process i % ranks. A micro-batch is a list of dicts. Each dict has
    the token ids "input_ids" and "labels", and "share", the weight of each target token in the loss
    of the step. With these shares, the loss of a step does not depend on how the step is divided
    into micro-batches and processes.
    """

    def __init__(
        self,
        lessons: Sequence[Lesson],
        stage: Stage,
        form: PromptFormat,
        settings: TrainSettings,
        *,
        family: Family = ENCODER_DECODER,
        layout: Layout | None = None,
        ranks: int = 1,
    ) -> None:
        self._lessons = lessons
        self._stage = stage
        self._form = form
        self._family = family
        self._settings = settings
        self._ranks = ranks
        self._per_lesson = len(examples_of(lessons[0], stage))
        self._sampler = RowSampler([lesson.file for lesson in lessons], settings)
        self._tokens = self._tokenised(drop_rationale=False)
        self._bare_tokens = self._tokens
        if settings.rationale_dropout:
            self._bare_tokens = self._tokenised(drop_rationale=True)
        self._make_layout(layout)

    def fit(self, step_tokens: int, batch_tokens: int) -> None:
        """Recompute the schedule for steps of `step_tokens` tokens.

        `batch_tokens` is the maximum size of a batch on one process, in tokens including padding
        (see `cheapest_batch_count`). With --accumulate, this limit is ignored.
        """
        self._settings = replace(self._settings, batch_size=f"{step_tokens}tokens")
        self._make_layout(None, batch_tokens=batch_tokens)

    def _make_layout(self, layout: Layout | None, batch_tokens: float = math.inf) -> None:
        settings, lessons = self._settings, len(self._lessons)
        tokens = self.tokens_an_epoch
        self.layout = layout or Layout.grouped(settings, lessons, tokens)
        self.epoch_steps = self.layout.steps(lessons, tokens)
        epochs = settings.filled().epochs or 0.0
        self.steps = settings.max_steps or max(1, round(epochs * self.epoch_steps))
        self._epoch = lru_cache(maxsize=2)(self._new_epoch)
        if layout is None and settings.accumulate is None:
            first = self._epoch(0)
            lengths = self._padded_lengths(first.lessons, first.dropped).max(axis=1)
            groups = measured(first.steps, lengths)
            batches = cheapest_batch_count(
                groups, settings.device, self._ranks, self._per_lesson, batch_tokens
            )
            self.layout = replace(self.layout, batches=batches)
        self._turns = len(
            length_buckets.turns_of(self._batches(self._epoch(0).steps[0]), self._ranks)
        )

    @property
    def tokens_an_epoch(self) -> int:
        """The number of input and target tokens of all training rows, without padding."""
        return int(self._tokens.lengths.sum())

    @property
    def lengths(self) -> Any:
        """The numbers of input and target tokens of all examples: shape (examples, 2)."""
        return self._tokens.lengths

    def rows(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Return the tokenised examples with these indices ("input_ids" and "labels")."""
        return self._tokens.rows(indices)

    @property
    def longest(self) -> tuple[int, int]:
        """The length in tokens of the longest input, and of the longest target."""
        source, target = self._tokens.lengths.max(axis=0)
        return int(source), int(target)

    @property
    def turns(self) -> int:
        """The number of micro-batches that each process computes per step."""
        return self._turns

    def __len__(self) -> int:
        return self.steps * self._turns * self._ranks

    def __getitem__(self, item: int) -> list[dict[str, Any]]:
        step, rest = divmod(item, self._turns * self._ranks)
        turn, rank = divmod(rest, self._ranks)
        number, epoch, groups = self._at(step)
        batch = length_buckets.turns_of(self._batches(groups), self._ranks)[turn][rank]
        share = self._shares(epoch, groups)
        if not len(batch):  # a process without work still takes part in the step
            batch, share = np.array([(groups[0][0], 0)]), [0.0] * self._per_lesson
        examples = [(int(draw), int(task)) for draw, task in batch]
        rows = self._rows(number, epoch, examples)
        return [
            {**row, "share": share[task]} for row, (_, task) in zip(rows, examples, strict=True)
        ]

    @property
    def cuts(self) -> Counter[str]:
        """Counts of truncated inputs, and of inputs and targets with characters that the tokenizer
        lacks.

        For example, cuts["context"] is the number of inputs with a truncated context. For the keys
        that count inputs, see `encode_inputs`. The key LACKING_TARGETS (models/characters.py)
        counts targets.
        """
        return self._tokens.cuts

    @property
    def cut_targets(self) -> int:
        """The number of targets that were truncated."""
        return self._tokens.cut_targets

    @property
    def in_fixed_order(self) -> int:
        """The number of training rows with choices that --shuffle-choices must not permute."""
        return sum(lesson.in_fixed_order for lesson in self._lessons)

    @property
    def padding(self) -> float:
        """The share of padding (0 to 1) in the batches of the first epoch, if a single device is
        used."""
        epoch = self._epoch(0)
        lengths = self._padded_lengths(epoch.lessons, epoch.dropped)
        padded_tokens = sum(
            length_buckets.padded(lengths[batch[:, 0], batch[:, 1]])
            for groups in epoch.steps
            for batch in self._batches(groups)
        )
        return 1 - float(lengths.sum()) / padded_tokens

    @property
    def rows_per_step(self) -> float:
        """The mean number of training rows per step."""
        return len(self._lessons) / self.epoch_steps

    def tokens(self, steps: int) -> int:
        """Return the number of input and target tokens in the first `steps` steps, without padding.
        With --shuffle-choices, the tokens are counted with the choices in their original order."""
        total = 0
        for number in range(-(-steps // self.epoch_steps)):
            rest = steps - number * self.epoch_steps
            if rest < self.epoch_steps:
                epoch = self._epoch(number)
                draws = np.concatenate([batch for step in epoch.steps[:rest] for batch in step])
                total += int(self._row_tokens(epoch.lessons, epoch.dropped)[draws].sum())
            else:
                total += int(self._row_tokens(*self._sampler.epoch(number)).sum())
        return total

    def _at(self, step: int) -> tuple[int, Epoch, list[length_buckets.Indices]]:
        number, step_of_epoch = divmod(step, self.epoch_steps)
        epoch = self._epoch(number)
        return number, epoch, epoch.steps[step_of_epoch]

    def _new_epoch(self, number: int) -> Epoch:
        lessons, dropped = self._sampler.epoch(number)
        lengths = self._padded_lengths(lessons, dropped).max(axis=1)
        weights = np.ones(len(lessons))
        if self.layout.tokens is not None:
            weights = self._row_tokens(lessons, dropped)
        count = self.epoch_steps * self.layout.groups
        groups = length_buckets.similar_batches(lengths, weights, count)
        order = self._sampler.rng(number, "batches").permutation(count)
        steps = order.reshape(self.epoch_steps, self.layout.groups)

        # sorted by length, because adjacent groups are joined or computed at the same time
        def longest(group: int) -> int:
            return -int(lengths[groups[group]].max(axis=0).sum())

        in_order = [[groups[group] for group in sorted(step, key=longest)] for step in steps]
        return Epoch(lessons, dropped, in_order)

    def _batches(self, groups: Sequence[length_buckets.Indices]) -> list[length_buckets.Indices]:
        """Join the groups of a step into batches. Each task of the student has its own batches.

        A batch is an array of shape (examples, 2). Column 0 holds the index of each example's row
        in the epoch. Column 1 holds the number of the task, 0 or 1.
        """
        size = self.layout.groups // self.layout.batches
        joined = [
            np.concatenate(groups[start : start + size]) for start in range(0, len(groups), size)
        ]
        # With two tasks, batches are separate because labels are much shorter than rationales.
        tasks = range(self._per_lesson)
        return [
            np.stack([batch, np.full_like(batch, task)], 1) for batch in joined for task in tasks
        ]

    def _token_counts(self, lessons: Any, dropped: Any) -> Any:
        """Return the token counts of rows of an epoch, as an array of shape (rows, tasks, 2).

        Each row gives one example for each task. The last axis holds the numbers of input and
        target tokens of the example.

        `lessons` and `dropped` are arrays of shape (rows,), as in Epoch. `lessons[i]` is the index
        of row i in the training data. `dropped[i]` is True if row i is used without its rationale.
        """
        shape = (-1, self._per_lesson, 2)
        full = self._tokens.lengths.reshape(shape)[lessons]
        without_rationale = self._bare_tokens.lengths.reshape(shape)[lessons]
        return np.where(dropped[:, None, None], without_rationale, full)

    def _padded_lengths(self, lessons: Any, dropped: Any) -> Any:
        """Return the lengths that determine the padding of the rows. The arguments are those of
        `_token_counts`.

        - Encoder-decoder: the numbers of input and target tokens, in an array of shape (rows,
          tasks, 2).
        - Causal model: the sums of input and target tokens, in an array of shape (rows, tasks, 1).
        """
        return self._family.lengths(self._token_counts(lessons, dropped))

    def _row_tokens(self, lessons: Any, dropped: Any) -> Any:
        """Return the number of tokens of each row of an epoch, summed over the row's examples. The
        arguments are those of `_token_counts`."""
        return self._token_counts(lessons, dropped).sum(axis=(1, 2))

    def _shares(self, epoch: Epoch, groups: Sequence[length_buckets.Indices]) -> list[float]:
        """For each task, return the weight of each target token in the loss of a step: the loss
        weight of the task, divided by the task's number of target tokens in the step."""
        draws = np.concatenate(groups)
        counts = self._token_counts(epoch.lessons[draws], epoch.dropped[draws])
        targets = counts[:, :, 1].sum(axis=0)
        weights = (1.0, self._settings.rationale_loss_weight)
        return [weight / tokens for weight, tokens in zip(weights, targets, strict=False)]

    def _rows(
        self, number: int, epoch: Epoch, examples: Sequence[tuple[int, int]]
    ) -> list[dict[str, Any]]:
        if self._settings.shuffle_choices or self._settings.soft_labels:
            return self._resampled_rows(number, epoch, examples)
        rows: dict[tuple[int, int], dict[str, Any]] = {}
        for dropped, tokens in ((False, self._tokens), (True, self._bare_tokens)):
            selected = [example for example in examples if epoch.dropped[example[0]] == dropped]
            indices = [
                int(epoch.lessons[draw]) * self._per_lesson + task for draw, task in selected
            ]
            rows |= zip(selected, tokens.rows(indices), strict=True) if selected else ()
        return [rows[example] for example in examples]

    def _resampled_rows(
        self, number: int, epoch: Epoch, examples: Sequence[tuple[int, int]]
    ) -> list[dict[str, Any]]:
        """Make and tokenise examples that change from epoch to epoch. With --soft-labels, the
        answer may be one of the teacher's answers, drawn at random. With --shuffle-choices, the
        choices are in random order.

        `number` is the number of the epoch. Each entry of `examples` is a pair: the index of a row
        in `epoch.lessons`, and the number of a task (0 or 1).
        """
        chosen = []
        for draw, task in examples:
            rng = random.Random(f"{self._settings.seed}/{number * len(self._lessons) + draw}")
            lesson = self._lessons[epoch.lessons[draw]]
            if self._settings.soft_labels:
                lesson = lesson.with_voted_label(rng, self._settings.soft_labels)
            if self._settings.shuffle_choices:
                lesson = lesson.shuffled(rng)
            (lesson,) = with_short_rationales(
                [lesson], self._form, self._settings.max_rationale_tokens
            )
            drop_rationale, answer_as = bool(epoch.dropped[draw]), self._settings.answer_form
            epoch_examples = examples_of(
                lesson, self._stage, answer_as=answer_as, drop_rationale=drop_rationale
            )
            chosen.append(epoch_examples[task])
        limits = self._settings.max_source_tokens, self._settings.max_target_tokens
        return encode(chosen, self._form, *limits).rows

    def _tokenised(self, *, drop_rationale: bool) -> Tokens:
        settings = self._settings
        limits = settings.max_source_tokens, settings.max_target_tokens
        make_examples = partial(
            examples_of,
            stage=self._stage,
            answer_as=settings.answer_form,
            drop_rationale=drop_rationale,
        )
        encoded = partial(
            _encoded,
            make_examples=make_examples,
            form=self._form,
            limits=limits,
            max_rationale_tokens=settings.max_rationale_tokens,
        )
        if len(self._lessons) < MANY:
            return tokenise(self._lessons, encoded)
        rows, tokenizer = digest(self._lessons, self._stage), identity(self._form.tokenizer)
        cache_key = (
            rows,
            tokenizer,
            self._form.name,
            self._stage,
            settings.answer_form,
            drop_rationale,
            limits,
            *([settings.max_rationale_tokens] if settings.max_rationale_tokens else []),
            sorted(self._form.alphabet.replacements.items()),
        )
        return tokenise(self._lessons, encoded, cached_as=repr(cache_key))


def _encoded(
    lessons: Sequence[Lesson],
    *,
    make_examples: Callable[[Lesson], Sequence[Example]],
    form: PromptFormat,
    limits: tuple[int, int],
    max_rationale_tokens: int | None,
) -> Encoded:
    lessons = with_short_rationales(lessons, form, max_rationale_tokens)
    return encode(
        [example for lesson in lessons for example in make_examples(lesson)], form, *limits
    )
