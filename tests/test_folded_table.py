"""Tables of figures on terminals of any width: no figure is cut."""

import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from conftest import write_rows
from predictions import rows_of
from rich.console import Console

from scicot_cli.folded_table import WideTable

HEADINGS = ("rationales", "words", "name one", "and agree", "ROUGE-L")
CELLS = ("a-system-of-a-long-name", "123.4", "99.1 %", "88.2 %", "0.765")


def printed(figures: WideTable, width: int | None) -> str:
    out = Console(width=width or 200, highlight=False, record=True, file=StringIO())
    for table in figures.tables(width):
        out.print(table)
    return out.export_text()


@pytest.mark.parametrize("width", [None, 24, 30, 40, 60, 80, 120])
def test_no_figure_is_cut(width: int | None) -> None:
    figures = WideTable(HEADINGS, following=("and agree",))
    figures.add_row(*CELLS)
    figures.add_row("chance", "", "", "", "0.25", style="dim")
    text = printed(figures, width)
    for cell in (*CELLS[1:], "0.25"):
        assert text.split().count(cell.split()[0]) == 1
    assert "…" not in text
    if width is None:
        assert "".join(CELLS[0].split()) in re.sub(r"\s+", "", text)
    if width is not None and width >= 30:
        assert max(len(line.rstrip()) for line in text.splitlines()) <= width


def test_a_heading_that_continues_another_stays_beside_it() -> None:
    figures = WideTable(HEADINGS, following=("and agree",))
    figures.add_row(*CELLS)
    tables = list(figures.tables(30))
    headings = [[str(column.header) for column in table.columns] for table in tables]
    assert [names[1:] for names in headings] == [["words"], ["name one", "and agree"], ["ROUGE-L"]]
    assert {names[0] for names in headings} == {"rationales"}


def test_a_table_of_a_pipe_is_whole() -> None:
    figures = WideTable(HEADINGS)
    figures.add_row(*CELLS)
    [table] = figures.tables(None)
    assert len(table.columns) == len(HEADINGS)


def test_many_systems_on_a_narrow_terminal(
    scicot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes the output for a terminal
    monkeypatch.setenv("COLUMNS", "60")
    files = [write_rows(tmp_path / f"system-number-{n}.jsonl", rows_of("AAB-")) for n in range(7)]
    outcome = scicot("evaluate", *files, "--by", "choices", "--resamples", "100")
    assert outcome.code == 0, outcome.stderr
    text = re.sub(r"\x1b\[[\d;]*m", "", outcome.stdout)
    assert text.count("50.0 % (15 - 85)") == 7
    tables = text[: text.index(" minus ")].splitlines()[:-1]
    assert max(len(line.rstrip()) for line in tables) <= 60
