"""One student through transformers' Seq2SeqTrainer, with checkpoints to go on from."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import (
    DataCollatorForSeq2Seq,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
    TrainerCallback,
)
from transformers.trainer_callback import PrinterCallback

from scicot.config import TrainSettings
from scicot.errors import ScicotError
from scicot.reporting import Reporter, Task
from scicot.students.devices import resolve_device, resolve_precision
from scicot.training.examples import Encoded

WHOLE = "whole"  # an empty file that is put into a checkpoint when everything else is there
CHECKPOINT_SECONDS = 300.0  # how much work a stop may cost


def fit(
    model: Any,
    tokenizer: Any,
    encoded: Encoded,
    checkpoints: Path,
    settings: TrainSettings,
    reporter: Reporter,
) -> Mapping[str, Any]:
    """Train `model` in place, from the last whole checkpoint on, and give the metrics.

    AdamW with beta2 = 0.98 (Vaswani et al. 2017, section 5.3) and gradients clipped to norm 1; the
    learning rate rises linearly for `warmup_steps` and then falls linearly to 0.
    """
    arguments = _arguments(settings, checkpoints)
    trainer = Seq2SeqTrainer(
        model=model,
        args=arguments,
        train_dataset=encoded.rows,
        data_collator=DataCollatorForSeq2Seq(tokenizer, model=model),
        processing_class=tokenizer,
    )
    steps_an_epoch = -(-len(encoded.rows) // settings.batch_size)
    total = settings.max_steps or max(1, round(settings.epochs * steps_an_epoch))
    last = last_checkpoint(checkpoints)
    if last is not None:
        reporter.note(f"going on from step {_step(last)}")
    trainer.remove_callback(PrinterCallback)  # it prints to stdout, which is for data
    with reporter.task("training", total) as task, reporter.stops_deferred():
        progress = _Progress(task)
        trainer.add_callback(progress)
        result = trainer.train(resume_from_checkpoint=None if last is None else str(last))
    if progress.stopped is not None:
        raise progress.stopped
    losses = [log["loss"] for log in trainer.state.log_history if "loss" in log]
    if not all(math.isfinite(loss) for loss in [*losses, result.training_loss]):
        raise ScicotError(
            "the loss is no number any more; start over with --force and a lower --learning-rate"
        )
    return {
        "steps": trainer.state.global_step,
        "last_loss": losses[-1] if losses else result.training_loss,
        "train_seconds": round(result.metrics["train_runtime"], 1),
        "rows_per_second": result.metrics["train_samples_per_second"],
        "cut_sources": encoded.cut_sources,
        "cut_targets": encoded.cut_targets,
    }


def last_checkpoint(folder: Path) -> Path | None:
    """The last whole checkpoint; one that a crash or a full disk cut short has no marker."""
    whole = [path for path in folder.glob("checkpoint-*") if (path / WHOLE).exists()]
    return max(whole, key=_step, default=None)


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def _arguments(settings: TrainSettings, checkpoints: Path) -> Seq2SeqTrainingArguments:
    device = resolve_device(settings.device)
    precision = resolve_precision(settings.precision, device)
    arguments = Seq2SeqTrainingArguments(
        output_dir=str(checkpoints),
        num_train_epochs=settings.epochs,
        max_steps=settings.max_steps or -1,
        per_device_train_batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        warmup_steps=settings.warmup_steps,
        weight_decay=settings.weight_decay,
        adam_beta2=0.98,
        bf16=str(precision) == "torch.bfloat16",
        use_cpu=device.type == "cpu",
        seed=settings.seed,
        save_strategy="no",  # _Progress asks for checkpoints by the clock
        save_total_limit=2,  # the one before goes only when the next is whole
        logging_steps=50,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
    )
    if arguments.n_gpu > 1:
        arguments._n_gpu = 1  # several GPUs are asked for through accelerate, never by DataParallel
    return arguments


class _Progress(TrainerCallback):
    """Tells the reporter of each step, and the Trainer when to save and when to stop."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._step = 0
        self._saved = time.monotonic()
        self.stopped: KeyboardInterrupt | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        self._task.advance(state.global_step)  # of a checkpoint, where there is one
        self._step = state.global_step

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        logged = next((log["loss"] for log in reversed(state.log_history) if "loss" in log), None)
        figures = {} if logged is None else {"loss": logged}
        try:
            self._task.advance(state.global_step - self._step, **figures)
        except KeyboardInterrupt as stopped:
            self.stopped = stopped
            control.should_save = control.should_training_stop = True
        self._step = state.global_step
        if time.monotonic() - self._saved > CHECKPOINT_SECONDS:
            control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        (Path(args.output_dir) / f"checkpoint-{state.global_step}" / WHOLE).touch()
        self._saved = time.monotonic()
