"""The protocols by which the decoding loops call a model of any family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, device

from scicot.models.native.attention import PrefixCache
from scicot.models.native.lm_head import LMHead

# (distances from query to key, of any shape; upper bound of the distances) -> position bias: heads,
# followed by the last two dimensions.
PositionBias = Callable[[Tensor, int], Tensor]


@dataclass(frozen=True, slots=True)
class Prompt:
    """A source, split into the tokens to prefill and the first decoder input."""

    prefix: list[int]  # encoded once, into a PrefixCache
    start: int  # first decoder input: the start token, or a causal model's last source token
    words: list[int]  # source tokens from which prompt lookup copies


class JointCache(Protocol):
    """KV cache of prefixes and generated tokens, to which a causal model attends in one softmax."""

    def joint_attention(
        self, layer: int, q: Tensor, k: Tensor, v: Tensor, window: int | None
    ) -> Tensor:
        """Attend to the prefix, the generated tokens, and these new keys and values; only to the
        last `window` positions, if given."""


class DecoderCache(JointCache, Protocol):
    """KV cache of a decoder batch: the keys and values of prefixes and of generated tokens.

    An encoder-decoder attends to the two separately (`cross_attention`, `self_attention`), a causal
    model jointly (`joint_attention`). Queries are rows x heads x positions x size, results rows x
    positions x width.
    """

    def self_attention(
        self, layer: int, q: Tensor, k: Tensor, v: Tensor, positions: PositionBias
    ) -> Tensor:
        """Attend to the generated tokens: those in the cache and these new keys and values."""

    def cross_attention(self, layer: int, q: Tensor) -> Tensor:
        """Attend to the encoded source."""

    def positions(self, count: int) -> Tensor:
        """Return the positions in their sequences, from 0, of the `count` tokens that this step
        adds to each row: rows x count."""


class Decoder(Protocol):
    """Maps token ids (rows x positions) and a cache to hidden states (rows x positions x size);
    `output` is the LM head."""

    output: LMHead

    def __call__(self, ids: Tensor, cache: DecoderCache) -> Tensor: ...


class NativeModel(Protocol):
    """A forward pass on plain tensors, with the weights of a transformers model. `joint`: True if
    it attends to prefix and generated tokens in one softmax (causal models). `token_bytes`: the KV
    cache size of a token; 0 if `joint` is False."""

    joint: bool
    token_bytes: int
    ends: frozenset[int]
    device: device

    @property
    def decoder(self) -> Decoder: ...

    @property
    def encoder(self) -> Callable[[Tensor, Tensor], PrefixCache]:
        """The encoder of prefixes. It maps token ids (rows x positions, right-padded with any
        token) and their lengths (rows) to a PrefixCache."""

    def prompt(self, source: list[int]) -> Prompt:
        """Split a source into its prefix and the first decoder input."""
