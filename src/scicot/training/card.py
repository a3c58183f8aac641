"""README.md of a run directory: its model card, in the form the Hugging Face Hub reads."""

from __future__ import annotations

from pathlib import Path

from scicot import jsonl
from scicot.stages import Stage
from scicot.students.runs import Manifest

_PURPOSE = {
    Stage.RATIONALE: "writes a rationale for a multiple-choice question (stage 1 of Sci-CoT)",
    Stage.ANSWER: "answers a multiple-choice question with the help of a rationale"
    " (stage 2 of Sci-CoT)",
    Stage.DIRECT: "answers a multiple-choice question directly (the baseline without a rationale)",
}

_INPUT = "question: ... choices: (A) ... (B) ..."

_FORM = {
    Stage.RATIONALE: f"`{_INPUT}` -> the rationale",
    Stage.ANSWER: f"`{_INPUT} rationale: ...` -> the label",
    Stage.DIRECT: f"`{_INPUT}` -> the label",
}


def write_card(manifest: Manifest, run: Path) -> None:
    """Write the model card of a trained run."""
    data = [f"- `{row['file']}` (sha256 `{row['sha256'] or 'not kept'}`)" for row in manifest.data]
    settings = [f"| {name} | {value} |" for name, value in manifest.settings.items()]
    metrics = [f"| {name} | {value} |" for name, value in manifest.metrics.items()]
    table = ["| setting | value |", "| --- | --- |"]
    text = f"""\
---
library_name: transformers
pipeline_tag: text-generation
tags: [scicot, chain-of-thought, distillation]
---

# {run.name}

A student of scicot {manifest.scicot} that {_PURPOSE[manifest.stage]}.
It was trained from `{manifest.student}`. Input and output: {_FORM[manifest.stage]}.

Answers are read off the likelihood of the labels, never parsed from generated text; use
`scicot predict`, which does that.

## Data

{chr(10).join(data)}

## Settings

{chr(10).join([*table, *settings])}

## Metrics

{chr(10).join([*table, *metrics])}

## Limits

It knows what its training rows taught it. A rationale it writes can be fluent and wrong, and says
nothing of how the answer was truly reached. Not for decisions about people.
"""
    jsonl.write_text(run / "README.md", text)
