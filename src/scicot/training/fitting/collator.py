"""Rows of token ids -> the tensors of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from scicot.training.fitting.loss import IGNORED


class Collator:
    """Makes a batch of one item of a schedule: {"input_ids", "attention_mask": rows x inputs,
    "labels": rows x targets, "share": rows}, padded to the longest; on CUDA to a multiple of 8,
    as tensor cores have it."""

    def __init__(self, pad: int, device: torch.device) -> None:
        self._pad = pad
        self._multiple = 8 if device.type == "cuda" else 1

    def __call__(self, items: Sequence[Sequence[dict[str, Any]]]) -> dict[str, torch.Tensor]:
        (rows,) = items
        sources = self._padded([row["input_ids"] for row in rows], self._pad)
        lengths = torch.tensor([len(row["input_ids"]) for row in rows])
        return {
            "input_ids": sources,
            "attention_mask": (torch.arange(sources.shape[1]) < lengths[:, None]).long(),
            "labels": self._padded([row["labels"] for row in rows], IGNORED),
            "share": torch.tensor([row["share"] for row in rows], dtype=torch.float32),
        }

    def _padded(self, rows: Sequence[Sequence[int]], value: int) -> torch.Tensor:
        longest = max(map(len, rows))
        width = -(-longest // self._multiple) * self._multiple
        whole = np.full((len(rows), width), value, np.int64)
        for place, ids in enumerate(rows):
            whole[place, : len(ids)] = ids
        return torch.from_numpy(whole)
