"""Decoding in slots of a fixed shape: each step has the same shapes and memory addresses, as CUDA
graphs require.

For a small student, launching kernels takes longer than running them. So a step is captured once
and replayed as a CUDA graph (https://docs.pytorch.org/docs/stable/notes/cuda.html, "CUDA Graphs").
A captured step may not allocate memory or move data between host and GPU.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch
from torch import Tensor

from scicot.models.native.attention import NEVER, PrefixCache, attended, masked
from scicot.models.native.interface import Decoder, PositionBias

_WARM_UP_RUNS = 3  # warm-up steps before a capture, in which libraries initialise themselves

# (states: rows x size; uniform numbers in [0, 1), or -1 for greedy: rows) -> tokens: rows
Sampler = Callable[[Tensor, Tensor], Tensor]


class Slots:
    """The KV cache and state of `count` slots. A slot holds a text of up to `max_tokens` tokens
    after a prefix of up to `width` tokens. For a causal model (`joint`) the keys and values of the
    text are stored directly after those of the prefix."""

    def __init__(
        self, like: Tensor, count: int, width: int, max_tokens: int, *, joint: bool
    ) -> None:
        """Allocate slots. `like` is the `states` of a PrefixCache, from which the number of layers
        and heads, the head size, the dtype and the device are taken."""
        layers, _, _, heads, _, size = like.shape
        self.count, self.width, self.max_tokens, self.joint = count, width, max_tokens, joint
        if joint:
            self.prefix_kv = self.text_kv = like.new_zeros(
                (layers, 2, count, heads, width + max_tokens, size)
            )
        else:
            self.prefix_kv = like.new_zeros((layers, 2, count, heads, width, size))
            self.text_kv = like.new_zeros((layers, 2, count, heads, max_tokens, size))
        # Per slot: number of source tokens, last generated token, number of generated tokens.
        self.lengths, self.tokens, self.steps = (
            torch.zeros(count, dtype=torch.long, device=like.device) for _ in range(3)
        )
        self.ended = torch.zeros(count, dtype=torch.bool, device=like.device)
        self.generated = torch.zeros(count, max_tokens, dtype=torch.long, device=like.device)
        self.uniforms = torch.zeros(count, max_tokens, dtype=torch.double, device=like.device)

    def fill(
        self, slots: Sequence[int], prefixes: PrefixCache, starts: Sequence[int], uniforms: Tensor
    ) -> None:
        """Start a text in each of these slots. `prefixes` is the KV cache of the texts' encoded
        prefixes, `starts` the texts' first decoder inputs. `uniforms` (slots x max_tokens) are the
        numbers that select the tokens of the texts (see Sampler)."""
        indices = torch.tensor(slots, device=self.prefix_kv.device)
        self.prefix_kv[:, :, indices, :, : prefixes.width] = prefixes.states
        self.lengths[indices] = prefixes.lengths
        self.tokens[indices] = torch.tensor(starts, device=indices.device)
        self.steps[indices] = 0
        self.ended[indices] = False
        self.uniforms[indices] = uniforms

    def move(self, slots: Sequence[int]) -> None:
        """Move the texts in these slots to the first slots, in this order."""
        indices = torch.tensor(slots, device=self.prefix_kv.device)
        caches = (self.text_kv,) if self.joint else (self.prefix_kv, self.text_kv)
        for layer_states in (
            layer for tensor in caches for layer in tensor.flatten(0, 1)
        ):  # layer by layer, because the copy needs temporary memory
            layer_states[: len(slots)] = layer_states[indices]
        for tensor in (
            self.lengths,
            self.tokens,
            self.steps,
            self.ended,
            self.generated,
            self.uniforms,
        ):
            tensor[: len(slots)] = tensor[indices]


class Step:
    """Computes one decoding step for the first `rows` slots. The object is also the `DecoderCache`
    that the decoder reads and writes.

    `shape` is (rows, source positions, text positions). Since it is fixed, empty slots and finished
    texts are computed as well, and their results ignored.
    """

    def __init__(
        self,
        slots: Slots,
        decoder: Decoder,
        sampler: Sampler,
        ends: Collection[int],
        shape: tuple[int, int, int],
    ) -> None:
        rows, width, length = shape
        self._decoder, self._sampler, self._ends = decoder, sampler, sorted(ends)
        self._prefix_kv = slots.prefix_kv[:, :, :rows, :, :width]
        self._joint = slots.joint
        self._text_kv = slots.text_kv[:, :, :rows, :, : width + length if slots.joint else length]
        self._lengths, self._tokens, self._steps, self._ended = (
            tensor[:rows] for tensor in (slots.lengths, slots.tokens, slots.steps, slots.ended)
        )
        self._generated, self._uniforms = (
            tensor[:rows, :length] for tensor in (slots.generated, slots.uniforms)
        )
        self._row_indices, self._text_positions = (
            torch.arange(count, device=slots.prefix_kv.device)
            for count in (rows, self._text_kv.shape[4])
        )
        # Kept between steps: a captured graph uses the addresses of these tensors.
        self._positions: dict[PositionBias, Tensor] = {}  # heads x distances
        # Attention adds the bias to scores of this dtype.
        self._bias_dtype = (
            self._text_kv.dtype if self._text_kv.device.type != "cpu" else torch.float32
        )
        # Cleared after each step: a captured graph would keep its memory allocated.
        self._step_cache: dict[Any, Tensor] = {}

    def __call__(self) -> None:
        # Finished texts and empty slots are computed too, so their positions are clamped to the
        # slot.
        step = self._steps.clamp(max=self._generated.shape[1] - 1)
        length = len(self._text_positions)
        if self._joint:
            position = (self._lengths + step).clamp(max=length - 1)
            self._step_cache = {"position": position, "text_mask": masked(position + 1, length)}
        else:
            self._step_cache = {
                "position": step,
                "prefix_mask": masked(self._lengths, self._prefix_kv.shape[4]).to(self._bias_dtype),
                "text_mask": masked(step + 1, length),
            }
        states = self._decoder(self._tokens[:, None], self)[:, 0]
        step_column = step[:, None]
        tokens = self._sampler(states, self._uniforms.gather(1, step_column)[:, 0])
        self._generated.scatter_(1, step_column, tokens[:, None])
        # One at a time, since a tensor of all end tokens would have to be copied to the GPU.
        for end in self._ends:
            self._ended.logical_or_(tokens == end)
        self._tokens.copy_(tokens)
        self._steps.add_(1)
        self._step_cache.clear()

    def self_attention(
        self, layer: int, q: Tensor, k: Tensor, v: Tensor, positions: PositionBias
    ) -> Tensor:
        return attended(q, *self._store(layer, k, v), self._biased(positions))

    def cross_attention(self, layer: int, q: Tensor) -> Tensor:
        keys, values = self._prefix_kv[layer]
        return attended(q, keys, values, self._step_cache["prefix_mask"])

    def joint_attention(
        self, layer: int, q: Tensor, k: Tensor, v: Tensor, window: int | None
    ) -> Tensor:
        if ("joint", window) not in self._step_cache:
            bias = self._step_cache["text_mask"]
            if window and window < len(self._text_positions):
                distances = self._step_cache["position"][:, None] - self._text_positions
                bias = bias.where((distances < window)[:, None, None], NEVER)
            self._step_cache["joint", window] = bias.to(self._bias_dtype)
        return attended(q, *self._store(layer, k, v), self._step_cache["joint", window])

    def positions(self, count: int) -> Tensor:  # noqa: ARG002
        return self._step_cache["position"][:, None]

    def _store(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        keys, values = self._text_kv[layer]
        position = self._step_cache["position"]
        keys[self._row_indices, :, position] = k[:, :, 0].to(keys.dtype)
        values[self._row_indices, :, position] = v[:, :, 0].to(values.dtype)
        return keys, values

    def _biased(self, positions: PositionBias) -> Tensor:
        """Return the position bias of each row's current token plus the mask that hides later
        positions. The shape is (rows, heads, 1, text positions)."""
        if positions not in self._positions:
            length = len(self._text_positions)
            self._positions[positions] = positions(self._text_positions[None], length)[:, 0].clone()
        if positions not in self._step_cache:
            distances = (self._step_cache["position"][:, None] - self._text_positions).clamp(min=0)
            bias = self._positions[positions][:, distances].transpose(0, 1)[:, :, None]
            self._step_cache[positions] = (bias + self._step_cache["text_mask"]).to(
                self._bias_dtype
            )
        return self._step_cache[positions]


class Graphs:
    """Captures steps as CUDA graphs. The graphs share a stream and the memory of intermediate
    results, since no two of them run at once. On devices without CUDA, steps run without being
    captured."""

    def __init__(self, device: torch.device) -> None:
        self._stream: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            self._pool = torch.cuda.graph_pool_handle()

    def of(self, step: Callable[[], None]) -> Callable[[], None]:
        """Return a function that does the same as `step`.

        - On CUDA, the first few calls of the function run `step` without a graph, to warm up. Later
          calls replay `step` as a graph. `step` must use the same tensors at each call.
        - On other devices, the function is `step` itself.
        """
        if self._stream is None:
            return step
        return _Replayed(step, self._stream, self._pool)


class _Replayed:
    def __init__(self, step: Callable[[], None], stream: torch.cuda.Stream, pool: Any) -> None:
        self._step, self._stream, self._pool = step, stream, pool
        self._warm_up_runs = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self) -> None:
        with torch.cuda.device(self._stream.device):
            if self._warm_up_runs == _WARM_UP_RUNS:
                self._capture()
            if self._graph is not None:
                self._graph.replay()
            else:
                self._warm_up()
            self._warm_up_runs += 1

    def _warm_up(self) -> None:
        current_stream = torch.cuda.current_stream()
        self._stream.wait_stream(current_stream)
        try:
            with torch.cuda.stream(self._stream):
                self._step()
        finally:
            current_stream.wait_stream(self._stream)

    def _capture(self) -> None:
        """Record the step as a CUDA graph, without running it. If CUDA cannot capture the step,
        warn; the step then runs without a graph."""
        current_stream, graph = torch.cuda.current_stream(), torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
                self._step()
            self._graph = graph
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            message = f"CUDA graph capture failed, so decoding is slower: {error}"
            warnings.warn(message, stacklevel=2)
        finally:
            # CUDA does not restore the stream if the capture fails at its end
            torch.cuda.set_stream(current_stream)
