"""Properties of every command: start-up, help, errors and --config."""

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from conftest import Trained, read_rows, world_rows, write_rows
from typer.main import get_command

import scicot as library
from scicot.students.manifest import read_manifest
from scicot_cli.app import app
from scicot_cli.commands import SUMMARIES

COMMANDS = (
    "demo",
    "check",
    "generate-rationales",
    "train-rationale",
    "train-answer",
    "predict",
    "merge",
    "evaluate",
)
HEAVY = ("torch", "transformers", "datasets", "anthropic", "numpy", "yaml")
CLI = [sys.executable, "-m", "scicot_cli"]


def test_the_commands_come_in_the_order_of_the_road(scicot: Any) -> None:
    outcome = scicot("--help")
    assert outcome.code == 0
    listed = outcome.stdout.partition("Commands:")[2]
    assert "..." not in listed  # no description is truncated at 80 columns
    places = [listed.index(f"\n  {name}") for name in COMMANDS]
    assert places == sorted(places)
    assert tuple(SUMMARIES) == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_the_first_line_of_each_help(name: str) -> None:
    about = get_command(app).commands[name].help  # type: ignore[attr-defined]
    assert about.partition("\n")[0] == SUMMARIES[name]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_help_text(scicot: Any, name: str) -> None:
    command = get_command(app).commands[name]  # type: ignore[attr-defined]
    silent = [p.name for p in command.params if not getattr(p, "help", None)]
    assert silent == []
    assert scicot(name, "--help").code == 0


def test_start_up_imports_nothing_heavy() -> None:
    program = (
        f"import sys, scicot, scicot_cli.main\nprint([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_version(scicot: Any) -> None:
    assert scicot("--version").stdout == f"scicot {library.__version__}\n"


def test_public_names_are_there_and_no_others() -> None:
    assert sorted(library.__all__) == sorted({*library._HOME_OF, "__version__"})
    for name in library.__all__:
        assert getattr(library, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        _ = library.nonsense


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["predict"], 2, "QUESTIONS is missing"),
        (["nonsense"], 2, "nonsense: no such command"),
        (["evaluate", "--nonsense"], 2, "--nonsense: no such option"),
        (
            ["train-answer", "x", "-o", "r", "--student", "s", "--epochs", "many"],
            2,
            "is not a number",
        ),
        (["train-answer", "x", "-o", "r", "--student", "s", "--epochs", "0"], 2, "--epochs is 0"),
        (["evaluate", "nowhere.jsonl"], 1, "nowhere.jsonl"),
        (["predict", "nowhere.jsonl", "--answer-model", "nowhere"], 1, "no such directory"),
    ],
)
def test_mistakes_end_in_one_line_and_a_code(
    scicot: Any, tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    outcome = scicot(*arguments)
    assert outcome.code == code
    assert outcome.stdout == ""
    assert said in outcome.stderr
    assert outcome.stderr.startswith("error: ")
    assert outcome.stderr.count("\n") == 1


def test_a_bad_row_stops_before_anything_is_written(
    scicot: Any, trained: Trained, tmp_path: Path
) -> None:
    file = tmp_path / "q.jsonl"
    write_rows(file, world_rows()[:3])
    with file.open("a") as stream:
        stream.write('{"question": "What?"}\nnot json\n')
    arguments = ["predict", file, "--answer-model", trained.direct, "--device", "cpu"]
    out = tmp_path / "out.jsonl"
    outcome = scicot(*arguments, "-o", out)
    assert (outcome.code, out.exists()) == (1, False)
    assert f"error: {file}:4: " in outcome.stderr
    outcome = scicot(*arguments, "-o", out, "--skip-invalid")
    assert outcome.code == 0, outcome.stderr
    assert len(read_rows(out)) == 3
    assert f"{file}:5: not JSON" in outcome.stderr
    assert "2 invalid rows skipped" in outcome.stderr


def test_an_output_that_is_the_input_is_refused(scicot: Any, trained: Trained) -> None:
    before = trained.rows.read_bytes()
    for extra in ([], ["--force"]):
        outcome = scicot(
            "predict", trained.rows, "-o", trained.rows, "--answer-model", trained.direct, *extra
        )
        assert outcome.code == 1
        assert "is the input as well" in outcome.stderr
    assert trained.rows.read_bytes() == before


def test_a_full_disk_is_one_line_and_resumable(scicot: Any, trained: Trained) -> None:
    arguments = ["predict", trained.rows, "--answer-model", trained.direct, "--device", "cpu"]
    outcome = scicot(*arguments, "-o", "/dev/full")
    assert outcome.code == 75
    assert outcome.stderr.splitlines()[-1].startswith(
        "error: No space left on device; free disk space"
    )


def test_text_that_looks_like_markup_is_shown_as_text(scicot: Any) -> None:
    outcome = scicot("evaluate", "[bold]x[/bold]:100:.jsonl")
    assert "[bold]x[/bold]:100:.jsonl" in outcome.stderr


def test_config_supplies_options_and_flags_win(scicot: Any, tmp_path: Path) -> None:
    import json

    rows = [
        {**{k: v for k, v in row.items() if k != "rationale"}, "prediction": "A"}
        for row in world_rows()
    ]
    file = write_rows(tmp_path / "p.jsonl", rows)
    config = tmp_path / "evaluate.yaml"
    config.write_text("level: 0.5\nresamples: 200\ncluster_by: meta.metal\njson: true\n")
    verdict = json.loads(scicot("evaluate", file, "--config", config).stdout)
    assert (verdict["level"], verdict["cluster_by"]) == (0.5, "meta.metal")
    outcome = scicot("evaluate", file, "--config", config, "--level", 0.9)
    assert json.loads(outcome.stdout)["level"] == 0.9


def test_the_command_line_overrides_an_option_of_config_that_excludes_it(
    scicot: Any, tmp_path: Path, trained: Trained
) -> None:
    config = tmp_path / "train.yaml"
    config.write_text("epochs: 3\n")
    command = (
        "train-answer", trained.rows, "-o", tmp_path / "run", "--student", "scratch:tiny",
        "--method", "direct", "--device", "cpu", "--config", config,
    )  # fmt: skip
    assert scicot(*command, "--equal-to", trained.direct).code == 0
    manifest = read_manifest(tmp_path / "run")
    assert manifest is not None
    assert manifest.equal_to is not None
    config.write_text("dev-fraction: 0.2\nmax-steps: 2\n")
    assert scicot(*command, "--dev", trained.rows, "--force").code == 0
    manifest = read_manifest(tmp_path / "run")
    assert manifest is not None
    assert (manifest.metrics["rows"], manifest.metrics["dev_rows"]) == (36, 36)
    config.write_text(f"dev: {trained.rows}\nmax-steps: 2\n")
    assert scicot(*command, "--dev-fraction", 0.2, "--fold-by", "id", "--force").code == 0
    config.write_text(f"equal-to: {trained.direct}\n")
    assert scicot(*command, "--max-steps", 2, "--force").code == 0
    manifest = read_manifest(tmp_path / "run")
    assert manifest is not None
    assert (manifest.equal_to, manifest.metrics["steps"]) == (None, 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("levle: 0.5", "scicot evaluate has no option 'levle'"),
        ("- level", "must map option names to values"),
        ("level: [", "not YAML"),
        ("config: x.yaml", "has no option 'config'"),
        ("epochs: 3", "scicot evaluate has no option 'epochs'"),  # a file without sections
        ("evaluate: {}\nepoch: 3", "scicot evaluate has no option 'epoch'"),
        ("evaluate: {levle: 1}", "evaluate: scicot evaluate has no option 'levle'; did you mean"),
        (
            "evaluat: {level: 1}",
            "evaluat: is a section, but no command has this name; did you mean",
        ),
        ("evaluate: 3", "evaluate: must map option names to values"),
        ("evaluate: {level: {a: 1}}", "level: is a section, but no command has this name"),
        ("evaluate: {level: 0.5, level: 0.6}", "c.yaml:1: level is given twice"),
        ("check: {columns: {id: a, id: b}}", "c.yaml:1: id is given twice"),
        ("train-answer: {}\ntrain_answer: {}", "train_answer is given twice"),
        ("columns: {question: A, frage: B}", "the roles are question, choices"),
        ("columns: {question: [[A]]}", "columns: question: is a list, but must be a string"),
        ("columns: {question: 'A,answer=B'}", "not a valid mapping of roles to fields"),
        ("columns: {}", "not a valid mapping of roles to fields"),
        ("columns: &a {question: *a}", "columns: question: is a dict, but must be a string"),
        ("evaluate: &a {evaluate: *a}", "is a section, but"),
    ],
)
def test_a_config_that_cannot_be(scicot: Any, tmp_path: Path, text: str, said: str) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(text)
    outcome = scicot("evaluate", "x.jsonl", "--config", config)
    assert outcome.code == 2
    assert said in outcome.stderr
    assert outcome.stderr.count("\n") == 1


def test_one_config_serves_several_commands(scicot: Any, tmp_path: Path) -> None:
    """In a file with sections, values outside them are for every command that has the option."""
    import json

    table = tmp_path / "t.csv"
    table.write_text("id,Frage,W1,W2,Lsg\nq1,Which conducts?,wood,copper,copper\n")
    predictions = write_rows(tmp_path / "p.jsonl", [{"id": "q1", "prediction": "B"}])
    config = tmp_path / "all.yaml"
    config.write_text(
        "level: 0.5\n"
        "columns: {question: Frage, choices: [W1, W2], answer: Lsg}\n"
        "json: false\n"
        "check: {json: true}\n"
        "evaluate:\n  level: 0.8\n  json: true\n"
        "train_answer: {epochs: 3}\n"
    )
    found = scicot("check", table, "--config", config)
    assert found.code == 0, found.stderr
    assert json.loads(found.stdout)["first"][0]["answer"] == "B"
    judged = scicot("evaluate", predictions, "--questions", table, "--config", config)
    assert judged.code == 0, judged.stderr
    assert json.loads(judged.stdout)["level"] == 0.8


LAUGHS = "a: &a [x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n"
    for before, name in pairwise("abcdefghij")
)
MERGED = (
    LAUGHS.replace("[x, x, x, x]", "{x: 1}").replace(": [*", ": {<<: [*").replace("]\n", "]}\n")
)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"level: " + b"[" * 100_000, "nested too deeply"),
        (b"level: " + b"[" * 3000 + b"]" * 3000, "nested too deeply"),
        (b"a: {" * 3000, "nested too deeply"),
        (LAUGHS.encode(), "too many aliases"),
        (MERGED.encode(), "too many aliases"),
        (b"by: &a [*a]", "by: is a list, but must be a string"),
        (b"seed: " + b"9" * 5000, "too many digits"),
        (b"seed: 0x" + b"f" * 9000, "too many digits"),
        (b"level: 2001-99-99", "not YAML (month must be"),
        (b"seed: 2001-01-01", "seed: is a date, but must be a string"),
        (b"2001-01-01: 3", "is a date, but must be a string"),
        (b"? [a]\n: 3", "not YAML"),
        (b"report: !!binary aGVsbG8=", "report: is a bytes, but must be a string"),
        (b"level: !!python/object/apply:os.getcwd []", "not YAML (could not determine"),
        (b"level: \0", "not YAML"),
        (b'report: "a\\0b"', "contains a NUL character or a lone surrogate"),
        (b'report: "a\\ud83d"', "contains a NUL character or a lone surrogate"),
        (b"level: \xff", "not UTF-8 text"),
        (b"level: .nan", "--level is nan"),
        (b"# " + b"x" * 2_000_000, "larger than 1 MiB"),
        (b"x" * 900 + b": 1", "xxx...'"),
    ],
)
def test_a_config_of_any_content_is_one_line(
    scicot: Any, tmp_path: Path, content: bytes, said: str
) -> None:
    config = tmp_path / "c.yaml"
    config.write_bytes(content)
    outcome = scicot("evaluate", "x.jsonl", "--config", config)
    assert outcome.code == 2
    assert said in outcome.stderr
    assert outcome.stderr.count("\n") == 1
    assert len(outcome.stderr) < 500 + len(str(config))


def test_numbers_of_a_config_are_those_of_the_shell(scicot: Any, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    for text in ("seed: 1.5", "seed: .inf", "seed: true"):
        config.write_text(text)
        outcome = scicot("evaluate", "x.jsonl", "--config", config)
        assert outcome.code == 2
        assert "c.yaml: seed" in outcome.stderr


def test_a_config_that_is_no_file(scicot: Any, tmp_path: Path) -> None:
    outcome = scicot("evaluate", "x.jsonl", "--config", tmp_path)
    assert (outcome.code, outcome.stderr.count("\n")) == (2, 1)
    assert "Is a directory" in outcome.stderr


def test_config_takes_one_file_where_several_may_stand(scicot: Any, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("predictions: nowhere.jsonl\n")
    assert "nowhere.jsonl: no such file" in scicot("evaluate", "--config", config).stderr


def test_quiet_says_nothing_but_warnings(scicot: Any, trained: Trained, tmp_path: Path) -> None:
    rows = [{**row, "question": "Which is new?"} for row in world_rows()]
    file = write_rows(tmp_path / "new.jsonl", rows)
    arguments = ["predict", file, "--answer-model", trained.direct, "--device", "cpu"]
    assert scicot(*arguments, "-o", tmp_path / "a", "--quiet").stderr == ""
    assert "36 questions answered" in scicot(*arguments, "-o", tmp_path / "b").stderr


def test_a_bug_keeps_its_traceback_without_local_variables(tmp_path: Path) -> None:
    program = (
        "import scicot.evaluation, scicot_cli.main\n"
        "def broken(*a, **k):\n"
        "    secret = 'sk-' + 'ant-123'\n"
        "    raise RuntimeError('a bug')\n"
        "scicot.evaluation.evaluate = broken\n"
        "scicot_cli.main.main()"
    )
    file = write_rows(tmp_path / "p.jsonl", world_rows())
    done = subprocess.run(
        [sys.executable, "-c", program, "evaluate", file],
        capture_output=True, text=True, env=os.environ, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "RuntimeError: a bug" in done.stderr
    assert "sk-ant-123" not in done.stderr


def test_the_bar_leaves_room_for_the_echo_of_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    from scicot_cli.progress_bar import progress_bar

    monkeypatch.setenv("COLUMNS", "100")
    assert progress_bar().console.width == 100 - len("^C")
