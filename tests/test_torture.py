"""Short forms of `make torture`, and its page; the fuzzing is in test_torture_fuzz.py."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from torture import disk, faults, kills, page, rates
from torture.results import Options, Result

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture
def short(tmp_path: Path) -> Options:
    return Options(tmp_path, seed=1, short=True, minutes=1.0)


@pytest.mark.parametrize(
    "run", [faults.run, kills.run, disk.run, rates.run], ids=lambda part: part.__module__
)
def test_the_short_form_keeps_all_promises(
    run: Callable[[Options], Result], short: Options
) -> None:
    result = run(short)
    if result.skipped is not None:
        pytest.skip(result.skipped)
    assert result.broken == []
    assert result.figures


def test_a_disk_whose_size_is_not_limited_is_not_filled(
    short: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sandboxes may mount a tmpfs and ignore its size."""
    unlimited = SimpleNamespace(total=2**40)
    monkeypatch.setattr("torture.disk.shutil.disk_usage", lambda path: unlimited)
    result = disk.run(short)
    assert result.skipped is not None
    assert not list(short.folder.rglob("filler"))


def test_a_broken_promise_is_one_line_and_told_once() -> None:
    result = Result("part")
    for _ in range(2):
        result.expect(False, "one\nline")
    result.expect(True, "kept")
    assert result.broken == ["part: one line"]


def test_the_page_holds_the_figures_of_its_json() -> None:
    figures = json.loads(page.FIGURES.read_text())
    text = page.PAGE.read_text()
    assert text == page.rendered(text, figures), "run `cd tests && python -m torture page`"
    assert text.count(page.BEGIN) == text.count(page.END) == 1


def test_figures_of_a_run_keep_what_is_written_by_hand(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    file.write_text(json.dumps({"found": [{"by": "fuzz", "fault": "x"}], "parts": {"old": {}}}))
    kept = {"survived": {"merge": 3}, "broken": []}
    run = {
        "form": "long",
        "scicot": "1",
        "seed": 0,
        "cores": 2,
        "parts": {"kills": kept},
    }
    page.keep(file, run)
    figures = json.loads(file.read_text())
    parts = {"old": {}, "kills": kept}  # parts of an earlier run, and of this one
    assert figures == {**run, "parts": parts, "found": [{"by": "fuzz", "fault": "x"}]}
    tables = page.tables(figures)
    assert "| `merge` | 3 |" in tables
    assert "**Server faults survived**: not run yet." in tables


def test_every_test_that_the_page_names_is_there() -> None:
    named = re.findall(r"`(tests/\S+?\.py)::(\w+)`", page.PAGE.read_text())
    assert len(named) > 20
    for file, name in named:
        source = REPOSITORY / file
        assert source.is_file(), file
        assert re.search(rf"^def {name}\(", source.read_text(), re.M), f"{file}::{name}"
