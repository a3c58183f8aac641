"""Describe how the two model families, encoder-decoder and causal, differ.

An encoder-decoder encodes the source and decodes the target after a start token. A causal
(decoder-only) model reads source and target as one sequence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

IGNORED = -100  # the label that transformers ignores in the loss

Row = Mapping[str, Any]  # {"input_ids": source ids, "labels": target ids}


@dataclass(frozen=True)
class Family:
    """The properties of a model family, and the construction of its training batches.

    `joined` is True if source and target form one sequence. `cpu_attention` is the attention
    implementation of transformers that is faster on a CPU: "eager" for encoder-decoders, since SDPA
    is slow with T5's position bias.
    """

    name: str
    auto_class: str  # transformers' class that loads the model
    lora_task: str  # peft's TaskType
    joined: bool
    formats: tuple[str, ...]  # prompt formats (prompt_format.py)
    answer_as: str  # default answer form, unless a trial on dev selects the other
    cpu_attention: str

    def lengths(self, lengths: Any) -> Any:
        """Return the lengths of the sequences that the model reads. `lengths` (..., 2) holds the
        numbers of source and target tokens. For an encoder-decoder, the result is `lengths` itself.
        A causal model reads both as one sequence, so the result is the sum of both (..., 1)."""
        return lengths.sum(axis=-1, keepdims=True) if self.joined else lengths

    def collate(self, rows: Sequence[Row], pad: int, multiple: int) -> dict[str, torch.Tensor]:
        """Combine rows of token ids into a training batch. Rows are padded on the right with the
        token id `pad`, to a multiple of `multiple` tokens.

        Returns "input_ids" and "attention_mask" (rows x inputs), and "labels". Padding has the
        label IGNORED.

        - Encoder-decoder: "labels" has shape rows x targets, and holds the target's token ids.
        - Causal model: "labels" has shape rows x inputs. The label of a position is the next token.
          If the next token is not part of the target, the label is IGNORED.
        """
        sources = [row["input_ids"] for row in rows]
        targets = [row["labels"] for row in rows]
        if self.joined:
            # The last token is only a target, so it is not an input.
            read = [[*a, *b][:-1] for a, b in zip(sources, targets, strict=True)]
            next_ids = [
                [IGNORED] * (len(a) - 1) + list(b) for a, b in zip(sources, targets, strict=True)
            ]
        else:
            read, next_ids = sources, targets
        return {
            "input_ids": _padded(read, pad, multiple),
            "attention_mask": _mask(read, multiple),
            "labels": _padded(next_ids, IGNORED, multiple),
        }

    def decoder_inputs(self, model: Any, labels: torch.Tensor) -> dict[str, Any]:
        """Return {"decoder_input_ids": ...}, the model's argument for teacher forcing on `labels`
        (rows x targets). For a causal model return {}, since its input ids already contain the
        targets."""
        if self.joined:
            return {}
        return {"decoder_input_ids": model.prepare_decoder_input_ids_from_labels(labels=labels)}

    def trial_batch(self, rows: int, longest: tuple[int, int], device: Any) -> dict[str, Any]:
        """Make a batch of `rows` equal rows without padding, to measure the memory that training
        takes. Each row has `longest[0]` source tokens and `longest[1]` target tokens."""
        import torch

        source, target = longest
        row = {"input_ids": [1] * source, "labels": [1] * target}
        batch = self.collate([row] * rows, 0, 1)
        return {name: tensor.to(device) for name, tensor in batch.items()} | {
            "attention_mask": torch.ones_like(batch["attention_mask"], device=device)
        }


ENCODER_DECODER = Family(
    name="encoder-decoder",
    auto_class="AutoModelForSeq2SeqLM",
    lora_task="SEQ_2_SEQ_LM",
    joined=False,
    formats=("seq2seq",),
    answer_as="label",
    cpu_attention="eager",
)
CAUSAL = Family(
    name="causal",
    auto_class="AutoModelForCausalLM",
    lora_task="CAUSAL_LM",
    joined=True,
    formats=("plain", "chat"),
    answer_as="text",
    cpu_attention="sdpa",
)


def family_of(config: Any) -> Family:
    """Return the family of the model that has this config."""
    return ENCODER_DECODER if getattr(config, "is_encoder_decoder", False) else CAUSAL


def end_tokens(config: Any) -> frozenset[int]:
    """Return the ids of a model's end tokens; there may be several. `config` is the model's config,
    generation config or tokenizer. The result is empty if `config` names no end token."""
    ends = config.eos_token_id
    if ends is None:
        return frozenset()
    return frozenset(ends if isinstance(ends, list | tuple) else [ends])


def _padded(rows: Sequence[Sequence[int]], value: int, multiple: int) -> torch.Tensor:
    import torch

    padded = np.full((len(rows), _width(rows, multiple)), value, np.int64)
    for index, ids in enumerate(rows):
        padded[index, : len(ids)] = ids
    return torch.from_numpy(padded)


def _mask(rows: Sequence[Sequence[int]], multiple: int) -> torch.Tensor:
    import torch

    lengths = torch.tensor([len(row) for row in rows])
    return (torch.arange(_width(rows, multiple)) < lengths[:, None]).long()


def _width(rows: Sequence[Sequence[int]], multiple: int) -> int:
    return -(-max(map(len, rows)) // multiple) * multiple
