import json
import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from scicot.errors import ScicotError
from scicot.outputs import beside, open_output, state_path

SETTINGS: dict[str, Any] = {"teacher": "recorded:a", "keep": "correct"}


def opened(path: Path | str, **changes: Any) -> Any:
    options = {"command": "predict", "settings": SETTINGS, "inputs": {"q": None}, **changes}
    return open_output(path, **options)


def test_rows_are_there_and_the_state_says_finished(tmp_path: Path) -> None:
    path = tmp_path / "new" / "out.jsonl"
    with opened(path) as out:
        assert list(out.existing()) == []
        out.write({"a": 1})
        assert path.read_text() == '{"a": 1}\n'
        assert json.loads(state_path(path).read_text())["finished"] is False
        out.finish({"rows": 1})
    state = json.loads(state_path(path).read_text())
    assert state["finished"] is True
    assert state["counts"] == {"rows": 1}
    assert sorted(p.name for p in path.parent.iterdir()) == ["out.jsonl", "out.state.json"]


def test_the_same_command_goes_on_behind_whole_rows(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    with opened(path) as out:
        out.write({"a": 1})
    with path.open("a") as stream:
        stream.write('{"a": 2, "to')
    with opened(path) as out:
        assert [row for _, row in out.existing()] == [{"a": 1}]
        out.write({"a": 2})
    assert path.read_text() == '{"a": 1}\n{"a": 2}\n'


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"settings": {**SETTINGS, "keep": "all"}}, "keep: was 'correct', is 'all'"),
        ({"command": "generate-rationales"}, "was made by scicot predict"),
    ],
)
def test_another_command_is_refused_and_harms_nothing(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    path = tmp_path / "out.jsonl"
    with opened(path) as out:
        out.write({"a": 1})
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(ScicotError, match=said), opened(path, **changes):
        pass
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
    with opened(path, force=True, **changes) as out:
        assert list(out.existing()) == []


def test_a_file_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "precious.jsonl"
    path.write_text("years of work\n")
    with pytest.raises(ScicotError, match="--force overwrites it"), opened(path):
        pass
    assert path.read_text() == "years of work\n"


def test_places_where_no_file_can_be(tmp_path: Path) -> None:
    with pytest.raises(ScicotError, match="is a directory"), opened(tmp_path):
        pass
    (tmp_path / "file").write_text("")
    with pytest.raises(ScicotError, match="cannot be created"), opened(tmp_path / "file" / "out"):
        pass


def _hold(path: Path, held: Any, release: Any) -> None:
    with opened(path):
        held.set()
        release.wait(10)


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    context = multiprocessing.get_context("fork")
    held, release = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(path, held, release))
    holder.start()
    held.wait(10)
    try:
        with pytest.raises(ScicotError, match="another process is writing it"), opened(path):
            pass
    finally:
        release.set()
        holder.join()
    with opened(path):
        pass


def test_stdout_and_devices_keep_no_state(tmp_path: Path, capsysbinary: Any) -> None:
    with opened("-") as out:
        out.write({"a": 1})
        out.finish({})
    assert capsysbinary.readouterr().out == b'{"a": 1}\n'
    with opened("/dev/null") as out:
        out.write({"a": 1})
        out.finish({})
    assert not state_path(Path("/dev/null")).exists()


def test_names_of_the_files_beside_an_output() -> None:
    assert beside(Path("x/rationales.jsonl"), "rejected.jsonl") == Path(
        "x/rationales.rejected.jsonl"
    )
    assert beside(Path("out"), "state.json") == Path("out.state.json")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="/proc is Linux's")
def test_a_folder_in_which_no_file_can_be_created_is_named() -> None:
    said = r"/proc/out\.jsonl: no file can be created there|/proc: no permission"
    with pytest.raises(ScicotError, match=said), opened("/proc/out.jsonl"):
        pass
