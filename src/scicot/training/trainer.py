"""One student through transformers' Seq2SeqTrainer, with checkpoints to go on from."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import (
    DataCollatorForSeq2Seq,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
    TrainerCallback,
    set_seed,
)
from transformers.integrations.integration_utils import TensorBoardCallback
from transformers.trainer_callback import PrinterCallback

from scicot import jsonl
from scicot.config import TrainSettings
from scicot.devices import resolve_device, resolve_precision
from scicot.errors import ScicotError
from scicot.reporting import Reporter, Task
from scicot.students.runs import CHECKPOINTS
from scicot.training.dev import Dev
from scicot.training.schedule import Schedule
from scicot.training.selection import Selection

WHOLE = "whole"  # an empty file that is put into a checkpoint when everything else is there
CHECKPOINT_SECONDS = 300.0  # how much work a stop may cost
LOG = "training_log.jsonl"

Log = list[dict[str, Any]]


def fit(
    model: Any,
    tokenizer: Any,
    schedule: Schedule,
    dev: Dev | None,
    run: Path,
    settings: TrainSettings,
    *,
    report_to: Sequence[str] = (),
    reporter: Reporter,
) -> tuple[dict[str, Any], Log]:
    """Train `model` in place, from the last whole checkpoint on; its metrics, and the log.

    AdamW with beta2 = 0.98 (Vaswani et al. 2017, section 5.3) and gradients clipped to norm 1; the
    learning rate rises linearly for `warmup_steps` and then falls linearly to 0. With `dev` the
    model ends as it was when it did best there. Writes training_log.jsonl and checkpoints to `run`.
    """
    set_seed(settings.seed)
    trainer = _Trainer(
        model=model,
        args=_arguments(schedule, settings, run, report_to),
        train_dataset=schedule,
        data_collator=DataCollatorForSeq2Seq(tokenizer, model=model),
        processing_class=tokenizer,
    )
    trainer.rationale_loss_weight = settings.rationale_loss_weight
    selection = Selection(dev, run, settings.patience) if dev else None
    last = last_checkpoint(run / CHECKPOINTS)
    if last is not None:
        reporter.note(f"going on from step {_step(last)}")
    trainer.remove_callback(PrinterCallback)  # it prints to stdout, which is for data
    if "tensorboard" in report_to:  # by its name it would write among the checkpoints, which go
        from torch.utils.tensorboard import SummaryWriter

        writer = SummaryWriter(str(run / "tensorboard"))
        trainer.add_callback(TensorBoardCallback(writer))  # type: ignore[no-untyped-call]
    with reporter.task("training", schedule.steps) as task, reporter.stops_deferred():
        progress = _Progress(task, run, settings, selection, trainer)
        trainer.add_callback(progress)
        result = trainer.train(resume_from_checkpoint=None if last is None else str(last))
    if "wandb" in report_to:  # transformers leaves its run open, and the next student would go on
        import wandb

        wandb.finish()
    if progress.stopped is not None:
        raise progress.stopped
    log = trainer.state.log_history
    losses = [row["loss"] for row in log if "loss" in row]
    if not all(math.isfinite(loss) for loss in [*losses, result.training_loss]):
        raise ScicotError(
            "the loss is no number any more; start over with --force and a lower --learning-rate"
        )
    steps = trainer.state.global_step
    metrics = {
        "steps": steps,
        "last_loss": losses[-1] if losses else result.training_loss,
        "train_seconds": round(result.metrics["train_runtime"], 1),
        "rows_per_second": progress.rows_per_second(steps),
        "training_tokens": schedule.tokens(steps),
        "weights": sum(weight.numel() for weight in model.parameters()),
    }
    if selection:
        metrics |= selection.restore(model, log, steps)
    return metrics, log


def expected_seconds(
    model: Any, tokenizer: Any, schedule: Schedule, dev: Dev | None, settings: TrainSettings
) -> float:
    """About how long a training will take with its looks at dev, from a few of its own batches;
    leaves the weights alone."""
    device = resolve_device(settings.device)
    bf16 = resolve_precision(settings.precision, device) is torch.bfloat16
    model.to(device).train()
    collate = DataCollatorForSeq2Seq(tokenizer, model=model)
    size = schedule.batch_items
    seconds = []
    for step in range(min(4, schedule.steps)):
        batch = collate([schedule[item] for item in range(step * size, (step + 1) * size)])
        batch.pop("task")
        start = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            loss = model(**batch.to(device)).loss
        loss.backward()
        loss.item()  # waits for a GPU
        seconds.append(time.perf_counter() - start)
        model.zero_grad()
    look = dev.expected_seconds(model, tokenizer) if dev else 0.0
    looks = -(-schedule.steps // (settings.eval_steps or _tenth(schedule.steps)))
    return schedule.steps * statistics.mean(seconds[1:] or seconds) + looks * look


def _tenth(steps: int) -> int:
    """Steps between two looks at dev where nobody says otherwise."""
    return -(-steps // 10)


def last_checkpoint(folder: Path) -> Path | None:
    """The last whole checkpoint; one that a crash or a full disk cut short has no marker."""
    whole = [path for path in folder.glob("checkpoint-*") if (path / WHOLE).exists()]
    return max(whole, key=_step, default=None)


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def _arguments(
    schedule: Schedule, settings: TrainSettings, run: Path, report_to: Sequence[str]
) -> Seq2SeqTrainingArguments:
    device = resolve_device(settings.device)
    precision = resolve_precision(settings.precision, device)
    arguments = Seq2SeqTrainingArguments(
        output_dir=str(run / CHECKPOINTS),
        max_steps=schedule.steps,
        per_device_train_batch_size=schedule.batch_items,
        train_sampling_strategy="sequential",  # the schedule is in order already
        remove_unused_columns=False,
        learning_rate=settings.learning_rate,
        warmup_steps=settings.warmup_steps,
        weight_decay=settings.weight_decay,
        adam_beta2=0.98,
        bf16=precision is torch.bfloat16,
        use_cpu=device.type == "cpu",
        seed=settings.seed,
        save_strategy="no",  # _Progress asks for checkpoints by the clock
        save_total_limit=2,  # the one before goes only when the next is whole
        logging_steps=max(1, min(50, schedule.steps // 20)),
        logging_nan_inf_filter=False,
        report_to=[name for name in report_to if name != "tensorboard"] or "none",
        run_name="/".join(run.parts[-3:]),
        disable_tqdm=True,
    )
    if arguments.n_gpu > 1:
        arguments._n_gpu = 1  # several GPUs are asked for through accelerate, never by DataParallel
    return arguments


class _Trainer(Seq2SeqTrainer):
    """Weighs the two losses of a multi-task student (Hsieh et al. 2023, equation 4):
    mean over label tokens + rationale_loss_weight x mean over rationale tokens."""

    rationale_loss_weight = 1.0

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        task = inputs.pop("task")
        if not task.any():
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        outputs, labels = model(**inputs), inputs["labels"]
        losses = torch.nn.functional.cross_entropy(
            outputs.logits.flatten(0, 1).float(), labels.flatten(), reduction="none"
        ).view_as(labels)
        loss = outputs.logits.new_zeros((), dtype=torch.float32)
        for number, weight in ((0, 1.0), (1, self.rationale_loss_weight)):
            counted = (labels != -100) & (task == number).unsqueeze(-1)
            loss = loss + weight * losses[counted].sum() / counted.sum().clamp(min=1)
        return (loss, outputs) if return_outputs else loss


class _Progress(TrainerCallback):
    """Tells the reporter of each step, and the Trainer when to save and when to stop; has the
    student measured on dev, and writes the log."""

    def __init__(
        self,
        task: Task,
        run: Path,
        settings: TrainSettings,
        selection: Selection | None,
        trainer: _Trainer,
    ) -> None:
        self._task = task
        self._run = run
        self._settings = settings
        self._selection = selection
        self._trainer = trainer
        self._step = 0
        self._saved = self._started = time.monotonic()
        self._since = 0  # the step at which this process began
        self._told: dict[str, float] = {}  # the figures beside the bar
        self.stopped: KeyboardInterrupt | None = None

    def rows_per_second(self, step: int) -> float:
        """How fast this process has been, its looks at dev included."""
        rows = (step - self._since) * self._settings.batch_size
        return round(rows / (time.monotonic() - self._started), 1)

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        self._task.advance(state.global_step)  # of a checkpoint, where there is one
        self._step = self._since = state.global_step
        with jsonl.replacing(self._run / LOG) as stream:  # what came after the checkpoint is redone
            stream.writelines(map(jsonl.encode, map(_finite, state.log_history)))
        if state.global_step == 0:  # a student that came trained may be best as it is
            self._measure(0, control)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        step = state.global_step
        every = self._settings.eval_steps or _tenth(state.max_steps)
        if step % every == 0 or step == state.max_steps:
            self._measure(step, control)
        speed = {"samples/s": self.rows_per_second(step)}
        try:
            self._task.advance(step - self._step, **self._told, **speed)
        except KeyboardInterrupt as stopped:
            self.stopped = stopped
            control.should_save = control.should_training_stop = True
        self._step = step
        if time.monotonic() - self._saved > CHECKPOINT_SECONDS:
            control.should_save = True

    def on_log(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        row = state.log_history[-1]
        shown = ("loss", "dev_accuracy", "dev_loss")
        self._told.update({name: row[name] for name in shown if name in row})
        with (self._run / LOG).open("ab") as stream:
            stream.write(jsonl.encode(_finite(row)))

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        (Path(args.output_dir) / f"checkpoint-{state.global_step}" / WHOLE).touch()
        self._saved = time.monotonic()
        if self._selection:
            self._selection.sweep(state.log_history)

    def _measure(self, step: int, control: Any) -> None:
        if self._selection is None:
            return
        trainer, due = self._trainer, control.should_log
        log = trainer.state.log_history
        trainer.log(self._selection.measure(trainer.model, trainer.processing_class, log, step))
        control.should_log = due  # the training loss of this step may be due as well
        if self._selection.exhausted(trainer.state.log_history):
            control.should_training_stop = True


def _finite(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the log as JSON can hold it; without "epoch", which counts schedules, not passes."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
        if name != "epoch"
    }
