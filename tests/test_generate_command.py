"""The command `scicot generate-rationales`: exit codes, and what goes to stdout and stderr."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import world_rows, write_rows
from fakes.messages_server import MessagesServer, failed, said

from scicot import GenerateSettings, ScicotError, generate_rationales

QUESTIONS = [{k: v for k, v in row.items() if k != "rationale"} for row in world_rows()[:6]]
GOLD = {row["id"]: row["answer"] for row in QUESTIONS}


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "questions.jsonl", QUESTIONS)


def test_the_command_asks_a_real_server_and_tells_what_became_of_it(
    scicot: Any, questions: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    script = [
        failed(429, retry_after=0),
        said("Metals conduct.\nAnswer: A"),
        failed(400, "prompt is too long"),
    ]
    with MessagesServer(script) as server:
        outcome = scicot(
            "generate-rationales", questions, "-o", out, "--limit", 3, "--keep", "all",
            "--teacher", "anthropic:m", "--base-url", server.url,
        )  # fmt: skip
    assert outcome.code == 3
    assert outcome.stdout == ""
    assert "1 kept, 2 rejected (2 error)" in outcome.stderr
    assert "11 input_tokens, 7 output_tokens" in outcome.stderr
    last = outcome.stderr.splitlines()[-1]
    assert last.startswith(
        "error: 2 rows failed with an error; use --retry-rejected to request them again (first"
    )
    assert "prompt is too long" in last
    assert last.endswith(f"; all are in {tmp_path / 'out.rejected.jsonl'})")
    assert len(server.requests) == 4


def test_rows_to_standard_output_carry_no_notes(
    scicot: Any, questions: Path, tmp_path: Path
) -> None:
    replies = write_rows(
        tmp_path / "replies.jsonl",
        [{"id": q, "reply": f"It is so.\nAnswer: {answer}"} for q, answer in GOLD.items()],
    )
    outcome = scicot(
        "generate-rationales", "-", "-o", "-", "--teacher", f"recorded:{replies}",
        stdin=questions.read_bytes(),
    )  # fmt: skip
    assert outcome.code == 0
    assert [json.loads(line)["id"] for line in outcome.stdout.splitlines()] == list(GOLD)


def test_batches_need_a_teacher_that_takes_them(questions: Path, tmp_path: Path) -> None:
    replies = write_rows(tmp_path / "r.jsonl", [{"id": "q0", "reply": "It is so.\nAnswer: A"}])
    settings = GenerateSettings(batch=True)
    with pytest.raises(ScicotError, match=r"recorded:r.jsonl has no batch API"):
        generate_rationales(
            questions, tmp_path / "o.jsonl", teacher=f"recorded:{replies}", settings=settings
        )
