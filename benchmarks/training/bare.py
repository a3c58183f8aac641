"""The reference for training speed: a Seq2SeqTrainer with common settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


class Padder:
    """Collates rows for a plain Trainer: padded to their longest row, or all to the same
    lengths."""

    def __init__(self, model: Any, fixed: tuple[int, int] | None = None) -> None:
        self._model = model
        self._fixed = fixed

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        import torch

        lengths = self._fixed or [
            max(len(row[name]) for row in rows) for name in ("input_ids", "labels")
        ]
        batch = torch.zeros((len(rows), lengths[0]), dtype=torch.long)
        labels = torch.full((len(rows), lengths[1]), -100)
        for index, row in enumerate(rows):
            source, target = row["input_ids"][: lengths[0]], row["labels"][: lengths[1]]
            batch[index, : len(source)] = torch.tensor(source)
            labels[index, : len(target)] = torch.tensor(target)
        return {"input_ids": batch, "attention_mask": (batch != 0).long(), "labels": labels}


def bare_trainer(
    model: Any,
    tokenizer: Any,
    rows: list[Any],
    size: int,
    collate: Any,
    folder: Path,
    **options: Any,
) -> Any:
    from transformers import Seq2SeqTrainer, Seq2SeqTrainingArguments
    from transformers.trainer_callback import PrinterCallback

    model.set_attn_implementation("sdpa")  # the default implementation
    arguments = Seq2SeqTrainingArguments(
        **{
            "output_dir": str(folder), "max_steps": len(rows) // size, "use_cpu": True,
            "per_device_train_batch_size": size, "train_sampling_strategy": "sequential",
            "remove_unused_columns": False, "save_strategy": "no", "report_to": "none",
            "disable_tqdm": True, "adam_beta2": 0.98, "learning_rate": 3e-4,
            **options,
        }
    )  # fmt: skip
    trainer = Seq2SeqTrainer(
        model=model, args=arguments, train_dataset=rows, data_collator=collate,
        processing_class=tokenizer,
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    return trainer


def whole_batches(order: Any, size: int) -> list[Any]:
    return [order[start : start + size] for start in range(0, len(order) - size + 1, size)]


def grouped_by_trainer(lengths: Any, size: int) -> Any:
    from transformers.trainer_pt_utils import LengthGroupedSampler

    return np.array(list(LengthGroupedSampler(size, lengths=lengths.sum(axis=1).tolist())))


def padding(batches: list[Any], lengths: Any) -> float:
    from scicot.training.plan.length_buckets import padded

    real = sum(lengths[batch].sum() for batch in batches)
    return 1 - float(real) / sum(padded(lengths[batch]) for batch in batches)
