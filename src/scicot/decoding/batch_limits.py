"""The state of a text during generation, and the limits on the size and memory of batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scicot.decoding.engine import Ids

# Padded tokens held in memory at once, and padded tokens encoded in one forward pass.
_TOKENS = {"cpu": 65_536, "cuda": 2**20}
_ENCODED = {"cpu": 2048, "cuda": 65_536}
_ENCODED_JOINT = 1024  # causal models on a CPU: as fast as 2048, with half the activations
_LOGITS = {"cpu": 2**24, "cuda": 2**28}  # logits (states x vocabulary) computed at once
_GROUP = {"cpu": 64, "cuda": 1024}  # rows started together
# Limit of a causal model's KV cache on a CPU, in bytes: the largest of a minimum, a share of the
# weights' bytes, and what the weights in fp32 leave of _WEIGHTS_AND_CACHE. Matrix products of more
# rows are faster: with 520 MiB instead of 256 MiB, a model of 126 million weights generated 1.6
# times as fast in fp32. In fp32 the weights leave less room, so minimum and share are smaller.
_MINIMUM, _SHARE, _WEIGHTS_AND_CACHE = 2**28, 0.3, 2**30
_MINIMUM_FP32, _SHARE_FP32 = 2**27, 0.2
# multiple to which batch widths are padded on GPUs, where attention copies masks of other widths
_WIDTH_MULTIPLE = 8


@dataclass(slots=True)
class Completion:
    """A text to be generated from a source (the input of the model), with its tokens so far."""

    source: int  # index of its source
    uniforms: Any  # uniform random numbers, one per token; None for greedy decoding
    tokens: Ids = field(default_factory=list)
    done: bool = False
    age: int = 0  # decoding steps since it was assigned to a slot


@dataclass
class BatchLimits:
    """Upper limits on an engine's batches.

    The limits on generation (`rows` and `tokens`) are divided among the workers. The limits on
    scoring (`encoded`, `scored` and `nodes`) are not divided. They determine the shapes of batches,
    and the last digits of the scores depend on these shapes. So the scores do not depend on the
    number of workers.
    """

    rows: int  # texts generated at once by a worker
    tokens: int  # padded tokens of these texts and their sources
    group: int  # rows started together; fewer than `rows`, so that some start while others run
    encoded: int  # padded tokens encoded in one forward pass
    scored: int  # sequences scored in one forward pass
    nodes: int  # hidden states whose logits are computed at once

    @classmethod
    def of(
        cls,
        device: str,
        vocabulary: int,
        batch_size: int,
        batch_tokens: int | None,
        *,
        dtype: torch.dtype = torch.float32,
        token_bytes: int = 0,
        weights: int = 0,
        weight_bytes: int = 0,
    ) -> BatchLimits:
        """Return the limits of an engine with a single worker on a device type ("cpu" or "cuda").

        `vocabulary` is the number of tokens in the model's vocabulary, and `batch_size` the maximum
        number of sequences in a batch. `batch_tokens` is the value of the field `tokens` of the
        result, or None to choose a default. `dtype` is the precision of matrix products.
        `token_bytes` is the size of one token in the KV cache, 0 for encoder-decoders. `weights` is
        the model's number of weights, and `weight_bytes` their size in memory.

        The KV cache of a causal model on a CPU has a maximum size, which limits the default of
        `tokens`. The maximum is the largest of these three sizes, in the column of `dtype`:

            fp32                      other precisions
            128 MiB                   256 MiB
            0.2 * weight_bytes        0.3 * weight_bytes
            1 GiB - 4 * weights       1 GiB - 4 * weights

        4 * weights is the size of the weights in fp32, in bytes.
        """
        tokens, encoded, logits, group = (
            defaults.get(device, defaults["cpu"])
            for defaults in (_TOKENS, _ENCODED, _LOGITS, _GROUP)
        )
        if token_bytes and device == "cpu":
            encoded = _ENCODED_JOINT
            fp32 = dtype is torch.float32
            least, share = (_MINIMUM_FP32, _SHARE_FP32) if fp32 else (_MINIMUM, _SHARE)
            cache_bytes = max(least, int(share * weight_bytes), _WEIGHTS_AND_CACHE - 4 * weights)
            tokens = min(tokens, max(1, cache_bytes // token_bytes))
        tokens = batch_tokens or tokens
        return cls(
            rows=batch_size,
            tokens=tokens,
            group=max(1, min(group, batch_size // 8)),
            encoded=min(tokens, encoded),
            scored=batch_size,
            nodes=max(1, logits // vocabulary),
        )

    def share(self, workers: int) -> None:
        """Divide the limits on generation (`rows`, `tokens`) by the number of workers, in place."""
        self.rows, self.tokens = max(1, self.rows // workers), max(1, self.tokens // workers)

    def halve(self) -> bool:
        """Halve all limits in place, after running out of memory. Returns False, without a change,
        if batches are single sequences already."""
        if self.rows == self.nodes == self.scored == 1:
            return False
        self.scored = self.scored // 2 or 1
        self.nodes = self.nodes // 2 or 1
        self.rows, self.group = self.rows // 2 or 1, self.group // 2 or 1
        self.tokens, self.encoded = self.tokens // 2, self.encoded // 2
        return True


def pad_right(rows: Sequence[Ids], device: torch.device) -> tuple[Tensor, Tensor]:
    """Pad rows of token ids on the right with zeros, and copy them to a device.

    Returns two tensors: the padded ids of shape (len(rows), width), and the unpadded length of each
    row, of shape (len(rows),). On GPUs `width` is a multiple of 8.
    """
    lengths = torch.tensor([len(row) for row in rows])
    width = max(1, int(lengths.max()))  # a source of one token has an empty prefix
    if device.type != "cpu":
        width = -(-width // _WIDTH_MULTIPLE) * _WIDTH_MULTIPLE
    ids = np.zeros((len(rows), width), np.int64)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = row
    return torch.from_numpy(ids).to(device), lengths.to(device)
