"""Fuzz targets: files that scicot keeps beside its outputs, and files that users pass as
options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from scicot import outputs, sources
from scicot.annotation.batch_plans import Plan
from scicot.annotation.requests import RequestBuilder
from scicot.config import GenerateSettings
from scicot.errors import ScicotError
from scicot.prompts import build_prompt, check_template
from scicot.records import Question
from scicot.students.manifest import read_manifest
from scicot.students.runs import check_run
from torture.fuzz import seeds
from torture.fuzz.readers import ASKED, SILENT, SPLIT, file_target
from torture.fuzz.running import Target

COMMANDS = ("generate-rationales", "train-answer", "predict", "evaluate")


class _Reached(Exception):
    """The command has read its options and would begin its work."""


def config_target(folder: Path) -> Target:
    """Return a target that parses --config of several commands, but does not run them."""
    from scicot_cli.app import app

    group: Any = typer.main.get_command(app)
    # typer's error for invalid usage; exit code 2.
    from typer._click.exceptions import UsageError

    path = folder / "config.yaml"
    content = {
        "generate-rationales": ["q.jsonl", "-o", "o.jsonl", "--teacher", "anthropic:m"],
        "train-answer": ["r.jsonl", "-o", "run", "--student", "scratch:tiny"],
        "predict": ["q.jsonl", "-o", "o.jsonl", "--answer-model", "run"],
        "evaluate": ["p.jsonl"],
    }

    def run(data: bytes) -> str:
        name = COMMANDS[len(data) % len(COMMANDS)]
        path.write_bytes(data)
        command = group.commands[name]
        arguments = [*content[name], "--config", str(path)]
        try:
            with command.make_context(name, arguments) as context:
                _begin(name, context.params)
        except (UsageError, typer.Exit) as error:
            return f"{name} {type(error).__name__}"
        except _Reached:
            return f"{name} reached"
        return name

    inputs = [text.encode() for text in seeds.CONFIGS]
    return Target("--config", "reader", inputs, run, (ScicotError,), structured=0.15)


def _begin(name: str, params: dict[str, Any]) -> None:
    """Build the settings if the command is generate-rationales. Then raise `_Reached`."""
    if name != "generate-rationales":
        raise _Reached
    names = GenerateSettings.__dataclass_fields__
    from scicot_cli.generate_rationales import _price

    given = {key: value for key, value in params.items() if key in names}
    GenerateSettings(**{**given, "price": _price(params.get("price"))})
    raise _Reached


def state(path: Path) -> str:
    found = outputs.read_state(path)
    out = path.with_name("o.jsonl")
    if not out.exists():
        out.write_bytes(b"{}\n")
    settings = dict(seeds.STATE["settings"])  # type: ignore[call-overload]
    outputs.check_continues(out, "generate-rationales", settings)
    return f"continued {found is not None}"


def plans(path: Path) -> str:
    """Read a batch plan and its requests, which are separated by SPLIT."""
    folder = path.with_name("o.batches")
    folder.mkdir(exist_ok=True)
    first, _, second = path.read_bytes().partition(SPLIT)
    (folder / "0001.json").write_bytes(first)
    (folder / "0001.requests.jsonl").write_bytes(second)
    asking = RequestBuilder("anthropic:m", GenerateSettings(reveal_answer="on-failure"))
    texts = []
    for plan in Plan.all_in(folder):
        asks = list(plan.row_requests(asking))
        texts.append(f"{len(asks)} {plan.id is None} {plan.began is None} {plan.line_of('x-1')}")
    return " ".join(texts)


def manifest(path: Path) -> str:
    folder = path.with_name("run")
    folder.mkdir(exist_ok=True)
    (folder / "scicot.json").write_bytes(path.read_bytes())
    found = read_manifest(folder)
    if found is None:
        return "none"
    run = check_run(folder, "--answer-model", found.stage)
    stored = run.manifest
    values = (
        stored.max_source_tokens,
        stored.max_target_tokens,
        stored.answer_as,
        stored.temperature,
    )
    return f"{[type(value).__name__ for value in values]} {run.stage} {bool(run.identity)}"


def template(path: Path) -> str:
    from scicot_cli.generate_rationales import _read

    text = _read(path)
    for revealed in (False, True):
        check_template(text, reveal_answer=revealed)
        build_prompt(ASKED, reveal_answer=revealed, template=text)
    return "filled"


def examples(path: Path) -> str:
    shown = list(sources.rationales(path, skip_invalid=False, reporter=SILENT))
    asking = RequestBuilder(
        "anthropic:m", GenerateSettings(reveal_answer="on-failure"), None, shown
    )
    asking.fingerprint()
    json.dumps(asking.fingerprint())
    for question in (ASKED, Question.from_row(seeds.LAYOUTS[1])):
        asking.of(question, 0, revealed=True)
    return f"{len(shown)} shown"


def targets(folder: Path) -> list[Target]:
    folder.mkdir(parents=True, exist_ok=True)
    lines = seeds.lines
    shown = [lines(seeds.RATIONALE), lines(seeds.RATIONALE, seeds.PREDICTION)]
    planned = [json.dumps(seeds.PLAN).encode() + SPLIT + lines(*seeds.PLANNED)]
    return [
        config_target(folder),
        file_target("OUT.state.json", [json.dumps(seeds.STATE).encode()], state, folder,
                    file_name="o.state.json"),
        file_target("OUT.batches", planned, plans, folder),
        file_target("scicot.json", [json.dumps(seeds.MANIFEST).encode()], manifest, folder),
        file_target("--prompt", [text.encode() for text in seeds.TEMPLATES], template, folder),
        file_target("--examples", shown, examples, folder),
    ]  # fmt: skip
