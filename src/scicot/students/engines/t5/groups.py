"""Texts that are written side by side, in groups that began together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from scicot.students.engines.t5.attention import Read, Written
from scicot.students.engines.t5.model import Decoder, Positions


class Group:
    """Rows that began at the same step, each of which reads a source and writes a text. `texts` are
    what the caller has in them; None where one has ended."""

    def __init__(self, read: Read, texts: Sequence[Any], start: int) -> None:
        self.texts = list(texts)
        self.tokens = torch.full((len(texts),), start, device=read.states.device)  # written last
        self._read = read
        self._written = Written(read.states)
        self._bias: dict[Positions, Tensor] = {}  # of this step

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def width(self) -> int:
        """Tokens of the longest source."""
        return self._read.width

    @property
    def live(self) -> list[int]:
        """The rows whose texts have not ended."""
        return [row for row, text in enumerate(self.texts) if text is not None]

    def begin_step(self) -> None:
        self._bias.clear()
        self._written.begin_step()

    def end_step(self, tokens: Tensor) -> None:
        self.tokens = tokens

    def keep(self, rows: Sequence[int]) -> None:
        """Let all other rows go."""
        self.texts = [self.texts[row] for row in rows]
        self.tokens = self.tokens[rows]
        self._written.keep(rows)
        self._read = self._read.of(rows)

    def own(self, layer: int, q: Tensor, k: Tensor, v: Tensor, positions: Positions) -> Tensor:
        if positions not in self._bias:
            before = torch.arange(self._written.steps - 1, -1, -1, device=q.device)
            self._bias[positions] = positions(before[None])
        return self._written.attend(layer, q, k, v, self._bias[positions])

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
