"""Write docs/commands.md from the commands' own --help; `make docs` runs it, a test compares."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from scicot_cli.app import app
from scicot_cli.commands import SUMMARIES

PAGE = Path(__file__).with_name("commands.md")
WIDTH = "100"


def render() -> str:
    """The page as it ought to be."""
    sections = [_section("scicot", [])]
    sections += [_section(f"scicot {name}", [name]) for name in SUMMARIES]
    head = "# Commands\n\nWritten by `make docs` from `--help`; do not edit.\n"
    return head + "".join(sections)


def _section(title: str, arguments: list[str]) -> str:
    environment = {"COLUMNS": WIDTH, "TERMINAL_WIDTH": WIDTH}
    shown = CliRunner().invoke(app, [*arguments, "--help"], prog_name="scicot", env=environment)
    text = "\n".join(line.rstrip() for line in shown.stdout.strip().splitlines())
    return f"\n## {title}\n\n```text\n{text}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(render())
