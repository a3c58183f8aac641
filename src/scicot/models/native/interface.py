"""Protocols through which the decoding loops use a model of any family and its KV caches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, device

from scicot.models.native.attention import PrefixCache
from scicot.models.native.lm_head import LMHead

# Maps (distances from query to key, upper bound of the distances) to the position bias. The bias
# has the shape of the distances, with an axis for heads before the last two.
PositionBias = Callable[[Tensor, int], Tensor]


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model receives for one source. A source is the token ids of one input text."""

    prefix: list[int]  # encoded once, into a PrefixCache
    start: int  # first decoder input: the start token, or a causal model's last source token
    words: list[int]  # source tokens from which prompt lookup copies


class JointCache(Protocol):
    """A KV cache for causal models, which attend to the prefix and the generated tokens in one
    softmax."""

    def joint_attention(
        self, layer: int, q: Tensor, k: Tensor, v: Tensor, window: int | None
    ) -> Tensor:
        """Compute the attention of the new tokens to the prefix, to the generated tokens in the
        cache and to the new tokens themselves, all in one softmax. With `window`, each new token
        attends only to the last `window` positions, including its own position.

        q, k and v are the queries, keys and values of the new tokens: rows x heads x positions x
        size. k and v may have fewer heads than q. Returns rows x positions x (heads * size).
        """


class DecoderCache(JointCache, Protocol):
    """KV cache of a decoder batch, with the attention to its keys and values.

    An encoder-decoder attends separately to generated tokens (`self_attention`) and to the source
    (`cross_attention`). A causal model attends to both in one softmax (`joint_attention`).

    Queries have the shape rows x heads x positions x size. Results have the shape rows x positions
    x (heads * size).
    """

    def self_attention(
        self, layer: int, q: Tensor, k: Tensor, v: Tensor, positions: PositionBias
    ) -> Tensor:
        """Compute the attention of the new tokens to the generated tokens in the cache and to the
        new tokens themselves.

        q, k and v are the queries, keys and values of the new tokens. `positions` computes the
        position bias from distances between tokens.
        """

    def cross_attention(self, layer: int, q: Tensor) -> Tensor:
        """Compute the attention of the new tokens to the encoded sources. q holds the queries of
        the new tokens."""

    def positions(self, count: int) -> Tensor:
        """Return the positions (rows x count) of the `count` tokens that the current step adds to
        each row. A position is counted from 0 at the start of the row's sequence."""


class Decoder(Protocol):
    """The decoder of a native model: maps token ids (rows x positions) and a KV cache to hidden
    states (rows x positions x size). `output` is its LM head."""

    output: LMHead

    def __call__(self, ids: Tensor, cache: DecoderCache) -> Tensor: ...


class NativeModel(Protocol):
    """A forward pass on plain tensors, with the weights of a transformers model.

    - `joint`: True for a causal model, which attends to prefix and generated tokens in one softmax.
    - `token_bytes`: the size in bytes of one token's keys and values in the KV cache of a causal
      model. It limits the size of batches. For an encoder-decoder it is not needed, and is 0.
    - `ends`: the ids of the end tokens.
    """

    joint: bool
    token_bytes: int
    ends: frozenset[int]
    device: device

    @property
    def decoder(self) -> Decoder: ...

    @property
    def encoder(self) -> Callable[[Tensor, Tensor], PrefixCache]:
        """The function that encodes prefixes. It takes token ids (rows x positions), right-padded
        with any token, and the number of tokens in each row, a tensor of shape (rows,). It returns
        a PrefixCache."""

    def prompt(self, source: list[int]) -> Prompt:
        """Return the model's inputs for a source, which is given as token ids."""
