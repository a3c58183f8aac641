"""The Trainer callback that runs between optimizer steps: logging, dev evaluation, checkpoints and
stopping."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import Trainer, TrainerCallback

from scicot import jsonl, processes
from scicot.config import TrainSettings
from scicot.models.prompt_format import PromptFormat
from scicot.reporting import Task
from scicot.training.best_checkpoint import Selection
from scicot.training.fitting import checkpoints
from scicot.training.plan.schedule import Schedule

LOG = "training_log.jsonl"

Log = list[dict[str, Any]]


class AlreadyEnded(Exception):
    """Raised when a command resumes a training that early stopping had ended."""


class Progress(TrainerCallback):
    """Trainer callback that advances the progress bar, sets the Trainer's save and stop flags,
    measures the student on dev, and writes the log. With several processes, only rank 0 writes. A
    request to stop on one rank stops all ranks."""

    def __init__(
        self,
        task: Task,
        run: Path,
        settings: TrainSettings,
        schedule: Schedule,
        selection: Selection | None,
        model: Any,
        form: PromptFormat,
        seconds_before: float = 0.0,
    ) -> None:
        """`seconds_before` is the duration of the training in earlier processes, up to the
        checkpoint from which it is resumed."""
        self._task = task
        self._run = run
        self._settings = settings
        self._rows = schedule.rows_per_step
        self._selection = selection
        self._model = model
        self._form = form
        self.trainer: Trainer | None = None
        self._is_writer = processes.rank() == 0
        self._stop_vote = processes.StopVote()
        self._step = 0
        self._saved = self._started = time.monotonic()
        self._seconds_before = seconds_before
        self._first_step = 0  # step at which this process started
        self._figures: dict[str, float] = {}  # figures shown beside the progress bar
        self.stopped: KeyboardInterrupt | None = None

    def rows_per_second(self, step: int) -> float:
        """Return the mean number of rows trained per second since this process started training.
        Time spent on dev evaluation is included."""
        rows = (step - self._first_step) * self._rows
        return round(rows / (time.monotonic() - self._started), 1)

    def train_seconds(self) -> float:
        """Return the duration of the training so far. For a resumed run, this includes the earlier
        processes, up to their checkpoints."""
        return round(self._seconds_before + time.monotonic() - self._started, 1)

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        # the step of the checkpoint, if the training was resumed
        self._task.advance(state.global_step)
        self._step = self._first_step = state.global_step
        if self._is_writer:  # drop log rows after the checkpoint, since these steps are repeated
            with jsonl.replacing(self._run / LOG) as stream:
                stream.writelines(map(jsonl.encode, map(_finite, state.log_history)))
        if state.global_step == 0:  # a pretrained student may be best before any training
            self._measure(0, control)
        elif self._selection is not None and self._selection.exhausted(state.log_history):
            # The Trainer trains at least one step before it heeds `should_training_stop`.
            raise AlreadyEnded

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        step = state.global_step
        every = self._settings.eval_steps or tenth(state.max_steps)
        patience_exhausted = False
        if step % every == 0 or step == state.max_steps:
            patience_exhausted = self._measure(step, control)
        speed = {"samples/s": self.rows_per_second(step)}
        try:
            self._task.advance(step - self._step, **self._figures, **speed)
        except KeyboardInterrupt as stopped:
            self.stopped = stopped
        self._step = step
        checkpoint_due = time.monotonic() - self._saved > 60 * self._settings.checkpoint_minutes
        stop, save, end = self._stop_vote.any(
            self.stopped is not None, checkpoint_due, patience_exhausted
        )
        if stop and self.stopped is None:
            self.stopped = processes.StoppedByAnother()
        # The loss of the last steps is logged before a checkpoint of the last step is saved.
        control.should_log |= end
        control.should_save |= stop or save
        control.should_training_stop |= stop or end

    def on_log(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        row = state.log_history[-1]
        shown = ("loss", "dev_accuracy", "dev_loss")
        self._figures.update({name: row[name] for name in shown if name in row})
        if self._is_writer:
            with (self._run / LOG).open("ab") as stream:
                stream.write(jsonl.encode(_finite(row)))

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        self._stop_vote.any()  # waits until every process has saved its random state
        if self._is_writer:
            folder = Path(args.output_dir)
            checkpoint = folder / f"checkpoint-{state.global_step}"
            checkpoints.mark_complete(checkpoint, self.train_seconds())
            if self._selection:
                self._selection.sweep(checkpoints.logs(folder))
        self._saved = time.monotonic()

    def _measure(self, step: int, control: Any) -> bool:
        """Measure the student on dev and log the metrics. Return True if training should stop,
        because the last `patience` measurements brought no improvement."""
        if self._selection is None or self.trainer is None:
            return False
        log_due = control.should_log
        log = self.trainer.state.log_history
        self.trainer.log(self._selection.measure(self._model, self._form, log, step))
        control.should_log = log_due  # log() resets it, but the training loss may be due too
        return self._selection.exhausted(self.trainer.state.log_history)


def tenth(steps: int) -> int:
    """Return a tenth of the steps, rounded up: the default number of steps between dev
    evaluations."""
    return -(-steps // 10)


def _finite(row: Mapping[str, Any]) -> dict[str, Any]:
    """Prepare a log row of the Trainer for JSON: NaN and infinity become None, and "epoch" is left
    out."""
    # To the Trainer, the whole schedule is one epoch. So its "epoch" does not count the passes over
    # the training rows.
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
        if name != "epoch"
    }
