"""Several processes give the same predictions as one, however they are started or stopped."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Trained, read_rows

from scicot import PredictSettings, predict
from scicot.errors import ScicotError
from scicot.prediction import team
from scicot.prediction.windows import chunks
from scicot_cli import launching

ROOT = Path(__file__).parents[1]
TWO = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "scicot_cli")
BY_FLAG = ("-m", "scicot_cli")
MANY = 400  # questions of a run that is stopped


def command(*arguments: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ, cwd=ROOT,
    )  # fmt: skip


def many(trained: Trained, count: int, folder: Path) -> Path:
    rows = read_rows(trained.rows)
    file = folder / "questions.jsonl"
    with file.open("w") as stream:
        for n in range(count):
            row = {**rows[n % len(rows)], "id": f"q{n}"}
            row["question"] = f"{row['question']} ({n})"
            stream.write(json.dumps(row) + "\n")
    return file


@pytest.mark.parametrize("start", [TWO, BY_FLAG])
def test_one_process_file(trained: Trained, tmp_path: Path, start: tuple[str, ...]) -> None:
    file = many(trained, 50, tmp_path)
    settings = PredictSettings(device="cpu", window=16, samples=2, max_new_tokens=12)
    models: Any = {"answer_model": trained.answer, "rationale_model": trained.rationale}
    predict(file, tmp_path / "one.jsonl", settings=settings, **models)
    options_of_both = ("--device", "cpu", "--window", 16, "--samples", 2, "--max-new-tokens", 12)
    runs = ("--answer-model", trained.answer, "--rationale-model", trained.rationale)
    flag = () if start is TWO else ("--processes", 2)
    made = command(
        *start, "predict", file, "-o", tmp_path / "two.jsonl", *options_of_both, *runs, *flag
    )
    _, said = made.communicate(timeout=300)
    assert made.returncode == 0, said
    assert (tmp_path / "two.jsonl").read_bytes() == (tmp_path / "one.jsonl").read_bytes()


@pytest.fixture(scope="module")
def undisturbed(
    trained: Trained, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, dict[str, Any]]:
    """A file of questions, their predictions by one process, and the keywords of that call."""
    folder = tmp_path_factory.mktemp("undisturbed")
    file, out = many(trained, MANY, folder), folder / "one.jsonl"
    settings = PredictSettings(device="cpu", window=8)
    call: dict[str, Any] = {"answer_model": trained.answer, "rationale_model": trained.rationale}
    call["settings"] = settings
    predict(file, out, **call)
    return file, out, call


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130), (signal.SIGKILL, -9)]
)
def test_stopped_and_gone_on_with(
    trained: Trained,
    tmp_path: Path,
    undisturbed: tuple[Path, Path, dict[str, Any]],
    number: signal.Signals,
    code: int,
) -> None:
    """After SIGKILL two processes continue the predictions; after the other signals, only one."""
    (file, whole, call), out = undisturbed, tmp_path / "out.jsonl"
    options = ("predict", file, "-o", out, "--device", "cpu", "--window", 8, "--processes", 2)
    arguments = (*options, "--answer-model", trained.answer, "--rationale-model", trained.rationale)
    first = command(*BY_FLAG, *arguments)
    end = time.monotonic() + 120
    while not (out.exists() and out.stat().st_size > 0):
        assert time.monotonic() < end
        time.sleep(0.02)
    first.send_signal(number)
    # waits until its child processes have closed stderr too
    _, said = first.communicate(timeout=60)
    assert first.returncode == code, said
    assert 0 < len(read_rows(out)) < MANY
    if number == signal.SIGKILL:
        second = command(*BY_FLAG, *arguments)
        _, said = second.communicate(timeout=300)
        assert second.returncode == 0, said
    else:
        predict(file, out, **call)
    assert out.read_bytes() == whole.read_bytes()


def test_mistakes_are_told_once(trained: Trained, tmp_path: Path) -> None:
    made = command(
        *BY_FLAG, "predict", "nope.jsonl", "--answer-model", trained.direct, "--processes", 2
    )
    _, said = made.communicate(timeout=120)
    assert (made.returncode, said) == (1, "error: nope.jsonl: no such file\n")


def test_what_another_process_cut_is_told(trained: Trained, tmp_path: Path, scicot: Any) -> None:
    file = many(trained, 32, tmp_path)
    runs = ("--answer-model", trained.answer, "--rationale-model", trained.rationale)
    arguments = ("--device", "cpu", "--window", 16, "--max-new-tokens", 2, *runs, "-o")
    one, two = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    alone = scicot("predict", file, *arguments, one, "--processes", 1).stderr
    made = command(*BY_FLAG, "predict", file, *arguments, two, "--processes", 2)
    _, together = made.communicate(timeout=300)
    warnings = []
    for said, out in ((alone, one), (together, two)):
        lines = said.replace(out.name, "").splitlines()
        # On a slow machine the output also has lines of progress, such as "answering: 16/32".
        warnings.append([line for line in lines if not re.match(r"\w+: \d+/\d+", line)])
    assert any("32 rationales were truncated at --max-new-tokens" in line for line in warnings[0])
    assert warnings[0] == warnings[1]


def test_who_asks_one_by_one_gets_answers_one_by_one(trained: Trained) -> None:
    rows = trained.rows.read_text().splitlines()[:3]
    arguments = (
        "predict",
        "-",
        "--answer-model",
        trained.direct,
        "--device",
        "cpu",
        "--processes",
        2,
    )
    with subprocess.Popen(
        [sys.executable, *map(str, (*BY_FLAG, *arguments))],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    ) as made:  # fmt: skip
        assert made.stdin is not None
        assert made.stdout is not None
        for row in rows:
            made.stdin.write(row + "\n")
            made.stdin.flush()
            assert json.loads(made.stdout.readline())["id"] == json.loads(row)["id"]
        made.stdin.close()
        assert made.wait(timeout=60) == 0


def test_fewer_gpus_than_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(launching, "resolve_device", lambda name: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ScicotError, match="--processes 4: only 2 available GPUs; give at most 2"):
        launching.launch(4, ["predict"], "auto")


def test_what_goes_wrong_in_another_process() -> None:
    def broken(error: Exception) -> None:
        raise error

    failed = team._tried(lambda: broken(ScicotError("no room")))
    with pytest.raises(ScicotError, match="no room"):
        team._raise_first([1, failed])
    failed = team._tried(lambda: broken(ValueError("a bug")))
    with pytest.raises(RuntimeError, match=r"(?s)Traceback.*a bug"):
        team._raise_first([failed])


def test_what_stands_before_a_problem_is_kept() -> None:
    def parts() -> Any:
        yield from range(5)
        raise ScicotError("bad")

    seen: list[list[int]] = []
    with pytest.raises(ScicotError, match="bad"):
        seen.extend(chunks(parts(), 3))
    assert seen == [[0, 1, 2], [3, 4]]
    assert list(chunks(range(4), 2)) == [[0, 1], [2, 3]]
    assert list(chunks([], 2)) == []


def test_rows_that_stand_before_what_goes_wrong_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ScicotError("no room")

    class Rows:
        rows: Any = staticmethod(list)

    together = team.Team("cpu")
    together.size, together._group = 3, object()
    monkeypatch.setattr(together, "_scatter", lambda orders: None)
    monkeypatch.setattr(together, "_gather", lambda own: [own, team._tried(broken), ["c"]])
    groups: Any = [["a"], ["b"], ["c"]]
    made: Iterator[Any] = together.rows(Rows(), groups)  # type: ignore[arg-type]
    assert next(made) == ["a"]
    with pytest.raises(ScicotError, match="no room"):
        next(made)
