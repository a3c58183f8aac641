"""The commands of `scicot`, in the order of the pipeline. A command's module is imported when the
command is used, so that `scicot --help` and the start of each command stay fast."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

import typer

# The description of each command in the help of `scicot`; it is also the first line of the
# command's own help.
SUMMARIES = {
    "demo": "Run all steps on a small example, in two minutes.",
    "check": "Show how scicot reads a file of questions.",
    "generate-rationales": "Ask a teacher to explain every question.",
    "train-rationale": "Stage 1: train a student to write rationales.",
    "train-answer": "Stage 2: train a student to answer with a rationale.",
    "predict": "Answer questions with trained students.",
    "merge": "Join the parts of predict --shard.",
    "evaluate": "Evaluate predictions and compare systems.",
}


class Commands(Mapping[str, Any]):
    """Maps the name of each command to its command object, which is created when it is first looked
    up."""

    def __init__(self) -> None:
        self._commands: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._commands:
            self._commands[name] = _command(name, SUMMARIES[name])
        return self._commands[name]

    def __iter__(self) -> Iterator[str]:
        return iter(SUMMARIES)

    def __len__(self) -> int:
        return len(SUMMARIES)


def _command(name: str, summary: str) -> Any:
    from scicot_cli.grouped import GroupedCommand

    function_name = name.replace("-", "_")
    module = importlib.import_module(f"scicot_cli.{function_name}")
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    command_class = getattr(module, "COMMAND_CLASS", GroupedCommand)
    app.command(name, cls=command_class, short_help=summary)(getattr(module, function_name))
    return typer.main.get_command(app)
