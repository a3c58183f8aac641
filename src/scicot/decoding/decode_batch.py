"""Decoding batches: rows that started at the same step share a KV cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from scicot.decoding.engine import Ids
from scicot.models.native.attention import NEVER, KVCache, PrefixCache
from scicot.models.native.interface import Decoder, PositionBias


class DecodeBatch:
    """Rows that started at the same step, each with its prefix's cache and its first decoder
    input (`starts`). `texts` holds one object per row, by which the caller identifies it; None once
    its text is finished."""

    def __init__(self, read: PrefixCache, texts: Sequence[Any], starts: Sequence[int]) -> None:
        self.texts = list(texts)
        self.tokens = torch.tensor(starts, device=read.states.device)  # last token of each row
        self._read = read
        self._written = KVCache(read.states)
        self._bias: dict[PositionBias, Tensor] = {}  # cached for the current step

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def width(self) -> int:
        """The length of the longest source in tokens."""
        return self._read.width

    @property
    def live(self) -> list[int]:
        """The rows whose texts are not finished."""
        return [row for row, text in enumerate(self.texts) if text is not None]

    def begin_step(self, tokens: int = 1) -> None:
        """Make room in the KV cache for `tokens` new tokens of each row."""
        self._bias.clear()
        self._written.begin(tokens)

    def ahead(self, decoder: Decoder, draft: Ids) -> Tensor:
        """Run the decoder on the last token and a draft, for a batch of one row.

        Returns the hidden state after each of these tokens (1 + len(draft) x size). Call
        `keep_ahead` next to remove the rejected draft tokens from the KV cache.
        """
        self.begin_step(1 + len(draft))
        tokens = torch.cat([self.tokens, torch.tensor(draft, device=self.tokens.device).long()])
        return decoder(tokens[None], self)[0]

    def keep_ahead(self, read: int, kept: int, token: int) -> None:
        """Truncate the KV cache after a draft: of the `read` tokens that `ahead` added, only the
        first `kept` stay. `token`, generated after these, is the input of the next step."""
        self._written.steps -= read - kept
        self.tokens = torch.full_like(self.tokens, token)

    def end_step(self, tokens: Tensor) -> None:
        self.tokens = tokens

    def keep(self, rows: Sequence[int]) -> None:
        """Keep only these rows of the batch and its caches."""
        self.texts = [self.texts[row] for row in rows]
        self.tokens = self.tokens[rows]
        self._written.keep(rows)
        self._read = self._read.of(rows)

    def own(self, layer: int, q: Tensor, k: Tensor, v: Tensor, positions: PositionBias) -> Tensor:
        if positions not in self._bias:
            now, places = self._written.steps, q.shape[2]
            steps = torch.arange(now, device=q.device)
            before = steps[now - places :, None] - steps
            bias = positions(before.clamp(min=0), now)
            self._bias[positions] = bias.masked_fill(before < 0, NEVER) if places > 1 else bias
        return self._written.attend(layer, q, k, v, self._bias[positions])

    def read(self, layer: int, q: Tensor) -> Tensor:
        return self._read.attend(layer, q)

    def joint(self, layer: int, q: Tensor, k: Tensor, v: Tensor, window: int | None) -> Tensor:
        return self._written.attend_jointly(layer, q, k, v, self._read, window)

    def positions(self, places: int) -> Tensor:
        steps = torch.arange(self._written.steps - places, self._written.steps)
        return self._read.lengths[:, None] + steps.to(self._read.lengths.device)


class JoinedBatches:
    """The `DecoderCache` of several batches, concatenated for one decoder step."""

    def __init__(self, groups: Sequence[DecodeBatch]) -> None:
        self._groups = groups
        self._rows = [len(group) for group in groups]

    def step(self, decoder: Decoder) -> Tensor:
        """Run the decoder on each row's last token; return its hidden states (rows x size)."""
        for group in self._groups:
            group.begin_step()
        tokens = torch.cat([group.tokens for group in self._groups])
        return decoder(tokens[:, None], self)[:, 0]

    def own(self, layer: int, q: Tensor, k: Tensor, v: Tensor, positions: PositionBias) -> Tensor:
        split = (torch.split(one, self._rows) for one in (q, k, v))
        parts = zip(self._groups, *split, strict=True)
        return torch.cat([group.own(layer, *part, positions) for group, *part in parts])

    def read(self, layer: int, q: Tensor) -> Tensor:
        parts = zip(self._groups, torch.split(q, self._rows), strict=True)
        return torch.cat([group.read(layer, part) for group, part in parts])

    def joint(self, layer: int, q: Tensor, k: Tensor, v: Tensor, window: int | None) -> Tensor:
        split = (torch.split(one, self._rows) for one in (q, k, v))
        parts = zip(self._groups, *split, strict=True)
        return torch.cat([group.joint(layer, *part, window) for group, *part in parts])

    def positions(self, places: int) -> Tensor:
        return torch.cat([group.positions(places) for group in self._groups])
