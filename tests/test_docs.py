"""The documentation agrees with the code."""

import importlib.util
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from conftest import REPOSITORY, Trained, read_rows, world_rows

import scicot
from scicot import EvaluateSettings, PredictSettings, evaluate, predict
from scicot.records import Question, Rationale

DOCS = REPOSITORY / "docs"


def schema(name: str) -> dict[str, Any]:
    text = (DOCS / "schema" / f"{name}.schema.json").read_text()
    found: dict[str, Any] = json.loads(text)
    return found


def rendering(name: str) -> Any:
    """A script of docs/ as a module."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_commands_md_is_the_help_of_today() -> None:
    module = rendering("render_commands")
    assert module.PAGE.read_text() == module.render(), "run `make docs`"


def test_api_md_is_the_signatures_of_today() -> None:
    module = rendering("render_api")
    assert module.PAGE.read_text() == module.render(), "run `make docs`"


def test_api_md_says_only_what_is_true_of_python() -> None:
    module = rendering("render_api")
    for verb, descriptions in module.PYTHON.items():
        assert descriptions.keys() <= inspect.signature(getattr(scicot, verb)).parameters.keys()
    page = (DOCS / "api.md").read_text()
    for words in ("in a SLURM job array the part", "standard output", *module.WORDS):
        assert words not in page
    assert "| `calibrate` | `True` | Apply" in page


def test_api_md_lists_the_attributes_of_results() -> None:
    page = (DOCS / "api.md").read_text()
    for name in ("rows", "to_pandas()", "accuracy", "comparisons", "problems", "made_ids", "kept"):
        assert f"| `{name}` |" in page, name


def test_the_architecture_page_draws_the_imports_of_today() -> None:
    module = rendering("render_architecture")
    assert module.PAGE.read_text() == module.page(), "run `make docs`"
    assert "scicot_cli --> prediction" in module.render()


def test_the_architecture_page_names_every_module() -> None:
    """The page names each module of the packages in `listed`, except the kernels."""
    page = (DOCS / "architecture.md").read_text()
    package = REPOSITORY / "src" / "scicot"
    named = set(re.findall(r"\w+", page))
    listed = ("annotation", "prediction", "training", "decoding", "models", "students", "teachers")
    for folder in listed:
        for file in (package / folder).rglob("*.py"):
            if file.stem != "__init__" and file.parent.name != "kernels":
                assert file.stem in named, f"{folder}/{file.name} is not on the architecture page"


def test_docstrings_and_pages_name_modules_that_exist() -> None:
    """A file may name a module by a path from the file's own folder, from src/scicot or from the
    repository. On a page, the module's file name alone is enough."""
    package, commands = REPOSITORY / "src" / "scicot", REPOSITORY / "scicot_cli"
    modules = [*package.rglob("*.py"), *commands.rglob("*.py")]
    pages = [*DOCS.rglob("*.md"), REPOSITORY / "README.md"]
    stale = []
    for file in [*modules, *pages]:
        folders = [file.parent, package, REPOSITORY]
        if file in pages:
            folders += {module.parent for module in modules}
        for name in re.findall(r"(?<![\w/\"'.])[a-z_0-9/]+\.py\b", file.read_text()):
            if not any((folder / name).exists() for folder in folders):
                stale.append(f"{file.relative_to(REPOSITORY)}: {name}")
    assert stale == []


def test_rows_fit_their_schemas(trained: Trained, tmp_path: Path) -> None:
    given = world_rows()[0]
    jsonschema.validate(Question.from_row(given).to_row(), schema("question"))
    jsonschema.validate(Rationale.from_row(given).to_row(), schema("rationale"))
    out = tmp_path / "out.jsonl"
    settings = PredictSettings(device="cpu", max_new_tokens=4)
    predict(trained.rows, out, answer_model=trained.direct, settings=settings, limit=2)
    for row in read_rows(out):
        jsonschema.validate(row, schema("prediction"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**given, "choices": []}, schema("question"))


@pytest.mark.parametrize("kind", ["question", "rationale", "prediction"])
def test_the_examples_in_rows_md_are_rows(kind: str) -> None:
    blocks = re.findall(
        r"^## (\w+)\n.*?```json\n(.*?)```", (DOCS / "rows.md").read_text(), re.S | re.M
    )
    examples = {name: json.loads(text) for name, text in blocks}
    jsonschema.validate({**examples["question"], **examples[kind]}, schema(kind))


def test_links_lead_somewhere() -> None:
    recipes = (REPOSITORY / "examples").rglob("*.md")
    for page in [*REPOSITORY.glob("*.md"), *DOCS.glob("*.md"), *DOCS.glob("howto/*.md"), *recipes]:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_links_out_of_the_site_become_text() -> None:
    inside = rendering("site_links").inside
    page = DOCS / "howto" / "slurm.md"
    kept = "[Training](../training.md#methods), [paper](https://arxiv.org/abs/1)"
    assert inside(kept, page) == kept
    scripts = "[scripts](../../examples/slurm)"
    assert inside(scripts, page) == "scripts (`examples/slurm`)"
    assert inside("[README.md](../README.md)", DOCS / "index.md") == "README.md"
    with pytest.raises(FileNotFoundError, match="nowhere"):
        inside("[scripts](../../nowhere)", page)


def test_the_site_is_built(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="make installs mkdocs-material")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(tmp_path)]
    subprocess.run(command, cwd=REPOSITORY, check=True)
    page = (tmp_path / "index.html").read_text()
    assert not re.search(r'<(?:script|link)[^>]+(?:src|href)="?https?:', page), "needs a network"


def test_a_verdict_fits_its_schema(trained: Trained, tmp_path: Path) -> None:
    files = []
    for name, source in (("given", "input"), ("none", "none")):
        files.append(tmp_path / f"{name}.jsonl")
        settings = PredictSettings(device="cpu", rationale_from=source)  # type: ignore[arg-type]
        predict(trained.rows, files[-1], answer_model=trained.answer, settings=settings)
    groups = EvaluateSettings(by=("meta.metal", "choices"))
    verdict = json.loads(json.dumps(evaluate(files, settings=groups).to_dict()))
    jsonschema.validate(verdict, schema("evaluation"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**verdict, "more": 1}, schema("evaluation"))


def test_every_path_that_contributing_names_exists() -> None:
    """Except paths with NAME, which stand for files that the reader will write."""
    page = (REPOSITORY / "CONTRIBUTING.md").read_text()
    quoted = re.findall(
        r"`(\.?[\w-]+(?:/[\w.-]*)+|\.?[\w-]+\.(?:py|md|toml|txt|cff|yaml|js))`", page
    )
    linked = re.findall(r"\]\(([^)#:]+)\)", page)
    paths = {path for path in (*quoted, *linked) if "NAME" not in path}
    assert len(paths) > 30
    assert [path for path in paths if not (REPOSITORY / path).exists()] == []
