"""Run any encoder-decoder or causal model with transformers. The other engines are tested against
it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

import numpy as np
import torch

from scicot.decoding.engine import Decoding, Ids, Stopped, until_end
from scicot.decoding.family_inputs import inputs_for
from scicot.decoding.length_batches import Lengths, length_batches
from scicot.decoding.sampling import sample_tokens, uniforms
from scicot.models.families import end_tokens
from scicot.out_of_memory import retry_with_less

BATCH_TOKENS = {"cpu": 16_384, "cuda": 65_536}
# logits computed at a time: 64 MiB in fp32 on a CPU, 1 GiB on CUDA
_LOGITS = {"cpu": 2**24, "cuda": 2**28}

Item = TypeVar("Item")
Result = TypeVar("Result")


class TransformersEngine:
    """An `Engine` (engine.py) for a loaded model, on the model's device and in its precision.

    A batch has at most `batch_size` sequences and `batch_tokens` tokens, including padding. `ends`
    are the ids of the end tokens, by default those of the model's config. `stopped` is called
    before each step; once it returns True, the engine raises `Stopped`.
    """

    def __init__(
        self,
        model: Any,
        *,
        batch_size: int,
        batch_tokens: int | None = None,
        ends: Collection[int] = (),
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        device = "cuda" if model.device.type == "cuda" else "cpu"
        self._model = model
        self._inputs = inputs_for(model)
        self._ends = frozenset(ends) or end_tokens(model.config)
        self._stopped = stopped
        self._size = batch_size
        self._tokens = batch_tokens or BATCH_TOKENS[device]
        self._logits = _LOGITS[device]

    def generate(
        self, sources: Sequence[Ids], draws: Sequence[Sequence[int | None]], decoding: Decoding
    ) -> list[list[Ids]]:
        def run(items: list[tuple[int, int | None]]) -> list[Ids]:
            indices, seeds = zip(*items, strict=True)
            return self._generated([sources[index] for index in indices], seeds, decoding)

        def fits(rows: int, source_length: int, target_length: int) -> bool:
            rows *= decoding.beams
            return rows <= self._size and rows * (source_length + target_length) <= self._tokens

        pairs = [(index, seed) for index, seeds in enumerate(draws) for seed in seeds]
        if decoding.beams > 1 and any(seed is not None for _, seed in pairs):
            raise ValueError("beam search cannot be combined with sampling")
        lengths = [(len(sources[index]), decoding.max_new_tokens) for index, _ in pairs]
        texts = iter(self._batched(pairs, lengths, fits, run))
        return [[next(texts) for _ in seeds] for seeds in draws]

    def score(
        self, sources: Sequence[Ids], targets: Sequence[Sequence[Ids]]
    ) -> list[list[list[float]]]:
        items, lengths = self._inputs.score_items(sources, targets)

        def run(batch: list[Any]) -> list[Any]:
            with torch.inference_mode():
                return self._inputs.score(batch, self._logits)

        def fits(rows: int, source_length: int, target_length: int) -> bool:
            fits_memory = (
                rows <= self._size and rows * (source_length + target_length) <= self._tokens
            )
            return (
                fits_memory and rows * target_length * self._model.config.vocab_size <= self._logits
            )

        return self._inputs.by_source(self._batched(items, lengths, fits, run), targets)

    def _batched(
        self,
        items: Sequence[Item],
        lengths: Sequence[Lengths],
        fits: Callable[[int, int, int], bool],
        run: Callable[[list[Item]], list[Result]],
    ) -> list[Result]:
        """Call `run` on batches of items, and return the results in the order of the items.

        `lengths` and `fits` determine the batches (see length_batches.py). If memory runs out, the
        remaining items are run in batches of half the size.
        """
        results: dict[int, Result] = {}

        def work() -> None:
            remaining = [index for index in range(len(items)) if index not in results]
            for batch in length_batches([lengths[index] for index in remaining], fits):
                indices = [remaining[position] for position in batch]
                results.update(zip(indices, run([items[index] for index in indices]), strict=True))

        retry_with_less(work, self._halve)
        return [results[index] for index in range(len(items))]

    def _halve(self) -> bool:
        if self._size == 1:
            return False
        self._size //= 2
        self._tokens, self._logits = self._tokens // 2, self._logits // 2
        return True

    def _generated(
        self, sources: Sequence[Ids], draws: Sequence[int | None], decoding: Decoding
    ) -> list[Ids]:
        from transformers import GenerationConfig, LogitsProcessorList

        config, ends = self._model.config, sorted(self._ends)
        # The model's own generation_config.json may ask for sampling, beams or penalties.
        generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
            max_new_tokens=decoding.max_new_tokens,
            do_sample=False,
            num_beams=decoding.beams,
            pad_token_id=self._inputs.pad,
            eos_token_id=ends[0] if len(ends) == 1 else ends,
            decoder_start_token_id=getattr(config, "decoder_start_token_id", None),
            disable_compile=True,  # compiling Gemma takes a minute on a GPU before the first token
        )
        previous, self._model.generation_config = self._model.generation_config, generation_config
        try:
            with torch.inference_mode():
                inputs, begin = self._inputs.generate(sources)
                tokens = self._model.generate(
                    **inputs,
                    generation_config=generation_config,
                    logits_processor=LogitsProcessorList(
                        [_Sampled(draws, decoding, begin, self._stopped)]
                    ),
                )
        finally:
            self._model.generation_config = previous
        return [until_end(row, self._ends) for row in tokens[:, begin:].tolist()]


class _Sampled:
    """A logits processor that samples the next token of each row that has a seed. In these rows it
    sets the logit of the sampled token to 0, and all other logits to -inf.

    `draws` holds the seed of each row, None for a row decoded greedily. `begin` is the index of the
    first generated token in each row. `stopped` is called at each step; once it returns True,
    `Stopped` is raised.
    """

    def __init__(
        self,
        draws: Sequence[int | None],
        decoding: Decoding,
        begin: int,
        stopped: Callable[[], bool],
    ) -> None:
        self._stopped = stopped
        self._rows = [row for row, seed in enumerate(draws) if seed is not None]
        self._decoding = decoding
        self._begin = begin
        numbers = [uniforms(seed, decoding.max_new_tokens) for seed in draws if seed is not None]
        self._uniforms = np.array(numbers)

    def __call__(self, tokens: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if self._stopped():
            raise Stopped
        if not self._rows:
            return scores
        # mps has no fp64
        device = torch.device("cpu") if scores.device.type == "mps" else scores.device
        step = tokens.shape[1] - self._begin
        uniform = torch.from_numpy(self._uniforms[:, step]).to(device)
        rows = torch.tensor(self._rows, device=scores.device)
        temperature, top_p = self._decoding.temperature, self._decoding.top_p
        sampled = sample_tokens(scores[rows].to(device), uniform, temperature, top_p)
        scores = scores.clone()
        scores[rows] = -torch.inf
        scores[rows, sampled.to(scores.device)] = 0.0
        return scores
