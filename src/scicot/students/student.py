"""A student: text in, text out, and scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from scicot.decoding.engine import Decoding, Engine, Ids
from scicot.models.prompt_format import encode_inputs
from scicot.stages import Input


class Student:
    """An engine behind text. Results come in the order of the inputs."""

    def __init__(self, engine: Engine, tokenizer: Any, max_source_tokens: int) -> None:
        self.tokenizer = tokenizer
        # How many inputs so far lost words of "context", "rationale", "question", and how many
        # texts ended at max_new_tokens, not by themselves.
        self.cuts: Counter[str] = Counter()
        self.cut_outputs = 0
        self._engine = engine
        self._max_source_tokens = max_source_tokens

    def encode(self, inputs: Sequence[Input]) -> list[Ids]:
        """Token ids, `max_source_tokens` at most; what had to be cut is counted in `cuts`."""
        return encode_inputs(inputs, self.tokenizer, self._max_source_tokens, self.cuts)

    def generate(
        self,
        inputs: Sequence[Input],
        decoding: Decoding,
        draws: Sequence[Sequence[int | None]] = (),
    ) -> list[list[str]]:
        """For each input one text for each of its draws: a seed (`sample_seed`), or None for
        the likeliest text, which is also what comes where no draws are given."""
        draws = draws or [[None]] * len(inputs)
        written = self._engine.generate(self.encode(inputs), draws, decoding)
        flat = [ids for own in written for ids in own]
        end = self.tokenizer.eos_token_id
        self.cut_outputs += sum(end not in ids for ids in flat)
        texts = iter(self.tokenizer.batch_decode(flat, skip_special_tokens=True) if flat else ())
        return [[next(texts).strip() for _ in own] for own in written]

    def score(
        self,
        inputs: Sequence[Input],
        candidates: Sequence[Sequence[str]],
        *,
        after: Sequence[str] = (),
        per_token: bool = False,
    ) -> list[list[float]]:
        """log p(candidate | input) in nats for every candidate of every input, end token included,
        so that a candidate that begins another ("1", "10") competes with it fairly.

        Where `after` holds a text for each input, that is what its candidates begin with, and the
        likelihood is of what follows. With `per_token` it is the mean over the tokens.
        """
        targets = [self._targets(own) for own in candidates]
        shared = self._targets(after) if after else [[]] * len(targets)
        scores = self._engine.score(self.encode(inputs), targets)
        return [
            [
                _told(log_p[_shared(prefix, target) :], per_token=per_token)
                for log_p, target in zip(own_scores, own, strict=True)
            ]
            for own_scores, own, prefix in zip(scores, targets, shared, strict=True)
        ]

    def _targets(self, texts: Sequence[str]) -> list[Ids]:
        ids: list[Ids] = self.tokenizer(text_target=list(texts), truncation=False)["input_ids"]
        return ids


def _shared(one: Ids, other: Ids) -> int:
    """With how many tokens both begin, the last of each left out: the end is never shared."""
    pairs = zip(one[:-1], other[:-1], strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _told(log_p: Sequence[float], *, per_token: bool) -> float:
    return sum(log_p) / len(log_p) if per_token else sum(log_p)
