"""Models whose files include Python code or pickled weights. scicot uses neither of the two."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Trained, lines, world_rows

CLI = [sys.executable, "-m", "scicot_cli"]
CODE = """\
from pathlib import Path
Path({marker!r}).touch()
from transformers import PretrainedConfig, PreTrainedModel
class Own(PretrainedConfig):
    model_type = "own"
class OwnModel(PreTrainedModel):
    config_class = Own
"""


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "the code has run"


@pytest.fixture
def bringing_code(trained: Trained, marker: Path, tmp_path: Path) -> Any:
    """A copy of a model, or of a run, whose config names a module that writes a file."""

    def make(run: Path, *files: str) -> Path:
        folder = tmp_path / "foreign" / run.name
        shutil.copytree(run, folder)
        (folder / "own.py").write_text(CODE.format(marker=str(marker)))
        classes = {
            "AutoConfig": "own.Own",
            "AutoModelForSeq2SeqLM": "own.OwnModel",
            "AutoModelForCausalLM": "own.OwnModel",
            "AutoTokenizer": ["own.Own", None],
        }
        for name in files:
            config = json.loads((folder / name).read_text())
            config |= {"auto_map": classes, "model_type": "own", "tokenizer_class": "Own"}
            (folder / name).write_text(json.dumps(config))
        return folder

    return make


def run_with_yes(*arguments: object, data: str = "y\n" * 20) -> tuple[int, str, str]:
    """Run a command with `data` on standard input. Return its exit code, its stderr, and the part
    of `data` that it did not read."""
    reading, writing = os.pipe()
    os.write(writing, data.encode())
    os.close(writing)
    done = subprocess.run(
        [*CLI, *map(str, arguments)], stdin=reading, capture_output=True, text=True,
        env=os.environ, check=False,
    )  # fmt: skip
    with os.fdopen(reading) as rest:
        return done.returncode, done.stderr, rest.read()


BOTH = ["config.json", "tokenizer_config.json"]
REFUSED = "needs custom Python code (trust_remote_code), which scicot does not run"


def check_refused(code: int, said: str, marker: Path) -> None:
    assert (code, marker.exists()) == (1, False), said
    assert REFUSED in said
    assert said.count("\n") == 1


def test_training_runs_no_code_of_its_student(
    trained: Trained, bringing_code: Any, marker: Path, tmp_path: Path
) -> None:
    data = "y\n" * 20
    code, said, rest = run_with_yes(
        "train-answer", trained.rows, "-o", tmp_path / "run", "--device", "cpu",
        "--student", bringing_code(trained.direct, "config.json"), data=data,
    )  # fmt: skip
    check_refused(code, said, marker)
    assert rest == data


def test_predict_runs_no_code_and_takes_no_line_of_its_data(
    trained: Trained, bringing_code: Any, marker: Path
) -> None:
    data = "y\n" + lines(*world_rows())
    code, said, rest = run_with_yes(
        "predict", "-", "--answer-model", bringing_code(trained.direct, *BOTH),
        "--device", "cpu", data=data,
    )  # fmt: skip
    check_refused(code, said, marker)
    assert rest == data


@pytest.mark.parametrize("files", [["tokenizer_config.json"], BOTH])
def test_a_rationale_models_code_is_not_run(
    scicot: Any, trained: Trained, bringing_code: Any, marker: Path, files: list[str]
) -> None:
    run = bringing_code(trained.rationale, *files)
    outcome = scicot("predict", "-", "--rationale-model", run, "--device", "cpu", stdin="y\n" * 20)
    assert (outcome.code, marker.exists()) == (1, False)
    assert outcome.stderr.count("\n") == 1


def test_a_local_teachers_code_is_not_run(
    scicot: Any, trained: Trained, bringing_code: Any, marker: Path, tmp_path: Path
) -> None:
    teacher = f"hf:{bringing_code(trained.direct, *BOTH)}"
    outcome = scicot(
        "generate-rationales", trained.rows, "-o", tmp_path / "out", "--teacher", teacher,
        stdin="y\n" * 20,
    )  # fmt: skip
    check_refused(outcome.code, outcome.stderr, marker)


def test_a_known_architecture_is_run_by_transformers_own_code(
    trained: Trained, marker: Path, bringing_code: Any
) -> None:
    from scicot.models.pretrained import load_pretrained

    folder = bringing_code(trained.direct)
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "own.Own", "AutoModelForSeq2SeqLM": "own.OwnModel"}
    (folder / "config.json").write_text(json.dumps(config))
    model, _ = load_pretrained(str(folder))
    assert type(model).__module__.startswith("transformers.models.t5")
    assert not marker.exists()


class _Touch:
    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> Any:
        return Path.touch, (self._marker,)


def test_pickled_weights_are_not_read(trained: Trained, marker: Path, tmp_path: Path) -> None:
    import pickle

    from scicot.errors import ScicotError
    from scicot.models.pretrained import load_pretrained

    folder = tmp_path / "pickled"
    shutil.copytree(trained.direct, folder)
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(_Touch(marker)))
    with pytest.raises(ScicotError, match="has no safetensors weights, only ") as raised:
        load_pretrained(str(folder))
    assert "pytorch_model.bin" in str(raised.value)
    assert "weights_only" not in str(raised.value)
    assert len(str(raised.value)) < 400
    assert not marker.exists()


def test_no_call_of_a_library_leaves_open_whether_code_is_run() -> None:
    """All calls that load models or tokenizers are in one module, which sets trust_remote_code."""
    import scicot

    package = Path(scicot.__file__).parent
    callers = [
        file.relative_to(package).as_posix()
        for file in package.rglob("*.py")
        if ".from_pretrained(" in file.read_text()
    ]
    assert callers == ["models/pretrained.py"]


def test_a_library_that_reads_standard_input_gets_nothing(trained: Trained) -> None:
    """Reading with input(), from the descriptor, or in a child process gives nothing."""
    program = (
        "import os, subprocess, sys\n"
        "import scicot.models.pretrained as library\n"
        "def ask(*a, **k):\n"
        "    print(os.read(0, 9), subprocess.run(['cat'], stdout=-1).stdout, file=sys.stderr)\n"
        "    try:\n"
        "        input()\n"
        "    except EOFError:\n"
        "        sys.exit('nothing to read')\n"
        "import scicot.students.loading\n"
        "scicot.students.loading.load_pretrained = ask\n"
        "import scicot_cli.main\n"
        "scicot_cli.main.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "predict", "-", "--answer-model", trained.direct,
         "--device", "cpu"],
        input=lines(*world_rows()), capture_output=True, text=True, env=os.environ, check=False,
    )  # fmt: skip
    assert "b'' b''" in done.stderr
    assert "nothing to read" in done.stderr
