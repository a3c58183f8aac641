"""Train one student with transformers' Trainer, resuming from checkpoints."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import Trainer, TrainingArguments, set_seed
from transformers.integrations.integration_utils import TensorBoardCallback
from transformers.trainer_callback import PrinterCallback

from scicot import processes
from scicot.config import TrainSettings
from scicot.devices import resolve_device
from scicot.errors import ScicotError
from scicot.models.prompt_format import PromptFormat
from scicot.reporting import Reporter
from scicot.students.manifest import CHECKPOINTS
from scicot.training.best_checkpoint import Selection
from scicot.training.fitting import checkpoints, lora
from scicot.training.fitting.auto_batch_size import out_of_memory_explained
from scicot.training.fitting.collator import Collator
from scicot.training.fitting.compute import attention, uses_bf16, weights_of
from scicot.training.fitting.loss import TargetLoss
from scicot.training.fitting.progress import AlreadyEnded, Log, Progress
from scicot.training.plan.schedule import Schedule
from scicot.training.spec import TrainingSpec


def fit(
    model: Any, form: PromptFormat, schedule: Schedule, spec: TrainingSpec, reporter: Reporter
) -> tuple[Any, dict[str, Any], Log]:
    """Train `model`, from the last complete checkpoint if there is one. Return (student, metrics,
    log): the trained model, its metrics by name, and the rows of the training log.

    The optimizer is AdamW with beta2 = 0.98 (Vaswani et al. 2017, section 5.3), and gradients are
    clipped to norm 1. The learning rate rises linearly during warm-up and then falls linearly to 0.
    With dev rows, the student gets the weights that were best on dev. Writes training_log.jsonl and
    checkpoints to the run directory.
    """
    run, settings, dev = spec.run, spec.settings, spec.dev_set()
    trainer = make_trainer(model, form.tokenizer, schedule, run, settings, spec.report_to)
    selection = Selection(dev, run, settings.patience) if dev else None
    last = processes.on_rank_zero(
        lambda: checkpoints.last_usable(run / CHECKPOINTS, selection, reporter)
    )
    seconds_before = 0.0
    if last is not None:
        reporter.note(f"resuming from step {checkpoints.step_of(last)}")
        seconds_before = checkpoints.train_seconds(last)
    with reporter.task("training", schedule.steps) as task, reporter.stops_deferred():
        progress = Progress(task, run, settings, schedule, selection, model, form, seconds_before)
        progress.trainer = trainer
        trainer.add_callback(progress)
        with out_of_memory_explained(settings, trainer.args.device):
            final_loss = _run(trainer, last)
    if "wandb" in spec.report_to:
        import wandb  # without `finish`, the next student would report to the same wandb run

        wandb.finish()
    if progress.stopped is not None:
        raise progress.stopped
    log = trainer.state.log_history
    losses = [row["loss"] for row in log if "loss" in row]
    if not all(math.isfinite(loss) for loss in [*losses, final_loss]):
        raise ScicotError(
            "the loss is NaN or infinite; start over with --force and a lower --learning-rate"
        )
    steps = trainer.state.global_step
    metrics = {
        "steps": steps,
        "last_loss": losses[-1] if losses else final_loss,
        "train_seconds": progress.train_seconds(),
        "rows_per_second": progress.rows_per_second(steps),
        "training_tokens": schedule.tokens(steps),
        "padding": round(schedule.padding, 4),
    }
    if selection:
        processes.wait()  # until the best weights are on disk
        metrics |= selection.restore(model, log, steps)
    student = lora.merged(trainer.model, model, spec.student, settings.lora)
    metrics["weights"] = weights_of(student)
    return student, metrics, log


def _run(trainer: Trainer, checkpoint: Path | None) -> float:
    """Train the student and return the mean training loss.

    Training resumes from `checkpoint`. If `checkpoint` is None, training starts from step 0. If
    early stopping had ended the training at `checkpoint`, only the weights are loaded, and the
    result is 0.
    """
    try:
        result = trainer.train(
            resume_from_checkpoint=None if checkpoint is None else str(checkpoint)
        )
    except AlreadyEnded:
        return 0.0
    return float(result.training_loss)


def make_trainer(
    model: Any,
    tokenizer: Any,
    schedule: Schedule,
    run: Path,
    settings: TrainSettings,
    report_to: Sequence[str] = (),
) -> _Trainer:
    """Return the Trainer that `fit` runs. `model` is changed in place: its attention implementation
    is set. If `settings` request them, gradient checkpointing is enabled and adapters are added."""
    set_seed(settings.seed + processes.rank())  # each process needs a different dropout mask
    device = resolve_device(settings.device)
    model.set_attn_implementation(attention(model, settings, device))
    if settings.gradient_checkpointing:
        # the name of this method in later 5.x versions of transformers
        enable = getattr(model, "activation_checkpointing_enable", None)
        (enable or model.gradient_checkpointing_enable)({"use_reentrant": False})
    trainer = _Trainer(
        model=lora.adapted(model, settings.lora),
        args=_arguments(schedule, settings, run, report_to),
        train_dataset=schedule,
        data_collator=Collator(model, device),
        processing_class=tokenizer,
    )
    trainer.target_loss = TargetLoss(model, bf16=uses_bf16(model, settings))
    trainer.remove_callback(PrinterCallback)  # stdout is reserved for data
    # Not the default directory: it is in the checkpoint directory, which is deleted at the end.
    if "tensorboard" in report_to:
        from torch.utils.tensorboard import SummaryWriter

        writer = SummaryWriter(str(run / "tensorboard"))
        trainer.add_callback(TensorBoardCallback(writer))  # type: ignore[no-untyped-call]
    return trainer


def _arguments(
    schedule: Schedule, settings: TrainSettings, run: Path, report_to: Sequence[str]
) -> TrainingArguments:
    device = resolve_device(settings.device)
    arguments = TrainingArguments(
        output_dir=str(run / CHECKPOINTS),
        max_steps=schedule.steps,
        per_device_train_batch_size=1,  # an item of the schedule is a whole batch
        gradient_accumulation_steps=schedule.turns,
        train_sampling_strategy="sequential",  # the schedule is already in random order
        remove_unused_columns=False,
        learning_rate=settings.filled().learning_rate or 0.0,
        warmup_steps=settings.warmup(schedule.steps),
        weight_decay=settings.weight_decay,
        optim="adamw_torch_fused",
        adam_beta2=0.98,
        torch_compile=settings.compile,
        use_cpu=device.type == "cpu",
        seed=settings.seed,
        save_strategy="no",  # Progress requests checkpoints by time
        save_total_limit=2,  # the previous one is deleted only when the next is complete
        logging_steps=max(1, min(50, schedule.steps // 20)),
        logging_nan_inf_filter=False,
        report_to=[name for name in report_to if name != "tensorboard"] or "none",
        run_name="/".join(run.parts[-3:]),
        disable_tqdm=True,
        ddp_find_unused_parameters=False,
    )
    if arguments.n_gpu > 1:
        arguments._n_gpu = 1  # several GPUs are used through accelerate, never through DataParallel
    return arguments


class _Trainer(Trainer):
    """A Trainer with scicot's loss. The loss of an optimizer step is computed over all its
    micro-batches and processes:

    - Students with one task: the mean over all target tokens.
    - Students with two tasks (multi-task and shared): the mean over the answer tokens +
      rationale_loss_weight x the mean over the rationale tokens (Hsieh et al. 2023, equation 4).
    """

    target_loss: TargetLoss
    # the loss is already normalised over the batches of a step, by their shares
    loss_is_scaled_for_ga = True

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,  # noqa: ARG002  (True only in evaluation by the Trainer)
        num_items_in_batch: Any = None,  # noqa: ARG002
    ) -> Any:
        share = inputs.pop("share")[0]
        # DDP averages the gradients of the processes, but they must be summed.
        return self.target_loss(model, inputs) * share * self.args.world_size
