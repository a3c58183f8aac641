"""Batches of texts that are decoded together. The rows of a batch start at the same step and share
a KV cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from scicot.decoding.engine import Ids
from scicot.models.native.attention import NEVER, KVCache, PrefixCache
from scicot.models.native.interface import Decoder, PositionBias


class DecodeBatch:
    """A batch of rows that started at the same step. It is also the `DecoderCache` of these rows
    (models/native/interface.py).

    `prefixes` is the KV cache of the rows' encoded sources, and `starts` are the rows' first
    decoder inputs. `texts[row]` is an object of any type, by which the caller identifies the text
    of this row. When the text is finished, the caller replaces the object with None.
    """

    def __init__(self, prefixes: PrefixCache, texts: Sequence[Any], starts: Sequence[int]) -> None:
        self.texts = list(texts)
        self.tokens = torch.tensor(starts, device=prefixes.states.device)  # last token of each row
        self._prefixes = prefixes
        self._kv_cache = KVCache(prefixes.states)
        self._bias: dict[PositionBias, Tensor] = {}  # cached for the current step

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def width(self) -> int:
        """The number of positions in each row of the prefix cache, including padding."""
        return self._prefixes.width

    @property
    def live(self) -> list[int]:
        """The indices of the rows whose texts are not finished."""
        return [row for row, text in enumerate(self.texts) if text is not None]

    def begin_step(self, tokens: int = 1) -> None:
        """Make room in the KV cache for the next `tokens` tokens of each row."""
        self._bias.clear()
        self._kv_cache.begin(tokens)

    def ahead(self, decoder: Decoder, draft: Ids) -> Tensor:
        """Run the decoder on the last token and the draft tokens after it. Draft tokens are guesses
        of the next tokens (prompt_lookup.py). The batch must have a single row.

        Returns the hidden state after each of these tokens: (1 + len(draft)) x size. The caller
        must then call `keep_ahead`, to remove rejected draft tokens from the KV cache.
        """
        self.begin_step(1 + len(draft))
        tokens = torch.cat([self.tokens, torch.tensor(draft, device=self.tokens.device).long()])
        return decoder(tokens[None], self)[0]

    def keep_ahead(self, added: int, accepted: int, token: int) -> None:
        """Keep the first `accepted` of the `added` tokens that `ahead` put into the KV cache, and
        remove the rest (rejected draft tokens). `token` is the last generated token. It becomes
        the next decoder input."""
        self._kv_cache.steps -= added - accepted
        self.tokens = torch.full_like(self.tokens, token)

    def end_step(self, tokens: Tensor) -> None:
        self.tokens = tokens

    def keep(self, rows: Sequence[int]) -> None:
        """Keep only these rows of the batch and of its KV caches."""
        self.texts = [self.texts[row] for row in rows]
        self.tokens = self.tokens[rows]
        self._kv_cache.keep(rows)
        self._prefixes = self._prefixes.of(rows)

    def self_attention(
        self, layer: int, q: Tensor, k: Tensor, v: Tensor, positions: PositionBias
    ) -> Tensor:
        if positions not in self._bias:
            total, count = self._kv_cache.steps, q.shape[2]
            steps = torch.arange(total, device=q.device)
            distances = steps[total - count :, None] - steps
            bias = positions(distances.clamp(min=0), total)
            self._bias[positions] = bias.masked_fill(distances < 0, NEVER) if count > 1 else bias
        return self._kv_cache.attend(layer, q, k, v, self._bias[positions])

    def cross_attention(self, layer: int, q: Tensor) -> Tensor:
        return self._prefixes.attend(layer, q)

    def joint_attention(
        self, layer: int, q: Tensor, k: Tensor, v: Tensor, window: int | None
    ) -> Tensor:
        return self._kv_cache.attend_jointly(layer, q, k, v, self._prefixes, window)

    def positions(self, count: int) -> Tensor:
        steps = torch.arange(self._kv_cache.steps - count, self._kv_cache.steps)
        return self._prefixes.lengths[:, None] + steps.to(self._prefixes.lengths.device)


class JoinedBatches:
    """A `DecoderCache` that joins several batches, so that the decoder computes them together.
    Attention is computed for each batch with the batch's own KV cache, and the results are
    concatenated."""

    def __init__(self, batches: Sequence[DecodeBatch]) -> None:
        self._batches = batches
        self._rows = [len(batch) for batch in batches]

    def step(self, decoder: Decoder) -> Tensor:
        """Run the decoder on the last token of every row of all batches. Returns the hidden states
        (rows x size), in the order of the batches."""
        for batch in self._batches:
            batch.begin_step()
        tokens = torch.cat([batch.tokens for batch in self._batches])
        return decoder(tokens[:, None], self)[:, 0]

    def self_attention(
        self, layer: int, q: Tensor, k: Tensor, v: Tensor, positions: PositionBias
    ) -> Tensor:
        split = (torch.split(tensor, self._rows) for tensor in (q, k, v))
        parts = zip(self._batches, *split, strict=True)
        return torch.cat([batch.self_attention(layer, *part, positions) for batch, *part in parts])

    def cross_attention(self, layer: int, q: Tensor) -> Tensor:
        parts = zip(self._batches, torch.split(q, self._rows), strict=True)
        return torch.cat([batch.cross_attention(layer, part) for batch, part in parts])

    def joint_attention(
        self, layer: int, q: Tensor, k: Tensor, v: Tensor, window: int | None
    ) -> Tensor:
        split = (torch.split(tensor, self._rows) for tensor in (q, k, v))
        parts = zip(self._batches, *split, strict=True)
        return torch.cat([batch.joint_attention(layer, *part, window) for batch, *part in parts])

    def positions(self, count: int) -> Tensor:
        return torch.cat([batch.positions(count) for batch in self._batches])
