"""Collect how the evaluated files were made: the content of their state files, and the prompts of
the students.

    {"files": [{"file": "two-stage.jsonl", "bytes": 231044, "command": "predict",
                "settings": {...}, "inputs": ["test.jsonl"], "counts": {"rows": 320}}],
     "students": [{"run": "answer@1f0c...", "stage": "answer", "settings": {...}, ...}],
     "prompts": [{"run": "answer@1f0c...", "target": "answer", "reads": true, "most": 512,
                  "chat": false,
                  "text": "question: {question} choices: {choices} rationale: {rationale}"}]}

The fields of a prompt are:

- "target": what the student writes after the prompt, "answer" or "rationale"
- "reads": true if the prompt contains a rationale
- "most": the maximum number of tokens of the prompt
- "chat": true if the prompt is put into a chat template
- "text": the prompt with placeholders such as {question}, which the scripts of the report page fill

The example shows each placeholder in braces. In the real value of "text", two private use
characters of Unicode (see MARK) take the place of the braces, because a prompt may contain braces.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scicot import sources, stages
from scicot.errors import ScicotError
from scicot.formats.values import is_number
from scicot.models.prompt_format import PROMPT_TEXTS
from scicot.outputs import read_state, state_path
from scicot.records import Question
from scicot.row_fields import Row
from scicot.stages import FORMS, Input, Stage

# Placeholder for a part of a question, between private use characters, which texts hardly ever
# contain.
MARK = "\ue000{}\ue001"


def provenance_of(files: Sequence[sources.Source], rationale_from: str | None) -> Row:
    """Return how the files of one system were made, in the form shown at the top of this module.
    `rationale_from` is where the rationales come from, such as "student" or "input".

    Files that other tools wrote have no state file. For a file without a readable state file, only
    the name and size are returned.
    """
    states = [_state_of(Path(file)) for file in files]
    students = [s for s in states[0].get("students", ()) if _is_student(s)]
    return {
        "files": [_file(Path(file), state) for file, state in zip(files, states, strict=True)],
        "students": students,
        "prompts": [prompt for student in students for prompt in _prompts(student, rationale_from)],
    }


def _state_of(file: Path) -> Row:
    try:
        return read_state(state_path(file)) or {}
    except (ScicotError, ValueError):
        return {}


def _file(file: Path, state: Row) -> Row:
    entry: Row = {"file": os.fspath(file), "bytes": file.stat().st_size}
    entry |= {name: state[name] for name in ("command", "settings", "counts") if name in state}
    if isinstance(state.get("inputs"), Mapping):
        entry["inputs"] = list(state["inputs"])
    return entry


def _is_student(value: Any) -> bool:
    """Return True if an entry of a state file has the fields that `Plan.students` writes."""
    return (
        isinstance(value, dict)
        and value.get("stage") in [*Stage]
        and value.get("prompt_format") in PROMPT_TEXTS
        and all(isinstance(value.get(name), dict) for name in ("settings", "metrics"))
    )


def _prompts(student: Row, rationale_from: str | None) -> Iterator[Row]:
    """Yield a row for each prompt that a student reads for a question. If the student both writes
    a rationale and answers, the prompt for the rationale comes first. `student` is an entry of a
    state file. `rationale_from` is where the rationales come from."""
    stage = Stage(student["stage"])
    common = {
        "run": student.get("run"),
        "most": student["settings"].get("max_source_tokens"),
        "chat": student["prompt_format"] == "chat",
    }
    # Rationales of other sources, such as shuffled ones, were not written from this prompt.
    if student.get("writes") and rationale_from == "student" and stage is not Stage.ONE_SEQUENCE:
        text = stages.rationale_input(_MARKED, stage)
        yield {**common, "target": "rationale", "reads": False, "text": _template(text, student)}
    if student.get("answers"):
        text = stages.answer_input(_MARKED, MARK.format("rationale"), stage)
        reads = FORMS[stage].reads_rationale
        yield {**common, "target": "answer", "reads": reads, "text": _template(text, student)}


_MARKED = Question(
    "marked", MARK.format("question"), choices=(), context=MARK.format("context")
)  # `_template` adds placeholders for the choices


def _template(text: Input, student: Row) -> str:
    marked = replace(text, choices=(MARK.format("choices"),))
    return PROMPT_TEXTS[student["prompt_format"]](marked)


def total_usage(usages: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Add up usages such as {"input_tokens": 90, "output_tokens": 40, "cost_usd": 0.001} by key.
    Values that are not numbers are ignored."""
    total: dict[str, float] = {}
    for usage in usages:
        for name, value in usage.items():
            if is_number(value):
                total[name] = total.get(name, 0) + value
    return total
