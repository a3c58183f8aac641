"""Small inputs for the parts of this package, made from the rows of conftest.world_rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conftest import world_rows, write_rows

from scicot.outputs import write_finished

_WINDOW = 36


def copies(rows: list[dict[str, Any]], times: int) -> list[dict[str, Any]]:
    """Return `times` copies of the rows. Each copy has ids of its own."""
    return [{**row, "id": f"{row['id']}-{n}"} for n in range(times) for row in rows]


def shards(folder: Path, times: int = 20) -> tuple[Path, list[Path]]:
    """Write questions and two finished shards of their predictions. Return the paths."""
    asked = [
        {name: value for name, value in row.items() if name != "rationale"}
        for row in copies(world_rows(), times)
    ]
    source = write_rows(folder / "shards.jsonl", asked)
    files = []
    for number in (1, 2):
        file = folder / f"part-{number}.jsonl"
        part_rows = [row for index, row in enumerate(asked) if index // _WINDOW % 2 == number - 1]
        write_rows(file, [_answered(row) for row in part_rows])
        settings = {"window": _WINDOW, "samples": 1, "shard": f"{number}/2"}
        write_finished(file, "predict", settings, {"rows": len(part_rows)})
        files.append(file)
    return source, files


def _answered(row: dict[str, Any]) -> dict[str, Any]:
    scores = {choice["label"]: 0.5 for choice in row["choices"]}
    return {
        **row, "rationales": ["So."], "prediction": "A", "scores": scores, "confidence": 0.5,
        "models": {"answer": "run@0123456789ab"},
    }  # fmt: skip
