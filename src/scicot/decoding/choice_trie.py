"""Prefix tries of the targets to score: a prefix that several targets share is computed once."""

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
    """A batch of prefix tries, one row for each source, one node for each target prefix.

    Nodes (rows x nodes, padded): `ids` is the last token of the prefix, `depths` its distance from
    the root, and `sees` (rows x nodes x nodes) the attention mask, in which a node sees itself and
    its ancestors. `rows` and `places` index the nodes whose next-token logits are needed. For each
    token of each target, in order, `tokens` is its id, and `behind` is the index of its parent
    among these nodes.
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
        """Build the tries of each row's targets; the root is the row's decoder start token."""
        tries = [_TrieBuilder(start) for start in starts]
        wanted = [
            ((number, place), token)
            for number, (trie, row_targets) in enumerate(zip(tries, targets, strict=True))
            for target in row_targets
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
        """Return a `DecoderCache` of these tries that attends to the encoded sources in `read`."""
        distances = (self.depths[:, :, None] - self.depths[:, None]).clamp_(min=0)
        mask = torch.where(self.sees, 0.0, NEVER)[:, None]
        return _Behind(read, distances, mask, self.depths)


class _TrieBuilder:
    def __init__(self, start: int) -> None:
        self.ids = [start]
        self.lines = [[0]]  # for each node, its ancestors and itself
        self._places: dict[tuple[int, int], int] = {}  # (node, next token) -> child node

    def add(self, target: Ids) -> list[tuple[int, int]]:
        """Insert a target; return (parent node, token) for each of its tokens."""
        place, wanted = 0, []
        for token in target:
            wanted.append((place, token))
            # the last token needs no node, because no token follows it
            if len(wanted) < len(target):
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
    """`DecoderCache` of a trie batch: all nodes in one forward pass, masked to their ancestors."""

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
            window = None  # all positions are within the window
        before = self.source.behind(self.positions(places), window)
        text_mask = (
            self.mask.where(self.distances[:, None] < window, NEVER) if window else self.mask
        )
        return attended_in_parts(q, [(*self.source.states[layer], before), (k, v, text_mask)])

    def positions(self, places: int) -> Tensor:  # noqa: ARG002
        return self.source.lengths[:, None] + self.depths
