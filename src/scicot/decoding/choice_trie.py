"""Targets of one source in one row: what several begin with is computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from scicot.decoding.engine import Ids
from scicot.models.native.attention import NEVER, PrefixCache, attended, attended_in_parts
from scicot.models.native.interface import PositionBias


@dataclass(frozen=True)
class ChoiceTrie:
    """Beginnings of targets, rows x places: the last token of each (`ids`), how many tokens stand
    before it (`depths`), and which other places of the row are beginnings of it, itself among them
    (`sees`, rows x places x places). The `rows` and `places` behind which tokens are asked for, and
    of each token of each target, in order, which of these it is (`behind`) and itself (`tokens`).
    """

    ids: Tensor
    depths: Tensor
    sees: Tensor
    rows: Tensor
    places: Tensor
    behind: Tensor
    tokens: Tensor

    @classmethod
    def of(
        cls, targets: Sequence[Sequence[Ids]], starts: Sequence[int], device: torch.device
    ) -> ChoiceTrie:
        """The targets of each row, behind the token that its texts start with."""
        tries = [_TrieBuilder(start) for start in starts]
        wanted = [
            ((number, place), token)
            for number, (trie, own) in enumerate(zip(tries, targets, strict=True))
            for target in own
            for place, token in trie.add(target)
        ]
        width = max(len(trie.ids) for trie in tries)
        ids, depths = (torch.zeros((len(tries), width), dtype=torch.long) for _ in range(2))
        sees = torch.zeros((len(tries), width, width), dtype=torch.bool)
        for number, trie in enumerate(tries):
            ids[number, : len(trie.ids)] = torch.tensor(trie.ids)
            for place, line in enumerate(trie.lines):
                depths[number, place] = len(line) - 1
                sees[number, place, line] = True
        asked = dict.fromkeys(where for where, _ in wanted)
        known = {where: number for number, where in enumerate(asked)}
        rows, places = torch.tensor(list(asked)).view(-1, 2).unbind(1)
        behind = torch.tensor([known[where] for where, _ in wanted])
        tokens = torch.tensor([token for _, token in wanted])
        made = (ids, depths, sees, rows, places, behind, tokens)
        return cls(*(one.to(device) for one in made))

    def memory(self, read: PrefixCache) -> _Behind:
        """The `Memory` of these rows behind what they read."""
        distances = (self.depths[:, :, None] - self.depths[:, None]).clamp_(min=0)
        mask = torch.where(self.sees, 0.0, NEVER)[:, None]
        return _Behind(read, distances, mask, self.depths)


class _TrieBuilder:
    def __init__(self, start: int) -> None:
        self.ids = [start]
        self.lines = [[0]]  # of each place: the places before it, and itself
        self._places: dict[tuple[int, int], int] = {}  # (place, next token) -> place

    def add(self, target: Ids) -> list[tuple[int, int]]:
        """(the place before it, the token) for each token of a target."""
        place, wanted = 0, []
        for token in target:
            wanted.append((place, token))
            if len(wanted) < len(target):  # behind the last one nothing is asked
                place = self._next(place, token)
        return wanted

    def _next(self, place: int, token: int) -> int:
        key = place, token
        if key not in self._places:
            self._places[key] = len(self.ids)
            self.lines.append([*self.lines[place], len(self.ids)])
            self.ids.append(token)
        return self._places[key]


@dataclass
class _Behind:
    """All places at once, each of which sees those it goes on from."""

    source: PrefixCache
    distances: Tensor
    mask: Tensor
    depths: Tensor

    def own(self, layer: int, q: Tensor, k: Tensor, v: Tensor, positions: PositionBias) -> Tensor:  # noqa: ARG002
        return attended(q, k, v, positions(self.distances, self.mask.shape[-1]) + self.mask)

    def read(self, layer: int, q: Tensor) -> Tensor:
        return self.source.attend(layer, q)

    def joint(self, layer: int, q: Tensor, k: Tensor, v: Tensor, window: int | None) -> Tensor:
        places = self.mask.shape[-1]
        if window and self.source.width + places <= window:
            window = None  # all are within it
        before = self.source.behind(self.positions(places), window)
        own = self.mask.where(self.distances[:, None] < window, NEVER) if window else self.mask
        return attended_in_parts(q, [(*self.source.states[layer], before), (k, v, own)])

    def positions(self, places: int) -> Tensor:  # noqa: ARG002
        return self.source.lengths[:, None] + self.depths
