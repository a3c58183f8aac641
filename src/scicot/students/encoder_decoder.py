"""T5 and its like behind text, through transformers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from scicot.errors import ScicotError
from scicot.sources.hub import hub_answers
from scicot.students.devices import resolve_device, resolve_precision

if TYPE_CHECKING:
    import torch

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


def cut_before_end(ids: list[int], limit: int, end: int | None) -> list[int]:
    """Token ids cut on the right to `limit`, the end token kept."""
    if len(ids) <= limit:
        return ids
    return ids[:limit] if end is None else [*ids[: limit - 1], end]


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


@dataclass
class EncoderDecoderStudent:
    """A `Student` (see base.py) on an encoder-decoder model and its tokenizer."""

    model: Any
    tokenizer: Any
    max_source_tokens: int
    batch_size: int
    cut_inputs: int = 0
    cut_outputs: int = 0

    def generate(self, inputs: Sequence[str], *, max_new_tokens: int) -> list[str]:
        from transformers import GenerationConfig

        # Made anew, so that sampling or beams in a model's generation_config.json do not meddle.
        greedy = GenerationConfig(  # type: ignore[no-untyped-call]
            max_new_tokens=max_new_tokens,
            do_sample=False,
            num_beams=1,
            pad_token_id=self.tokenizer.pad_token_id,
            eos_token_id=self.tokenizer.eos_token_id,
            decoder_start_token_id=self.model.config.decoder_start_token_id,
        )
        self.model.generation_config = greedy

        def run(rows: list[list[int]]) -> list[str]:
            tokens = self.model.generate(**self._padded(rows), generation_config=greedy)
            ended = (tokens[:, 1:] == self.tokenizer.eos_token_id).any(-1)
            self.cut_outputs += int((~ended).sum())
            texts = self.tokenizer.batch_decode(tokens, skip_special_tokens=True)
            return [text.strip() for text in texts]

        return self._batched(self._encode(inputs), len, run)

    def score(
        self, inputs: Sequence[str], candidates: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        sources = self._encode(inputs)
        targets = [
            self.tokenizer(text_target=list(texts), truncation=False)["input_ids"]
            for texts in candidates
        ]

        pairs = [
            (source, target) for source, own in zip(sources, targets, strict=True) for target in own
        ]
        scores = iter(self._batched(pairs, lambda pair: len(pair[0]), self._log_likelihoods))
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

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []  # a tokenizer takes no empty batch
        rows = self.tokenizer(list(texts))["input_ids"]
        self.cut_inputs += sum(len(ids) > self.max_source_tokens for ids in rows)
        end = self.tokenizer.eos_token_id
        return [cut_before_end(ids, self.max_source_tokens, end) for ids in rows]

    def _padded(self, rows: list[list[int]]) -> Any:
        batch = self.tokenizer.pad({"input_ids": rows}, return_tensors="pt")
        return batch.to(self.model.device)

    def _batched(
        self,
        items: Sequence[Item],
        length: Callable[[Item], int],
        run: Callable[[list[Item]], list[Result]],
    ) -> list[Result]:
        """run() over batches of items of like length, results in the order of the items."""
        order = sorted(range(len(items)), key=lambda i: length(items[i]))
        results: dict[int, Result] = {}
        for start in range(0, len(order), self.batch_size):
            chosen = order[start : start + self.batch_size]
            results.update(zip(chosen, run([items[i] for i in chosen]), strict=True))
        return [results[i] for i in range(len(items))]
