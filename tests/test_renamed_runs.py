"""A run whose directory was renamed or copied is still the same student, by the hash of its
weights."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Trained, read_rows, world_rows, write_rows

from scicot import EvaluateSettings, PredictSettings, ScicotError, evaluate, merge, predict
from scicot.config import Shard
from scicot.outputs import state_path
from scicot.prediction import identities

CPU = PredictSettings(device="cpu", batch_size=4)


@pytest.fixture
def moved(trained: Trained, tmp_path: Path) -> dict[str, Any]:
    """Copies of the two runs of `trained` in directories of other names."""
    for run in ("answer", "rationale"):
        shutil.copytree(getattr(trained, run), tmp_path / f"moved-{run}")
    return {
        "answer_model": tmp_path / "moved-answer",
        "rationale_model": tmp_path / "moved-rationale",
    }


def usual(trained: Trained) -> dict[str, Any]:
    return {"answer_model": trained.answer, "rationale_model": trained.rationale}


def test_a_resumed_output_keeps_the_recorded_names(
    trained: Trained, moved: dict[str, Any], tmp_path: Path
) -> None:
    questions = write_rows(tmp_path / "q.jsonl", world_rows()[:8])
    whole, resumed = tmp_path / "whole.jsonl", tmp_path / "resumed.jsonl"
    for out in (whole, resumed):
        predict(questions, out, settings=CPU, **usual(trained))
    lines = resumed.read_bytes().splitlines(keepends=True)
    resumed.write_bytes(b"".join(lines[:5]))
    assert predict(questions, resumed, settings=CPU, **moved).predicted == 3
    assert resumed.read_bytes() == whole.read_bytes()
    state, expected = (json.loads(state_path(out).read_text()) for out in (resumed, whole))
    assert state["settings"] == expected["settings"]
    assert state["students"] == expected["students"]


def test_rationales_of_a_renamed_run_are_resumed(
    trained: Trained, moved: dict[str, Any], tmp_path: Path
) -> None:
    questions, out = write_rows(tmp_path / "q.jsonl", world_rows()[:6]), tmp_path / "o.jsonl"
    predict(questions, out, settings=CPU, rationale_model=trained.rationale)
    before = out.read_bytes()
    out.write_bytes(b"".join(before.splitlines(keepends=True)[:2]))
    predict(questions, out, settings=CPU, rationale_model=moved["rationale_model"])
    assert out.read_bytes() == before


def test_other_weights_are_still_refused(
    trained: Trained, moved: dict[str, Any], tmp_path: Path
) -> None:
    questions, out = write_rows(tmp_path / "q.jsonl", world_rows()[:4]), tmp_path / "o.jsonl"
    predict(questions, out, settings=CPU, **usual(trained))
    manifest = moved["answer_model"] / "scicot.json"
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**content, "weights_sha256": "f" * 64}))
    with pytest.raises(ScicotError, match=r"other settings .*is 'moved-answer@ffffffffffff'"):
        predict(questions, out, settings=CPU, **moved)
    predict(questions, out, settings=CPU, **moved, force=True)
    assert read_rows(out)[0]["models"]["answer"] == "moved-answer@ffffffffffff"


def test_shards_of_a_renamed_run_are_merged_and_evaluated(
    trained: Trained, moved: dict[str, Any], tmp_path: Path
) -> None:
    parts = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for number, (part, runs) in enumerate(zip(parts, (usual(trained), moved), strict=True), 1):
        settings = replace(CPU, window=4, shard=Shard(number, 2))
        predict(trained.rows, part, settings=settings, **runs)
    out = tmp_path / "merged.jsonl"
    assert merge(trained.rows, parts, out) == 36
    assert {row["models"]["answer"].split("@")[0] for row in read_rows(out)} == {
        "answer",
        "moved-answer",
    }
    [system] = evaluate([out], settings=EvaluateSettings(resamples=200)).systems
    assert system.questions == 36
    for part in parts:
        state_path(part).unlink()
    assert merge(trained.rows, parts, out, force=True) == 36, "the rows alone show it too"


def test_names_are_left_out_of_identities() -> None:
    settings = {
        "answer": "a@0123456789ab + o/b@2@ba9876543210",
        "rationale": ["r@0123456789ab", "no hash@"],
        "engines": {"a@0123456789ab": "native"},
        "seed": 1,
    }
    assert identities.without_names(settings) == {
        "answer": "@0123456789ab@ba9876543210",
        "rationale": ["@0123456789ab", "no hash@"],
        "engines": {"@0123456789ab": "native"},
        "seed": 1,
    }
