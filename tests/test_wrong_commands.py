"""Wrong commands: each ends with a one-line message (what, where, what to do) and exit code 2 for
wrong usage or 1 for invalid data."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scicot_cli.app import app
from scicot_cli.grouped import EXAMPLES

TABLE = "Frage;A;B;Richtig\nWas leitet?;Holz;Kupfer;B\nWas brennt?;Holz;Kupfer;A\n"
TRAIN = "train-answer q.csv -o run --student scratch:tiny --method direct"
PREDICT = "predict q.csv --answer-model run"
GENERATE = "generate-rationales q.csv -o r.jsonl --teacher"
CONFIGS = {
    "words.yaml": "epochs: many\n",
    "name.yaml": "epoch: 3\n",
    "device.yaml": "device: cud\n",
    "maybe.yaml": "quiet: maybe\n",
    "broken.yaml": "epochs: [\n",
    "twice.yaml": "max-steps: 3\nseed: 1\nmax-steps: 4\n",
    "spelled.yaml": "max-steps: 3\n--max_steps: 4\n",
}

USAGE = [
    ("wurst", "wurst: no such command (scicot --help)"),
    ("chek q.csv", "chek: no such command; did you mean check? (scicot --help)"),
    ("--wurst", "--wurst: no such option (scicot --help)"),
    ("generate-rationales", "QUESTIONS is missing (scicot generate-rationales --help)"),
    ("--install-completion tcsh", "--install-completion tcsh: give bash, zsh, fish"),
    ("predict", "QUESTIONS is missing (scicot predict --help)"),
    ("evaluate", "PREDICTIONS is missing (scicot evaluate --help)"),
    ("merge q.csv -o out.jsonl", "PARTS is missing (scicot merge --help)"),
    ("train-answer q.csv -o run", "--student is missing (scicot train-answer --help)"),
    ("check q.csv more.csv", "more.csv: unexpected argument (scicot check --help)"),
    (f"{PREDICT} --answer-modell x", "no such option; did you mean --answer-model?"),
    (
        f"{PREDICT} --engine torhc",
        "--engine torhc: give auto, torch, ctranslate2, tran",
    ),
    (f"{PREDICT} --rationale-from teacher", "give student, input, none, shuffled (scicot predict"),
    (f"{PREDICT} --samples zero", "--samples zero: is not a whole number (scicot predict --help)"),
    (f"{PREDICT} --samples=", "--samples : is not a whole number"),
    (f"{PREDICT} --samples 0", "--samples is 0; it must be at least 1"),
    (f"{PREDICT} --limit", "--limit needs a value (scicot predict --help)"),
    (f"{PREDICT} --quiet=yes", "--quiet takes no value (scicot predict --help)"),
    (f"{PREDICT} --limit 3 --limit x", "--limit x: is not a whole number"),
    (f"{TRAIN} --config maybe.yaml", "maybe.yaml: quiet maybe: is neither true nor false"),
    ("demo --seed -1", "--seed -1: must be at least 0 (scicot demo --help)"),
    (f"{PREDICT} --limit 0", "--limit 0: must be at least 1 (scicot predict --help)"),
    (f"{PREDICT} --shard 3/2", "--shard is 3/2; it must be I/N, with I from 1 to N and N at most"),
    (f"{PREDICT} --precision fp8", "--precision is fp8; it must be auto or fp32 or bf16 or int8"),
    (f"{PREDICT} --precision bf61", "did you mean bf16?"),
    (f"{PREDICT} --top-p 2", "--top-p is 2.0; it must be"),
    (f"{PREDICT} --beams 4 --samples 3", "--beams: cannot be combined with sampling"),
    (f"{TRAIN} --device cud", "--device cud: not available here; try auto or cpu"),
    (
        "train-answer q.csv -o run --student scratch:tiny --method two-stage --no-rationale",
        "--no-rationale and --method two-stage: give one of the two",
    ),
    (
        "generate-rationales --reveal-answer q.csv b.csv -o x --teacher recorded:y"
        " --reveal-answer never",
        "b.csv: unexpected argument",
    ),
    (f"{TRAIN}t", "--method directt: give two-stage, direct, "),
    (f"{TRAIN} --epochs many", "--epochs many: is not a number (scicot train-answer --help)"),
    (f"{TRAIN} --epochs -1", "--epochs is -1.0; it must be more than 0, and less than 1,000,000"),
    (f"{TRAIN} --learning-rate 0", "--learning-rate is 0.0; it must be more than 0"),
    (f"{TRAIN} --dev-fraction 1.5", "--dev-fraction is 1.5; it must be 0 or more"),
    (f"{TRAIN} --dev q.csv --dev-fraction 0.5", "--dev and --dev-fraction: give one of the two"),
    (f"{TRAIN} --report-to tensorbord", "did you mean tensorboard?"),
    (
        f"{TRAIN} --batch-size lots",
        "--batch-size is lots; it must be a number of rows (such as 32)",
    ),
    (f"{TRAIN} --patience 3", "--patience: needs dev rows; give --dev or --dev-fraction"),
    (f"{TRAIN} --weights a,b", "--weights a,b: give one number for each file"),
    (f"{TRAIN} --config words.yaml", "words.yaml: epochs many: is not a number"),
    (
        f"{TRAIN} --config name.yaml",
        "--config name.yaml: scicot train-answer has no option 'epoch'",
    ),
    (f"{TRAIN} --config device.yaml", "device.yaml: --device cud: not available here"),
    (
        "train-answer q.csv -o run --student scratch:huge --method direct",
        "no such size; choose one of",
    ),
    ("train-rationale q.csv -o run --student scratch:tiny --folds 1", "--folds is 1; it must be"),
    (f"{GENERATE} claude", "--teacher claude: not a teacher; give anthropic:MODEL or "),
    (f"{GENERATE} antropic:claude", "did you mean anthropic:claude?"),
    (f"{GENERATE} anthropic:c --max-cost cheap", "--max-cost cheap: is not a number"),
    (
        f"{GENERATE} anthropic:c --price 3",
        "--price 3: give IN,OUT in dollars per million tokens, for example",
    ),
    ("check q.csv --columns foo=bar", "--columns foo=bar: write question=FIELD,"),
    ("check q.csv --answer-index 2", "--answer-index 2: must be at most 1"),
    ("check q.csv --encoding klingon", "--encoding klingon: no such encoding"),
    ("evaluate a=", "a=: names no file; write FILE or NAME=FILE"),
    ("evaluate q.csv --fail-if-worse-than a=", "a=: names no file"),
    ("evaluate q.csv --level 2", "--level is 2.0; it must be between 0 and 1"),
    (f"{TRAIN} --config broken.yaml", "--config broken.yaml: not YAML"),
    (f"{TRAIN} --config twice.yaml", "twice.yaml:3: max-steps is given twice; remove one"),
    (f"{TRAIN} --config spelled.yaml", "spelled.yaml: --max_steps is given twice"),
    (f"{TRAIN} --epochs 2 --max-steps 3", "--epochs and --max-steps: both set the training length"),
    (
        f"{TRAIN} --equal-to r --max-steps 3",
        "--equal-to and --max-steps: both set the training length",
    ),
    (f"{TRAIN} --dev q.csv --dev-fraction 0.5", "--dev and --dev-fraction: give one of the two"),
    ("train-answer q.csv -o - --student scratch:tiny", "-o -: a run is a directory, not a stream"),
    (
        "train-rationale q.csv -o - --student scratch:tiny",
        "-o -: a run is a directory, not a stream",
    ),
    (f"{TRAIN} --equal-to r --epochs 3", "--equal-to and --epochs: both set the training length"),
    (
        "generate-rationales q.csv -o r.csv --teacher recorded:q.csv --keep all",
        "-o r.csv: rows are written as JSON lines; name a .jsonl file",
    ),
    ("merge q.csv q.csv -o out.jsonl.gz", "-o out.jsonl.gz: rows are written as JSON lines"),
    (f"{TRAIN} --weights nan", "--weights is nan; it must be"),
    (f"{TRAIN} --config none.yaml", "--config none.yaml: No such file or directory"),
]
EMPTY = [
    ["check", ""],
    ["check", " "],
    ["check", "q.csv", "--overlap", ""],
    ["check", "q.csv", "--student="],
    ["check", "q.csv", "--config", ""],
    ["check", "q.csv", "--config", "empty.yaml"],
    ["demo", ""],
    ["generate-rationales", "", "-o", "r.jsonl", "--teacher", "recorded:y"],
    ["generate-rationales", "q.csv", "-o", "", "--teacher", "recorded:y"],
    ["generate-rationales", "q.csv", "-o", "r", "--teacher", "recorded:y", "--prompt", ""],
    ["train-rationale", "", "-o", "run", "--student", "scratch:tiny"],
    ["train-rationale", "q.csv", "-o", "", "--student", "scratch:tiny"],
    ["train-answer", "q.csv", "", "-o", "run", "--student", "scratch:tiny"],
    ["train-answer", "q.csv", "-o", "run", "--student", "scratch:tiny", "--dev", ""],
    ["train-answer", "q.csv", "-o", "run", "--student", ""],
    ["predict", "", "--answer-model", "run"],
    ["predict", "q.csv", "--answer-model", ""],
    ["predict", "q.csv", "--answer-model", "run", "-o", ""],
    ["merge", "q.csv", "", "-o", "out.jsonl"],
    ["merge", "q.csv", "p.jsonl", "-o", ""],
    ["evaluate", "q.csv", ""],
    ["evaluate", "q.csv", "--questions", ""],
    ["evaluate", "q.csv", "--report", ""],
    ["evaluate", "q.csv", "--fail-if-worse-than", ""],
]
DATA = [
    ("check nowhere.csv", "nowhere.csv: no such file"),
    (
        "predict q.csv --answer-model q.csv",
        "--answer-model q.csv: is a file; give the",
    ),
    ("predict q.csv --answer-model nowhere", "--answer-model nowhere: no such directory"),
    ("train-rationale q.csv -o run --student scratch:tiny", 'q.csv:2: has no "rationale"'),
]


@pytest.mark.parametrize(
    ("command", "told", "code"),
    [*((c, told, 2) for c, told in USAGE), *((c, told, 1) for c, told in DATA)],
)
def test_a_wrong_command_ends_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, told: str, code: int
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("q.csv").write_text(TABLE)
    for name, text in CONFIGS.items():
        Path(name).write_text(text)
    ended = CliRunner().invoke(app, command.split(" "), prog_name="scicot")
    errors = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, ended.stderr
    assert told in errors[0]
    assert ended.exit_code == code
    assert "Traceback" not in ended.stderr
    assert "Input should be" not in ended.stderr


@pytest.mark.parametrize("arguments", EMPTY)
def test_an_empty_name_of_a_file_is_no_name_of_this_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("q.csv").write_text(TABLE)
    Path("empty.yaml").write_text("overlap: ''\n")
    ended = CliRunner().invoke(app, arguments, prog_name="scicot")
    assert ended.stderr.count("error: ") == 1, ended.stderr
    assert "is empty; it must be a name (is a shell variable not set?)" in ended.stderr
    assert ended.exit_code == 2
    assert {path.name for path in tmp_path.iterdir()} == {"q.csv", "empty.yaml"}


@pytest.mark.parametrize("width", [80, 160])
@pytest.mark.parametrize("command", EXAMPLES)
def test_help_has_groups_and_an_example(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    with pytest.raises(SystemExit):  # without CliRunner, whose terminal has 80 columns
        app([command, "--help"], prog_name="scicot")
    lines = capsys.readouterr().out.splitlines()
    assert "Output:" in lines
    assert max(map(len, lines)) <= width
    if width == 160 and command.startswith("train"):
        assert max(map(len, lines)) > 100
    example = " ".join(line.strip(" \\") for line in lines[lines.index("Example:") + 1 :])
    assert example == EXAMPLES[command]


def test_every_option_has_a_group() -> None:
    for command in EXAMPLES:
        shown = CliRunner().invoke(app, [command, "--help"], prog_name="scicot")
        section = shown.stdout.partition("\nHelp:\n")[2].partition("\n\n")[0]
        assert section == "  -h, --help  Show this message and exit.", command


@pytest.mark.skipif(shutil.which("script") is None, reason="no script(1)")
def test_the_next_command_is_shown_on_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """script(1) gives the command a terminal."""
    monkeypatch.chdir(tmp_path)
    Path("q.csv").write_text(TABLE)
    command = f"{sys.executable} -m scicot_cli check q.csv"
    shown = subprocess.run(
        ["script", "-qec", command, "/dev/null"], capture_output=True, text=True, check=True
    )
    assert "next: scicot generate-rationales q.csv -o rationales.jsonl" in shown.stdout
    plain = subprocess.run(command.split(), capture_output=True, text=True, check=True)
    assert "next:" not in plain.stdout + plain.stderr
