"""Save the weights that are best on dev during training, and restore them at the end.

The dev measurements are rows of the Trainer's log. Each checkpoint of the Trainer contains the log
up to its step, so a resumed run does not see what the stopped run measured after the checkpoint.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from scicot import processes
from scicot.models.pretrained import is_quantized
from scicot.models.prompt_format import PromptFormat
from scicot.students.manifest import CHECKPOINTS
from scicot.training.dev_set import DevSet

Row = dict[str, Any]


class Selection:
    """The dev measurements of one training run, and the saved weights of the best measurement.
    Training stops after `patience` measurements in a row without an improvement. If `patience` is
    None, training never stops for this reason."""

    def __init__(self, dev: DevSet, run: Path, patience: int | None) -> None:
        self._dev = dev
        self._run = run
        self._patience = patience

    def measure(self, model: Any, form: PromptFormat, log: Sequence[Row], step: int) -> Row:
        """Measure the student on dev, on rank 0 only, and return the metrics on all ranks. If the
        metrics are better than those of all earlier steps in the Trainer's `log`, the weights are
        saved."""
        return processes.on_rank_zero(lambda: self._measured(model, form, log, step))

    def _measured(self, model: Any, form: PromptFormat, log: Sequence[Row], step: int) -> Row:
        import torch

        metrics = self._dev.measure(model, form)
        previous_best = self.best(row for row in log if row["step"] < step)
        if previous_best is None or self._dev.better(metrics, previous_best):
            file = self._file(step)
            file.parent.mkdir(exist_ok=True)
            with file.with_suffix(".new").open("wb") as stream:
                torch.save(_trained_weights(model), stream)
                os.fsync(stream.fileno())
            os.replace(file.with_suffix(".new"), file)
        return metrics

    def best(self, log: Iterable[Row]) -> Row | None:
        """Return the row of `log` with the best dev measurement. On a tie, return the first of the
        tied rows. Return None if no row has a dev measurement."""
        best: Row | None = None
        for row in log:
            if "dev_loss" in row and (best is None or self._dev.better(row, best)):
                best = row
        return best

    def exhausted(self, log: Sequence[Row]) -> bool:
        """Return True if at least `patience` dev measurements have followed the best one. Always
        False if `patience` is None."""
        best = self.best(log)
        if best is None or self._patience is None:
            return False
        since = sum("dev_loss" in row and row["step"] > best["step"] for row in log)
        return bool(since >= self._patience)

    def best_file(self, log: Iterable[Row]) -> Path | None:
        """Return the file with the weights of the best dev measurement in `log`. Return None if
        `log` has no dev measurement."""
        best = self.best(log)
        return None if best is None else self._file(best["step"])

    def sweep(self, logs: Iterable[Sequence[Row]]) -> None:
        """Delete all saved weights, except the weights of the best measurement in each log. `logs`
        holds the log of each complete checkpoint. Call this only after a checkpoint is complete."""
        # The weights for an older checkpoint are kept, because a resumed run starts from it if the
        # last checkpoint is damaged.
        kept = {self.best_file(log) for log in logs}
        for file in self._run.glob(f"{CHECKPOINTS}/best-*.pt"):
            if file not in kept:
                file.unlink()

    def restore(self, model: Any, log: Sequence[Row], step: int) -> Row:
        """Load the weights of the best dev measurement in `log` into `model`. If the best
        measurement was made at `step`, the last step, nothing is loaded, because `model` already
        has these weights. Return the metrics of the best measurement, and its step as "best_step".
        Return {} if `log` has no dev measurement."""
        import torch

        best = self.best(log)
        if best is None:
            return {}
        if best["step"] != step:
            weights = torch.load(self._file(best["step"]), map_location="cpu", weights_only=True)
            model.load_state_dict(weights, strict=not is_quantized(model))
        figures = {name: value for name, value in best.items() if name.startswith("dev_")}
        return {**figures, "best_step": best["step"]}

    def _file(self, step: int) -> Path:
        return self._run / CHECKPOINTS / f"best-{step}.pt"


def _trained_weights(model: Any) -> dict[str, Any]:
    """Return the weights to save: the trainable weights of a quantised model, or all weights of any
    other model."""
    state: dict[str, Any] = model.state_dict()
    if not is_quantized(model):
        return state
    learning = {name for name, weight in model.named_parameters() if weight.requires_grad}
    return {name: weight for name, weight in state.items() if name in learning}
