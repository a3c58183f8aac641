"""predict in shell pipelines."""

import json
import os
import re
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import Trained, read_rows, world_rows, write_rows

from scicot import PredictSettings, predict

PAGE = Path(__file__).parents[1] / "docs" / "predicting.md"


@pytest.fixture
def command(preloaded: str) -> list[str]:
    return [f"{preloaded}/scicot"]


def students(trained: Trained) -> list[str]:
    return ["--rationale-model", str(trained.rationale), "--answer-model", str(trained.answer),
            "--max-new-tokens", "4"]  # fmt: skip


def test_an_answer_comes_as_soon_as_its_question(trained: Trained, command: list[str]) -> None:
    """A single question is answered before the next one is written."""
    with subprocess.Popen(
        [*command, "predict", "-", *students(trained)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            for row in world_rows()[:3]:
                process.stdin.write(json.dumps(row).encode() + b"\n")
                process.stdin.flush()
                assert select.select([process.stdout], [], [], 120)[0], "no answer in two minutes"
                assert json.loads(process.stdout.readline())["id"] == row["id"]
            process.stdin.close()
            assert process.stdout.read() == b""
            assert process.wait(60) == 0
        finally:
            process.kill()


@pytest.mark.parametrize("reader", ["head -1", "true"])
def test_a_reader_that_leaves_is_no_error(
    trained: Trained, tmp_path: Path, command: list[str], reader: str
) -> None:
    rows = [{**row, "id": f"{n}-{row['id']}"} for n in range(20) for row in world_rows()]
    many = write_rows(tmp_path / "q.jsonl", rows)
    piped = " ".join([*command, "predict", str(many), *students(trained), "--window", "8"])
    done = subprocess.run(
        ["bash", "-c", f"{piped} | {reader}; echo ${{PIPESTATUS[0]}}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == str(128 + signal.SIGPIPE)
    assert "Traceback" not in done.stderr
    assert "error" not in done.stderr.lower()


@pytest.mark.parametrize("options", ["", "--min-accuracy 0.99", "--json"])
def test_a_reader_that_leaves_evaluate_is_no_missed_limit(
    tmp_path: Path, command: list[str], options: str
) -> None:
    file = write_rows(tmp_path / "p.jsonl", [{**row, "prediction": "A"} for row in world_rows()])
    piped = f"{' '.join(command)} evaluate {file} {options}"
    done = subprocess.run(
        ["bash", "-c", f"{piped} | true; echo ${{PIPESTATUS[0]}}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == (f"{128 + signal.SIGPIPE}\n", "")


def test_a_closed_pipe_of_messages_stops_no_work(tmp_path: Path, command: list[str]) -> None:
    rows = [{**row, "prediction": "A"} for row in world_rows()]
    file = write_rows(tmp_path / "p.jsonl", [*rows, {"id": "no row"}])
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [*command, "evaluate", str(file), "--skip-invalid", "--json"],
            stdout=subprocess.PIPE, stderr=writer, text=True, check=False,
        )  # fmt: skip
    finally:
        os.close(writer)
    assert done.returncode == 0
    assert '"accuracy"' in done.stdout


def test_a_bad_row_in_a_pipe_comes_after_what_stood_before_it(
    trained: Trained, command: list[str]
) -> None:
    rows = [json.dumps(row) for row in world_rows()[:3]]
    lines = "\n".join([*rows[:2], '{"question": "no choices"}', rows[2]])
    command = [*command, "predict", "-", *students(trained)]
    stopped = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)
    assert stopped.returncode == 1
    assert "<stdin>:3: not a question row" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert len(stopped.stdout.splitlines()) == 2, "what stood before it is answered"
    skipping = [*command, "--skip-invalid"]
    done = subprocess.run(skipping, input=lines, capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 3
    assert "1 invalid row skipped" in done.stderr


def test_a_pipe_through_which_nothing_comes_is_nothing_to_do(
    trained: Trained, command: list[str]
) -> None:
    command = [*command, "predict", "-", *students(trained)]
    done = subprocess.run(command, input="", capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "warning: <stdin>: holds no rows\n")
    invalid = [*command, "--skip-invalid"]
    done = subprocess.run(invalid, input="{}", capture_output=True, text=True, check=False)
    assert (done.returncode, "1 invalid row skipped" in done.stderr) == (1, True)


def test_killed_at_any_moment_it_goes_on_to_the_same_file(
    trained: Trained, tmp_path: Path, command: list[str]
) -> None:
    rows = [{**row, "id": f"{n}-{row['id']}"} for n in range(30) for row in world_rows()]
    file = write_rows(tmp_path / "q.jsonl", rows)
    whole, out = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    command = [*command, "predict", str(file), *students(trained), "--window", "24", "-o"]
    subprocess.run([*command, str(whole)], check=True, capture_output=True)
    done, kills = 0, 0
    while True:
        process = subprocess.Popen([*command, str(out)], stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline and kills < 3:
            size = out.stat().st_size if out.exists() else 0
            if size > done:
                process.kill()
                done, kills = out.stat().st_size, kills + 1
                break
            time.sleep(0.005)
        _, errors = process.communicate(timeout=300)
        if process.returncode != -signal.SIGKILL:
            break
    assert kills > 0
    assert process.returncode == 0, errors
    assert out.read_bytes() == whole.read_bytes()


def test_the_cascade_from_small_to_large_and_back(
    trained: Trained, tmp_path: Path, preloaded: str
) -> None:
    """The pipeline of docs/predicting.md: a teacher explains the questions on which the student
    abstains, and the student answers them given the teacher's rationale."""
    questions = write_rows(
        tmp_path / "questions.jsonl",
        [{k: v for k, v in row.items() if k != "rationale"} for row in world_rows()],
    )
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "answer").symlink_to(trained.answer)
    (tmp_path / "runs" / "rationale").symlink_to(trained.rationale)
    write_rows(
        tmp_path / "replies.jsonl",
        [
            {"id": row["id"], "reply": f"{row['rationale']}\n\nAnswer: {row['answer']}"}
            for row in world_rows()
        ],
    )
    predict(
        questions, tmp_path / "plain.jsonl", answer_model=trained.answer,
        rationale_model=trained.rationale, settings=PredictSettings(device="cpu"),
    )  # fmt: skip
    least = sorted(row["confidence"] for row in read_rows(tmp_path / "plain.jsonl"))[12]
    (cascade,) = re.findall(r"```bash\n(.*?--abstain-below.*?)```", PAGE.read_text(), re.S)
    for shown, replacement in {
        "anthropic:claude-haiku-5-5": "recorded:replies.jsonl",
        "--abstain-below 0.8": f"--abstain-below {least}",
        **({} if shutil.which("jq") else {"jq -c 'select(.abstained)'": "grep abstained"}),
    }.items():
        assert shown in cascade
        cascade = cascade.replace(shown, replacement)
    environment = {**os.environ, "PATH": f"{preloaded}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", cascade],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    small, large = read_rows(tmp_path / "small.jsonl"), read_rows(tmp_path / "large.jsonl")
    assert len(large) == sum("abstained" in row for row in small) == 12
    assert all(row["rationales"][0].endswith("is a metal.") for row in large)
    assert not any("abstained" in row for row in large)
    verdict = subprocess.run(
        ["bash", "-c", "grep -v abstained small.jsonl | cat - large.jsonl | scicot evaluate - "
         "--json"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(verdict.stdout)["systems"][0]["answered"] == 36
