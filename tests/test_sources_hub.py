"""Rows from the Hugging Face Hub, and the errors without a network."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import QUESTION

from scicot.errors import InvalidRow, ScicotError
from scicot.row_fields import Row
from scicot.sources import (
    hub,
    located_rows,
)

# The Hub


class FakeTable:
    features: dict[str, object] = {}  # noqa: RUF012

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)


@pytest.fixture
def fake_datasets(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    fake = SimpleNamespace(
        config=SimpleNamespace(HF_HUB_OFFLINE=True),
        Image=type("Image", (), {}),
        disable_progress_bars=lambda: None,
        load_dataset=lambda *_args, **_kw: FakeTable([QUESTION, {"x": float("nan")}]),
    )
    monkeypatch.setitem(sys.modules, "datasets", fake)
    return fake


def test_a_data_set_on_the_hub_is_placed_by_row(fake_datasets: SimpleNamespace) -> None:
    asked: list[Any] = []
    table = FakeTable([QUESTION, {"x": float("nan")}, {"when": Path("later")}])

    def load_dataset(*args: Any, **kw: Any) -> FakeTable:
        asked.append((args, kw))
        return table

    fake_datasets.load_dataset = load_dataset
    rows = located_rows("hf://owner/name/config/test")
    assert next(rows) == ("hf://owner/name/config/test:1", QUESTION)
    with pytest.raises(InvalidRow, match="test:2: not JSON"):
        next(rows)
    assert next(rows)[1] == {"when": "later"}
    next(located_rows("hf://owner/name/test"))
    assert asked == [
        (("owner/name", "config"), {"split": "test"}),
        (("owner/name", None), {"split": "test"}),
    ]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            ValueError("Unknown split \"x\".\nShould be one of ['train']."),
            "Unknown split .* Should",
        ),
        (FileNotFoundError("Dataset 'o/n' doesn't exist on the Hub"), "doesn't exist"),
        (ConnectionError("Couldn't reach"), "the Hub cannot be reached .* give a local file"),
    ],
)
def test_a_data_set_that_cannot_be_had_is_one_line(
    fake_datasets: SimpleNamespace, error: Exception, message: str
) -> None:
    def load(*_args: Any, **_kw: Any) -> None:
        raise error

    fake_datasets.load_dataset = load
    with pytest.raises(ScicotError, match=message) as caught:
        next(located_rows("hf://o/n/x"))
    assert str(caught.value).startswith("hf://o/n/x: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("address", ["hf://", "hf://o", "hf://o/n", "hf://o//n", "hf://o/n/c/s/x"])
def test_an_address_on_the_hub_has_three_or_four_parts(address: str) -> None:
    with pytest.raises(ScicotError, match="write hf://OWNER/NAME/SPLIT"):
        next(located_rows(address))
    assert hub.parse("hf://o/n/s") == ("o/n", None, "s")


def test_a_local_folder_is_not_taken_for_a_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "o" / "n").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ScicotError, match="the local folder o/n has the same name"):
        next(located_rows("hf://o/n/train"))


def test_without_a_network_the_hub_is_given_up_at_once(tmp_path: Path) -> None:
    """The real library against a port where nobody listens: one line, no retries, no traceback."""
    pytest.importorskip("datasets")
    script = (
        "import sys, time\nfrom scicot.errors import ScicotError\n"
        "from scicot.sources import located_rows\n"
        "assert not {'datasets', 'torch', 'transformers'} & set(sys.modules)\n"
        "import datasets\nstart = time.monotonic()\n"
        "try: next(located_rows('hf://o/n/test'))\n"
        "except ScicotError as error: print(error)\n"
        "assert time.monotonic() - start < 3\n"
    )
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("HF_")},
        **{"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path)},
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("hf://o/n/test: the Hub cannot be reached")
    assert done.stdout.count("\n") == 1
