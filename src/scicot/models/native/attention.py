"""Attention functions and KV caches of the native forward passes.

Attention scores are not scaled here: T5 does not scale them, and causal models scale their queries
beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from scicot.models.native import kernels

# Added to the scores of masked positions. It is finite, so that a row in which all positions are
# masked does not become NaN.
NEVER = -1e30

_OF_CUDA = [SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]

_STEPS = 32  # initial number of steps for which memory is allocated


# Maximum size (heads x queries x keys) of the bias of a whole input, and of the bias of a block of
# queries. Longer inputs are computed in blocks, since choices are never truncated: the bias of an
# input of 18,000 tokens takes several GB.
_MAX_BIAS, _BLOCK_BIAS = 2**26, 2**25

_MAX_QUERIES = 8  # maximum number of queries per row for which the numba kernel is faster


def attended(q: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
    """Compute attention, softmax(q k^T + bias) v, without scaling the scores.

    q: rows x heads x positions x size. keys and values: rows x KV heads x key positions x size.
    Several heads may share a KV head (grouped-query attention). bias broadcasts to rows x heads x
    positions x key positions. Returns rows x positions x (heads * size). The result has the dtype
    of q on a CPU, and the dtype of the keys on other devices.
    """
    rows, heads, count, _ = q.shape
    if q.device.type == "cpu":
        keys, values = keys.to(q.dtype), values.to(q.dtype)
    else:
        q, bias = q.to(keys.dtype), bias.to(keys.dtype)
    groups = heads // keys.shape[1]
    if groups > 1:
        q, bias = _grouped(q, groups), _for_groups(bias, groups)
    if q.shape[2] > 1 or q.device.type != "cpu":
        # cuDNN compiles a plan for every new shape in about 30 ms, and decoding has many shapes.
        with sdpa_kernel(_OF_CUDA) if q.device.type == "cuda" else nullcontext():
            attended_values = scaled_dot_product_attention(
                q, keys, values, attn_mask=bias, scale=1.0
            )
        return _as_rows(attended_values, heads, count)
    # For a single query, plain matrix products are much faster.
    bias = bias.expand(rows, heads, count, -1).flatten(0, 1)
    scores = torch.baddbmm(bias, q.flatten(0, 1), keys.flatten(0, 1).transpose(1, 2))
    attended_values = torch.bmm(scores.softmax(-1), values.flatten(0, 1)).view(
        rows, heads, count, -1
    )
    return _as_rows(attended_values, heads, count)


def needs_blocks(heads: int, width: int) -> bool:
    """Return True if self-attention over `width` positions should be computed by
    `attended_in_blocks`, to save memory. `heads` is the number of heads of the bias."""
    return heads * width**2 > _MAX_BIAS


def attended_in_blocks(
    q: Tensor, keys: Tensor, values: Tensor, bias_of: Callable[[int, int], Tensor], heads: int
) -> Tensor:
    """Compute the same as `attended`, for one block of queries after the other.

    `bias_of(start, end)` returns the bias of the queries from `start` to `end` (exclusive), with
    `heads` heads. The bias of all queries is never in memory at once.
    """
    count = q.shape[2]
    size = max(1, _BLOCK_BIAS // (len(q) * heads * keys.shape[2]))
    blocks = ((start, min(start + size, count)) for start in range(0, count, size))
    return torch.cat(
        [attended(q[:, :, start:end], keys, values, bias_of(start, end)) for start, end in blocks],
        dim=1,
    )


def attended_in_parts(q: Tensor, parts: Sequence[tuple[Tensor, Tensor, Tensor]]) -> Tensor:
    """Compute the same as `attended` for the concatenation of several parts. Each part is a tuple
    (keys, values, bias)."""
    # Concatenating the parts would copy their keys and values.
    heads, count = q.shape[1:3]
    dtype = q.dtype if q.device.type == "cpu" else parts[0][0].dtype
    groups = heads // parts[0][0].shape[1]
    q = _grouped(q.to(dtype), groups)
    scores = [
        (q @ keys.to(dtype).transpose(2, 3)).float() + _for_groups(bias, groups)
        for keys, _, bias in parts
    ]
    weights = torch.cat(scores, -1).softmax(-1).to(dtype)
    shares = torch.split(weights, [part_scores.shape[-1] for part_scores in scores], -1)
    total = shares[0] @ parts[0][1].to(dtype)
    for share, (_, values, _) in zip(shares[1:], parts[1:], strict=True):
        total = total + share @ values.to(dtype)
    return _as_rows(total, heads, count)


def _grouped(q: Tensor, groups: int) -> Tensor:
    """Fold the query heads that share a KV head into the positions axis. Maps rows x heads x
    positions x size to rows x KV heads x (groups * positions) x size. `groups` is the number of
    query heads that share a KV head."""
    rows, heads, count, size = q.shape
    return q.reshape(rows, heads // groups, groups * count, size)


def _for_groups(bias: Tensor, groups: int) -> Tensor:
    return bias if bias.shape[2] == 1 else bias.repeat(1, 1, groups, 1)


def _as_rows(attended_values: Tensor, heads: int, count: int) -> Tensor:
    return (
        attended_values.reshape(len(attended_values), heads, count, -1).transpose(1, 2).flatten(2)
    )


@dataclass(frozen=True)
class PrefixCache:
    """KV cache of the encoded sources (prefixes) of a batch.

    `states` holds keys and values in fp32 or bf16: layers x 2 x rows x KV heads x positions x size.
    `lengths` (rows) is the number of tokens in each row; the positions after them are padding.
    """

    states: Tensor
    lengths: Tensor

    @property
    def width(self) -> int:
        return self.states.shape[4]

    @cached_property
    def mask(self) -> Tensor:
        return masked(self.lengths, self.width)

    def of(self, rows: Sequence[int]) -> PrefixCache:
        return PrefixCache(self.states[:, :, rows], self.lengths[rows])

    def attend(self, layer: int, q: Tensor) -> Tensor:
        """Attend to the prefixes in one layer, with queries q (rows x heads x positions x size).
        Returns rows x positions x (heads * size)."""
        keys, values = self.states[layer]
        if _single_query(q):
            from scicot.models.native.kernels.decode_attention import read

            return read(q, keys, values, self.lengths)
        return attended(q, keys, values, self.mask)

    def window_mask(self, positions: Tensor, window: int | None) -> Tensor:
        """Return the mask to add to the attention scores between the queries and the prefix tokens:
        rows x 1 x query positions x prefix positions.

        `positions` (rows x query positions) are the positions of the queries in their sequences.
        The mask is the constant `NEVER` for padding, and for each prefix token whose distance to
        the query is at least `window`. It is 0 elsewhere. If `window` is None, only padding is
        masked, and the shape is rows x 1 x 1 x prefix positions.
        """
        if not window:
            return self.mask
        columns = torch.arange(self.width, device=positions.device)
        return self.mask.where(positions[:, None, :, None] - columns < window, NEVER)


def masked(lengths: Tensor, width: int) -> Tensor:
    """Return a mask of shape (rows, 1, 1, width) to add to attention scores. `lengths` has the
    shape (rows,). The mask is 0 at the positions within a row's length, and the constant `NEVER` at
    the padding after these positions."""
    columns = torch.arange(width, device=lengths.device)
    mask = torch.zeros((len(lengths), width), device=lengths.device)
    return mask.masked_fill_(columns >= lengths[:, None], NEVER)[:, None, None]


class KVCache:
    """KV cache of the tokens that the rows of a batch have generated. Each step adds the same
    number of tokens to every row."""

    def __init__(self, like: Tensor) -> None:
        """Allocate a cache with as many layers, rows and heads as `like`, and with the same head
        size and dtype, for _STEPS positions at first. `like` is the `states` of a PrefixCache."""
        layers, _, rows, heads, _, size = like.shape
        self.steps = 0
        self._states = like.new_empty((layers, 2, _STEPS, rows, heads, size))

    def begin(self, steps: int) -> None:
        """Make room for `steps` more tokens in each row. `attend` or `attend_jointly` will store
        the keys and values of these tokens."""
        self.steps += steps
        while self.steps > self._states.shape[2]:
            self._states = torch.cat([self._states, torch.empty_like(self._states)], dim=2)

    def keep(self, rows: Sequence[int]) -> None:
        """Keep only these rows of the cache, and drop the others."""
        self._states = self._states[:, :, :, rows]

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        """Store the keys and values of the new tokens. Then attend from the new tokens to all
        generated tokens, including the new tokens.

        q, k and v: rows x heads x new tokens x size. `bias` (heads x new tokens x generated tokens)
        is added to the scores. Returns rows x new tokens x (heads * size).
        """
        keys, values = self._put(layer, k, v)
        if _single_query(q):
            from scicot.models.native.kernels.decode_attention import attend_generated

            return attend_generated(q, keys, values, bias[:, 0])
        keys, values = (states.permute(1, 2, 0, 3) for states in (keys, values))
        return attended(q, keys, values, bias)

    def attend_jointly(
        self, layer: int, q: Tensor, k: Tensor, v: Tensor, prefix: PrefixCache, window: int | None
    ) -> Tensor:
        """Store the keys and values of the new tokens, and attend from the new tokens to the prefix
        and all generated tokens in one softmax. With `window`, each new token attends only to the
        last `window` positions, including its own position.

        q: rows x heads x new tokens x size. k and v: rows x KV heads x new tokens x size. Returns
        rows x new tokens x (heads * size).
        """
        keys, values = self._put(layer, k, v)
        if kernels.HERE and q.device.type == "cpu" and q.shape[2] <= _MAX_QUERIES:
            from scicot.models.native.kernels.joint_attention import joint

            return joint(q, prefix.states[layer], prefix.lengths, keys, values, window)
        count, device = q.shape[2], q.device
        steps = torch.arange(self.steps, device=device)
        distances = steps[-count:, None] - steps
        sees = (distances >= 0) if not window else (distances >= 0) & (distances < window)
        causal_mask = torch.zeros(sees.shape, device=device).masked_fill_(~sees, NEVER)[None, None]
        prefix_mask = prefix.window_mask(prefix.lengths[:, None] + steps[-count:], window)
        keys, values = (states.permute(1, 2, 0, 3) for states in (keys, values))
        return attended_in_parts(
            q, [(*prefix.states[layer], prefix_mask), (keys, values, causal_mask)]
        )

    def _put(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Store k and v, the keys and values of the new tokens, in the cache of this layer. Both
        have the shape rows x heads x new tokens x size.

        Returns the keys and the values of all generated tokens, including the new tokens. Both have
        the shape tokens x rows x heads x size.
        """
        keys, values = self._states[layer][:, : self.steps]
        new_steps = slice(self.steps - k.shape[2], self.steps)
        keys[new_steps], values[new_steps] = k.permute(2, 0, 1, 3), v.permute(2, 0, 1, 3)
        return keys, values


def _single_query(q: Tensor) -> bool:
    """Return True if the numba kernel for a single query per row can be used: numba is installed,
    and q (rows x heads x positions x size) has one position and is on a CPU."""
    return kernels.HERE and q.shape[2] == 1 and q.device.type == "cpu"
