"""Texts that are written side by side, in groups that began together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from scicot.students.engines.t5.layers import attended
from scicot.students.engines.t5.model import Decoder, Positions, Read

_COLUMNS = 32  # of a cache, at first


class Group:
    """Rows that began at the same step, each of which reads a source and writes a text. `texts` are
    what the caller has in them; None where one has ended."""

    def __init__(self, read: Read, texts: Sequence[Any], start: int) -> None:
        layers, _, rows, heads, _, size = read.states.shape
        self.texts = list(texts)
        self.tokens = torch.full((rows,), start, device=read.states.device)  # written last
        self._read = read
        self._cache = read.states.new_empty((layers, 2, rows, heads, _COLUMNS, size))
        self._written = 0
        self._bias: dict[Positions, Tensor] = {}  # of this step

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def width(self) -> int:
        """Tokens of the longest source."""
        return self._read.mask.shape[-1]

    @property
    def live(self) -> list[int]:
        """The rows whose texts have not ended."""
        return [row for row, text in enumerate(self.texts) if text is not None]

    def begin_step(self) -> None:
        self._bias.clear()
        if self._written == self._cache.shape[-2]:
            columns = torch.empty_like(self._cache)
            self._cache = torch.cat([self._cache, columns], dim=-2)

    def end_step(self, tokens: Tensor) -> None:
        self._written += 1
        self.tokens = tokens

    def keep(self, rows: Sequence[int]) -> None:
        """Let all other rows go."""
        self.texts = [self.texts[row] for row in rows]
        self.tokens = self.tokens[rows]
        self._cache = self._cache[:, :, rows]
        self._read = Read(self._read.states[:, :, rows], self._read.mask[rows])

    def own(self, layer: int, q: Tensor, k: Tensor, v: Tensor, positions: Positions) -> Tensor:
        keys, values = self._cache[layer]
        now = self._written
        keys[:, :, now], values[:, :, now] = k[:, :, 0], v[:, :, 0]
        if positions not in self._bias:
            self._bias[positions] = positions(torch.arange(now, -1, -1, device=q.device)[None])
        seen = slice(now + 1)
        return attended(q, keys[:, :, seen], values[:, :, seen], self._bias[positions])

    def read(self, layer: int, q: Tensor) -> Tensor:
        return self._read.attend(layer, q)


class Groups:
    """The `Memory` of several groups, their rows one behind the other."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self._groups = groups
        self._rows = [len(group) for group in groups]

    def step(self, decoder: Decoder) -> Tensor:
        """The states (rows x size) behind the last tokens."""
        for group in self._groups:
            group.begin_step()
        tokens = torch.cat([group.tokens for group in self._groups])
        return decoder(tokens[:, None], self)[:, 0]

    def own(self, layer: int, q: Tensor, k: Tensor, v: Tensor, positions: Positions) -> Tensor:
        split = (torch.split(one, self._rows) for one in (q, k, v))
        parts = zip(self._groups, *split, strict=True)
        return torch.cat([group.own(layer, *part, positions) for group, *part in parts])

    def read(self, layer: int, q: Tensor) -> Tensor:
        parts = zip(self._groups, torch.split(q, self._rows), strict=True)
        return torch.cat([group.read(layer, part) for group, part in parts])
