"""The fuzzing of `make torture`: a short run, and tests that it detects faults."""

import json
from pathlib import Path
from random import Random

import pytest
from torture.fuzz import part, running
from torture.fuzz.forms import gzipped
from torture.fuzz.mutation import Mutator
from torture.fuzz.running import Broken, Target, execute, fuzz, tally_of
from torture.results import Options

from scicot.errors import ScicotError


@pytest.fixture
def short(tmp_path: Path) -> Options:
    return Options(tmp_path, seed=1, short=True, minutes=1.0)


def test_every_reader_and_every_server_reply_is_fuzzed(short: Options) -> None:
    result = part.run(short)
    assert result.broken == []
    assert set(result.figures["targets"]) == set(part.NAMES)
    assert all(target["executions"] == part.SHORT for target in result.figures["targets"].values())


def failing(data: bytes) -> str:
    """A target with a fault of each kind."""
    if b"raises" in data:
        raise KeyError("x")
    if b"breaks" in data:
        raise Broken("a promise: that input")
    if b"refused" in data:
        raise ScicotError("as it should")
    if b"hangs" in data:
        while True:
            pass
    return "read"


@pytest.mark.parametrize(
    ("data", "kind"), [(b"it raises", "KeyError"), (b"breaks", "Broken"), (b"hangs", "Hung")]
)
def test_a_fault_is_noticed_once_and_its_input_made_smaller(
    data: bytes, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_HUNG", 0.05)
    tally = tally_of(Target("own", "reader", [b"x"], failing, (ScicotError,)), 0)
    for _ in range(2):
        execute(tally, b"before " + data + b" behind")
    execute(tally, b"refused")
    ((found, _),) = tally.faults
    (fault,) = tally.faults.values()
    assert (found, fault.count) == (kind, 2)
    assert fault.data == (b"before hangs behind" if kind == "Hung" else data.split()[-1])
    assert tally.outcomes.total() == 1


def test_inputs_reach_below_the_first_check() -> None:
    """Most mutated rows are still JSON, and some of them are still read."""
    seen = {"read": 0}

    def read(data: bytes) -> str:
        for line in data.splitlines():
            json.loads(line)
        seen["read"] += 1
        return "read"

    target = Target(
        "own", "reader", [b'{"a": [1, {"b": "x"}]}\n'], read, (ValueError, RecursionError)
    )
    tally = tally_of(target, 0)
    fuzz(tally, 500)
    assert seen["read"] > 50
    first, second = (Mutator(target.seeds, Random(3), extra=gzipped) for _ in range(2))
    assert [first.make() for _ in range(50)] == [second.make() for _ in range(50)], "by the seed"
