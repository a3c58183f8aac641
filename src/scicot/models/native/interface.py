"""The protocols by which the decoding loops call a model of any family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, device

from scicot.models.native.attention import PrefixCache
from scicot.models.native.lm_head import LMHead

# How far before its query each key stands (any shape), and what none of them exceeds -> what that
# adds to its score, heads in front of the last two dimensions.
PositionBias = Callable[[Tensor, int], Tensor]


@dataclass(frozen=True, slots=True)
class Prompt:
    """A source, split into the tokens to prefill and the first decoder input."""

    prefix: list[int]  # encoded once, into a PrefixCache
    start: int  # first decoder input: the start token, or a causal model's last source token
    words: list[int]  # source tokens from which prompt lookup copies


class JointCache(Protocol):
    """Keys and values of prefixes and texts, to which a causal model attends in one softmax."""

    def joint(self, layer: int, q: Tensor, k: Tensor, v: Tensor, window: int | None) -> Tensor:
        """Attention to the prefix, to what was written, and to these keys and values; only to the
        last `window` positions, if given."""


class DecoderCache(JointCache, Protocol):
    """Keys and values of the rows of a decoder: of their prefixes, and of what they have written.

    An encoder-decoder attends to both apart (`own`, `read`), a causal model to both together.
    Queries are rows x heads x places x size, results rows x places x width.
    """

    def own(self, layer: int, q: Tensor, k: Tensor, v: Tensor, positions: PositionBias) -> Tensor:
        """Attention to these keys and values, and to those that were written before them."""

    def read(self, layer: int, q: Tensor) -> Tensor:
        """Attention to the source."""

    def positions(self, places: int) -> Tensor:
        """The positions of the last tokens in their sequences: rows x places."""


class Decoder(Protocol):
    """Tokens (rows x places) and a cache -> states (rows x places x size), which `output` makes
    logits of."""

    output: LMHead

    def __call__(self, ids: Tensor, memory: DecoderCache) -> Tensor: ...


class NativeModel(Protocol):
    """A transformers model over plain tensors. `joint`: it attends to prefix and text together;
    `token_bytes`: what it keeps of a token then."""

    joint: bool
    token_bytes: int
    ends: frozenset[int]
    device: device

    @property
    def decoder(self) -> Decoder: ...

    @property
    def encoder(self) -> Callable[[Tensor, Tensor], PrefixCache]:
        """Reads prefixes: token ids (rows x places), padded with any token behind lengths
        (rows)."""

    def prompt(self, source: list[int]) -> Prompt:
        """Split a source."""
