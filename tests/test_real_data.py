"""Real data: splitting, truncating and training on rows that people and models wrote."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from conftest import SHARED, Recorder, needs_shared_data, read_rows

from scicot import PredictSettings, TrainSettings, predict, train_answer, train_rationale
from scicot.text import normalized

pytestmark = needs_shared_data

SETTINGS = TrainSettings(
    max_steps=2, warmup_steps=1, batch_size=4, max_source_tokens=96, max_target_tokens=24,
    device="cpu", dev_fraction=0.1,
)  # fmt: skip


@pytest.mark.parametrize("name", ["scienceqa_text_llama2chat13b", "openbookqa_flant5xl"])
def test_folds_keep_question_texts_together(name: str, tmp_path: Path) -> None:
    from dataclasses import replace

    run = tmp_path / "run"
    settings = replace(SETTINGS, folds=3)
    recorder = Recorder()
    options: dict[str, Any] = {"student": "scratch:tiny", "limit": 150}
    data = SHARED / f"{name}.train.jsonl"
    train_rationale(data, run, settings=settings, reporter=recorder, **options)
    folds = defaultdict(set)
    written = read_rows(run / "out_of_fold.jsonl")
    for row in written:
        folds[normalized(row["question"])].add(row["fold"])
    assert len(written) == 150
    assert all(len(folds_of_text) == 1 for folds_of_text in folds.values())
    for fold in range(3):
        learnt = read_rows(run / "folds" / str(fold) / "trained_on.jsonl")
        texts = {row["id"]: normalized(row["question"]) for row in written}
        assert all(fold not in folds[texts[row["id"]]] for row in learnt if row["split"] == "train")
    answer = train_answer(
        [data, run / "out_of_fold.jsonl"], tmp_path / "answer",
        settings=replace(SETTINGS, weights=(4.0, 1.0), shuffle_choices=True), **options,
    )  # fmt: skip
    assert 0 <= answer.metrics["dev_accuracy"] <= 1


def test_what_was_learnt_from_is_warned_of_in_predict(tmp_path: Path, recorder: Recorder) -> None:
    """331 of ScienceQA's 1009 dev questions have the text of a training question, but other
    choices."""
    from dataclasses import replace

    train = SHARED / "scienceqa_text_llama2chat13b.train.jsonl"
    dev = SHARED / "scienceqa_text_llama2chat13b.dev.jsonl"
    settings = replace(SETTINGS, max_steps=1, dev_fraction=0.0)
    train_answer(
        train, tmp_path / "run", student="scratch:tiny", method="direct", settings=settings
    )
    predict(
        dev, tmp_path / "out.jsonl", answer_model=tmp_path / "run", reporter=recorder,
        settings=PredictSettings(device="cpu", batch_size=128, window=1024),
    )  # fmt: skip
    assert any(
        warning.startswith("331 of 1,009 questions have the text of") and "none of them" in warning
        for warning in recorder.warnings
    )
