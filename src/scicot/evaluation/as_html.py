"""Render an evaluation as a small HTML table for notebooks. The full HTML page is made by
report/."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from scicot.evaluation.metrics import System


def table_of(systems: Sequence[System], sentences: Sequence[str], level: float) -> str:
    """Return an HTML table with a row for each system, followed by a paragraph for each sentence.
    `level` is the confidence level of the intervals, shown in the table's header."""
    rows = []
    for system in systems:
        low, high = (100 * bound for bound in system.interval)
        accuracy, interval = f"{100 * system.accuracy:.1f} %", f"{low:.1f} - {high:.1f}"
        rows.append([system.name, f"{system.questions:,}", accuracy, interval])
    head = _row("th", ["system", "questions", "accuracy", f"{100 * level:g} % interval"])
    body = "".join(_row("td", row) for row in rows)
    paragraphs = "".join(f"<p>{escape(text)}</p>" for text in sentences)
    return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>{paragraphs}"


def _row(tag: str, cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"
