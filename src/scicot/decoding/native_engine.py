"""Run models with scicot's decoding loop: the same tokens as transformers' `generate`, several
times faster."""

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
from scicot.devices import keep_freed_memory, return_freed_memory
from scicot.models.native import native_model
from scicot.models.native.lm_head import logsumexp
from scicot.out_of_memory import retry_with_less

_IN_SLOTS = ("cuda",)  # device types that use continuous_batching.py


class NativeEngine:
    """An `Engine` (engine.py) for a loaded model, on its device, with matrix products in `kind`
    (torch.float32, bfloat16 or, on CPUs, int8) and fp32 logits. Finished texts are replaced by
    waiting ones. `ends` are the end tokens, by default those of the model's config. `stopped` is
    called before each step; `Stopped` is raised once it returns True."""

    def __init__(
        self,
        model: Any,
        kind: torch.dtype,
        *,
        batch_size: int,
        batch_tokens: int | None = None,
        ends: Collection[int] = (),
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        place = model.device.type
        if place == "cpu":
            keep_freed_memory()
        self._model = native_model(model, kind, ends)
        self._room = BatchLimits.of(
            place,
            model.config.vocab_size,
            batch_size,
            batch_tokens,
            token_bytes=self._model.token_bytes,
            weights=model.num_parameters(),
            weight_bytes=sum(weight.nbytes for weight in model.parameters()),
        )
        self._workers = Workers(model.device, batch_size // (2 * self._room.group), stopped)
        self._room.share(self._workers.count)
        self._writer: ContinuousBatching | ShrinkingBatches
        if place in _IN_SLOTS:
            self._writer = ContinuousBatching(self._model, self._room, self._workers)
        else:
            self._writer = ShrinkingBatches(self._model, self._room, self._workers)

    @torch.inference_mode()
    def generate(
        self, sources: Sequence[Ids], draws: Sequence[Sequence[int | None]], decoding: Decoding
    ) -> list[list[Ids]]:
        if decoding.beams > 1:
            raise ValueError("this engine does not search with beams")
        most = decoding.max_new_tokens
        texts = [
            [Completion(place, None if seed is None else uniforms(seed, most)) for seed in seeds]
            for place, seeds in enumerate(draws)
        ]
        prompts = [self._model.prompt(source) for source in sources]
        flat = [text for samples in texts for text in samples]
        flat.sort(key=lambda text: -len(prompts[text.place].prefix))

        def write() -> None:
            waiting = [text for text in flat if not text.done]
            if waiting:
                self._writer.write(waiting, prompts, decoding)

        retry_with_less(write, self._halve)
        return [[text.written for text in samples] for samples in texts]

    def _halve(self) -> bool:
        self._writer.forget()
        return self._room.halve()

    @torch.inference_mode()
    def score(
        self, sources: Sequence[Ids], targets: Sequence[Sequence[Ids]]
    ) -> list[list[list[float]]]:
        if self._model.device.type == "cpu":
            return_freed_memory()  # of the KV cache of `generate`
        try:
            return retry_with_less(lambda: self._scored(sources, targets), self._halve)
        finally:
            self._model.decoder.output.release()

    def _scored(
        self, sources: Sequence[Ids], targets: Sequence[Sequence[Ids]]
    ) -> list[list[list[float]]]:
        def fits(rows: int, read: int, scored: int) -> bool:
            return rows <= self._room.scored and rows * (read + scored) <= self._room.read

        both = list(zip(sources, targets, strict=True))
        lengths = [(len(source), sum(map(len, source_targets))) for source, source_targets in both]
        parts = list(length_batches(lengths, fits))
        count = min(self._workers.count, len(parts)) or 1
        found = self._workers.each(
            lambda share: self._share_scored(share, sources, targets),
            [parts[n::count] for n in range(count)],
        )
        known = dict(pair for pairs in found for pair in pairs)
        return [known[place] for place in range(len(both))]

    def _share_scored(
        self,
        parts: Sequence[Sequence[int]],
        sources: Sequence[Ids],
        targets: Sequence[Sequence[Ids]],
    ) -> list[tuple[int, list[list[float]]]]:
        """Score the sources of one worker's batches, each with all its targets.

        `parts` are the batches, as indices into `sources`. Returns (source index, log p of each
        token of each target in nats) for every source.
        """
        model, order = self._model, list[int]()
        scores: list[float] = []
        for part in parts:
            self._workers.check()
            prompts = [model.prompt(sources[place]) for place in part]
            starts = [prompt.start for prompt in prompts]
            tries = ChoiceTrie.of([targets[place] for place in part], starts, model.device)
            read = model.encoder(*pad_right([one.prefix for one in prompts], model.device))
            found = model.decoder(tries.ids, tries.memory(read))
            order += part
            scores += self._log_p(found[tries.rows, tries.places], tries.behind, tries.tokens)
        each = iter(scores)
        return [
            (place, [[next(each) for _ in target] for target in targets[place]]) for place in order
        ]

    def _log_p(self, states: Tensor, behind: Tensor, tokens: Tensor) -> list[float]:
        """Return log p of each token in nats, given the hidden state before it."""
        found = torch.empty(len(tokens), device=states.device)
        for start in range(0, len(states), self._room.nodes):
            end = start + self._room.nodes
            logits = self._model.decoder.output.logits(states[start:end])
            (tokens_of_part,) = ((behind >= start) & (behind < end)).nonzero(as_tuple=True)
            rows = behind[tokens_of_part] - start
            found[tokens_of_part] = logits[rows, tokens[tokens_of_part]] - logsumexp(logits)[rows]
        scores: list[float] = found.tolist()
        return scores
