"""Shell completion: the values that options offer, and its installation from any shell."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.completion

from scicot_cli import completion


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory with runs in it, which is the working directory too."""
    for run in ("runs/answer", "runs/direct", "runs/seeds/seed-0"):
        (tmp_path / run).mkdir(parents=True)
        (tmp_path / run / "scicot.json").write_text("{}")
    (tmp_path / "replies.jsonl").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "values"),
    [
        ("train-answer --device c", ["cpu", "cuda"]),
        ("predict q --device ", ["auto", "cpu", "cuda"]),
        ("train-rationale r --precision ", ["auto", "fp32", "bf16"]),
        ("predict q --precision i", ["int8"]),
        ("predict q --engine t", ["torch", "transformers"]),
        ("train-answer r --student scratch:tiny", ["scratch:tiny", "scratch:tiny-causal"]),
        ("predict q --answer-model runs/", ["runs/answer", "runs/direct", "runs/seeds/seed-0"]),
        ("predict q --rationale-model runs/a", ["runs/answer"]),
        ("train-answer r --equal-to runs/seeds", ["runs/seeds/seed-0"]),
        ("train-rationale r --reward runs/d", ["runs/direct"]),
        ("generate-rationales q --teacher anthropic:claude-o", ["anthropic:claude-opus-5-5"]),
        ("generate-rationales q --teacher o", ["openai:"]),
        ("generate-rationales q --teacher recorded:", ["recorded:replies.jsonl", "recorded:runs/"]),
        ("train-answer r --student nowhere/", []),
        ("--install-completion z", ["zsh"]),
    ],
)  # fmt: skip
def test_values_of_options(
    home: Path, scicot: Any, monkeypatch: pytest.MonkeyPatch, words: str, values: list[str]
) -> None:
    monkeypatch.setenv("_SCICOT_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"scicot {words}")
    monkeypatch.setenv("COMP_CWORD", str(len(f"{words}|".split())))
    assert scicot().stdout.split() == values


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_every_shell_is_installed_from_any_shell(home: Path, scicot: Any, shell: str) -> None:
    outcome = scicot("--install-completion", shell)
    assert outcome.code == 0
    file, _, advice = outcome.stdout.partition(":")
    assert f"completion for {shell}" in advice
    assert "_SCICOT_COMPLETE" in Path(file).read_text()
    assert Path(file).is_relative_to(home)
    assert scicot("--show-completion", shell).stdout.strip() == Path(file).read_text().strip()


def test_installing_twice_adds_one_line(home: Path, scicot: Any) -> None:
    (home / ".bashrc").write_text("alias a=b")  # without a line break at the end
    for _ in range(2):
        assert scicot("--install-completion", "bash").code == 0
    first, second = (home / ".bashrc").read_text().splitlines()
    assert first == "alias a=b"
    assert second == f"source '{home}/.bash_completions/scicot.sh'"


def test_a_shell_that_is_not_known_is_one_line(
    home: Path, scicot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = scicot("--install-completion", "tcsh")
    assert outcome.code == 2
    assert outcome.stderr == "error: --install-completion tcsh: give bash, zsh, fish\n"
    monkeypatch.setattr(typer.completion, "_get_shell_name", lambda: None)
    outcome = scicot("--show-completion")
    assert (outcome.code, outcome.stdout) == (2, "")
    assert "cannot detect the running shell; give bash, zsh or fish" in outcome.stderr
    monkeypatch.setattr(typer.completion, "_get_shell_name", lambda: "fish")
    assert "complete --command scicot" in scicot("--show-completion").stdout


def test_a_home_that_takes_no_file_is_one_line(home: Path, scicot: Any) -> None:
    (home / ".bash_completions").write_text("")
    outcome = scicot("--install-completion", "bash")
    assert outcome.code == 1
    assert outcome.stderr.startswith("error: --install-completion: ")


def test_bash_completes_behind_a_colon(home: Path) -> None:
    """Bash ends a word at a colon, so completions must begin after it."""
    command = home / "bin" / "scicot"
    command.parent.mkdir()
    command.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path[:0] = {sys.path!r}\n"
        "from scicot_cli.main import main\nmain()\n"
    )
    command.chmod(0o755)
    script = f"""{completion.BASH}
    COMP_LINE="scicot train-answer r --student scratch:ti"; COMP_POINT=${{#COMP_LINE}}
    _scicot_completion scicot 2> /dev/null
    echo "${{COMPREPLY[*]}}"
    """
    path = f"{command.parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [str(shutil.which("bash")), "-c", script],
        env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["tiny", "tiny-causal"]
