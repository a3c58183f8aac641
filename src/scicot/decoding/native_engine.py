"""Run models with scicot's own decoding loop. It generates the same tokens as transformers'
`generate`, several times as fast."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch
from torch import Tensor

from scicot.decoding.batch_limits import BatchLimits, Completion, pad_right
from scicot.decoding.choice_trie import ChoiceTrie
from scicot.decoding.continuous_batching import ContinuousBatching
from scicot.decoding.engine import Decoding, Ids
from scicot.decoding.length_batches import length_batches
from scicot.decoding.sampling import uniforms
from scicot.decoding.shrinking_batches import ShrinkingBatches
from scicot.decoding.workers import Workers
from scicot.devices import LARGEST_BLOCK, keep_freed_memory, return_freed_memory
from scicot.models.native import native_model
from scicot.models.native.lm_head import logsumexp
from scicot.out_of_memory import retry_with_less

_IN_SLOTS = ("cuda",)  # device types that use continuous_batching.py
# On a CPU in fp32, freed blocks of a large causal model are kept only if they are small.
# Otherwise the free memory between its blocks takes a tenth of the size of its weights.
_LARGE, _LARGE_BLOCK = 200_000_000, 2**20  # weights, bytes


class NativeEngine:
    """An `Engine` (engine.py) for a loaded model, on the model's device. It decodes greedily or
    samples, and has no beam search.

    `dtype` is the precision of matrix products: torch.float32, bfloat16 or, on CPUs, int8; logits
    are always fp32. A batch has at most `batch_size` sequences and `batch_tokens` padded tokens.
    `ends` are the ids of the end tokens, by default those of the model's config. `stopped` is
    called before each step; once it returns True, the engine raises `Stopped`.
    """

    def __init__(
        self,
        model: Any,
        dtype: torch.dtype,
        *,
        batch_size: int,
        batch_tokens: int | None = None,
        ends: Collection[int] = (),
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        device = model.device.type
        weights = model.num_parameters()
        if device == "cpu":
            causal = not model.config.is_encoder_decoder
            large = causal and weights > _LARGE and dtype is torch.float32
            keep_freed_memory(_LARGE_BLOCK if large else LARGEST_BLOCK)
        self._model = native_model(model, dtype, ends)
        self._limits = BatchLimits.of(
            device,
            model.config.vocab_size,
            batch_size,
            batch_tokens,
            dtype=dtype,
            token_bytes=self._model.token_bytes,
            weights=weights,
            weight_bytes=sum(weight.nbytes for weight in model.parameters()),
        )
        self._workers = Workers(model.device, batch_size // (2 * self._limits.group), stopped)
        self._limits.share(self._workers.count)
        self._writer: ContinuousBatching | ShrinkingBatches
        if device in _IN_SLOTS:
            self._writer = ContinuousBatching(self._model, self._limits, self._workers)
        else:
            self._writer = ShrinkingBatches(self._model, self._limits, self._workers)

    @torch.inference_mode()
    def generate(
        self, sources: Sequence[Ids], draws: Sequence[Sequence[int | None]], decoding: Decoding
    ) -> list[list[Ids]]:
        if decoding.beams > 1:
            raise ValueError("this engine does not search with beams")
        max_tokens = decoding.max_new_tokens
        texts = [
            [
                Completion(index, None if seed is None else uniforms(seed, max_tokens))
                for seed in seeds
            ]
            for index, seeds in enumerate(draws)
        ]
        prompts = [self._model.prompt(source) for source in sources]
        flat = [text for samples in texts for text in samples]
        flat.sort(key=lambda text: -len(prompts[text.source].prefix))

        def write() -> None:
            waiting = [text for text in flat if not text.done]
            if waiting:
                self._writer.write(waiting, prompts, decoding)

        retry_with_less(write, self._halve)
        return [[text.tokens for text in samples] for samples in texts]

    def _halve(self) -> bool:
        self._writer.forget()
        return self._limits.halve()

    @torch.inference_mode()
    def score(
        self, sources: Sequence[Ids], targets: Sequence[Sequence[Ids]]
    ) -> list[list[list[float]]]:
        if self._model.device.type == "cpu":
            return_freed_memory()  # returns the memory of `generate`'s KV cache to the system
        return retry_with_less(lambda: self._scored(sources, targets), self._halve)

    def _scored(
        self, sources: Sequence[Ids], targets: Sequence[Sequence[Ids]]
    ) -> list[list[list[float]]]:
        def fits(rows: int, source_length: int, target_length: int) -> bool:
            return (
                rows <= self._limits.scored
                and rows * (source_length + target_length) <= self._limits.encoded
            )

        sources_and_targets = list(zip(sources, targets, strict=True))
        lengths = [
            (len(source), sum(map(len, source_targets)))
            for source, source_targets in sources_and_targets
        ]
        batches = list(length_batches(lengths, fits))
        count = min(self._workers.count, len(batches)) or 1
        found = self._workers.map_parts(
            lambda share: self._score_batches(share, sources, targets),
            [batches[n::count] for n in range(count)],
        )
        scores_of = dict(pair for part in found for pair in part)
        return [scores_of[index] for index in range(len(sources_and_targets))]

    def _score_batches(
        self,
        batches: Sequence[Sequence[int]],
        sources: Sequence[Ids],
        targets: Sequence[Sequence[Ids]],
    ) -> list[tuple[int, list[list[float]]]]:
        """Score the batches of one worker. A batch is a list of indices into `sources` and
        `targets`.

        Returns (index of the source, scores) for each source in the batches. The scores are log p
        (nats), indexed by target and token.
        """
        model, order = self._model, list[int]()
        scores: list[float] = []
        for batch in batches:
            self._workers.check()
            prompts = [model.prompt(sources[index]) for index in batch]
            starts = [prompt.start for prompt in prompts]
            tries = ChoiceTrie.of([targets[index] for index in batch], starts, model.device)
            prefixes = model.encoder(
                *pad_right([prompt.prefix for prompt in prompts], model.device)
            )
            states = model.decoder(tries.ids, tries.cache(prefixes))
            order += batch
            scores += self._log_p(states[tries.rows, tries.columns], tries.parents, tries.tokens)
        remaining = iter(scores)
        return [
            (index, [[next(remaining) for _ in target] for target in targets[index]])
            for index in order
        ]

    def _log_p(self, states: Tensor, parents: Tensor, tokens: Tensor) -> list[float]:
        """Return log p (nats) of each of `tokens` (ids), given the hidden state before it. `states`
        are the hidden states (states x size), and `parents` holds, for each token, the index of the
        state before it."""
        log_p = torch.empty(len(tokens), device=states.device)
        for start in range(0, len(states), self._limits.nodes):
            end = start + self._limits.nodes
            logits = self._model.decoder.output.logits(states[start:end])
            (tokens_of_part,) = ((parents >= start) & (parents < end)).nonzero(as_tuple=True)
            rows = parents[tokens_of_part] - start
            log_p[tokens_of_part] = logits[rows, tokens[tokens_of_part]] - logsumexp(logits)[rows]
        scores: list[float] = log_p.tolist()
        return scores
