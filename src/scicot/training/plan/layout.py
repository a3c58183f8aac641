"""The size of an optimizer step, and the number of batches into which its training rows are
divided."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scicot import jsonl
from scicot.config import TrainSettings
from scicot.devices import resolve_device
from scicot.errors import ScicotError
from scicot.training.plan.length_buckets import pieces

FILE = "layout.json"

# Number of groups of similar lengths in a step. With a single group, all rows of a step are about
# equally long and often of one kind of question, and students trained in the quickstart become
# clearly worse.
_GROUPS = 4

# Fixed cost of one more batch, as the number of tokens that could be computed in the same time.
_BATCH_COSTS = {"cpu": 250}
_BATCH_COSTS_A_GPU = 4000


@dataclass(frozen=True)
class Layout:
    """The composition of an optimizer step.

    Either `rows` or `tokens` is the size of a step, and the other is None. `tokens` is the mean
    number of input and target tokens per step, without padding.

    A step consists of `groups` groups of rows. The rows of a group have similar lengths. A step is
    computed in `batches` batches. A batch consists of `groups` / `batches` groups.
    """

    rows: int | None
    tokens: int | None
    groups: int
    batches: int

    def steps(self, lessons: int, tokens: int) -> int:
        """Return the number of steps of an epoch. `lessons` is the number of rows of the epoch, and
        `tokens` is the number of tokens of the epoch."""
        if self.rows is not None:
            return -(-lessons // self.rows)
        assert self.tokens is not None
        return max(1, min(lessons, round(tokens / self.tokens)))

    @classmethod
    def grouped(cls, settings: TrainSettings, lessons: int, tokens: int) -> Layout:
        """Make the layout for the settings. `lessons` is the number of rows of an epoch, and
        `tokens` is the number of tokens of an epoch.

        - Without `settings.accumulate`, a step has _GROUPS batches of one group each.
        - With `settings.accumulate`, a step has `accumulate` batches. Each batch has
          _GROUPS / `accumulate` groups, rounded up.

        Each group needs at least one row, so a step with few rows has fewer groups. Let N be the
        mean number of rows per step, rounded down:

        - If N is less than the number of groups in a step, each batch becomes a single group.
        - If N is also less than the number of batches, the step has only N batches.

        Examples with _GROUPS = 4:

            accumulate    N    batches per step    groups per step
            None         20                   4                  4
            None          3                   3                  3
            3            20                   3                  6
            3             5                   3                  3
            8            20                   8                  8
            8             5                   5                  5
        """
        rows, budget = settings.batch_rows, settings.batch_tokens
        batches = settings.accumulate or 1
        groups = batches * -(-_GROUPS // batches)
        most_groups = lessons // cls(rows, budget, 1, 1).steps(lessons, tokens)
        if groups > most_groups:
            groups = batches = min(batches, most_groups) if settings.accumulate else most_groups
        return cls(rows, budget, groups, batches if settings.accumulate else groups)

    @classmethod
    def read(cls, checkpoints: Path) -> Layout | None:
        """Read the layout that `write` stored in `checkpoints`, the checkpoint directory of a run.
        Return None if no layout is stored. A resumed run uses the stored layout, so that its
        batches stay the same even on another device. Raises ScicotError if the file is not
        readable."""
        file = checkpoints / FILE
        try:
            return cls(**json.loads(file.read_text("utf-8"))) if file.exists() else None
        except (OSError, ValueError, TypeError, RecursionError):
            raise ScicotError(
                f"{file}: not readable, so the training cannot be resumed; start over with --force"
            ) from None

    def write(self, checkpoints: Path) -> None:
        checkpoints.mkdir(parents=True, exist_ok=True)
        jsonl.write_text(checkpoints / FILE, json.dumps(asdict(self)) + "\n")


def cheapest_batch_count(
    groups: Any, device: str, ranks: int = 1, parts: int = 1, max_tokens: float = math.inf
) -> int:
    """Return the number of batches per step that is estimated to cost least. A batch consists of
    one or several groups. The cost of a batch is its number of tokens, including padding, plus a
    constant that depends on `device`.

    - `groups` is an array of shape (steps, groups per step, 2 or 3). It holds the number of rows
      and the maximum lengths of each group (see `measured`).
    - `ranks` is the number of processes. If the batches cannot be distributed evenly among them,
      each batch is split into pieces (see `pieces`).
    - `parts` is the number of tasks of the student. Each task has batches of its own.
    - `max_tokens` is the maximum number of tokens, including padding, of a batch or of a piece of
      a split batch. If no number of batches satisfies this limit, the largest batch is made as
      small as possible.
    """
    device_type = resolve_device(device).type
    batch_cost = _BATCH_COSTS.get(device_type, _BATCH_COSTS_A_GPU)
    steps, count, columns = groups.shape

    def padded(batches: int) -> Any:
        joined = groups.reshape(steps, batches, count // batches, columns)
        return joined[..., 0].sum(axis=2) * joined[..., 1:].max(axis=2).sum(axis=-1)

    def cost(batches: int) -> float:
        return float(padded(batches).sum() + batch_cost * batches * steps)

    divisors = [divisor for divisor in range(1, count + 1) if count % divisor == 0]
    largest = {
        count_of_batches: padded(count_of_batches).max() / pieces(count_of_batches * parts, ranks)
        for count_of_batches in divisors
    }
    fitting = [
        count_of_batches for count_of_batches in divisors if largest[count_of_batches] <= max_tokens
    ]
    return (
        min(fitting, key=cost)
        if fitting
        else min(divisors, key=lambda count_of_batches: largest[count_of_batches])
    )


def measured(step_groups: list[list[Any]], lengths: Any) -> Any:
    """Return the array `groups` for `cheapest_batch_count`.

    `step_groups[step][group]` holds the row indices of a group. `lengths` holds the lengths of each
    row. These are entries for a group of 4 rows:

        shape of `lengths`   lengths of a row              entry
        (rows, 2)            input tokens, target tokens   (4, 20, 7): at most 20 and 7 tokens
        (rows, 1)            their sum                     (4, 25): at most 25 tokens
    """
    return np.array(
        [[(len(rows), *lengths[rows].max(axis=0)) for rows in step] for step in step_groups]
    )
