"""Shared fixtures: an environment without API keys and without access to the Hub, a small example
world, and students that are trained once per session."""

import json
import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

for _name in [
    name for name in os.environ if name.startswith(("ANTHROPIC_", "OPENAI_", "HF_", "SLURM_"))
]:
    del os.environ[_name]
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"  # two workers with two threads each would slow each other down
if "SCICOT_TEST_GPU" not in os.environ:  # set by `make test-gpu`; otherwise tests run on the CPU
    os.environ["CUDA_VISIBLE_DEVICES"] = ""

import hanging

from scicot import jsonl

REPOSITORY = Path(__file__).parents[1]
SHARED = REPOSITORY.parent / "shared" / "data"


def pytest_configure(config: pytest.Config) -> None:
    hanging.watch(config)


@pytest.fixture(autouse=True)
def _free_lock_of_logging(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test, release the lock of the logging module if the test left it locked, and name
    the test in a warning. All threads of later tests would wait for this lock."""
    yield
    lock: Any = vars(logging)["_lock"]
    left_locked = False
    while lock._is_owned():
        lock.release()
        left_locked = True
    if left_locked:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            request.node.warn(pytest.PytestWarning("the test left the lock of logging locked"))


needs_shared_data = pytest.mark.skipif(
    not SHARED.exists(), reason="the public data sets are not beside the checkout"
)

METALS = ("copper", "iron", "silver", "gold", "zinc", "tin")
OTHERS = ("wood", "glass", "wool", "wax", "stone", "clay")


def world_rows() -> list[dict[str, Any]]:
    """36 questions with rationales: which of two materials conducts electricity?"""
    rows = []
    for n, (metal, wood) in enumerate((m, o) for m in METALS for o in OTHERS):
        texts = (metal, wood) if n % 2 else (wood, metal)
        rows.append(
            {
                "id": f"q{n}",
                "question": "Which conducts electricity?",
                "choices": [
                    {"label": label, "text": t} for label, t in zip("AB", texts, strict=True)
                ],
                "answer": "AB"[texts.index(metal)],
                "meta": {"metal": metal},
                "note": {"kept": n},
                "rationale": f"{metal} is a metal.",
            }
        )
    return rows


def student_of_letters(folder: Path, letters: str) -> Path:
    """A tiny T5 with fresh weights whose tokenizer has these characters and no others."""
    from tokenizers import Tokenizer, models, processors
    from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

    special = ("<pad>", "</s>", "<unk>")
    vocabulary = {token: n for n, token in enumerate([*special, *dict.fromkeys(letters)])}
    spelling = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>"))
    spelling.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 1)])
    PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=spelling, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    sizes: dict[str, Any] = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2}
    ids: dict[str, Any] = {"decoder_start_token_id": 0, "eos_token_id": 1, "pad_token_id": 0}
    config = T5Config(vocab_size=len(vocabulary), **sizes, **ids)
    T5ForConditionalGeneration(config).save_pretrained(folder)
    return folder


Online = Callable[[str], None]

# A question in a layout other than scicot's, for the tests of readers.
QUESTION: dict[str, Any] = {
    "id": "q1",
    "question": "Q?",
    "choices": ["wood", "copper"],
    "answer": 1,
}


def lines(*rows: Any) -> str:
    """Return each of `rows` as a line: a string as it is, any other value as JSON."""
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_bytes(b"".join(jsonl.encode(row) for row in rows))
    return path


def read_rows(path: Path) -> list[dict[str, Any]]:
    with path.open("rb") as lines:
        return [row for _, row in jsonl.decode_lines(lines, str(path))]


@dataclass
class Recorder:
    """A reporter that records notes, warnings and tasks."""

    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    doing: str = ""  # description of the last task
    steps: int = 0  # its steps

    def note(self, message: str) -> None:
        self.notes.append(message)

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def task(self, description: str, total: int | None = None) -> "Recorder":
        self.doing, self.steps = description, 0
        return self

    def stops_deferred(self) -> AbstractContextManager[None]:
        return nullcontext()

    def advance(self, steps: int = 1, **figures: Any) -> None:
        self.steps += steps

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, *exc: object) -> None:
        pass


@dataclass(frozen=True)
class Trained:
    """Run directories of three students, and the rows they were trained on."""

    rows: Path
    rationale: Path
    answer: Path
    direct: Path


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes `content` to a file and returns the file's path."""

    def write(content: str | bytes, name: str = "rows") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Online:
    """Return a function that lets the Hub client use the server at `url`, with the test's token."""
    from fakes.hub_server import TOKEN

    def online(url: str) -> None:
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        # The client reads its other environment variables only when it is imported.
        settings = {
            "ENDPOINT": url,
            "HUGGINGFACE_CO_URL_TEMPLATE": f"{url}/{{repo_id}}/resolve/{{revision}}/{{filename}}",
            "HF_HUB_OFFLINE": False,
            "HF_HUB_DISABLE_XET": True,  # Xet storage does not use HTTP and LFS
            "HF_HUB_CACHE": str(tmp_path / "hub-cache"),
            "HF_TOKEN_PATH": str(tmp_path / "no-token"),
            "HF_STORED_TOKENS_PATH": str(tmp_path / "no-tokens"),
        }
        for name, value in settings.items():
            monkeypatch.setattr(f"huggingface_hub.constants.{name}", value)

    return online


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Train three students for a few steps. They are often wrong, but complete."""
    from scicot import TrainSettings, train_answer, train_rationale

    folder = tmp_path_factory.mktemp("trained")
    rows = write_rows(folder / "rows.jsonl", world_rows())
    common: dict[str, Any] = {
        "student": "scratch:tiny",
        "settings": TrainSettings(
            max_steps=8, learning_rate=3e-3, warmup_steps=2, batch_size=18, device="cpu"
        ),
    }
    train_rationale([rows], folder / "rationale", **common)
    train_answer([rows], folder / "answer", **common)
    train_answer([rows], folder / "direct", method="direct", **common)
    return Trained(rows, folder / "rationale", folder / "answer", folder / "direct")


@pytest.fixture(scope="session")
def preloaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Make a folder with a `scicot` command that starts without delay (preloaded.py). Tests put the
    folder in front of PATH."""
    from preloaded import shim, start_server

    with tempfile.TemporaryDirectory() as short:  # a socket's path may have at most 100 characters
        server = start_server(Path(short) / "socket")
        yield str(shim(tmp_path_factory.mktemp("preloaded"), Path(short) / "socket"))
        server.kill()
        server.wait()
        # Reading to their ends could last, since other processes may hold these pipes too.
        for pipe in (server.stdin, server.stdout):
            assert pipe is not None
            pipe.close()


@dataclass(frozen=True)
class Outcome:
    code: int
    stdout: str
    stderr: str


@pytest.fixture
def scicot() -> Callable[..., Outcome]:
    """Return a function that runs a command in this process and returns its Outcome."""
    from typer.testing import CliRunner

    from scicot_cli.app import app

    def run(*arguments: object, stdin: str | bytes | None = None) -> Outcome:
        result = CliRunner().invoke(app, [str(a) for a in arguments], input=stdin)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """A file of the three questions in judging.py."""
    from judging import ASKED

    return write_rows(tmp_path / "asked.jsonl", ASKED)
