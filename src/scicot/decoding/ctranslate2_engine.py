"""Run T5 students with CTranslate2 on CPUs, in int8 or fp32. For some students it is the fastest
engine."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from scicot.decoding.engine import Decoding, Ids
from scicot.devices import cores

_TOKENS = 16_384  # padded tokens of a batch
_TYPES = {"fp32": "float32", "int8": "int8_float32"}


class CTranslate2Engine:
    """An `Engine` (engine.py) for a converted model (conversion.py) on the CPU. It decodes greedily
    or by beam search, and does not sample.

    `folder` contains the converted model, and `end` is the id of the end token. Matrix products use
    `precision`, "int8" or "fp32". A batch has at most `batch_tokens` padded tokens.
    """

    def __init__(self, folder: Path, end: int, *, precision: str, batch_tokens: int | None) -> None:
        import ctranslate2

        # OMP_NUM_THREADS may be a list, with one entry for each level of nested loops.
        threads_setting = os.environ.get("OMP_NUM_THREADS", "")
        threads = (
            int(threads_setting) if threads_setting.isdecimal() and len(threads_setting) < 5 else 0
        )
        self._translator = ctranslate2.Translator(
            str(folder),
            device="cpu",
            compute_type=_TYPES[precision],
            intra_threads=threads or cores(),
        )
        self._words: list[str] = json.loads((folder / "shared_vocabulary.json").read_text("utf-8"))
        self._ids = {word: token for token, word in enumerate(self._words)}
        self._end = end
        self._tokens = batch_tokens or _TOKENS

    def generate(
        self, sources: Sequence[Ids], draws: Sequence[Sequence[int | None]], decoding: Decoding
    ) -> list[list[Ids]]:
        if any(seed is not None for seeds in draws for seed in seeds):
            raise ValueError("this engine does not support sampling")
        results = self._translator.translate_batch(
            self._as_words(sources),
            beam_size=decoding.beams,
            max_decoding_length=decoding.max_new_tokens,
            min_decoding_length=0,
            max_batch_size=self._tokens,
            batch_type="tokens",
            max_input_length=0,
            return_end_token=True,
        )
        texts = [[self._ids[word] for word in result.hypotheses[0]] for result in results]
        return [[text] * len(seeds) for text, seeds in zip(texts, draws, strict=True)]

    def score(
        self, sources: Sequence[Ids], targets: Sequence[Sequence[Ids]]
    ) -> list[list[list[float]]]:
        pairs = [
            (source, target)
            for source, source_targets in zip(sources, targets, strict=True)
            for target in source_targets
        ]
        if any(target[-1] != self._end for _, target in pairs):
            raise ValueError("this engine can only score texts that end with the end token")
        results = iter(
            self._translator.score_batch(
                self._as_words([source for source, _ in pairs]),
                # without the end token, which CTranslate2 appends
                self._as_words([target[:-1] for _, target in pairs]),
                max_batch_size=self._tokens,
                batch_type="tokens",
                max_input_length=0,
            )
        )
        return [
            [list(next(results).log_probs) for _ in source_targets] for source_targets in targets
        ]

    def _as_words(self, rows: Sequence[Ids]) -> list[list[str]]:
        return [[self._words[token] for token in row] for row in rows]
