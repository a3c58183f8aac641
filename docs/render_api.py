"""Write docs/api.md. `make docs` runs this script, and a test checks that the page is up to date.

The page shows the signature and docstring of each function in VERBS. A parameter is described by
PYTHON or, if it is not in there, by the help text of the command's option or argument of the same
name. The classes in RESULTS follow, with their public attributes and methods.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path
from typing import Any

import typer.main

import scicot
from scicot.evaluation.metrics import Calibration, Group
from scicot.students.manifest import Manifest
from scicot.teachers import Reply, Request
from scicot_cli.app import app

PAGE = Path(__file__).with_name("api.md")
VERBS = (
    *("check", "generate_rationales", "estimate_cost", "train_rationale", "train_answer"),
    *("predict", "merge", "evaluate"),
)
# Each class with the name under which it is shown.
RESULTS: tuple[tuple[str, type], ...] = (
    ("scicot.Check, the result of check", scicot.Check),
    ("scicot.Rationales, the result of generate_rationales", scicot.Rationales),
    ("scicot.Estimate, the result of estimate_cost", scicot.Estimate),
    ("Manifest, the result of train_rationale and train_answer", Manifest),
    ("scicot.Predictions, the result of predict", scicot.Predictions),
    ("scicot.Evaluation, the result of evaluate", scicot.Evaluation),
    ("scicot.System, an element of Evaluation.systems", scicot.System),
    ("Calibration, in System.calibration", Calibration),
    ("Group, in System.groups", Group),
    ("scicot.Comparison, an element of Evaluation.comparisons", scicot.Comparison),
    ("scicot.teachers.Request, the argument of a teacher's ask", Request),
    ("scicot.teachers.Reply, the result of a teacher's ask", Reply),
)
# Descriptions of arguments for which the option's help text is not true in Python, by function. A
# job array of SLURM, for example, sets the default of the option --shard only.
PYTHON: dict[str, dict[str, str]] = {
    "predict": {
        "output": "File for the prediction rows. [default: none; the result has the rows]",
        "calibrate": "Apply the calibration temperature that train-answer fitted on dev.",
        "shard": 'Answer only part I of N: "1/8" or `scicot.Shard(1, 8)`; scicot.merge joins the'
        " parts. [default: all questions, also in a SLURM job array]",
    },
    "train_rationale": {
        "reward": "`scicot.RewardSettings(RUN)`, where RUN is a run of train-answer --folds. After"
        " training, further rounds follow, as with --reward of the command train-rationale."
    },
}
# Words of help texts, with the words that say the same in Python.
WORDS = {
    "May be repeated": "May be a list",
    "--answer-texts: as": "True: as",
    "--answer-labels: as": "False: as",
}
_FIELD = re.compile(r"^    (\w+): [^#\n]*?  # (.+)$", re.M)
_HEAD = """# Python

Written by `make docs` from signatures and docstrings; do not edit.

The commands are functions of the package.

- Instead of a file, pass rows in memory: a list of dicts, a `datasets.Dataset`, a DataFrame, or the
  result of another function.
- Settings are keywords, or a `settings=` object, whose fields the keywords override.
- Notebooks show progress bars; messages go to the logger "scicot". All functions also work inside a
  running event loop.
- [Results](#results) lists the attributes and methods of what the functions return.
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
    results = "".join(_result(title, kind) for title, kind in RESULTS)
    return _HEAD + "".join(_verb(name) for name in VERBS) + "\n## Results\n" + results


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


def _result(title: str, kind: type) -> str:
    """Describe a class: its docstring, its fields with their types, its properties and methods."""
    lines = [f"\n### {title}\n"]
    for base in kind.__mro__:
        # A subclass of a dataclass describes only what it adds.
        if dataclasses.is_dataclass(base):
            text = inspect.cleandoc(base.__doc__ or "")
            lines += [re.sub(r"^([a-z_]+): ", r"- `\1`: ", text, flags=re.M), ""]
    lines += ["| attribute or method | type | |", "| --- | --- | --- |"]
    for name in _members(kind):
        shown, type_name, about = _about(kind, name)
        lines.append(f"| `{shown}` | {type_name} | {about} |")
    return "\n".join(lines) + "\n"


def _members(kind: type) -> list[str]:
    """Return the names of the fields of a dataclass, then of its public properties and methods."""
    fields = [field.name for field in dataclasses.fields(kind)]
    own = [base for base in reversed(kind.__mro__) if base.__module__.startswith("scicot.")]
    others = {name: value for base in own for name, value in vars(base).items()}
    documented = [
        name
        for name, value in others.items()
        if not name.startswith("_") and name not in fields and getattr(value, "__doc__", None)
        and not isinstance(value, classmethod | staticmethod)
        and (inspect.isfunction(value) or not callable(value))
    ]  # fmt: skip
    return fields + documented


def _about(kind: type, name: str) -> tuple[str, str, str]:
    """Return how a member is written, its type, and a description of it."""
    bases = [base for base in kind.__mro__ if base.__module__.startswith("scicot.")]
    for field in dataclasses.fields(kind):
        if field.name == name:
            comments = dict(
                found for base in bases for found in _FIELD.findall(inspect.getsource(base))
            )
            return name, f"`{field.type}`".replace("|", "\\|"), comments.get(name, "")
    value = inspect.getattr_static(kind, name)
    function = getattr(value, "fget", None) or getattr(value, "func", value)
    type_name = f"`{function.__annotations__.get('return', '')}`".replace("|", "\\|")
    about = " ".join(inspect.cleandoc(function.__doc__ or "").split("\n\n")[0].split())
    shown = name if function is not value else f"{name}{inspect.signature(value)}".split(" ->")[0]
    return shown.replace("(self)", "()"), type_name, about.replace("|", "\\|")


def _helps(name: str) -> dict[str, str]:
    """Return the descriptions of the parameters of the function `name`: the help texts of its
    command with the changes in WORDS and PYTHON."""
    command = "generate-rationales" if name == "estimate_cost" else name.replace("_", "-")
    group: Any = typer.main.get_command(app)
    helps = {one.name: getattr(one, "help", "") or "" for one in group.commands[command].params}
    for parameter, text in helps.items():
        for shell, python in WORDS.items():
            text = text.replace(shell, python)
        helps[parameter] = text
    return helps | PYTHON.get(name, {})


if __name__ == "__main__":
    PAGE.write_text(render())
