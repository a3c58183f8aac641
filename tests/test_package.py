"""The built package: its files, its metadata, and the modules that commands import."""

import importlib.util
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY, world_rows, write_rows


def module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_commands_that_run_no_model_import_no_torch(tmp_path: Path) -> None:
    rows = [{**row, "prediction": "A", "rationales": []} for row in world_rows()]
    questions = write_rows(tmp_path / "questions.jsonl", world_rows())
    part_file = write_rows(tmp_path / "one.jsonl", rows[::2])
    two = write_rows(tmp_path / "two.jsonl", rows[1::2])
    program = """
import sys
from scicot_cli.app import app
for command in {commands!r}:
    try:
        app(command)
    except SystemExit as end:
        assert not end.code, command
    loaded = {{"torch", "transformers", "datasets"}} & set(sys.modules)
    assert not loaded, f"{{command[0]}} imports {{loaded}}"
"""
    merged = tmp_path / "merged.jsonl"
    commands = [
        ["check", questions],
        ["merge", questions, part_file, two, "-o", merged],
        ["evaluate", merged, "--report", tmp_path / "report.html"],
    ]
    words = [[str(word) for word in command] for command in commands]
    done = subprocess.run(
        [sys.executable, "-c", program.format(commands=words)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_links_of_the_long_description_are_absolute() -> None:
    pytest.importorskip("hatchling", reason="make installs hatchling")
    hook = module(REPOSITORY / "hatch_build.py")
    readme = (REPOSITORY / "README.md").read_text()
    text = hook.long_description(readme, "https://example.com/a/scicot")
    assert "](https://example.com/a/scicot/blob/main/docs/commands.md)" in text
    assert "](docs/" not in text
    assert "<!--" not in text
    assert "<this repository>" not in text
    alone = hook.long_description(readme, None)
    assert "](docs/" not in alone
    assert "docs/commands.md: every option" in alone
    assert "](https://arxiv.org" in alone


@pytest.mark.parametrize(
    "remote", ["git@example.com:a/scicot.git", "https://name:word@example.com/a/scicot", ""]
)
def test_the_address_of_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remote: str
) -> None:
    pytest.importorskip("hatchling", reason="make installs hatchling")
    hook = module(REPOSITORY / "hatch_build.py")
    for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY"):
        monkeypatch.delenv(name, raising=False)
    assert hook.address(tmp_path) is None
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    if remote:
        subprocess.run(["git", "-C", tmp_path, "remote", "add", "origin", remote], check=True)
    assert hook.address(tmp_path) == ("https://example.com/a/scicot" if remote else None)


def test_the_changelog_has_notes_of_this_version() -> None:
    notes = module(REPOSITORY / ".github" / "release_notes.py")
    from scicot import __version__

    changelog = (REPOSITORY / "CHANGELOG.md").read_text()
    assert notes.notes_of(__version__, changelog)
    assert notes.notes_of("9.9.9", changelog) == ""
    assert notes.notes_of("2.0", "# C\n\n## 2.0\n\n- a\n\n## 1.0\n\n- b\n") == "- a"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist and the wheel as the GitHub workflow does; return their folder."""
    pytest.importorskip("hatchling", reason="make installs hatchling")
    folder = tmp_path_factory.mktemp("dist")
    variables = {"GITHUB_SERVER_URL": "https://example.com", "GITHUB_REPOSITORY": "a/scicot"}
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "-o", folder, REPOSITORY],
        env={**os.environ, **variables},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return folder


def test_the_metadata_of_the_wheel(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        metadata = message_from_bytes(archive.read(name))
        names = set(archive.namelist())
    links = dict(link.split(", ") for link in metadata.get_all("Project-URL", []))
    assert links["Source"] == "https://example.com/a/scicot"
    assert {"Paper", "Documentation", "Changelog", "Issues"} <= links.keys()
    assert "](https://example.com/a/scicot/blob/main/docs/" in str(metadata.get_payload())
    assert {"scicot/report/page.html", "scicot/report/start.js", "scicot/py.typed"} <= names
    (source,) = built.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert {"mkdocs.yml", "hatch_build.py", "docs/tutorial.md", "tests/conftest.py"} <= held


def test_the_wheel_works_in_a_fresh_environment(built: Path, tmp_path: Path) -> None:
    """The dependencies are those of this environment, since torch takes minutes to install."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "fresh"], check=True)
    python = tmp_path / "fresh" / "bin" / "python"
    (wheel,) = built.glob("*.whl")
    install = [sys.executable, "-m", "pip", f"--python={python}", "install", "--no-deps", "-q"]
    # Editable installations there are ignored: Python reads .pth files in site-packages only.
    (packages,) = (tmp_path / "fresh").glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    options: dict[str, Any] = {"env": bare, "cwd": tmp_path, "text": True, "capture_output": True}
    done = subprocess.run(
        [*install, "--no-index", "--force-reinstall", wheel], check=False, **options
    )
    assert done.returncode == 0, done.stderr
    ask = "import scicot, scicot_cli; print(scicot.__file__, scicot_cli.__file__, sep='\\n')"
    where = subprocess.run([python, "-c", ask], check=True, **options)
    assert all(Path(file).is_relative_to(tmp_path) for file in where.stdout.splitlines())
    command = python.with_name("scicot")
    assert "Commands:" in subprocess.run([command, "--help"], check=True, **options).stdout
    demo = subprocess.run([command, "demo", "--help"], check=True, **options)
    assert "FOLDER" in demo.stdout
    rows = write_rows(tmp_path / "a.jsonl", [{**row, "prediction": "A"} for row in world_rows()])
    report: list[str | Path] = [command, "evaluate", rows, "--report", tmp_path / "report.html"]
    subprocess.run(report, check=True, **options)
    assert "function matching()" in (tmp_path / "report.html").read_text()
