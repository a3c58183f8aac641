"""Decoding in batches from which finished rows are removed, for CPUs and other devices without
CUDA. Each worker thread has its own batches.

On a CPU, the time of a step grows with the number of rows, so removing finished rows saves time.
Launching an operation is cheap on a CPU, so steps of a fixed shape (continuous_batching.py) would
save little.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from scicot.decoding.batch_limits import BatchLimits, Completion, pad_right
from scicot.decoding.decode_batch import DecodeBatch, JoinedBatches
from scicot.decoding.engine import Decoding, until_end
from scicot.decoding.prompt_lookup import PromptLookup
from scicot.decoding.sampling import sample_tokens
from scicot.decoding.workers import Workers
from scicot.models.native.interface import NativeModel, Prompt

_MIN_TEXTS = 8  # minimum number of texts for each worker; with fewer, another worker is not faster
_SAMPLER_SPLIT = 8  # tokens are sampled for 1/8 of the rows whose logits are computed at once


class ShrinkingBatches:
    """Generates texts with one model, in batches that shrink as texts finish (see the module)."""

    def __init__(self, model: NativeModel, limits: BatchLimits, workers: Workers) -> None:
        self._model, self._limits, self._workers = model, limits, workers

    def forget(self) -> None:
        """Do nothing: unlike ContinuousBatching, this class has no slots and graphs to free."""

    def write(
        self, texts: Sequence[Completion], prompts: Sequence[Prompt], decoding: Decoding
    ) -> None:
        """Generate all texts, and store the tokens in `Completion.tokens`. `texts` must be sorted
        by prefix length, longest first. `prompts` is indexed by `Completion.source`. After a
        torch.OutOfMemoryError, the texts that are not `done` can be passed again."""
        if len(texts) == 1 and texts[0].uniforms is None:
            self._write_alone(texts[0], prompts, decoding.max_new_tokens)
        else:
            self._workers.map_parts(
                lambda share: self._write(share, prompts, decoding), self._shares(texts)
            )

    def _shares(self, texts: Sequence[Completion]) -> list[list[Completion]]:
        """Return a list of texts for each worker. Blocks of consecutive texts are assigned to the
        workers in turn. The texts are already sorted by prefix length, so each worker gets long and
        short prefixes."""
        count = min(self._workers.count, max(1, len(texts) // _MIN_TEXTS))
        size = max(1, min(self._limits.group, -(-len(texts) // count)))
        blocks = [texts[start : start + size] for start in range(0, len(texts), size)]
        return [[text for block in blocks[n::count] for text in block] for n in range(count)]

    def _write(
        self, texts: Sequence[Completion], prompts: Sequence[Prompt], decoding: Decoding
    ) -> None:
        """Generate the texts of one worker. Finished rows are removed from the batches, and waiting
        texts are started in new batches as the limits allow."""
        max_tokens = decoding.max_new_tokens
        waiting = deque(texts)
        batches: list[DecodeBatch] = []
        while waiting or batches:
            self._workers.check()
            for next_texts in self._take_waiting(batches, waiting, prompts, max_tokens):
                batches.append(self._started(next_texts, prompts))
            states = JoinedBatches(batches).step(self._model.decoder)
            tokens = self._next_tokens(states, batches, decoding)
            parts = torch.split(tokens, [len(batch) for batch in batches])
            for batch, new_tokens in zip(batches, parts, strict=True):
                self._append(batch, new_tokens, max_tokens)
            batches = [batch for batch in batches if batch.live]

    def _write_alone(self, text: Completion, prompts: Sequence[Prompt], max_tokens: int) -> None:
        """Generate `text`, the only text of its batch, by greedy decoding. Prompt lookup makes this
        faster (see prompt_lookup.py)."""
        decoder, ends = self._model.decoder, self._model.ends
        drafts, batch = PromptLookup(prompts[text.source].words), self._started([text], prompts)
        while not text.done:
            self._workers.check()
            draft = drafts.next(text.tokens, max_tokens - len(text.tokens) - 1)
            states = batch.ahead(decoder, draft)
            tokens = drafts.judge(draft, decoder.output.likeliest(states).tolist())
            tokens = until_end(tokens, ends)
            text.tokens += tokens
            text.done = tokens[-1] in ends or len(text.tokens) == max_tokens
            batch.keep_ahead(1 + len(draft), len(tokens), tokens[-1])

    def _take_waiting(
        self,
        batches: Sequence[DecodeBatch],
        waiting: deque[Completion],
        prompts: Sequence[Prompt],
        max_tokens: int,
    ) -> Iterator[list[Completion]]:
        """Remove groups of texts from the queue `waiting`, and yield each group as a new batch to
        start. Stop if the next batch, together with `batches` and the batches yielded before, would
        exceed the limits."""
        limits = self._limits
        rows = sum(map(len, batches))
        tokens = sum(len(batch) * (batch.width + max_tokens) for batch in batches)
        while waiting:
            width = max(1, len(prompts[waiting[0].source].prefix))
            count = max(1, min(limits.group, limits.rows, limits.encoded // width, len(waiting)))
            count = max(1, min(count, limits.tokens // (width + max_tokens)))
            rows, tokens = rows + count, tokens + count * (width + max_tokens)
            if rows > count and (rows > limits.rows or tokens > limits.tokens):
                return
            yield [waiting.popleft() for _ in range(count)]

    def _started(self, texts: list[Completion], prompts: Sequence[Prompt]) -> DecodeBatch:
        model = self._model
        for text in texts:
            text.tokens.clear()  # generation starts over after running out of memory
        sources = list(dict.fromkeys(text.source for text in texts))
        prefixes = [prompts[source].prefix for source in sources]
        cache = model.encoder(*pad_right(prefixes, model.device))
        if len(sources) < len(texts):
            rows = [sources.index(text.source) for text in texts]
            cache = cache.of(rows)
        return DecodeBatch(cache, texts, [prompts[text.source].start for text in texts])

    def _next_tokens(
        self, states: Tensor, batches: Sequence[DecodeBatch], decoding: Decoding
    ) -> Tensor:
        """Choose the next token of each row in all batches. If the row's `Completion.uniforms` is
        None, the likeliest token is chosen. Otherwise the token is sampled.

        `states` holds the hidden states, of shape (rows, size). Returns token ids, of shape
        (rows,).
        """
        device, output = self._model.device, self._model.decoder.output
        texts = [text for batch in batches for text in batch.texts]
        sampled_rows = [row for row, text in enumerate(texts) if text and text.uniforms is not None]
        if not sampled_rows:
            return output.likeliest(states)
        uniforms = [texts[row].uniforms[len(texts[row].tokens)] for row in sampled_rows]
        sampling_device = torch.device("cpu") if device.type == "mps" else device  # mps has no fp64
        uniform_tensor = torch.tensor(np.array(uniforms), device=sampling_device)
        sampled = self._sampled(states[sampled_rows], uniform_tensor, decoding).to(device)
        if len(sampled_rows) == len(texts):
            return sampled
        tokens = output.likeliest(states)
        tokens[sampled_rows] = sampled
        return tokens

    def _sampled(self, states: Tensor, uniform: Tensor, decoding: Decoding) -> Tensor:
        """Sample the next token of each row.

        `states` holds the hidden states, of shape (rows, size), and `uniform` a uniform random
        number for each row, of shape (rows,). Returns token ids, of shape (rows,).
        """
        tokens: list[Tensor] = []
        # To save memory, logits are computed for a part of the rows at a time.
        parts = (torch.split(tensor, self._limits.nodes) for tensor in (states, uniform))
        for rows, part_uniforms in zip(*parts, strict=True):
            logits = self._model.decoder.output.logits(rows).to(part_uniforms.device)
            # Split again: the sampler's fp64 arrays take several times the memory of the logits.
            size = max(1, self._limits.nodes // _SAMPLER_SPLIT)
            chunks = (torch.split(tensor, size) for tensor in (logits, part_uniforms))
            tokens += [
                sample_tokens(chunk_logits, chunk_uniforms, decoding.temperature, decoding.top_p)
                for chunk_logits, chunk_uniforms in zip(*chunks, strict=True)
            ]
        return torch.cat(tokens)

    def _append(self, batch: DecodeBatch, tokens: Tensor, max_tokens: int) -> None:
        """Append one new token to the text of each row. `tokens` has shape (rows,). Finished rows
        are removed once they are at least a quarter of the batch."""
        batch.end_step(tokens)
        for row, token in enumerate(tokens.tolist()):
            text = batch.texts[row]
            if text is not None:
                text.tokens.append(token)
                text.done = token in self._model.ends or len(text.tokens) == max_tokens
                if text.done:
                    batch.texts[row] = None
        live = batch.live
        if 0 < len(live) <= 3 * len(batch) // 4:
            batch.keep(live)
