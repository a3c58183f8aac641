"""The teacher `recorded:FILE`: rationales from elsewhere, and replies that cannot be read."""

from pathlib import Path

from conftest import Recorder, read_rows, world_rows, write_rows

from scicot import GenerateSettings, generate_rationales


def test_rows_are_their_own_teacher(tmp_path: Path) -> None:
    rows = [{**row, "conclusion": row["answer"]} for row in world_rows()]
    rows[0]["rationale"] += f" So the answer is ({rows[0]['answer']})."
    rows[1]["conclusion"] = "AB"["AB".index(rows[1]["answer"]) - 1]
    rows[2]["rationale"] = ""
    file, out = write_rows(tmp_path / "rows.jsonl", rows), tmp_path / "out.jsonl"
    summary = generate_rationales(file, out, teacher=f"recorded:{file}", reporter=Recorder())
    assert summary.kept == len(rows) - 2
    assert dict(summary.rejected) == {"wrong-conclusion": 1, "empty": 1}
    assert read_rows(out)[0]["rationale"] == world_rows()[0]["rationale"]


def test_replies_that_cannot_be_read_are_told_after_the_first_20(tmp_path: Path) -> None:
    rows = world_rows()
    file, reporter = write_rows(tmp_path / "q.jsonl", rows), Recorder()
    said = [{"id": row["id"], "reply": f"Who can tell? Nobody ({row['id']})."} for row in rows]
    replies = write_rows(tmp_path / "r.jsonl", said)
    generate_rationales(
        file, tmp_path / "o.jsonl", teacher=f"recorded:{replies}", reporter=reporter,
        settings=GenerateSettings(keep="all"),
    )  # fmt: skip
    (warning,) = [text for text in reporter.warnings if "yield no conclusion" in text]
    assert warning.startswith("20 of the first 20 replies yield no conclusion")
    assert warning.count("Nobody") == 3
