"""Prepare the inputs of transformers' models for generation and scoring, with one class for each
model family."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from scicot.decoding.engine import Ids
from scicot.decoding.length_batches import Lengths
from scicot.models.families import CAUSAL, ENCODER_DECODER, family_of

Scores = list[list[float]]  # log p of each token (nats) of each target of one source


class Inputs(Protocol):
    """Prepares a model family's inputs for an engine, and scores targets. For scoring,
    `score_items` makes items from the sources and their targets. A batch consists of items."""

    pad: int

    def generate(self, sources: Sequence[Ids]) -> tuple[dict[str, Any], int]:
        """Return the arguments of `model.generate` for these sources, and the index at which the
        generated tokens begin in each output row."""

    def score_items(
        self, sources: Sequence[Ids], targets: Sequence[Sequence[Ids]]
    ) -> tuple[list[Any], list[Lengths]]:
        """Make items to score from sources and their targets. An item is a source with one target,
        or a source with all its targets, depending on the model family.

        Returns the items, and the lengths of each item. The lengths decide which items share a
        batch (see length_batches.py).
        """

    def score(self, items: Sequence[Any], most_logits: int) -> list[Any]:
        """Score a batch of items, and return the result of each item. To save memory, causal models
        score the targets in parts. A part has at most `most_logits` logits (tokens x vocabulary),
        unless it is a single target. Encoder-decoders score the whole batch at once."""

    def by_source(self, scored: Sequence[Any], targets: Sequence[Sequence[Ids]]) -> list[Scores]:
        """Group the results of `score` by source. `scored` has these results in the order of
        `score_items`. Element [i][j] of the result holds the log p (nats) of each token of
        `targets[i][j]`, which is target j of source i."""


def inputs_for(model: Any) -> Inputs:
    """Return the `Inputs` for the family of a loaded model."""
    return _INPUTS[family_of(model.config).name](model)


class _EncoderDecoder:
    """`Inputs` for encoder-decoders. An item is a source with one of its targets. A source that
    occurs several times in a batch is encoded once."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.pad: int = model.config.pad_token_id

    def generate(self, sources: Sequence[Ids]) -> tuple[dict[str, Any], int]:
        return self._encoded(sources), 1  # generated tokens follow the start token

    def score_items(
        self, sources: Sequence[Ids], targets: Sequence[Sequence[Ids]]
    ) -> tuple[list[Any], list[Lengths]]:
        pairs = [
            (source, target)
            for source, source_targets in zip(sources, targets, strict=True)
            for target in source_targets
        ]
        return pairs, [(len(source), len(target)) for source, target in pairs]

    def score(self, items: Sequence[Any], most_logits: int) -> list[Any]:  # noqa: ARG002
        sources, targets = zip(*items, strict=True)
        labels, _ = self._padded(targets)
        logits = self._model(
            **self._encoded(sources),
            decoder_input_ids=self._model.prepare_decoder_input_ids_from_labels(labels),
        ).logits.float()
        log_p = logits.gather(-1, labels.unsqueeze(-1)).squeeze(-1) - logits.logsumexp(-1)
        rows: list[list[float]] = log_p.tolist()
        return [row[: len(target)] for row, target in zip(rows, targets, strict=True)]

    def by_source(self, scored: Sequence[Any], targets: Sequence[Sequence[Ids]]) -> list[Scores]:
        remaining = iter(scored)
        return [[next(remaining) for _ in source_targets] for source_targets in targets]

    def _encoded(self, sources: Sequence[Ids]) -> dict[str, Any]:
        from transformers.modeling_outputs import BaseModelOutput

        index = {key: row for row, key in enumerate(dict.fromkeys(map(tuple, sources)))}
        tokens, mask = self._padded([list(source) for source in index])
        states = self._model.get_encoder()(input_ids=tokens, attention_mask=mask).last_hidden_state
        if len(index) < len(sources):
            rows = torch.tensor([index[tuple(source)] for source in sources], device=mask.device)
            states, mask = states[rows], mask[rows]
        return {
            "encoder_outputs": BaseModelOutput(last_hidden_state=states),
            "attention_mask": mask,
        }

    def _padded(self, rows: Sequence[Ids]) -> tuple[Tensor, Tensor]:
        """Pad rows of token ids on the right to the longest row. Returns the ids and the attention
        mask. Each has the shape (rows, positions)."""
        return _padded(rows, self.pad, self._model.device)


class _Causal:
    """`Inputs` for causal models. An item is a source with all its targets, which share the
    source's KV cache.

    Sources are padded on the left, because with sliding-window attention a target must directly
    follow its source.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        # Padding is always masked, so any token will do.
        pad = model.config.pad_token_id
        self.pad: int = 0 if pad is None or not 0 <= pad < model.config.vocab_size else pad

    def generate(self, sources: Sequence[Ids]) -> tuple[dict[str, Any], int]:
        tokens, mask = _padded(sources, self.pad, self._model.device, left=True)
        return {"input_ids": tokens, "attention_mask": mask}, tokens.shape[1]

    def score_items(
        self, sources: Sequence[Ids], targets: Sequence[Sequence[Ids]]
    ) -> tuple[list[Any], list[Lengths]]:
        items = list(zip(sources, targets, strict=True))
        # Memory grows with the copies of the prefix, one per target, and with the targets' tokens.
        lengths = [
            (len(source) * len(source_targets), sum(map(len, source_targets)))
            for source, source_targets in items
        ]
        return items, lengths

    def score(self, items: Sequence[Any], most_logits: int) -> list[Any]:
        sources = [source for source, _ in items]
        first_input, cache, mask = self._prefix(sources)
        begins = [[target[0] for target in source_targets] for _, source_targets in items]
        scores: list[Scores] = [
            [[float(first_input[row, token])] for token in tokens]
            for row, tokens in enumerate(begins)
        ]
        # The prefix predicts the first token of a target; the remaining tokens need another pass.
        rest = [
            (row, number, target)
            for row, (_, source_targets) in enumerate(items)
            for number, target in enumerate(source_targets)
            if len(target) > 1
        ]
        rest.sort(key=lambda item: len(item[2]))
        while rest:
            size = max(1, most_logits // (self._model.config.vocab_size * len(rest[-1][2])))
            part, rest = rest[-size:], rest[:-size]
            self._score_rest(part, scores, copy.deepcopy(cache) if rest else cache, mask)
        return scores

    def _prefix(self, sources: Sequence[Ids]) -> tuple[Tensor, Any, Tensor]:
        """Run the model on the sources. Returns log p (nats) of the first token after each source
        (rows x vocabulary), the KV cache of the sources, and their attention mask (rows x
        positions)."""
        from transformers import DynamicCache

        tokens, mask = _padded(sources, self.pad, self._model.device, left=True)
        cache = DynamicCache(config=self._model.config)
        logits = self._model(
            input_ids=tokens,
            attention_mask=mask,
            position_ids=_positions(mask),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        return logits.float().log_softmax(-1), cache, mask

    def _score_rest(
        self, part: Sequence[tuple[int, int, Ids]], scores: list[Scores], cache: Any, mask: Tensor
    ) -> None:
        """Score the second and all later tokens of each target, and append their log p (nats) to
        `scores`.

        `part` lists the targets as (index of the source, index of the target among the targets of
        this source, token ids). `cache` is the KV cache of the sources, and is changed. `mask` is
        the attention mask of the sources.
        """
        device = mask.device
        rows = torch.tensor([row for row, _, _ in part], device=device)
        cache.batch_select_indices(rows)
        read, target_mask = _padded([target[:-1] for _, _, target in part], self.pad, device)
        seen = torch.cat([mask[rows], target_mask], dim=1)
        logits = self._model(
            input_ids=read,
            attention_mask=seen,
            position_ids=_positions(seen)[:, mask.shape[1] :],
            past_key_values=cache,
            use_cache=True,
        ).logits.float()
        target_ids, _ = _padded([target[1:] for _, _, target in part], self.pad, device)
        log_p = logits.gather(-1, target_ids.unsqueeze(-1)).squeeze(-1) - logits.logsumexp(-1)
        for (row, number, target), found in zip(part, log_p.tolist(), strict=True):
            scores[row][number] += found[: len(target) - 1]

    def by_source(self, scored: Sequence[Any], targets: Sequence[Sequence[Ids]]) -> list[Scores]:  # noqa: ARG002
        return list(scored)


_INPUTS: dict[str, type[_EncoderDecoder | _Causal]] = {
    ENCODER_DECODER.name: _EncoderDecoder,
    CAUSAL.name: _Causal,
}


def _padded(
    rows: Sequence[Ids], pad: int, device: torch.device, *, left: bool = False
) -> tuple[Tensor, Tensor]:
    """Pad rows of token ids to the longest row: on the left if `left`, else on the right. Returns
    the ids and the attention mask. Each has the shape (rows, positions)."""
    width = max(map(len, rows))
    tokens = np.full((len(rows), width), pad, np.int64)
    mask = np.zeros((len(rows), width), np.int64)
    for index, row in enumerate(rows):
        filled = slice(width - len(row), width) if left else slice(0, len(row))
        tokens[index, filled], mask[index, filled] = row, 1
    return torch.from_numpy(tokens).to(device), torch.from_numpy(mask).to(device)


def _positions(mask: Tensor) -> Tensor:
    """Return the position of each token in its row, counted from 0. Padding is not counted. `mask`
    is the attention mask. The mask and the result have the shape (rows, padded length)."""
    return (mask.cumsum(-1) - 1).clamp(min=0)
