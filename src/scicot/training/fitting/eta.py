"""Estimate the duration of a training run."""

from __future__ import annotations

import statistics
import time
from typing import Any

from scicot.config import TrainSettings
from scicot.devices import resolve_device
from scicot.models.prompt_format import PromptFormat
from scicot.training.dev_set import DevSet
from scicot.training.fitting.auto_batch_size import out_of_memory_explained
from scicot.training.fitting.collator import Collator
from scicot.training.fitting.compute import attention, uses_bf16
from scicot.training.fitting.loss import TargetLoss
from scicot.training.fitting.progress import tenth
from scicot.training.plan.schedule import Schedule

_TIMED_BATCHES = 6  # batches to time; the first one is slow and not counted


def expected_seconds(
    model: Any, form: PromptFormat, schedule: Schedule, dev: DevSet | None, settings: TrainSettings
) -> float:
    """Estimate the duration of a training run in seconds, including its dev evaluations, by timing
    a few batches. The weights are not changed."""
    device = resolve_device(settings.device)
    model.set_attn_implementation(attention(model, settings, device))
    model.to(device).train()
    collate = Collator(model, device)
    target_loss = TargetLoss(model, bf16=uses_bf16(model, settings))
    seconds = []
    with out_of_memory_explained(settings, device):
        for item in range(min(_TIMED_BATCHES, len(schedule))):
            batch = {name: tensor.to(device) for name, tensor in collate([schedule[item]]).items()}
            share = batch.pop("share")[0]
            start = time.perf_counter()
            loss = target_loss(model, batch) * share
            loss.backward()  # type: ignore[no-untyped-call]
            loss.item()  # waits for the GPU to finish
            seconds.append(time.perf_counter() - start)
            model.zero_grad()
    dev_seconds = dev.expected_seconds(model, form) if dev else 0.0
    evaluations = -(-schedule.steps // (settings.eval_steps or tenth(schedule.steps)))
    batches = schedule.steps * schedule.turns
    return batches * statistics.mean(seconds[1:] or seconds) + evaluations * dev_seconds
