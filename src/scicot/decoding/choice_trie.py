"""Prefix tries of the targets to score. A prefix that several targets of a source share is a single
node, so the model computes it only once."""

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
    """The prefix tries of a batch: one trie for each source, built from the targets of the source.
    A node stands for a prefix of one or several targets. Each row of the tensors is one trie,
    padded to the size of the largest trie."""

    ids: Tensor  # rows x nodes: last token of each prefix
    depths: Tensor  # rows x nodes: distance of each node from the root
    visible: Tensor  # rows x nodes x nodes: attention mask; a node sees itself and its ancestors
    # one element for each node whose logits are needed
    rows: Tensor  # the node's row
    columns: Tensor  # the node's position in its row
    # one element for each token of the targets, in the order of the targets
    parents: Tensor  # the node before the token, as an index into `rows` and `columns`
    tokens: Tensor  # the token's id

    @classmethod
    def of(
        cls, targets: Sequence[Sequence[Ids]], starts: Sequence[int], device: torch.device
    ) -> ChoiceTrie:
        """Build a trie for each row of a batch. `targets[i]` are the targets of row i, as token
        ids. `starts[i]` is the decoder's first input in row i, the root of its trie."""
        tries = [_TrieBuilder(start) for start in starts]
        node_tokens = [
            ((row, node), token)
            for row, (trie, row_targets) in enumerate(zip(tries, targets, strict=True))
            for target in row_targets
            for node, token in trie.add(target)
        ]
        width = max(len(trie.ids) for trie in tries)
        ids, depths = (torch.zeros((len(tries), width), dtype=torch.long) for _ in range(2))
        visible = torch.zeros((len(tries), width, width), dtype=torch.bool)
        for row, trie in enumerate(tries):
            ids[row, : len(trie.ids)] = torch.tensor(trie.ids)
            for node, ancestors in enumerate(trie.ancestors):
                depths[row, node] = len(ancestors) - 1
                visible[row, node, ancestors] = True
        unique_nodes = dict.fromkeys(node for node, _ in node_tokens)
        index_of_node = {node: index for index, node in enumerate(unique_nodes)}
        rows, columns = torch.tensor(list(unique_nodes)).view(-1, 2).unbind(1)
        parents = torch.tensor([index_of_node[node] for node, _ in node_tokens])
        tokens = torch.tensor([token for _, token in node_tokens])
        tensors = (ids, depths, visible, rows, columns, parents, tokens)
        return cls(*(tensor.to(device) for tensor in tensors))

    def cache(self, prefixes: PrefixCache) -> _TrieCache:
        """Return a `DecoderCache` for computing all nodes of these tries in one forward pass.
        `prefixes` is the KV cache of the rows' encoded sources."""
        distances = (self.depths[:, :, None] - self.depths[:, None]).clamp_(min=0)
        mask = torch.where(self.visible, 0.0, NEVER)[:, None]
        return _TrieCache(prefixes, distances, mask, self.depths)


class _TrieBuilder:
    def __init__(self, start: int) -> None:
        self.ids = [start]
        self.ancestors = [[0]]  # for each node, its ancestors and itself
        self._children: dict[tuple[int, int], int] = {}  # (node, next token) -> child node

    def add(self, target: Ids) -> list[tuple[int, int]]:
        """Insert a target, given as token ids. Returns a pair (parent node, token) for each token
        of the target. The parent node stands for the tokens before that token."""
        node, pairs = 0, []
        for token in target:
            pairs.append((node, token))
            # the last token needs no node, because no token follows it
            if len(pairs) < len(target):
                node = self._child(node, token)
        return pairs

    def _child(self, node: int, token: int) -> int:
        key = node, token
        if key not in self._children:
            self._children[key] = len(self.ids)
            self.ancestors.append([*self.ancestors[node], len(self.ids)])
            self.ids.append(token)
        return self._children[key]


@dataclass
class _TrieCache:
    """A `DecoderCache` for one forward pass over all nodes of a batch of tries. Each node attends
    to its source, its ancestors and itself."""

    source: PrefixCache
    distances: Tensor
    mask: Tensor
    depths: Tensor

    def self_attention(
        self,
        layer: int,  # noqa: ARG002
        q: Tensor,
        k: Tensor,
        v: Tensor,
        positions: PositionBias,
    ) -> Tensor:
        return attended(q, k, v, positions(self.distances, self.mask.shape[-1]) + self.mask)

    def cross_attention(self, layer: int, q: Tensor) -> Tensor:
        return self.source.attend(layer, q)

    def joint_attention(
        self, layer: int, q: Tensor, k: Tensor, v: Tensor, window: int | None
    ) -> Tensor:
        width = self.mask.shape[-1]
        if window and self.source.width + width <= window:
            window = None  # all positions are within the window
        prefix_mask = self.source.window_mask(self.positions(width), window)
        text_mask = (
            self.mask.where(self.distances[:, None] < window, NEVER) if window else self.mask
        )
        return attended_in_parts(q, [(*self.source.states[layer], prefix_mask), (k, v, text_mask)])

    def positions(self, count: int) -> Tensor:  # noqa: ARG002
        return self.source.lengths[:, None] + self.depths
