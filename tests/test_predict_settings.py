"""Settings of predict that contradict each other or have no effect."""

from pathlib import Path
from typing import Any

import pytest
from conftest import Trained

from scicot import PredictSettings, ScicotError, Shard, predict
from scicot.errors import UsageError


@pytest.mark.parametrize(
    ("model", "settings", "said"),
    [
        ("direct", {"samples": 3}, "--samples, --temperature or --beams: no effect, because"),
        ("direct", {"beams": 2}, "no rationale is written; leave it out"),
        ("direct", {"vote": True}, "--vote: one rationale alone cannot vote"),
        ("direct", {"with_folds": True}, "--with-folds: no effect, because no rationale is"),
        ("direct", {"mix_direct": 0.5}, "--mix-direct: no effect, because"),
        ("direct", {"rationale_from": "shuffled"}, "reads no rationales"),
        (
            "answer",
            {"rationale_from": "none", "mix_direct": 0.5},
            "--mix-direct: no effect, because",
        ),
        (None, {"vote": True, "samples": 2}, "--vote: has no effect without --answer-model"),
        ("direct", {"weigh": "confidence"}, "--weigh confidence: weighs several rationales"),
        (None, {"weigh": "confidence", "samples": 2}, "--weigh confidence: has no effect without"),
        (None, {"abstain_below": 0.5}, "--abstain-below: has no effect without --answer-model"),
        (None, {"scoring": "text"}, "--scoring: has no effect without --answer-model"),
    ],
)
def test_options_that_would_do_nothing_are_refused(
    trained: Trained, tmp_path: Path, model: str | None, settings: dict[str, Any], said: str
) -> None:
    models = {"answer_model": getattr(trained, model)} if model else {}
    if model is None:
        models = {"rationale_model": trained.rationale}
    with pytest.raises(ScicotError, match=said):
        predict(
            trained.rows, tmp_path / "out", **models,
            settings=PredictSettings(device="cpu", **settings),
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"samples": 0}, "--samples is 0"),
        ({"temperature": 0.0}, "--temperature is 0.0; it must be between 0.001 and 100"),
        ({"vote": True, "samples": 2, "mix_direct": 0.5}, "--vote and --mix-direct"),
        ({"max_new_tokens": 10**9}, "--max-new-tokens is 1000000000; it must be from 1 to 65,536"),
        ({"vote": True, "samples": 2, "weigh": "confidence"}, "--vote and --weigh confidence"),
        ({"weigh": "most"}, "--weigh is most; it must be mean or confidence"),
        ({"top_p": 0.5}, "--top-p: has no effect without sampling"),
        ({"beams": 2, "samples": 2}, "--beams: cannot be combined with sampling"),
        ({"mix_direct": 1.5}, "--mix-direct is 1.5; it must be between 0 and 1"),
        ({"abstain_below": -1.0}, "--abstain-below is -1.0"),
        ({"scoring": "best"}, "--scoring is best; it must be auto or label or text"),
    ],
)
def test_settings_that_contradict_themselves(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ScicotError, match=said):
        PredictSettings(**settings)


def test_a_shard_is_given_as_on_the_command_line_or_as_an_object(trained: Trained) -> None:
    assert PredictSettings(shard="2/3") == PredictSettings(shard=Shard(2, 3))  # type: ignore[arg-type]
    parts = [
        predict(trained.rows, answer_model=trained.direct, device="cpu", window=4, shard=shard).rows
        for shard in ("1/2", Shard(2, 2))
    ]
    whole = predict(trained.rows, answer_model=trained.direct, device="cpu").rows
    assert sorted(row["id"] for part in parts for row in part) == sorted(row["id"] for row in whole)
    assert min(map(len, parts)) > 0


@pytest.mark.parametrize("shard", [(1, 2), 1, "1-2", "3/2", ["1/2"]])
def test_another_shard_is_refused(shard: object) -> None:
    with pytest.raises(UsageError, match=r"shard is .*; it must be I/N, "):
        PredictSettings(shard=shard)  # type: ignore[arg-type]
