"""Windows, shards and merging: merged shards give the same file as a single run."""

import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import QUESTION, Recorder, Trained, read_rows, world_rows, write_rows

from scicot import PredictSettings, ScicotError, Shard, merge, predict
from scicot.outputs import locked, read_state, state_path
from scicot.prediction.windows import of_shard, size_of_shard, uneven_shares, windows
from scicot_cli.predict import slurm_shard

CPU = PredictSettings(device="cpu", max_new_tokens=6, window=5)


def test_windows_and_their_shards() -> None:
    parts = list(windows(range(12), 5))
    assert parts == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11]]
    assert list(of_shard(parts, None)) == parts
    assert list(of_shard(parts, Shard(1, 2))) == [parts[0], parts[2]]
    assert list(of_shard(parts, Shard(4, 4))) == []
    for total in (0, 1, 11, 12, 40):
        for count in (1, 2, 3, 7):
            sizes = []
            for number in range(1, count + 1):
                shard = Shard(number, count)
                size = sum(map(len, of_shard(windows(range(total), 5), shard)))
                assert size == size_of_shard(total, 5, shard)
                sizes.append(size)
            assert sum(sizes) == total


@pytest.mark.parametrize(
    ("total", "size", "count", "per_question", "said"),
    [
        (500, 512, 4, 1, "largest has 500 of 500 questions and 3 of 4 have none; give every shard"),
        (1200, 512, 3, 1, "the largest has 512 of 1,200 questions; give every shard --window 400"),
        (500, 102, 4, 5, "--window 625 "),
        (2, 512, 4, 1, "--window 1 "),
        (100_000, 512, 8, 1, None),
        (500, 125, 4, 1, None),
        (0, 512, 4, 1, None),
    ],
)
def test_uneven_shards_name_a_better_window(
    total: int, size: int, count: int, per_question: int, said: str | None
) -> None:
    warnings = list(uneven_shares(total, size, Shard(1, count), per_question))
    assert len(warnings) == (said is not None)
    for warning in warnings:
        assert str(said) in warning


def test_a_window_ends_where_the_next_row_is_not_there_yet() -> None:
    waits = iter([False, True, False, False, True])
    assert list(windows("abcde", 4, lambda _: next(waits))) == [["a", "b"], ["c", "d", "e"]]


def test_a_window_does_not_wait_for_a_trickle() -> None:
    """With a row every 20 ms the input is never idle for long, but rows must still be answered
    soon."""

    def trickle() -> Iterator[int]:
        for number in range(8):
            time.sleep(0.02)
            yield number

    parts = list(windows(trickle(), 100, lambda seconds: seconds < 0.02))
    assert 2 <= len(parts) <= 8


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "a/b", "1/0", "-1/4", "1/4/2", ""])
def test_what_is_no_shard(text: str) -> None:
    with pytest.raises(ScicotError, match=r"--shard is .*; it must be I/N"):
        Shard.parse(text)


@pytest.mark.parametrize(
    ("task", "count", "first", "step", "shard"),
    [("0", "8", "0", "1", "1/8"), ("8", "8", "1", "1", "8/8"), ("5", "3", "1", "2", "3/3")],
)
def test_slurms_variables(task: str, count: str, first: str, step: str, shard: str) -> None:
    names = ("ID", "COUNT", "MIN", "STEP")
    values = zip(names, (task, count, first, step), strict=True)
    found = slurm_shard({f"SLURM_ARRAY_TASK_{name}": value for name, value in values})
    assert str(found) == shard


def test_slurms_variables_that_do_not_tell() -> None:
    assert slurm_shard({}) is None
    for task, count, first in (("7", "3", "1"), ("3", "1", "3"), ("4", "2", "3")):
        names = {"ID": task, "COUNT": count, "MIN": first}
        values = {f"SLURM_ARRAY_TASK_{name}": value for name, value in names.items()}
        with pytest.raises(ScicotError, match="the array has gaps or does not start at 0 or 1"):
            slurm_shard(values)
    with pytest.raises(ScicotError, match="not numbers"):
        slurm_shard({"SLURM_ARRAY_TASK_ID": "x", "SLURM_ARRAY_TASK_COUNT": "3"})


def models(trained: Trained) -> dict[str, Any]:
    return {"answer_model": trained.answer, "rationale_model": trained.rationale}


def predicted(trained: Trained, folder: Path, count: int, settings: PredictSettings) -> list[Path]:
    parts = []
    for number in range(1, count + 1):
        parts.append(folder / f"part-{number}.jsonl")
        shard_settings = replace(settings, shard=Shard(number, count))
        predict(trained.rows, parts[-1], settings=shard_settings, **models(trained))
    return parts


@pytest.mark.parametrize("count", [1, 3, 11])
@pytest.mark.parametrize("samples", [1, 3])
def test_shards_merged_are_one_run(
    trained: Trained, tmp_path: Path, count: int, samples: int
) -> None:
    settings = replace(CPU, samples=samples)
    whole = tmp_path / "whole.jsonl"
    predict(trained.rows, whole, settings=settings, **models(trained))
    parts = predicted(trained, tmp_path, count, settings)
    random.Random(0).shuffle(parts)
    merged = tmp_path / "merged.jsonl"
    assert merge(trained.rows, parts, merged) == 36
    assert merged.read_bytes() == whole.read_bytes()
    again = predict(trained.rows, merged, settings=settings, **models(trained))
    assert (again.already_done, again.predicted) == (36, 0), "one run's file, and continued as one"


def test_a_part_of_an_earlier_version_is_merged(trained: Trained, tmp_path: Path) -> None:
    """Rows of earlier versions do not record the weights of the students."""
    first, _ = parts = predicted(trained, tmp_path, 2, CPU)
    rows = read_rows(first)
    for row in rows:
        del row["models"]["weights"]
    write_rows(first, rows)
    assert merge(trained.rows, parts, tmp_path / "merged.jsonl") == 36


def test_shards_of_sampled_rationales(trained: Trained, tmp_path: Path) -> None:
    settings = replace(CPU, samples=4)
    for shard, name in ((None, "whole"), (Shard(1, 2), "a"), (Shard(2, 2), "b")):
        predict(
            trained.rows, tmp_path / name, rationale_model=trained.rationale,
            settings=replace(settings, shard=shard),
        )  # fmt: skip
    merge(trained.rows, [tmp_path / "b", tmp_path / "a"], tmp_path / "merged")
    assert (tmp_path / "merged").read_bytes() == (tmp_path / "whole").read_bytes()
    lines = (tmp_path / "a").read_bytes().splitlines(keepends=True)
    (tmp_path / "a").write_bytes(b"".join(lines[:-1]))
    with pytest.raises(ScicotError, match=r"fewer than 4 rows \(one per sample\) for 1 question"):
        merge(trained.rows, [tmp_path / "b", tmp_path / "a"], tmp_path / "again")


def test_a_shard_without_questions_says_so(trained: Trained, tmp_path: Path) -> None:
    recorder = Recorder()
    settings = replace(CPU, window=100, shard=Shard(2, 2))
    out = tmp_path / "out.jsonl"
    predict(trained.rows, out, settings=settings, reporter=recorder, **models(trained))
    assert out.read_bytes() == b""
    first, last = recorder.warnings
    assert "the largest has 36 of 36 questions and 1 of 2 have none" in first
    assert "give every shard --window 18" in first
    assert last == (
        "shard 2/2 is empty: shards have whole windows of 100 questions; give every shard a smaller"
        " --window"
    )


def test_what_merge_refuses(trained: Trained, tmp_path: Path) -> None:
    first, second, third = predicted(trained, tmp_path, 3, CPU)
    out = tmp_path / "merged.jsonl"

    def refused(said: str, *parts: Path, questions: Path = trained.rows) -> None:
        with pytest.raises(ScicotError, match=said) as caught:
            merge(questions, parts, out)
        assert "\n" not in str(caught.value)
        assert not out.exists()

    refused(r"no answer to 11 questions \(q5, .*\.\.\.\); was a part left out\?", first, third)
    refused(
        r"part-1\.jsonl:1: duplicate row for 'q0'; was a part given twice",
        first,
        second,
        third,
        first,
    )
    fewer = write_rows(tmp_path / "fewer.jsonl", world_rows()[:-2])
    refused("2 rows for questions that are not in the", first, second, third, questions=fewer)
    refused("is missing or not a regular file; give files that predict", tmp_path / "nowhere.jsonl")
    refused(r"rows\.jsonl:1: was not made with the students and settings of", first, trained.rows)
    bare = write_rows(tmp_path / "bare.jsonl", [{"question": "Q?", "choices": QUESTION["choices"]}])
    refused("not a row written by predict", bare)
    edited = world_rows()
    edited[3]["answer"] = {"A": "B", "B": "A"}[edited[3]["answer"]]
    others = write_rows(tmp_path / "edited.jsonl", edited)
    refused("'q3' has another 'answer' than", first, second, third, questions=others)
    shutil.copy(second, bare)
    bare.write_bytes(bare.read_bytes()[:-10])
    refused("its last line is incomplete", first, bare, third)

    other = tmp_path / "other.jsonl"
    settings = replace(CPU, mix_direct=0.5, shard=Shard(2, 3))
    predict(trained.rows, other, settings=settings, **models(trained))
    refused(r"other\.jsonl: was made with other settings .*mix_direct", first, other, third)
    state_path(first).unlink()
    refused(r"part-3\.jsonl: was made with other settings than .*other\.jsonl", first, other, third)
    assert merge(trained.rows, [first, second, third], out) == 36
    states = [read_state(state_path(file)) for file in (out, second)]
    assert [bool(state and state["students"]) for state in states] == [True, True]
    out.unlink()
    for file in tmp_path.glob("*.state.json"):
        file.unlink()
    refused(
        r"other\.jsonl:1: was not made with the students and settings of .*part-1\.jsonl:1",
        first,
        other,
        third,
    )

    assert merge(trained.rows, [first, second, third], out) == 36
    with pytest.raises(ScicotError, match="exists; choose another output"):
        merge(trained.rows, [first, second, third], out)
    for taken in (first, trained.rows):
        before = taken.read_bytes()
        with pytest.raises(ScicotError, match="is the input as well"):
            merge(trained.rows, [first, second, third], taken, force=True)
        assert taken.read_bytes() == before
    with pytest.raises(ScicotError, match="merge cannot write to standard output"):
        merge(trained.rows, [first], "-")
    with pytest.raises(ScicotError, match="exists and is not a regular file"):
        merge(trained.rows, [first], tmp_path, force=True)
    with (
        locked(out),
        pytest.raises(ScicotError, match="another process is writing it"),
    ):
        merge(trained.rows, [first, second, third], out, force=True)


def test_columns_and_ids_of_the_users_own_do_not_stop_a_merge(
    trained: Trained, tmp_path: Path
) -> None:
    odd = [None, [1], 10**30, 3, 0, "x"]
    rows = [
        {**row, "sample": odd[number % 6], "id": f"\ud800{number}"}
        for number, row in enumerate(world_rows())
    ]
    file = write_rows(tmp_path / "q.jsonl", rows)
    parts = []
    for number in (1, 2):
        parts.append(tmp_path / f"{number}.jsonl")
        shard_settings = replace(CPU, shard=Shard(number, 2))
        predict(file, parts[-1], settings=shard_settings, answer_model=trained.direct)
    assert merge(file, parts, tmp_path / "merged.jsonl") == 36


def test_an_unfinished_part_is_not_merged(trained: Trained, tmp_path: Path) -> None:
    class Stopping(Recorder):
        def advance(self, steps: int = 1, **figures: Any) -> None:
            super().advance(steps)
            if self.doing == "answering":
                raise KeyboardInterrupt

    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    settings = replace(CPU, shard=Shard(1, 2))
    options = models(trained)
    with pytest.raises(KeyboardInterrupt):
        predict(trained.rows, first, settings=settings, reporter=Stopping(), **options)
    assert len(read_rows(first)) == 5
    predict(trained.rows, second, settings=replace(CPU, shard=Shard(2, 2)), **options)
    with pytest.raises(
        ScicotError, match=r"a\.jsonl: is not finished; run its predict command again"
    ):
        merge(trained.rows, [first, second], tmp_path / "merged.jsonl")
    summary = predict(trained.rows, first, settings=settings, **options)
    assert (summary.already_done, summary.predicted) == (5, 15)
    merge(trained.rows, [first, second], tmp_path / "merged.jsonl")


def test_a_torn_window_is_completed(trained: Trained, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    predict(trained.rows, out, settings=CPU, **models(trained))
    whole = out.read_bytes()
    lines = whole.splitlines(keepends=True)
    out.write_bytes(b"".join(lines[:7]) + lines[7][:20])
    summary = predict(trained.rows, out, settings=CPU, **models(trained))
    assert (summary.already_done, summary.predicted) == (7, 29)
    assert out.read_bytes() == whole
