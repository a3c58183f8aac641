"""T5's encoder and decoder on plain tensors, with the weights of a T5 model of the library
transformers."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from scicot.models.families import end_tokens
from scicot.models.native import kernels
from scicot.models.native.attention import (
    PrefixCache,
    attended,
    attended_in_blocks,
    masked,
    needs_blocks,
)
from scicot.models.native.feed_forward import feed_forward
from scicot.models.native.interface import DecoderCache, Prompt
from scicot.models.native.linear import finer, linear, normed
from scicot.models.native.lm_head import LMHead


class T5:
    """A `NativeModel` made from a T5 model of the transformers library, on the same device.

    `dtype` is the precision of matrix products: torch.float32, bfloat16 or, on a CPU, int8. With
    int8, the attention projections use a more precise dtype, bf16 or fp32 (see linear.finer).
    `ends` are the ids of the end tokens, by default those of the config.
    """

    def __init__(self, model: Any, dtype: torch.dtype, ends: Collection[int] = ()) -> None:
        self.encoder, self.decoder = Encoder(model, dtype), Decoder(model, dtype)
        self.joint, self.token_bytes = False, 0
        self.ends: frozenset[int] = frozenset(ends) or end_tokens(model.config)
        self.device: torch.device = model.device
        self._start: int = model.config.decoder_start_token_id

    def prompt(self, source: list[int]) -> Prompt:
        # Drafts are copied from the source without its end token.
        return Prompt(source, self._start, source[:-1])


class Encoder:
    """T5's encoder: maps token ids to the keys and values of the decoder's cross-attention (a
    PrefixCache)."""

    def __init__(self, model: Any, dtype: torch.dtype) -> None:
        stack = model.get_encoder()
        cross_attention = [block.layer[1].EncDecAttention for block in model.get_decoder().block]
        self._embedding = model.get_input_embeddings().weight.detach()
        self._layers = [_EncoderLayer(block, dtype) for block in stack.block]
        self._shape = (len(cross_attention), 2, cross_attention[0].n_heads, -1)
        cross_weights = [
            weight
            for attention in cross_attention
            for weight in (attention.k.weight, attention.v.weight)
        ]
        self._states = linear(cross_weights, finer(dtype), stack.final_layer_norm)
        # On a CPU only the numba kernels read bf16.
        readable = kernels.HERE or self._embedding.device.type != "cpu"
        bf16 = readable and dtype is not torch.float32
        self._cache_dtype = torch.bfloat16 if bf16 else torch.float32

    def __call__(self, ids: Tensor, lengths: Tensor) -> PrefixCache:
        """Encode right-padded token ids (rows x positions). `lengths[i]` is the number of tokens in
        row i without the padding. The padding may be any token."""
        rows, width = ids.shape
        mask = masked(lengths, width)
        x, bias = functional.embedding(ids, self._embedding), _Bias(mask)
        for layer in self._layers:
            if layer.positions is not None:
                bias = _Bias(mask, layer.positions)
            layer(x, bias)
        states = self._states(x).view(rows, width, *self._shape)
        states_by_layer = states.new_empty(
            (*self._shape[:2], rows, self._shape[2], width, states.shape[-1]),
            dtype=self._cache_dtype,
        )
        return PrefixCache(states_by_layer.copy_(states.permute(2, 3, 0, 4, 1, 5)), lengths)


class _EncoderLayer:
    def __init__(self, block: Any, dtype: torch.dtype) -> None:
        attention, norm = block.layer[0].SelfAttention, block.layer[0].layer_norm
        self.positions = attention.compute_bias if attention.has_relative_attention_bias else None
        self._shape = (3, attention.n_heads, -1)
        weights = [attention.q.weight, attention.k.weight, attention.v.weight]
        self._qkv = linear(weights, finer(dtype), norm)
        self._out = linear([attention.o.weight], finer(dtype))
        self._feed = feed_forward(block.layer[-1], dtype)

    def __call__(self, x: Tensor, bias: _Bias) -> None:
        q, k, v = _split_heads(self._qkv(x), self._shape)
        self._out.add(bias.attended(q, k, v), x)
        self._feed(x)


class _Bias:
    """The bias of the encoder's self-attention: a mask (rows x 1 x 1 x positions) and, if
    `compute_bias` is given, the relative position bias."""

    def __init__(self, mask: Tensor, compute_bias: Any = None) -> None:
        self._mask, self._compute_bias = mask, compute_bias
        self._width: int = mask.shape[-1]
        self._whole: Tensor | None = None  # of all queries: rows x heads x positions x positions
        self._by_distance: Tensor | None = None  # heads x distances

    def attended(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if self._compute_bias is None:
            return attended(q, k, v, self._mask)
        heads = q.shape[1]
        if needs_blocks(heads, self._width):
            return attended_in_blocks(q, k, v, self._of_block, heads)
        if self._whole is None:
            self._whole = self._compute_bias(self._width, self._width) + self._mask
        return attended(q, k, v, self._whole)

    def _of_block(self, start: int, end: int) -> Tensor:
        """Return the position bias plus the mask, for the queries from `start` to `end`
        (exclusive)."""
        last = self._width - 1
        if self._by_distance is None:
            # distances from -last to last, as seen from a query at the position `last`
            bias = self._compute_bias(1, 2 * self._width - 1, past_seen_tokens=last)
            self._by_distance = bias[0, :, 0]
        # The distances of query n are those from -n to last - n.
        firsts = torch.arange(last - start, last - end, -1, device=self._mask.device)
        return self._by_distance.unfold(1, self._width, 1)[:, firsts] + self._mask


class Decoder:
    """T5's decoder: maps token ids and a KV cache to hidden states. `output` is its LM head."""

    def __init__(self, model: Any, dtype: torch.dtype) -> None:
        stack, config = model.get_decoder(), model.config
        self._embedding = model.get_input_embeddings().weight.detach()
        self._layers = [_DecoderLayer(block, dtype) for block in stack.block]
        self._eps = stack.final_layer_norm.variance_epsilon
        scale = stack.final_layer_norm.weight
        if scales_outputs(config):
            scale = scale * config.d_model**-0.5
        self.output = LMHead(model.get_output_embeddings().weight, dtype, scale)

    def __call__(self, ids: Tensor, cache: DecoderCache) -> Tensor:
        """Map token ids (rows x positions) to hidden states (rows x positions x size), and add
        the tokens' keys and values to `cache`."""
        x = functional.embedding(ids, self._embedding)
        positions = self._layers[0].positions
        for index, layer in enumerate(self._layers):
            positions = layer.positions or positions
            layer(index, x, cache, positions)
        return normed(x, self._eps)


class _DecoderLayer:
    def __init__(self, block: Any, dtype: torch.dtype) -> None:
        attention, cross_attention = block.layer[0].SelfAttention, block.layer[1].EncDecAttention
        self.positions = _Distances(attention) if attention.has_relative_attention_bias else None
        self._shape = (3, attention.n_heads, -1)
        weights = [attention.q.weight, attention.k.weight, attention.v.weight]
        self._qkv = linear(weights, finer(dtype), block.layer[0].layer_norm)
        self._out = linear([attention.o.weight], finer(dtype))
        self._cross_query = linear(
            [cross_attention.q.weight], finer(dtype), block.layer[1].layer_norm
        )
        self._cross_out = linear([cross_attention.o.weight], finer(dtype))
        self._feed = feed_forward(block.layer[-1], dtype)

    def __call__(self, index: int, x: Tensor, cache: DecoderCache, positions: Any) -> None:
        q, k, v = _split_heads(self._qkv(x), self._shape)
        self._out.add(cache.self_attention(index, q, k, v, positions), x)
        (q,) = _split_heads(self._cross_query(x), (1, *self._shape[1:]))
        self._cross_out.add(cache.cross_attention(index, q), x)
        self._feed(x)


class _Distances:
    """The relative position bias of T5's decoder, cached for each distance (query position minus
    key position)."""

    def __init__(self, attention: Any) -> None:
        self._attention = attention
        self._bias = torch.empty(0, 0)  # heads x distances

    def __call__(self, distances: Tensor, bound: int) -> Tensor:
        bias = self._bias  # a local reference, since another thread may replace the cache
        if bound >= bias.shape[1]:
            length = 2 * bound + 64
            last = self._attention.compute_bias(1, length, past_seen_tokens=length - 1)
            self._bias = bias = last[0, :, 0].flip(-1).detach()
        return bias[:, distances].movedim(0, -3)  # heads first, then queries x keys


def _split_heads(x: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Split x (rows x positions x width) into parts (for example Q, K and V), and each part into
    heads. `shape` is (parts, heads, size). Returns parts x rows x heads x positions x size."""
    return x.view(*x.shape[:2], *shape).permute(2, 0, 3, 1, 4)


def scales_outputs(config: Any) -> bool:
    """Return True if a T5 with this config divides hidden states by sqrt(d_model) before its LM
    head."""
    if config.model_type == "t5":
        return bool(config.scale_decoder_outputs)
    return config.model_type == "umt5" and bool(config.tie_word_embeddings)
