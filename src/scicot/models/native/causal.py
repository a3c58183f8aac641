"""Forward pass of causal models on plain tensors, with the weights of transformers' models.

It supports Llama, Qwen2, Qwen3 and Gemma 3, which differ in their norms, rotary positions, biases
and sliding windows.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from scicot.devices import release_pages
from scicot.models.families import end_tokens
from scicot.models.native import kernels
from scicot.models.native.attention import (
    NEVER,
    PrefixCache,
    attended,
    attended_in_blocks,
    needs_blocks,
)
from scicot.models.native.feed_forward import FeedForward, add_normed, feed
from scicot.models.native.interface import DecoderCache, JointCache, Prompt
from scicot.models.native.linear import Norm, finer, linear
from scicot.models.native.lm_head import LMHead

Angles = tuple[Tensor, Tensor]  # cosines and sines: rows x positions x 1 x half of a head's size


class Causal:
    """A `NativeModel` for a causal transformers model, on the model's device.

    `dtype` is the precision of matrix products: torch.float32, bfloat16 or, on a CPU, int8. With
    int8, the attention projections use a more precise dtype, bf16 or fp32 (see linear.finer). With
    float32, the model's weights are used without a copy. `ends` are the ids of the end tokens, by
    default those of the config.
    """

    def __init__(self, model: Any, dtype: torch.dtype, ends: Collection[int] = ()) -> None:
        self.decoder = Decoder(model, dtype)
        self.joint = True
        self.ends: frozenset[int] = frozenset(ends) or end_tokens(model.config)
        self.device: torch.device = model.device
        # On a CPU only the numba kernels read bf16.
        readable = kernels.HERE or self.device.type != "cpu"
        self._cache_dtype = (
            torch.bfloat16 if readable and dtype is not torch.float32 else torch.float32
        )
        self.token_bytes = self.decoder.token_numbers * self._cache_dtype.itemsize

    def prompt(self, source: list[int]) -> Prompt:
        # The last prompt token is the decoder's first input, since its output predicts the first
        # generated token.
        return Prompt(source[:-1], source[-1], source)

    def encoder(self, ids: Tensor, lengths: Tensor) -> PrefixCache:
        return PrefixCache(self.decoder.prefill(ids, self._cache_dtype), lengths)


class Decoder:
    """The decoder of a causal model: maps token ids and a KV cache to hidden states. `output` is
    its LM head."""

    def __init__(self, model: Any, dtype: torch.dtype) -> None:
        core, config = model.model, model.config
        self._embedding = core.embed_tokens.weight.detach()
        # transformers rounds the scale to the dtype of the weights too.
        scale = torch.tensor(getattr(core.embed_tokens, "scalar_embed_scale", 1.0))
        self._scale: float = float(scale.to(self._embedding.dtype))
        self._rotations = _rotations(core.rotary_emb)
        self._layers = []
        for layer in core.layers:
            self._layers.append(_Layer(layer, dtype))
            if dtype is not self._embedding.dtype:
                # Converted weights would otherwise be in memory twice, as loaded and as used.
                release_pages(layer.parameters())
        self._norm = _norm(core.norm)
        self.token_numbers = 2 * sum(layer.key_numbers for layer in self._layers)
        softcap = getattr(config, "final_logit_softcapping", None)
        self.output = LMHead(model.get_output_embeddings().weight, dtype, None, softcap)

    def __call__(self, ids: Tensor, cache: DecoderCache) -> Tensor:
        """Map token ids (rows x positions) to hidden states (rows x positions x size), and add
        the tokens' keys and values to `cache`."""
        x, angles = self._embedded(ids), self._angles(cache.positions(ids.shape[1]))
        for number, layer in enumerate(self._layers):
            layer(number, x, cache, angles[layer.rotation])
        return self._norm(x)

    def prefill(self, ids: Tensor, cache_dtype: torch.dtype) -> Tensor:
        """Return the keys and values of right-padded prompts, given as token ids (rows x
        positions). The result has the dtype `cache_dtype` and the shape of PrefixCache.states:
        layers x 2 x rows x KV heads x positions x size."""
        x = self._embedded(ids)
        angles = self._angles(torch.arange(ids.shape[1], device=ids.device)[None])
        cache = _Prefill(len(self._layers), cache_dtype)
        for index, layer in enumerate(self._layers[:-1]):
            layer(index, x, cache, angles[layer.rotation])
        last = self._layers[-1]  # its output states are not used, only its keys and values
        cache.keep(len(self._layers) - 1, *last.projected(x, angles[last.rotation])[1:])
        return cache.states

    def _embedded(self, ids: Tensor) -> Tensor:
        x = functional.embedding(ids, self._embedding)
        x = x * self._scale if self._scale != 1 else x
        return x.float()

    def _angles(self, positions: Tensor) -> dict[str, Angles]:
        """Return the (cosines, sines) of the rotary angles at these positions (rows x positions),
        by layer type (see `_rotations`). Each of the two tensors is rows x positions x 1 x half of
        a head's size."""
        angles = {}
        for name, (frequencies, scaling) in self._rotations.items():
            turns = positions[..., None, None].float() * frequencies
            angles[name] = (turns.cos() * scaling, turns.sin() * scaling)
        return angles


class _Layer:
    def __init__(self, layer: Any, dtype: torch.dtype) -> None:
        attention = layer.self_attn
        self.rotation: str = getattr(attention, "layer_type", None) or ""
        self._window: int | None = getattr(attention, "sliding_window", None)
        self._size: int = attention.head_dim
        projections = (attention.q_proj, attention.k_proj, attention.v_proj)
        self._heads = [len(projection.weight) // self._size for projection in projections]
        self.key_numbers = len(attention.k_proj.weight)
        self._qkv = linear(
            [projection.weight for projection in projections],
            finer(dtype),
            _norm(layer.input_layernorm),
            [projection.bias for projection in projections if projection.bias is not None],
            in_place=True,
        )
        out = attention.o_proj
        biases = [] if out.bias is None else [out.bias]
        self._out = linear([out.weight], finer(dtype), None, biases, in_place=True)
        self._scale: float | None = float(attention.scaling)
        self._norms: tuple[Norm, Norm] | None = None
        if getattr(attention, "q_norm", None) is not None:
            q, k = _norm(attention.q_norm), _norm(attention.k_norm)
            self._norms = Norm(q.weight * self._scale, q.variance_epsilon), k
            self._scale = None  # the query norm contains the scale
        # Gemma also has a norm after the attention and after the feed-forward layer.
        has_post_norms = hasattr(layer, "pre_feedforward_layernorm")
        norm_before = (
            layer.pre_feedforward_layernorm if has_post_norms else layer.post_attention_layernorm
        )
        self._post_norm = _norm(layer.post_attention_layernorm) if has_post_norms else None
        mlp = layer.mlp
        self._feed = feed(
            FeedForward(
                mlp.gate_proj.weight,
                mlp.up_proj.weight,
                mlp.down_proj.weight,
                mlp.act_fn,
                _norm(norm_before),
                _norm(layer.post_feedforward_layernorm) if has_post_norms else None,
                in_place=True,
            ),
            dtype,
        )

    def __call__(self, index: int, x: Tensor, cache: JointCache, angles: Angles) -> None:
        q, k, v = self.projected(x, angles)
        add_normed(
            self._out, cache.joint_attention(index, q, k, v, self._window), self._post_norm, x
        )
        self._feed(x)

    def projected(self, x: Tensor, angles: Angles) -> tuple[Tensor, Tensor, Tensor]:
        """Return the queries, keys and values of hidden states x (rows x positions x size). Rotary
        positions are applied to queries and keys, and the queries are scaled. Each result is rows x
        heads x positions x head size, with KV heads for keys and values."""
        heads = self._qkv(x).view(*x.shape[:2], -1, self._size)
        q, k, v = torch.split(heads, self._heads, dim=2)
        if self._norms:
            q, k = (norm(head) for norm, head in zip(self._norms, (q, k), strict=True))
        q, k = _rotated(q, *angles), _rotated(k, *angles)
        if self._scale is not None:
            q = q * self._scale
        return q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)


class _Prefill:
    """A `JointCache` for encoding whole prompts: all positions are computed at once, with causal
    attention. The keys and values of all positions are collected in `states`."""

    states: Tensor

    def __init__(self, layers: int, cache_dtype: torch.dtype) -> None:
        self._layers, self._cache_dtype = layers, cache_dtype
        self._masks: dict[int | None, Tensor] = {}

    def joint_attention(
        self, layer: int, q: Tensor, k: Tensor, v: Tensor, window: int | None
    ) -> Tensor:
        self.keep(layer, k, v)
        if q.device.type != "cpu":
            k, v = self.states[layer]  # both in the dtype of the cache
        count = q.shape[2]
        window = window if window and window < count else None
        groups = q.shape[1] // k.shape[1]  # `attended` repeats the mask so often
        if needs_blocks(groups, count):
            return attended_in_blocks(
                q, k, v, lambda start, end: _mask(start, end, count, window, q.device), groups
            )
        if window not in self._masks:
            self._masks[window] = _mask(0, count, count, window, q.device)
        return attended(q, k, v, self._masks[window])

    def keep(self, layer: int, k: Tensor, v: Tensor) -> None:
        if layer == 0:
            self.states = k.new_empty((self._layers, 2, *k.shape), dtype=self._cache_dtype)
        self.states[layer, 0], self.states[layer, 1] = k, v


def _mask(start: int, end: int, count: int, window: int | None, device: torch.device) -> Tensor:
    """Return a causal mask of shape 1 x 1 x (end - start) x count, to be added to attention scores.

    The queries are at the positions from `start` to `end` (exclusive), and the keys at the first
    `count` positions. With `window`, each query sees only the last `window` positions, including
    its own.
    """
    positions = torch.arange(count, device=device)
    distances = positions[start:end, None] - positions
    sees = distances >= 0 if window is None else (distances >= 0) & (distances < window)
    return torch.zeros(sees.shape, device=device).masked_fill_(~sees, NEVER)[None, None]


def _rotated(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Apply rotary position embedding (Su et al. 2021, arXiv 2104.09864) to x (rows x positions x
    heads x size). As in transformers, each number in the first half of a head is rotated together
    with its counterpart in the second half."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cosines - second * sines, second * cosines + first * sines], dim=-1)


def _rotations(rotary: Any) -> dict[str, tuple[Tensor, float]]:
    """Return the (frequencies, scaling factor) of the rotary positions for each layer type. The key
    "" is for layers without a type."""
    if hasattr(rotary, "inv_freq"):  # the same values for all layer types; only Gemma's differ
        rotary_parameters = rotary.inv_freq.float(), float(rotary.attention_scaling)
        return dict.fromkeys(("", "full_attention", "sliding_attention"), rotary_parameters)
    return {
        name: (
            getattr(rotary, f"{name}_inv_freq").float(),
            float(getattr(rotary, f"{name}_attention_scaling")),
        )
        for name in rotary.rope_type
    }


def _norm(norm: Any) -> Norm:
    """Convert a norm layer of transformers to a Norm. Gemma's norms (those with an attribute `eps`)
    multiply by 1 + weight, others by the weight."""
    if hasattr(norm, "variance_epsilon"):
        return Norm(norm.weight.detach().float(), norm.variance_epsilon)
    return Norm(1.0 + norm.weight.detach().float(), norm.eps)
