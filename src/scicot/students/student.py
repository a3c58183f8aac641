"""The class Student: encodes inputs, runs them on an engine, and decodes texts or returns
scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from scicot.decoding.engine import Decoding, Engine, Ids
from scicot.models.prompt_format import PromptFormat
from scicot.models.truncation import cut_rationales, encode_inputs
from scicot.stages import Input


class Student:
    """A loaded student, which writes texts and scores candidate texts. It encodes inputs, runs them
    on an engine, and decodes the results. Results are in the order of the inputs."""

    def __init__(
        self,
        engine: Engine,
        form: PromptFormat,
        max_source_tokens: int,
        max_rationale_tokens: int | None = None,
    ) -> None:
        self.form = form
        # Counts so far: inputs truncated in their "context", "rationale" or "question", and
        # generated texts that reached max_new_tokens without an end token.
        self.cuts: Counter[str] = Counter()
        self.cut_outputs = 0
        self._engine = engine
        self._max_source_tokens = max_source_tokens
        self._max_rationale_tokens = max_rationale_tokens

    def encode(self, inputs: Sequence[Input]) -> list[Ids]:
        """Return the token ids of each input, truncated to `max_source_tokens`. `cuts` counts the
        truncated inputs. Rationales are first truncated to `max_rationale_tokens`, as they were in
        training."""
        if self._max_rationale_tokens is not None:
            rationales = [text.rationale for text in inputs]
            shortened = cut_rationales(rationales, self.form, self._max_rationale_tokens)
            inputs = [
                replace(text, rationale=rationale)
                for text, rationale in zip(inputs, shortened, strict=True)
            ]
        return encode_inputs(inputs, self.form, self._max_source_tokens, self.cuts)

    def generate(
        self,
        inputs: Sequence[Input],
        decoding: Decoding,
        draws: Sequence[Sequence[int | None]] = (),
    ) -> list[list[str]]:
        """Generate texts for each input: `texts[input][i]`. `draws[input]` has an entry for each
        text to generate: the seed of a sampled text (`sample_seed`), or None for the likeliest text
        (by greedy decoding or beam search). If `draws` is empty, each input gets one likeliest
        text."""
        draws = draws or [[None]] * len(inputs)
        generated = self._engine.generate(self.encode(inputs), draws, decoding)
        flat = [ids for samples in generated for ids in samples]
        self.cut_outputs += sum(self.form.ends.isdisjoint(ids) for ids in flat)
        texts = iter(self.form.decode(flat))
        return [[next(texts) for _ in samples] for samples in generated]

    def score(
        self,
        inputs: Sequence[Input],
        candidates: Sequence[Sequence[str]],
        *,
        prefixes: Sequence[str] = (),
        normalisation: str = "none",
        ends: bool = True,
    ) -> list[list[float]]:
        """Return log p(candidate | input), in nats, for every candidate of every input:
        `scores[input][candidate]`.

        The score includes the end token. This makes the scores comparable if one candidate is the
        beginning of another, such as "1" and "10". With `ends` False the end token is not scored,
        which is correct only if no candidate is the beginning of another.

        `prefixes` has one text for each input. Every candidate of the input must begin with this
        text, whose tokens are not scored. `normalisation` "token" or "character" divides each score
        by the number of scored tokens or characters; "none" does not.
        """
        targets = [
            self.form.targets(choices, text.asks)
            for choices, text in zip(candidates, inputs, strict=True)
        ]
        shared: list[Ids] = [[]] * len(targets)
        if prefixes:
            shared = [
                self.form.targets([start], text.asks)[0]
                for start, text in zip(prefixes, inputs, strict=True)
            ]
        scores = self._engine.score(self.encode(inputs), targets)
        return [
            [
                _normalised(
                    log_p[_common_prefix(prefix, target) : None if ends else -1],
                    normalisation,
                    len(text) - skipped,
                )
                for log_p, target, text in zip(input_scores, targets_of_input, texts, strict=True)
            ]
            for input_scores, targets_of_input, prefix, texts, skipped in zip(
                scores, targets, shared, candidates, map(len, prefixes or [""] * len(targets)),
                strict=True,
            )
        ]  # fmt: skip


def _common_prefix(first: Ids, second: Ids) -> int:
    """Return the length of the common prefix of two token sequences, not counting the last token
    (the end token) of either."""
    pairs = zip(first[:-1], second[:-1], strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _normalised(log_p: Sequence[float], normalisation: str, characters: int) -> float:
    if normalisation == "token":
        return sum(log_p) / len(log_p)
    return sum(log_p) / max(1, characters) if normalisation == "character" else sum(log_p)
