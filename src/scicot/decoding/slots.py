"""Decoding in fixed slots: every step has the same shapes and addresses, as CUDA graphs require.

For a small student, launching kernels takes longer than running them, so a step is captured once
and replayed as a CUDA graph (https://docs.pytorch.org/docs/stable/notes/cuda.html, "CUDA Graphs"):
it allocates nothing, and moves nothing between the host and the GPU.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch
from torch import Tensor

from scicot.models.native.attention import NEVER, PrefixCache, attended, masked
from scicot.models.native.interface import Decoder, PositionBias

_WARM = 3  # warm-up steps before a capture, in which libraries initialise themselves

# (states: rows x size; uniform numbers in [0, 1), or -1 for greedy: rows) -> tokens: rows
Sampler = Callable[[Tensor, Tensor], Tensor]


class Slots:
    """KV cache for `count` texts of up to `most` tokens after prefixes of up to `width` tokens. For
    a causal model (`joint`) the text's keys and values directly follow its prefix's."""

    def __init__(self, like: Tensor, count: int, width: int, most: int, *, joint: bool) -> None:
        """Allocate a cache with the layers, heads, size and dtype of `like`
        (PrefixCache.states)."""
        layers, _, _, heads, _, size = like.shape
        self.count, self.width, self.most, self.joint = count, width, most, joint
        if joint:
            self.source = self.own = like.new_zeros((layers, 2, count, heads, width + most, size))
        else:
            self.source = like.new_zeros((layers, 2, count, heads, width, size))
            self.own = like.new_zeros((layers, 2, count, heads, most, size))
        # Per slot: number of source tokens, last generated token, number of generated tokens.
        self.lengths, self.tokens, self.steps = (
            torch.zeros(count, dtype=torch.long, device=like.device) for _ in range(3)
        )
        self.ended = torch.zeros(count, dtype=torch.bool, device=like.device)
        self.written = torch.zeros(count, most, dtype=torch.long, device=like.device)
        self.numbers = torch.zeros(count, most, dtype=torch.double, device=like.device)

    def fill(
        self, slots: Sequence[int], read: PrefixCache, starts: Sequence[int], numbers: Tensor
    ) -> None:
        """Start a text in each of these slots, with an encoded prefix and a first decoder token.
        `numbers` (slots x most) are the uniform numbers that select its tokens (see Sampler)."""
        places = torch.tensor(slots, device=self.source.device)
        self.source[:, :, places, :, : read.width] = read.states
        self.lengths[places] = read.lengths
        self.tokens[places] = torch.tensor(starts, device=places.device)
        self.steps[places] = 0
        self.ended[places] = False
        self.numbers[places] = numbers

    def move(self, slots: Sequence[int]) -> None:
        """Move the texts of these slots to the first slots."""
        places = torch.tensor(slots, device=self.source.device)
        kept = (self.own,) if self.joint else (self.source, self.own)
        for layer_states in (
            layer for one in kept for layer in one.flatten(0, 1)
        ):  # layer by layer, because the copy needs temporary memory
            layer_states[: len(slots)] = layer_states[places]
        for tensor in (
            self.lengths,
            self.tokens,
            self.steps,
            self.ended,
            self.written,
            self.numbers,
        ):
            tensor[: len(slots)] = tensor[places]


class Step:
    """One decoding step of the first `rows` slots, over the first `width` source positions and
    `most` text positions; it is also the decoder's cache. Empty slots are computed too, since the
    shape is fixed, and ignored."""

    def __init__(
        self,
        slots: Slots,
        decoder: Decoder,
        rule: Sampler,
        ends: Collection[int],
        shape: tuple[int, int, int],
    ) -> None:
        rows, width, most = shape
        self._decoder, self._rule, self._ends = decoder, rule, sorted(ends)
        self._source = slots.source[:, :, :rows, :, :width]
        self._joint = slots.joint
        self._own = slots.own[:, :, :rows, :, : width + most if slots.joint else most]
        self._lengths, self._tokens, self._steps, self._ended = (
            one[:rows] for one in (slots.lengths, slots.tokens, slots.steps, slots.ended)
        )
        self._written, self._numbers = (one[:rows, :most] for one in (slots.written, slots.numbers))
        self._rows, self._places = (
            torch.arange(count, device=slots.source.device) for count in (rows, self._own.shape[4])
        )
        # Kept between steps: a captured graph uses the addresses of these tensors.
        self._positions: dict[PositionBias, Tensor] = {}  # heads x distances
        # Attention adds the bias to scores of this dtype.
        self._kind = self._own.dtype if self._own.device.type != "cpu" else torch.float32
        # Cleared after each step: a captured graph would keep its memory allocated.
        self._of_step: dict[Any, Tensor] = {}

    def __call__(self) -> None:
        # Finished texts and empty slots are computed too, so their positions are clamped to the
        # slot.
        step = self._steps.clamp(max=self._written.shape[1] - 1)
        places = len(self._places)
        if self._joint:
            place = (self._lengths + step).clamp(max=places - 1)
            self._of_step = {"place": place, "own": masked(place + 1, places)}
        else:
            self._of_step = {
                "place": step,
                "source": masked(self._lengths, self._source.shape[4]).to(self._kind),
                "own": masked(step + 1, places),
            }
        states = self._decoder(self._tokens[:, None], self)[:, 0]
        now = step[:, None]
        tokens = self._rule(states, self._numbers.gather(1, now)[:, 0])
        self._written.scatter_(1, now, tokens[:, None])
        # one by one, since a tensor of the end tokens would have to be copied to the GPU
        for end in self._ends:
            self._ended.logical_or_(tokens == end)
        self._tokens.copy_(tokens)
        self._steps.add_(1)
        self._of_step.clear()

    def own(self, layer: int, q: Tensor, k: Tensor, v: Tensor, positions: PositionBias) -> Tensor:
        return attended(q, *self._put(layer, k, v), self._biased(positions))

    def read(self, layer: int, q: Tensor) -> Tensor:
        keys, values = self._source[layer]
        return attended(q, keys, values, self._of_step["source"])

    def joint(self, layer: int, q: Tensor, k: Tensor, v: Tensor, window: int | None) -> Tensor:
        if ("joint", window) not in self._of_step:
            bias = self._of_step["own"]
            if window and window < len(self._places):
                before = self._of_step["place"][:, None] - self._places
                bias = bias.where((before < window)[:, None, None], NEVER)
            self._of_step["joint", window] = bias.to(self._kind)
        return attended(q, *self._put(layer, k, v), self._of_step["joint", window])

    def positions(self, places: int) -> Tensor:  # noqa: ARG002
        return self._of_step["place"][:, None]

    def _put(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        keys, values = self._own[layer]
        place = self._of_step["place"]
        keys[self._rows, :, place] = k[:, :, 0].to(keys.dtype)
        values[self._rows, :, place] = v[:, :, 0].to(values.dtype)
        return keys, values

    def _biased(self, positions: PositionBias) -> Tensor:
        """Return the position bias: rows x heads x 1 x positions."""
        if positions not in self._positions:
            most = len(self._places)
            self._positions[positions] = positions(self._places[None], most)[:, 0].clone()
        if positions not in self._of_step:
            before = (self._of_step["place"][:, None] - self._places).clamp(min=0)
            bias = self._positions[positions][:, before].transpose(0, 1)[:, :, None]
            self._of_step[positions] = (bias + self._of_step["own"]).to(self._kind)
        return self._of_step[positions]


class Graphs:
    """Captures steps as CUDA graphs, which share a stream and the memory of intermediate results,
    since no two of them run at once. On other devices steps run as they are."""

    def __init__(self, device: torch.device) -> None:
        self._stream: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            self._pool = torch.cuda.graph_pool_handle()

    def of(self, step: Callable[[], None]) -> Callable[[], None]:
        """Return a callable that runs a step, as a graph on CUDA. The step must use the same memory
        each time."""
        if self._stream is None:
            return step
        return _Replayed(step, self._stream, self._pool)


class _Replayed:
    def __init__(self, step: Callable[[], None], stream: torch.cuda.Stream, pool: Any) -> None:
        self._step, self._stream, self._pool = step, stream, pool
        self._warm = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self) -> None:
        with torch.cuda.device(self._stream.device):
            if self._warm == _WARM:
                self._capture()
            if self._graph is not None:
                self._graph.replay()
            else:
                self._aside()
            self._warm += 1

    def _aside(self) -> None:
        before = torch.cuda.current_stream()
        self._stream.wait_stream(before)
        try:
            with torch.cuda.stream(self._stream):
                self._step()
        finally:
            before.wait_stream(self._stream)

    def _capture(self) -> None:
        """Record a step without running it."""
        before, graph = torch.cuda.current_stream(), torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
                self._step()
            self._graph = graph
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            warnings.warn(f"steps are slower than they could be, CUDA says {error}", stacklevel=2)
        finally:
            # CUDA does not restore the stream if the capture fails at its end
            torch.cuda.set_stream(before)
