"""T5 and its like behind text, through transformers."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from scicot.errors import ScicotError
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
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
        model = AutoModelForSeq2SeqLM.from_pretrained(name)
    except (OSError, ValueError, KeyError, ImportError) as error:
        reason = " ".join(str(error).split())
        raise ScicotError(f"student {name}: cannot be loaded ({reason[:300]})") from None
    return model, tokenizer


@dataclass
class EncoderDecoderStudent:
    """A `Student` (see base.py) on an encoder-decoder model and its tokenizer."""

    model: Any
    tokenizer: Any
    max_source_tokens: int
    batch_size: int

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

        def run(pairs: list[tuple[list[int], list[list[int]]]]) -> list[list[float]]:
            flat = self._log_likelihoods(
                [source for source, _ in pairs], [labels for _, labels in pairs]
            )
            scores = iter(flat.tolist())
            return [[next(scores) for _ in labels] for _, labels in pairs]

        return self._batched(
            list(zip(sources, targets, strict=True)), lambda pair: len(pair[0]), run
        )

    def _log_likelihoods(
        self, sources: list[list[int]], targets: list[list[list[int]]]
    ) -> torch.Tensor:
        """log p of every target given its source, flat, shape (number of targets,), fp32.

        Each source is encoded once, whatever the number of its targets.
        """
        import torch
        from transformers.modeling_outputs import BaseModelOutput

        batch = self._padded(sources)
        owner = [i for i, labels in enumerate(targets) for _ in labels]
        rows = torch.tensor(owner, device=self.model.device)
        labels = self._padded([label for group in targets for label in group])
        with torch.inference_mode():
            encoded = self.model.get_encoder()(**batch).last_hidden_state
            logits = self.model(
                encoder_outputs=BaseModelOutput(last_hidden_state=encoded[rows]),
                attention_mask=batch["attention_mask"][rows],
                labels=labels["input_ids"],
            ).logits
            log_p = logits.float().log_softmax(-1)
            token_log_p = log_p.gather(-1, labels["input_ids"].unsqueeze(-1)).squeeze(-1)
            total: torch.Tensor = (token_log_p * labels["attention_mask"]).sum(-1)
            return total.cpu()

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []  # a tokenizer takes no empty batch
        encoded = self.tokenizer(list(texts), truncation=True, max_length=self.max_source_tokens)
        ids: list[list[int]] = encoded["input_ids"]
        return ids

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
