"""Foreign files where scicot's own files belong, and files that killed runs have left."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Trained

from scicot import abandoned, jsonl
from scicot.errors import ScicotError
from scicot.outputs import beside, check_continues, locked, open_output, own_state

KINDS = (
    "state.json",
    "lock",
    "rejected.jsonl",
    "done.sqlite",
    "done.sqlite-wal",
    "batches",
)


def opened(path: Path, **options: Any) -> Any:
    return open_output(path, command="predict", settings={}, inputs={"q": None}, **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("force", [False, True])
def test_a_link_beside_an_output_is_refused_and_nothing_is_written_through_it(
    tmp_path: Path, kind: str, force: bool
) -> None:
    victim, path = tmp_path / "precious", tmp_path / "out.jsonl"
    victim.write_text("years of work")
    beside(path, kind).symlink_to(victim)
    with pytest.raises(ScicotError, match=f"out.{kind}: is a symbolic link"):
        opened(path, force=force).__enter__()
    for look in (own_state, lambda file: check_continues(file, "predict", {})):
        with pytest.raises(ScicotError, match="is a symbolic link"):
            look(path)
    with pytest.raises(ScicotError, match="is a symbolic link"), locked(path):
        pass
    assert victim.read_text() == "years of work"
    assert not path.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_link_that_leads_nowhere_makes_no_file(tmp_path: Path, kind: str) -> None:
    path, nowhere = tmp_path / "out.jsonl", tmp_path / "new"
    beside(path, kind).symlink_to(nowhere)
    with pytest.raises(ScicotError, match="is a symbolic link"):
        opened(path).__enter__()
    assert not nowhere.exists()


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
@pytest.mark.parametrize("kind", ["state.json", "lock", "rejected.jsonl", "done.sqlite"])
def test_a_folder_or_a_pipe_in_the_place_of_a_file_is_refused(
    tmp_path: Path, kind: str, make: Any
) -> None:
    path = tmp_path / "out.jsonl"
    make(beside(path, kind))
    with pytest.raises(ScicotError, match=f"out.{kind}: is not a file"):
        opened(path).__enter__()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("further", [[], ["--dry-run"], ["--batch"]])
def test_generate_rationales_refuses_a_link_before_it_reads_through_it(
    scicot: Any, trained: Trained, tmp_path: Path, kind: str, further: list[str]
) -> None:
    out = tmp_path / "out.jsonl"
    beside(out, kind).symlink_to(trained.rows)
    outcome = scicot(
        "generate-rationales", trained.rows, "-o", out, "--teacher", f"recorded:{trained.rows}",
        *further,
    )  # fmt: skip
    assert (outcome.code, outcome.stdout) == (1, "")
    assert f"out.{kind}: is a symbolic link" in outcome.stderr


def test_an_output_may_itself_be_a_link(tmp_path: Path) -> None:
    real, path = tmp_path / "elsewhere" / "rows", tmp_path / "out.jsonl"
    real.parent.mkdir()
    path.symlink_to(real)
    with opened(path) as out:
        out.write({"a": 1})
    assert real.read_text() == '{"a": 1}\n'


def test_predict_refuses_a_planted_state_before_it_reads_it(
    scicot: Any, trained: Trained, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text('{"settings": {"engines": {}}}')
    (tmp_path / "p.state.json").symlink_to(tmp_path / "secret")
    outcome = scicot(
        "predict", trained.rows, "--answer-model", trained.direct, "-o", tmp_path / "p.jsonl"
    )
    assert outcome.code == 1
    assert "p.state.json: is a symbolic link" in outcome.stderr


@pytest.mark.parametrize(
    "state",
    [
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b'{"counts": ' + b"9" * 5000 + b"}",
        b'{"settings": []}',
        b"null",
    ],
)
def test_a_state_that_cannot_be_read_is_one_line(
    scicot: Any, trained: Trained, tmp_path: Path, state: bytes
) -> None:
    (tmp_path / "p.state.json").write_bytes(state)
    (tmp_path / "p.jsonl").write_text('{"a": 1}\n')
    outcome = scicot(
        "predict", trained.rows, "--answer-model", trained.direct, "-o", tmp_path / "p.jsonl"
    )
    assert outcome.code == 1
    assert "p.state.json: cannot be read" in outcome.stderr
    assert outcome.stderr.count("\n") == 1


def test_the_next_run_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    path = tmp_path / "ev.html"
    program = (
        "import os, sys, pathlib\nfrom scicot import jsonl\n"
        "with jsonl.replacing(pathlib.Path(sys.argv[1])) as stream:\n"
        "    stream.write(b'half')\n    stream.flush()\n    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", program, path], check=False)
    assert [file.name.startswith(".ev.html.") for file in tmp_path.iterdir()] == [True]
    jsonl.write_text(path, "whole")
    assert [file.name for file in tmp_path.iterdir()] == ["ev.html"]


def test_what_another_process_writes_and_what_is_not_ours_stays(tmp_path: Path) -> None:
    path = tmp_path / "ev.html"
    others = {tmp_path / name for name in (".ev.html.swp", ".ev.html.original", ".ev.html.a.tmp")}
    for file in others:
        file.touch()
    with jsonl.replacing(path) as first:
        # finds the temporary file of the first call, which is locked
        jsonl.write_text(path, "second")
        first.write(b"first")
    assert path.read_text() == "first"
    assert {*tmp_path.iterdir()} == {path, *others}


def test_a_file_that_was_removed_before_it_was_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a new file is locked, another process may remove it as an abandoned one."""
    lock = fcntl.flock
    removed: list[Path] = []

    def late(handle: int, how: int) -> None:
        if not removed:
            removed.append(next(tmp_path.iterdir()))
            removed[0].unlink()
        lock(handle, how)

    monkeypatch.setattr(fcntl, "flock", late)
    handle, name = abandoned.temporary_file(tmp_path, ".x.")
    os.close(handle)
    assert Path(name).exists()
    assert Path(name) != removed[0]


def test_an_abandoned_folder_is_removed_and_one_in_use_is_not(tmp_path: Path) -> None:
    used, _ = abandoned.temporary_folder(tmp_path, ".x.")
    left, path = abandoned.temporary_folder(tmp_path, ".x.")
    (path / "weights").touch()
    os.close(left)  # a process that ends releases its lock
    abandoned.discard(tmp_path, ".x.")
    assert not path.exists()
    assert len(list(tmp_path.iterdir())) == 1
    os.close(used)
