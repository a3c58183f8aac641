"""The usage example of a model card: Python code that can be run unchanged."""

from __future__ import annotations

import json
import re

from scicot.stages import FORMS
from scicot.students.manifest import Manifest

HEADING = "## Use"

_QUESTION = """\
    "question": "Which conducts electricity?",
    "choices": [{"label": "A", "text": "wood"}, {"label": "B", "text": "copper"}],
"""
_RATIONALE = '    "rationale": "Copper is a metal, and metals conduct.",\n'
_MODEL = re.compile(r'(_model=")[^"]*?((?:/seed-\d+)?")')


def usage(manifest: Manifest, name: str) -> str:
    """Return the section of a model card with a usage example for the run. `name` is the name under
    which the example loads the run: the path of its directory, or OWNER/NAME on the Hub."""
    form = FORMS[manifest.stage]
    option = "answer_model" if form.answers else "rationale_model"
    reads = form.reads_rationale and not form.writes_rationale
    run = f"{name}/{manifest.seeds[0]}" if manifest.seeds else name
    arguments = f"{option}={json.dumps(run, ensure_ascii=False)}" + (
        ', rationale_from="input"' if reads else ""
    )
    fields = 'row["prediction"], row["scores"]' if form.answers else 'row["rationale"]'
    code = (
        f"from scicot import predict\n\nquestion = {{\n{_QUESTION}{_RATIONALE if reads else ''}}}\n"
        f"for row in predict([question], {arguments}).rows:\n    print({fields})"
    )
    note = (
        "It answers given the rationale in the question. To have a run of train-rationale write"
        " the rationale, pass that run as `rationale_model` instead of `rationale_from`."
        if reads
        else ""
    )
    command = f"On the command line: `scicot predict ... --{option.replace('_', '-')} {run}`."
    return "\n\n".join(filter(None, [HEADING, f"```python\n{code}\n```", note, command]))


def with_hub_name(card: str, repository: str) -> str:
    """Return a copy of a model card. Its usage example loads the run from `repository`
    (OWNER/NAME) on the Hub."""
    text_before, heading, rest = card.partition(f"{HEADING}\n")
    section, following, text_after = rest.partition("\n## ")
    section = _MODEL.sub(rf"\g<1>{repository}\g<2>", section)
    section = re.sub(r"(-model )[^\s`]*?((?:/seed-\d+)?`)", rf"\g<1>{repository}\g<2>", section)
    return f"{text_before}{heading}{section}{following}{text_after}"
