"""Test the shell blocks of README.md and docs/. A block marked `<!-- run -->` is run here. For one
marked `<!-- not run: WHY -->`, only the options of its scicot commands are checked."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY, Trained, read_rows, world_rows, write_rows

from scicot import PredictSettings, predict
from scicot.config import Shard

PAGES = [
    REPOSITORY / "README.md",
    *sorted(path for path in (REPOSITORY / "docs").rglob("*.md")),
]
BLOCK = re.compile(
    r"(?:<!-- (?P<mark>run|not run: [^>]+?) -->\n+)?"
    r"(?:```(?P<language>\w*)\n(?P<fenced>(?s:.*?))^```"
    r"|(?P<indented>(?:^    [^\n]+\n)(?:\n*^    [^\n]+\n)*))",
    re.M,
)
# First words of lines that are shell commands.
COMMANDS = {
    *("scicot", "make", "pip", "python", "git", "export", "head", "cat", "cd", "uvx", "bash"),
    *("accelerate", "torchrun", "sbatch", "srun", "ollama", "vllm"),
}
# a variable assignment before a command, or "..." for options of the command above
SETTING = re.compile(r"[A-Z_]+=\S+ \w+|\.\.\. +--")


@dataclass(frozen=True)
class Block:
    """A block of code: its page, its line there, its mark ("run", "not run: WHY" or "")."""

    page: Path
    line: int
    mark: str
    language: str
    text: str

    @property
    def is_shell(self) -> bool:
        if self.language:
            return self.language in ("bash", "sh", "console")
        lines = self.text.splitlines()
        return any(
            line.split()[0] in COMMANDS or SETTING.match(line) for line in lines if line.strip()
        )

    def __str__(self) -> str:
        return f"{self.page.relative_to(REPOSITORY)}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text()
    found = []
    for match in BLOCK.finditer(text):
        code = match["fenced"] or re.sub(r"^    ", "", match["indented"] or "", flags=re.M)
        line = text[: match.start()].count("\n") + 1
        found.append(Block(page, line, match["mark"] or "", match["language"] or "", code))
    return found


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
RUN = [page for page in PAGES if any(block.mark == "run" for block in blocks_of(page))]


def test_every_shell_block_is_run_or_says_why_not() -> None:
    unmarked = [str(block) for block in BLOCKS if block.is_shell and not block.mark]
    assert unmarked == [], "write <!-- run --> or <!-- not run: WHY --> above"
    assert len(RUN) >= 5


_OURS = ("scicot", "scicot_cli")  # the command, and the module run with -m


def commands_of(text: str) -> Iterator[list[str]]:
    """The arguments of the scicot commands in a block, without those that hold a placeholder."""
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if line.startswith("#") or "<<" in line or "..." in line:
            continue
        words = shlex.split(re.sub(r"[<>]\S*", "", line), comments=True)
        command: list[str] = []
        for word in [*words, "|"]:
            if word not in ("|", "&&"):
                command.append(word)
                continue
            start = next((n for n, own in enumerate(command) if own in _OURS), None)
            if start is not None and command[0] != "cd":
                yield command[start + 1 :]
            command = []


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.is_shell], ids=str)
def test_the_options_of_a_block_exist(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import typer

    from scicot_cli.app import app

    monkeypatch.chdir(tmp_path)
    for name, text in re.findall(r"^cat > (\S+) <<'END'\n(.*?)^END$", block.text, re.M | re.S):
        Path(name).write_text(text)  # a file of --config is read with the options
    group: Any = typer.main.get_command(app)
    for arguments in commands_of(block.text):
        name, *rest = arguments
        if name.startswith("-"):
            continue  # no subcommand, as in scicot --help
        with group.commands[name].make_context(name, rest):
            pass


@pytest.fixture(scope="module")
def filled(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with the files that the pages assume to exist."""
    folder = tmp_path_factory.mktemp("filled")
    rows = [
        {**row, "meta": {"subject": "physics" if number % 2 else "chemistry"}}
        for number, row in enumerate(world_rows())
    ]
    questions = write_rows(folder / "questions.jsonl", rows)
    runs = folder / "runs"
    runs.mkdir()
    for run in (trained.rationale, trained.answer, trained.direct):
        shutil.copytree(run, runs / run.name)
    both: dict[str, Any] = {"answer_model": trained.answer, "rationale_model": trained.rationale}
    settings: dict[str, Any] = {"device": "cpu", "max_new_tokens": 8}
    predict(questions, folder / "two-stage.jsonl", settings=PredictSettings(**settings), **both)
    predict(
        questions,
        folder / "direct.jsonl",
        answer_model=trained.direct,
        settings=PredictSettings(**settings),
    )
    for number in (1, 2):
        part = PredictSettings(**settings, shard=Shard(number, 2), window=8)
        predict(questions, folder / f"part-{number}.jsonl", settings=part, **both)
    return folder


def spreadsheet(path: Path, heading: list[str]) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(heading)
    for number in range(4):
        row = {"answer": "B", "Lsg": "copper", "A": "wood", "B": "copper", "C": "wax"}
        row |= {"W1": "wood", "W2": "copper", "W3": "wax", "Text": "Metals conduct."}
        book.active.append([row.get(name, f"Which conducts, {number}?") for name in heading])
    book.save(path)


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.stem)
def test_the_blocks_of_a_page_run(tmp_path: Path, filled: Path, preloaded: str, page: Path) -> None:
    folder = tmp_path / "folder"
    if page.stem == "tutorial":
        folder.mkdir()  # starts empty
    else:
        shutil.copytree(filled, folder)
    if page.stem == "rows":
        spreadsheet(folder / "quiz.xlsx", ["Aufgabe", "W1", "W2", "W3", "Lsg", "Text"])
    elif page.stem == "README":
        spreadsheet(folder / "quiz.xlsx", ["question", "A", "B", "C", "answer"])
    path = f"{preloaded}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    for block in blocks_of(page):
        if block.mark != "run":
            continue
        python = block.language == "python"
        command = [sys.executable, "-"] if python else ["bash", "-euo", "pipefail"]
        done = subprocess.run(
            command, input=block.text, cwd=folder, env={**os.environ, "PATH": path},
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{block}: {done.stdout}{done.stderr}"
    if page.stem == "tutorial":
        assert len(read_rows(folder / "rationales.jsonl")) == 9
        assert "no significant difference between" in (folder / "report.html").read_text()
