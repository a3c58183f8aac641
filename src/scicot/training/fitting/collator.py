"""Collate rows of token ids into batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from scicot.models.families import family_of


class Collator:
    """Collates one item of a schedule into a batch of tensors (see Family.collate). The item is a
    list of rows. The batch also has the tensor "share", of shape (rows,): the weight that each
    target token of a row has in the loss of the step. On CUDA, sequences are padded to a multiple
    of 8 tokens, for tensor cores."""

    def __init__(self, model: Any, device: torch.device) -> None:
        self._family = family_of(model.config)
        pad = model.config.pad_token_id
        self._pad = 0 if pad is None else pad  # padding is masked, so any token will do
        self._multiple = 8 if device.type == "cuda" else 1

    def __call__(self, items: Sequence[Sequence[dict[str, Any]]]) -> dict[str, torch.Tensor]:
        (rows,) = items
        share = torch.tensor([row["share"] for row in rows], dtype=torch.float32)
        return {**self._family.collate(rows, self._pad, self._multiple), "share": share}
