"""T5 and its like behind text, through transformers."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from scicot.errors import ScicotError
from scicot.sources.hub import hub_answers
from scicot.stages import Input
from scicot.students.base import DRAW_TEMPERATURE
from scicot.students.devices import resolve_device, resolve_precision
from scicot.students.texts import encode_inputs

if TYPE_CHECKING:
    import torch

_SHORT = 8  # tokens of a candidate that a whole batch may have

Item = TypeVar("Item")
Result = TypeVar("Result")


def load_student(
    directory: str | os.PathLike[str],
    *,
    max_source_tokens: int,
    batch_size: int,
    device: str = "auto",
    precision: str = "auto",
) -> EncoderDecoderStudent:
    """Load a run directory for prediction; ScicotError where its files cannot be read."""
    where = resolve_device(device)
    model, tokenizer = load_pretrained(os.fspath(directory))
    model = model.to(device=where, dtype=resolve_precision(precision, where)).eval()
    return EncoderDecoderStudent(model, tokenizer, max_source_tokens, batch_size)


def load_pretrained(name: str) -> tuple[Any, Any]:
    """(model, tokenizer) of a local directory or a Hub id; ScicotError saying what is wrong."""
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    if not Path(name).is_dir() and (name.startswith((".", "/", "~")) or name.count("/") > 1):
        raise ScicotError(f"student {name}: there is no such directory")
    # The Hub's client would retry for a minute where there is no network.
    here = Path(name).is_dir() or not hub_answers(name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, local_files_only=here)
        # fp32 whatever the file holds: AdamW's steps vanish in bf16 weights, and fp16 overflows.
        model = AutoModelForSeq2SeqLM.from_pretrained(
            name, dtype=torch.float32, local_files_only=here
        )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        if here and not Path(name).is_dir():
            reason = "there is no such directory, and the Hub cannot be reached"
        raise ScicotError(f"student {name}: cannot be loaded ({reason})") from None
    return model, tokenizer


@contextmanager
def _head_in_fp32(model: Any) -> Iterator[None]:
    """Let the output layer answer in fp32 for as long as this lasts.

    A bf16 logit between 16 and 32 moves in steps of 1/8: labels that differ by less would tie, and
    a tie would go to the first choice.
    """
    import torch

    def in_fp32(head: Any, hidden: tuple[torch.Tensor], _: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.linear(hidden[0].float(), head.weight.float())

    if model.dtype == torch.float32:
        yield
        return
    hook = model.get_output_embeddings().register_forward_hook(in_fp32)
    try:
        yield
    finally:
        hook.remove()


class _Drawn:
    """Turns greedy choice into a draw at DRAW_TEMPERATURE, for the rows that have a seed.

    The largest of logits plus Gumbel noise is distributed as a sample of their softmax (Gumbel
    1954). The noise of a row comes from its own seed, so the batch around it does not matter.
    """

    def __init__(self, seeds: Sequence[int | None]) -> None:
        import torch

        self._generators = [
            None if seed is None else torch.Generator().manual_seed(seed) for seed in seeds
        ]

    def __call__(self, _: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        import torch

        for row, generator in enumerate(self._generators):
            if generator is not None:
                noise = torch.empty(scores.shape[-1]).exponential_(generator=generator)
                scores[row] = scores[row] / DRAW_TEMPERATURE - noise.log().to(scores.device)
        return scores


@dataclass
class EncoderDecoderStudent:
    """A `Student` (see base.py) on an encoder-decoder model and its tokenizer."""

    model: Any
    tokenizer: Any
    max_source_tokens: int
    batch_size: int
    cuts: Counter[str] = field(default_factory=Counter)
    cut_outputs: int = 0

    def generate(
        self, inputs: Sequence[Input], *, max_new_tokens: int, draws: Sequence[int | None] = ()
    ) -> list[str]:
        from transformers import GenerationConfig, LogitsProcessorList

        # Made anew, so that sampling or beams in a model's generation_config.json do not meddle.
        greedy = GenerationConfig(  # type: ignore[no-untyped-call]
            max_new_tokens=max_new_tokens,
            do_sample=False,
            num_beams=1,
            pad_token_id=self.tokenizer.pad_token_id,
            eos_token_id=self.tokenizer.eos_token_id,
            decoder_start_token_id=self.model.config.decoder_start_token_id,
        )

        def run(items: list[tuple[list[int], int | None]]) -> list[str]:
            rows, seeds = zip(*items, strict=True)
            drawn = any(seed is not None for seed in seeds)
            tokens = self.model.generate(
                **self._padded(list(rows)),
                generation_config=greedy,
                logits_processor=LogitsProcessorList([_Drawn(seeds)] if drawn else []),
            )
            ended = (tokens[:, 1:] == self.tokenizer.eos_token_id).any(-1)
            self.cut_outputs += int((~ended).sum())
            texts = self.tokenizer.batch_decode(tokens, skip_special_tokens=True)
            return [text.strip() for text in texts]

        pairs = list(zip(self._encode(inputs), draws or [None] * len(inputs), strict=True))
        own, self.model.generation_config = self.model.generation_config, greedy
        try:
            return self._batched(pairs, lambda pair: len(pair[0]), run)
        finally:
            self.model.generation_config = own

    def score(
        self, inputs: Sequence[Input], candidates: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        sources = self._encode(inputs)
        targets = [
            self.tokenizer(text_target=list(texts), truncation=False)["input_ids"]
            for texts in candidates
        ]

        pairs = [
            (source, target) for source, own in zip(sources, targets, strict=True) for target in own
        ]
        # The logits of long candidates are large: fewer of them at a time.
        longest = max((len(target) for _, target in pairs), default=1)
        size = max(1, self.batch_size * _SHORT // max(longest, _SHORT))
        scores = iter(self._batched(pairs, lambda p: len(p[0]), self._log_likelihoods, size))
        return [[next(scores) for _ in own] for own in targets]

    def _log_likelihoods(self, pairs: list[tuple[list[int], list[int]]]) -> list[float]:
        """log p(target | source) of each pair, fp32; a source that recurs is encoded once."""
        import torch
        from transformers.modeling_outputs import BaseModelOutput

        distinct = list(dict.fromkeys(tuple(source) for source, _ in pairs))
        place = {source: row for row, source in enumerate(distinct)}
        batch = self._padded([list(source) for source in distinct])
        rows = torch.tensor([place[tuple(s)] for s, _ in pairs], device=self.model.device)
        targets = self._padded([target for _, target in pairs])
        labels = targets["input_ids"]
        with torch.inference_mode(), _head_in_fp32(self.model):
            encoded = self.model.get_encoder()(**batch).last_hidden_state
            logits = self.model(
                encoder_outputs=BaseModelOutput(last_hidden_state=encoded[rows]),
                attention_mask=batch["attention_mask"][rows],
                decoder_input_ids=self.model.prepare_decoder_input_ids_from_labels(labels),
            ).logits.float()
            log_p = logits.gather(-1, labels.unsqueeze(-1)).squeeze(-1) - logits.logsumexp(-1)
            scores: list[float] = (log_p * targets["attention_mask"]).sum(-1).tolist()
            return scores

    def _encode(self, inputs: Sequence[Input]) -> list[list[int]]:
        return encode_inputs(inputs, self.tokenizer, self.max_source_tokens, self.cuts)

    def _padded(self, rows: list[list[int]]) -> Any:
        batch = self.tokenizer.pad({"input_ids": rows}, return_tensors="pt")
        return batch.to(self.model.device)

    def _batched(
        self,
        items: Sequence[Item],
        length: Callable[[Item], int],
        run: Callable[[list[Item]], list[Result]],
        size: int | None = None,
    ) -> list[Result]:
        """run() over batches of items of like length, results in the order of the items."""
        size = size or self.batch_size
        order = sorted(range(len(items)), key=lambda i: length(items[i]))
        results: dict[int, Result] = {}
        for start in range(0, len(order), size):
            chosen = order[start : start + size]
            results.update(zip(chosen, run([items[i] for i in chosen]), strict=True))
        return [results[i] for i in range(len(items))]
