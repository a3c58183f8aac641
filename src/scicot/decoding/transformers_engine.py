"""Any encoder-decoder of transformers, through its own `generate`: what the others are held to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from scicot.decoding.engine import Decoding, Ids, until_end
from scicot.decoding.length_batches import Lengths, length_batches
from scicot.decoding.sampling import sample_tokens, uniforms
from scicot.models.families import end_tokens
from scicot.out_of_memory import retry_with_less

if TYPE_CHECKING:
    import torch

BATCH_TOKENS = {"cpu": 16_384, "cuda": 65_536}
_LOGITS = {"cpu": 2**24, "cuda": 2**28}  # numbers that are scored together: 64 MiB in fp32, 1 GiB

Item = TypeVar("Item")
Result = TypeVar("Result")


class TransformersEngine:
    """An `Engine` (see base.py) on a model that is loaded, on its device, in its precision."""

    def __init__(self, model: Any, *, batch_size: int, batch_tokens: int | None = None) -> None:
        kind = "cuda" if model.device.type == "cuda" else "cpu"
        self._model = model
        self._size = batch_size
        self._tokens = batch_tokens or BATCH_TOKENS[kind]
        self._logits = _LOGITS[kind]

    def generate(
        self, sources: Sequence[Ids], draws: Sequence[Sequence[int | None]], decoding: Decoding
    ) -> list[list[Ids]]:
        def run(items: list[tuple[int, int | None]]) -> list[Ids]:
            places, seeds = zip(*items, strict=True)
            return self._written([sources[place] for place in places], seeds, decoding)

        def fits(rows: int, read: int, written: int) -> bool:
            rows *= decoding.beams
            return rows <= self._size and rows * (read + written) <= self._tokens

        pairs = [(place, seed) for place, own in enumerate(draws) for seed in own]
        if decoding.beams > 1 and any(seed is not None for _, seed in pairs):
            raise ValueError("a text is drawn or searched for, not both")
        lengths = [(len(sources[place]), decoding.max_new_tokens) for place, _ in pairs]
        written = iter(self._batched(pairs, lengths, fits, run))
        return [[next(written) for _ in own] for own in draws]

    def score(
        self, sources: Sequence[Ids], targets: Sequence[Sequence[Ids]]
    ) -> list[list[list[float]]]:
        def run(items: list[tuple[int, Ids]]) -> list[list[float]]:
            places, ends = zip(*items, strict=True)
            return self._log_likelihoods([sources[place] for place in places], ends)

        def fits(rows: int, read: int, scored: int) -> bool:
            within = rows <= self._size and rows * (read + scored) <= self._tokens
            return within and rows * scored * self._model.config.vocab_size <= self._logits

        pairs = [(place, target) for place, own in enumerate(targets) for target in own]
        lengths = [(len(sources[place]), len(target)) for place, target in pairs]
        scores = iter(self._batched(pairs, lengths, fits, run))
        return [[next(scores) for _ in own] for own in targets]

    def _batched(
        self,
        items: Sequence[Item],
        lengths: Sequence[Lengths],
        fits: Callable[[int, int, int], bool],
        run: Callable[[list[Item]], list[Result]],
    ) -> list[Result]:
        """run() over batches of items; results in the order of the items."""
        results: dict[int, Result] = {}

        def work() -> None:
            left = [index for index in range(len(items)) if index not in results]
            for batch in length_batches([lengths[index] for index in left], fits):
                own = [left[place] for place in batch]
                results.update(zip(own, run([items[index] for index in own]), strict=True))

        retry_with_less(work, self._halve)
        return [results[index] for index in range(len(items))]

    def _halve(self) -> bool:
        if self._size == 1:
            return False
        self._size, self._tokens, self._logits = (
            self._size // 2,
            self._tokens // 2,
            self._logits // 2,
        )
        return True

    def _written(
        self, sources: Sequence[Ids], draws: Sequence[int | None], decoding: Decoding
    ) -> list[Ids]:
        import torch
        from transformers import GenerationConfig, LogitsProcessorList

        config = self._model.config
        ends = end_tokens(config)
        # Made anew, so that sampling or beams in a model's generation_config.json do not meddle.
        plain = GenerationConfig(  # type: ignore[no-untyped-call]
            max_new_tokens=decoding.max_new_tokens,
            do_sample=False,
            num_beams=decoding.beams,
            pad_token_id=config.pad_token_id,
            eos_token_id=config.eos_token_id,
            decoder_start_token_id=config.decoder_start_token_id,
        )
        own, self._model.generation_config = self._model.generation_config, plain
        try:
            with torch.inference_mode():
                tokens = self._model.generate(
                    **self._encoded(sources),
                    generation_config=plain,
                    logits_processor=LogitsProcessorList([_Drawn(draws, decoding)]),
                )
        finally:
            self._model.generation_config = own
        return [until_end(row, ends) for row in tokens[:, 1:].tolist()]

    def _log_likelihoods(self, sources: Sequence[Ids], targets: Sequence[Ids]) -> list[list[float]]:
        import torch

        labels, _ = self._padded(targets)
        with torch.inference_mode():
            logits = self._model(
                **self._encoded(sources),
                decoder_input_ids=self._model.prepare_decoder_input_ids_from_labels(labels),
            ).logits.float()
            log_p = logits.gather(-1, labels.unsqueeze(-1)).squeeze(-1) - logits.logsumexp(-1)
        rows: list[list[float]] = log_p.tolist()
        return [row[: len(target)] for row, target in zip(rows, targets, strict=True)]

    def _encoded(self, sources: Sequence[Ids]) -> dict[str, Any]:
        """What the decoder reads of each source; a source that recurs is encoded once."""
        import torch
        from transformers.modeling_outputs import BaseModelOutput

        place = {key: row for row, key in enumerate(dict.fromkeys(map(tuple, sources)))}
        tokens, mask = self._padded([list(source) for source in place])
        states = self._model.get_encoder()(input_ids=tokens, attention_mask=mask).last_hidden_state
        if len(place) < len(sources):
            rows = torch.tensor([place[tuple(source)] for source in sources], device=mask.device)
            states, mask = states[rows], mask[rows]
        return {
            "encoder_outputs": BaseModelOutput(last_hidden_state=states),
            "attention_mask": mask,
        }

    def _padded(self, rows: Sequence[Ids]) -> tuple[torch.Tensor, torch.Tensor]:
        """Token ids and their mask, padded to the longest."""
        import torch

        lengths = torch.tensor([len(row) for row in rows])
        tokens = torch.full((len(rows), int(lengths.max())), self._model.config.pad_token_id)
        for place, row in enumerate(rows):
            tokens[place, : len(row)] = torch.tensor(row)
        mask = (torch.arange(tokens.shape[1]) < lengths.unsqueeze(-1)).long()
        return tokens.to(self._model.device), mask.to(self._model.device)


class _Drawn:
    """A logits processor that leaves one token to choose, in the rows that have a seed."""

    def __init__(self, draws: Sequence[int | None], decoding: Decoding) -> None:
        self._rows = [row for row, seed in enumerate(draws) if seed is not None]
        self._decoding = decoding
        numbers = [uniforms(seed, decoding.max_new_tokens) for seed in draws if seed is not None]
        self._uniforms = np.array(numbers)

    def __call__(self, tokens: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        import torch

        if not self._rows:
            return scores
        place = torch.device("cpu") if scores.device.type == "mps" else scores.device  # no fp64
        step = tokens.shape[1] - 1  # behind the start token
        uniform = torch.from_numpy(self._uniforms[:, step]).to(place)
        rows = torch.tensor(self._rows, device=scores.device)
        temperature, top_p = self._decoding.temperature, self._decoding.top_p
        drawn = sample_tokens(scores[rows].to(place), uniform, temperature, top_p).to(scores.device)
        scores = scores.clone()
        scores[rows] = -torch.inf
        scores[rows, drawn] = 0.0
        return scores
