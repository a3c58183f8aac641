"""Batches that drop finished rows, for CPUs. Each worker thread has a separate batch.

On a CPU launching an operation is cheap and every row costs time, so finished rows are removed.
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

_FEW = 8  # minimum number of texts for each worker; for fewer another worker does not pay
_SAMPLED = 8  # sample from 1/8 of the states at a time whose logits fit in memory


class ShrinkingBatches:
    def __init__(self, model: NativeModel, room: BatchLimits, workers: Workers) -> None:
        self._model, self._room, self._workers = model, room, workers

    def forget(self) -> None:
        """Do nothing: no cache is kept between calls."""

    def write(
        self, texts: Sequence[Completion], prompts: Sequence[Prompt], decoding: Decoding
    ) -> None:
        """Generate all texts, which are sorted by prefix length, longest first. After a
        torch.OutOfMemoryError some of them are not `done`."""
        if len(texts) == 1 and texts[0].numbers is None:
            self._write_alone(texts[0], prompts, decoding.max_new_tokens)
        else:
            self._workers.each(
                lambda share: self._write(share, prompts, decoding), self._shares(texts)
            )

    def _shares(self, texts: Sequence[Completion]) -> list[list[Completion]]:
        """Split the texts among the workers. Blocks of them are dealt in turn, so that every worker
        has sources of all lengths."""
        count = min(self._workers.count, max(1, len(texts) // _FEW))
        size = max(1, min(self._room.group, -(-len(texts) // count)))
        blocks = [texts[start : start + size] for start in range(0, len(texts), size)]
        return [[text for block in blocks[n::count] for text in block] for n in range(count)]

    def _write(
        self, texts: Sequence[Completion], prompts: Sequence[Prompt], decoding: Decoding
    ) -> None:
        """Generate one worker's texts, dropping finished rows and starting waiting texts."""
        most = decoding.max_new_tokens
        waiting = deque(texts)
        groups: list[DecodeBatch] = []
        while waiting or groups:
            self._workers.check()
            for chosen in self._next(groups, waiting, prompts, most):
                groups.append(self._begun(chosen, prompts))
            states = JoinedBatches(groups).step(self._model.decoder)
            tokens = self._chosen(states, groups, decoding)
            parts = torch.split(tokens, [len(group) for group in groups])
            for group, written in zip(groups, parts, strict=True):
                self._note(group, written, most)
            groups = [group for group in groups if group.live]

    def _write_alone(self, text: Completion, prompts: Sequence[Prompt], most: int) -> None:
        """Decode a single text greedily, with prompt-lookup drafts (prompt_lookup.py)."""
        decoder, ends = self._model.decoder, self._model.ends
        drafts, group = PromptLookup(prompts[text.place].words), self._begun([text], prompts)
        while not text.done:
            self._workers.check()
            draft = drafts.next(text.written, most - len(text.written) - 1)
            states = group.ahead(decoder, draft)
            tokens = drafts.judge(draft, decoder.output.likeliest(states).tolist())
            tokens = until_end(tokens, ends)
            text.written += tokens
            text.done = tokens[-1] in ends or len(text.written) == most
            group.keep_ahead(1 + len(draft), len(tokens), tokens[-1])

    def _next(
        self,
        groups: Sequence[DecodeBatch],
        waiting: deque[Completion],
        prompts: Sequence[Prompt],
        most: int,
    ) -> Iterator[list[Completion]]:
        """Take waiting texts from the queue while the limits allow more, one group at a time."""
        room = self._room
        rows = sum(map(len, groups))
        tokens = sum(len(group) * (group.width + most) for group in groups)
        while waiting:
            width = max(1, len(prompts[waiting[0].place].prefix))
            count = max(1, min(room.group, room.rows, room.read // width, len(waiting)))
            count = max(1, min(count, room.tokens // (width + most)))
            rows, tokens = rows + count, tokens + count * (width + most)
            if rows > count and (rows > room.rows or tokens > room.tokens):
                return
            yield [waiting.popleft() for _ in range(count)]

    def _begun(self, texts: list[Completion], prompts: Sequence[Prompt]) -> DecodeBatch:
        model = self._model
        for text in texts:
            text.written.clear()  # generation starts over after running out of memory
        places = list(dict.fromkeys(text.place for text in texts))
        prefixes = [prompts[place].prefix for place in places]
        read = model.encoder(*pad_right(prefixes, model.device))
        if len(places) < len(texts):
            at = [places.index(text.place) for text in texts]
            read = read.of(at)
        return DecodeBatch(read, texts, [prompts[text.place].start for text in texts])

    def _chosen(self, states: Tensor, groups: Sequence[DecodeBatch], decoding: Decoding) -> Tensor:
        """Choose the next token of each row."""
        device, output = self._model.device, self._model.decoder.output
        texts = [text for group in groups for text in group.texts]
        drawn = [row for row, text in enumerate(texts) if text and text.numbers is not None]
        if not drawn:
            return output.likeliest(states)
        numbers = [texts[row].numbers[len(texts[row].written)] for row in drawn]
        place = torch.device("cpu") if device.type == "mps" else device  # mps has no fp64
        uniform = torch.tensor(np.array(numbers), device=place)
        sampled = self._sampled(states[drawn], uniform, decoding).to(device)
        if len(drawn) == len(texts):
            return sampled
        tokens = output.likeliest(states)
        tokens[drawn] = sampled
        return tokens

    def _sampled(self, states: Tensor, uniform: Tensor, decoding: Decoding) -> Tensor:
        """Sample the next token of each row from hidden states (rows x size) and uniform numbers
        (rows). Logits are computed for a part of the rows at a time. Each part is split again for
        the sampler, because its fp64 arrays take several times the memory of the logits."""
        found: list[Tensor] = []
        parts = (torch.split(one, self._room.nodes) for one in (states, uniform))
        for rows, numbers in zip(*parts, strict=True):
            logits = self._model.decoder.output.logits(rows).to(numbers.device)
            size = max(1, self._room.nodes // _SAMPLED)
            few = (torch.split(one, size) for one in (logits, numbers))
            found += [
                sample_tokens(some, each, decoding.temperature, decoding.top_p)
                for some, each in zip(*few, strict=True)
            ]
        return torch.cat(found)

    def _note(self, group: DecodeBatch, tokens: Tensor, most: int) -> None:
        """Append the new tokens to a group's texts; remove finished rows, several at a time."""
        group.end_step(tokens)
        for row, token in enumerate(tokens.tolist()):
            text = group.texts[row]
            if text is not None:
                text.written.append(token)
                text.done = token in self._model.ends or len(text.written) == most
                if text.done:
                    group.texts[row] = None
        live = group.live
        if 0 < len(live) <= 3 * len(group) // 4:
            group.keep(live)
