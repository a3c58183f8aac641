"""Write docs/api.md. `make docs` runs this script, and a test checks that the page is up to date.

The page shows the signature and docstring of each function in VERBS. A parameter is described by
the help text of the command's option or argument of the same name.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import typer.main

import scicot
from scicot_cli.app import app

PAGE = Path(__file__).with_name("api.md")
VERBS = (
    *("check", "generate_rationales", "estimate_cost", "train_rationale", "train_answer"),
    *("predict", "merge", "evaluate"),
)
_HEAD = """# Python

Written by `make docs` from signatures and docstrings; do not edit.

The commands are functions of the package.

- Instead of a file, pass rows in memory: a list of dicts, a `datasets.Dataset`, a DataFrame, or the
  result of another function.
- Settings are keywords, or a `settings=` object, whose fields the keywords override.
- Notebooks show progress bars; messages go to the logger "scicot". All functions also work inside a
  running event loop.
- Functions raise ScicotError for errors that you can fix, and StoppedEarly if the same call can
  continue later.

```python
import scicot

print(scicot.check("train.csv").read_as)
taught = scicot.generate_rationales("train.csv", teacher="recorded:replies.jsonl")
scicot.train_rationale(taught, "runs/rationale", student="scratch:tiny", epochs=3)
scicot.train_answer(taught, "runs/answer", student="scratch:tiny", epochs=3)
found = scicot.predict("test.csv", rationale_model="runs/rationale", answer_model="runs/answer")
print(found.rows[0]["prediction"], found.to_pandas().shape)
scicot.evaluate({"two-stage": found}, report="report.html")
```
"""


def render() -> str:
    """The page as it ought to be."""
    return _HEAD + "".join(_verb(name) for name in VERBS)


def _verb(name: str) -> str:
    function = getattr(scicot, name)
    parameters = inspect.signature(function).parameters.values()
    helps = _helps(name)
    text = inspect.cleandoc(function.__doc__ or "")
    lines = [f"\n## scicot.{name}\n", text, "", "| argument | default | |", "| --- | --- | --- |"]
    for given in parameters:
        if given.name in ("settings", "reading", "reporter"):
            continue
        default = "" if given.default is given.empty else f"`{given.default!r}`"
        about = " ".join(helps.get(given.name, "").split()).replace("|", "\\|")
        lines.append(f"| `{given.name}` | {default} | {about} |")
    return "\n".join(lines) + "\n"


def _helps(name: str) -> dict[str, str]:
    """Return the help texts of the command that belongs to the function `name`, by parameter."""
    command = "generate-rationales" if name == "estimate_cost" else name.replace("_", "-")
    group: Any = typer.main.get_command(app)
    return {one.name: getattr(one, "help", "") or "" for one in group.commands[command].params}


if __name__ == "__main__":
    PAGE.write_text(render())
