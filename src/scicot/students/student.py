"""A student: text in, text out, and scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from scicot.decoding.engine import Decoding, Engine, Ids
from scicot.models.prompt_format import PromptFormat, cut_rationales, encode_inputs
from scicot.stages import Input


class Student:
    """An engine behind text. Results come in the order of the inputs."""

    def __init__(
        self,
        engine: Engine,
        form: PromptFormat,
        max_source_tokens: int,
        max_rationale_tokens: int | None = None,
    ) -> None:
        self.form = form
        # How many inputs so far lost words of "context", "rationale", "question", and how many
        # texts ended at max_new_tokens, not by themselves.
        self.cuts: Counter[str] = Counter()
        self.cut_outputs = 0
        self._engine = engine
        self._max_source_tokens = max_source_tokens
        self._max_rationale_tokens = max_rationale_tokens

    def encode(self, inputs: Sequence[Input]) -> list[Ids]:
        """Token ids, `max_source_tokens` at most; what had to be cut is counted in `cuts`. A
        rationale in them is cut at `max_rationale_tokens`, as the student learnt to read it."""
        if self._max_rationale_tokens is not None:
            given = [text.rationale for text in inputs]
            short = cut_rationales(given, self.form, self._max_rationale_tokens)
            inputs = [replace(one, rationale=own) for one, own in zip(inputs, short, strict=True)]
        return encode_inputs(inputs, self.form, self._max_source_tokens, self.cuts)

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
        self.cut_outputs += sum(self.form.ends.isdisjoint(ids) for ids in flat)
        texts = iter(self.form.decode(flat))
        return [[next(texts) for _ in own] for own in written]

    def score(
        self,
        inputs: Sequence[Input],
        candidates: Sequence[Sequence[str]],
        *,
        after: Sequence[str] = (),
        normalisation: str = "none",
        ends: bool = True,
    ) -> list[list[float]]:
        """log p(candidate | input) in nats for every candidate of every input, end token included,
        so that a candidate that begins another ("1", "10") competes with it fairly; without it
        unless `ends`, where candidates close with a text that tells them apart.

        Where `after` holds a text for each input, that is what its candidates begin with, and the
        likelihood is of what follows. It is divided by the number of its tokens, or of its
        characters, where `normalisation` is "token" or "character".
        """
        targets = [
            self.form.targets(own, text.asks) for own, text in zip(candidates, inputs, strict=True)
        ]
        shared: list[Ids] = [[]] * len(targets)
        if after:
            shared = [
                self.form.targets([own], text.asks)[0]
                for own, text in zip(after, inputs, strict=True)
            ]
        scores = self._engine.score(self.encode(inputs), targets)
        return [
            [
                _normalised(
                    log_p[_shared(prefix, target) : None if ends else -1],
                    normalisation,
                    len(text) - skipped,
                )
                for log_p, target, text in zip(own_scores, own, texts, strict=True)
            ]
            for own_scores, own, prefix, texts, skipped in zip(
                scores, targets, shared, candidates, map(len, after or [""] * len(targets)),
                strict=True,
            )
        ]  # fmt: skip


def _shared(one: Ids, other: Ids) -> int:
    """With how many tokens both begin, the last of each left out: the end is never shared."""
    pairs = zip(one[:-1], other[:-1], strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _normalised(log_p: Sequence[float], normalisation: str, characters: int) -> float:
    if normalisation == "token":
        return sum(log_p) / len(log_p)
    return sum(log_p) / max(1, characters) if normalisation == "character" else sum(log_p)
