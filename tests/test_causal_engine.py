"""Causal models with the transformers engine, compared with a reference that runs one row at a
time."""

from typing import Any

import numpy as np
import pytest
import torch
from causal_models import MODELS, tiny

from scicot.decoding.engine import Decoding, Ids
from scicot.decoding.sampling import sample_tokens, uniforms
from scicot.decoding.transformers_engine import TransformersEngine

KINDS = list(MODELS)


def rows(count: int, longest: int, seed: int = 0) -> list[Ids]:
    rng = np.random.default_rng(seed)
    return [rng.integers(3, 96, rng.integers(1, longest + 1)).tolist() for _ in range(count)]


def plain_scores(model: Any, source: Ids, target: Ids) -> list[float]:
    """log p of each target token: one row, nothing padded, cached or shared."""
    with torch.no_grad():
        logits = model(torch.tensor([[*source, *target]])).logits[0].double()
    log_p = logits.log_softmax(-1)
    return [float(log_p[len(source) - 1 + n, token]) for n, token in enumerate(target)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("choices", [2, 4, 8, 26])
def test_scores_are_those_of_single_rows(kind: str, choices: int) -> None:
    model = tiny(kind)
    sources = rows(5, 24, seed=choices)
    targets = [[[*t, 1] for t in rows(choices, 6, seed=n + choices)] for n in range(len(sources))]
    targets[0][0] = [1]  # an empty answer
    found = TransformersEngine(model, batch_size=64).score(sources, targets)
    for source, targets_of_source, scores in zip(sources, targets, found, strict=True):
        for target, score in zip(targets_of_source, scores, strict=True):
            assert score == pytest.approx(plain_scores(model, source, target), abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_scores_do_not_depend_on_the_batch(kind: str) -> None:
    model = tiny(kind, pad=None)
    sources, targets = rows(7, 20), [[[*t, 1] for t in rows(3, 5, seed=n)] for n in range(7)]
    whole = TransformersEngine(model, batch_size=64).score(sources, targets)
    for size, tokens in ((1, None), (3, None), (64, 40)):
        engine = TransformersEngine(model, batch_size=size, batch_tokens=tokens)
        engine._logits = 96 * 4  # so that choices are scored in parts
        found = engine.score(sources, targets)
        for whole_scores, scores_in_parts in zip(whole, found, strict=True):
            for scores, wanted in zip(scores_in_parts, whole_scores, strict=True):
                assert scores == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_greedy_texts_are_those_of_generate(kind: str) -> None:
    model = tiny(kind)
    sources, most = rows(9, 24), 20
    wanted = []
    for source in sources:
        out = model.generate(
            torch.tensor([source]), max_new_tokens=most, do_sample=False, pad_token_id=0
        )
        wanted.append(out[0, len(source) :].tolist())
    for size in (1, 4, 64):
        engine = TransformersEngine(model, batch_size=size)
        assert engine.generate(sources, [[None]] * 9, Decoding(most)) == [[text] for text in wanted]


@pytest.mark.parametrize("kind", ["llama", "gemma3_text", "gpt2"])
def test_sampled_texts_are_decided_by_their_seeds(kind: str) -> None:
    """A seed gives a random number for each token. The number selects the token from the
    distribution that the model gives for that row alone."""
    model, most, decoding = tiny(kind), 8, Decoding(8, temperature=0.9, top_p=0.8)
    sources = rows(4, 16)
    draws: list[list[int | None]] = [[7, 8], [None, 9], [10], [11, 12]]
    wanted = []
    for source, seeds in zip(sources, draws, strict=True):
        for seed in seeds:
            numbers = None if seed is None else uniforms(seed, most)
            text: Ids = []
            while len(text) < most and 1 not in text:
                with torch.no_grad():
                    logits = model(torch.tensor([[*source, *text]])).logits[:, -1]
                if numbers is None:
                    text.append(int(logits.argmax()))
                else:
                    number = torch.tensor([numbers[len(text)]])
                    text.append(int(sample_tokens(logits, number, 0.9, 0.8)))
            wanted.append(text)
    for size in (1, 64):
        found = TransformersEngine(model, batch_size=size).generate(sources, draws, decoding)
        assert [text for texts in found for text in texts] == wanted


def test_several_tokens_may_end_a_text() -> None:
    model = tiny("llama")
    (long,) = TransformersEngine(model, batch_size=4, ends=[95]).generate(
        [[5, 6, 7]], [[None]], Decoding(12)
    )[0]
    ends = [long[4], 1]
    (short,) = TransformersEngine(model, batch_size=4, ends=ends).generate(
        [[5, 6, 7]], [[None]], Decoding(12)
    )[0]
    assert short == long[: long.index(long[4]) + 1]
