"""What is written, and how much of it at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scicot.decoding.engine import Ids

# Tokens, padded: that are in memory together, and that are read at a time.
_TOKENS = {"cpu": 65_536, "cuda": 2**20}
_READ = {"cpu": 2048, "cuda": 65_536}
_LOGITS = {"cpu": 2**24, "cuda": 2**28}  # numbers that are scored together
_GROUP = {"cpu": 64, "cuda": 1024}  # texts that begin together
# Bytes of the keys and values of causal models on a CPU: so many, or a share of the weights'.
_CACHE, _SHARE = 2**28, 0.3
_WHOLE = 8  # places; attention would copy masks of other widths, off a CPU


@dataclass(slots=True)
class Completion:
    """A text that is asked for, and what is written of it."""

    place: int  # of its source
    numbers: Any  # that decide its tokens, one each; None for the likeliest text
    written: Ids = field(default_factory=list)
    done: bool = False
    age: int = 0  # steps since it began in a slot


@dataclass
class BatchLimits:
    """How much is worked on at a time. What is read or scored together does not depend on the
    number of workers, or last digits would."""

    rows: int  # texts of a worker
    tokens: int  # of these texts and their sources, padded
    group: int  # texts that begin together: several such groups, or none could begin before all end
    read: int  # tokens, padded
    scored: int  # sequences
    nodes: int  # states that are scored

    @classmethod
    def of(
        cls,
        place: str,
        vocabulary: int,
        batch_size: int,
        batch_tokens: int | None,
        *,
        token_bytes: int = 0,
        weight_bytes: int = 0,
    ) -> BatchLimits:
        """For a type of device, all of it; `token_bytes` of keys and values are kept of a token, if
        that is to bound how many of them are in memory together."""
        tokens, read, logits, group = (
            own.get(place, own["cpu"]) for own in (_TOKENS, _READ, _LOGITS, _GROUP)
        )
        if token_bytes and place == "cpu":
            room = max(_CACHE, int(_SHARE * weight_bytes))
            tokens = min(tokens, max(1, room // token_bytes))
        tokens = batch_tokens or tokens
        return cls(
            rows=batch_size,
            tokens=tokens,
            group=max(1, min(group, batch_size // 8)),
            read=min(tokens, read),
            scored=batch_size,
            nodes=max(1, logits // vocabulary),
        )

    def share(self, workers: int) -> None:
        """Have each of so many workers write its part of the texts."""
        self.rows, self.tokens = max(1, self.rows // workers), max(1, self.tokens // workers)

    def halve(self) -> bool:
        """Work on half as much at a time from now on; False where it is one sequence already."""
        if self.rows == self.nodes == self.scored == 1:
            return False
        self.scored = self.scored // 2 or 1
        self.nodes = self.nodes // 2 or 1
        self.rows, self.group = self.rows // 2 or 1, self.group // 2 or 1
        self.tokens, self.read = self.tokens // 2, self.read // 2
        return True


def pad_right(rows: Sequence[Ids], device: torch.device) -> tuple[Tensor, Tensor]:
    """Token ids (rows x places), and how many of each row they are."""
    lengths = torch.tensor([len(row) for row in rows])
    width = max(1, int(lengths.max()))  # a source of one token has an empty prefix
    if device.type != "cpu":
        width = -(-width // _WHOLE) * _WHOLE
    ids = np.zeros((len(rows), width), np.int64)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = row
    return torch.from_numpy(ids).to(device), lengths.to(device)
