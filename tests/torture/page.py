"""docs/reliability.md: the figures between its markers, generated from docs/reliability.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"
PAGE, FIGURES = DOCS / "reliability.md", DOCS / "reliability.json"
BEGIN, END = "<!-- figures, by python -m torture page -->", "<!-- end of the figures -->"
NOT_RUN = "not run yet"
_NO_FIGURES = ("broken", "minutes", "skipped")
_KEPT = ("found",)  # keys written by hand, which are kept beside the figures of a run


def keep(file: Path, figures: dict[str, Any]) -> None:
    """Write the figures of a run into a JSON file. Its "found" key, and the parts that the run left
    out, are kept."""
    old = json.loads(file.read_text()) if file.exists() else {}
    kept = {name: old[name] for name in _KEPT if name in old}
    kept["parts"] = {**old.get("parts", {}), **figures["parts"]}
    file.write_text(json.dumps({**figures, **kept}, indent=1, ensure_ascii=False) + "\n")


def write() -> None:
    """Write the figures into the page."""
    PAGE.write_text(rendered(PAGE.read_text(), json.loads(FIGURES.read_text())))


def rendered(text: str, figures: dict[str, Any]) -> str:
    """The page with these figures between its markers."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{tables(figures)}\n{END}{tail}"


def tables(figures: dict[str, Any]) -> str:
    """Return the figures as Markdown. A part without figures is marked as not run."""
    parts = figures.get("parts", {})
    blocks = [_run(figures), _kills(parts), _faults(parts), _rates(parts), _disk(parts)]
    blocks += [_fuzz(parts), _found(figures)]
    return "\n\n".join(blocks)


def _run(figures: dict[str, Any]) -> str:
    if not figures.get("parts"):
        return f"`make torture`: {NOT_RUN}."
    parts = figures["parts"]
    broken = sum(len(part.get("broken", ())) for part in parts.values())
    times = ", ".join(f"{name} {part.get('minutes', '?')}" for name, part in parts.items())
    return (
        f"`make torture` of scicot {figures['scicot']}, {figures['form']} form, seed"
        f" {figures['seed']}, {figures['cores']} cores: {broken} promises broken. Minutes of each"
        f" part: {times}."
    )


def _kills(parts: dict[str, Any]) -> str:
    rows = parts.get("kills", {}).get("survived", {})
    lines = [f"| `{name}` | {count} |" for name, count in rows.items()]
    return _table(
        "Kills survived, with the outcome of an undisturbed run", "command | kills", lines
    )


def _faults(parts: dict[str, Any]) -> str:
    faults = parts.get("faults", {})
    if not faults.get("kinds"):
        return f"**Server faults survived**: {NOT_RUN}."
    return (
        f"**Server faults survived**: {faults['faults']:,} (of {len(faults['kinds'])} kinds), in"
        f" {faults['requests']:,} requests of {faults['runs']} runs."
    )


def _rates(parts: dict[str, Any]) -> str:
    figures = parts.get("rates", {})
    rows = [f"| {name} | {value} |" for name, value in figures.items() if name not in _NO_FIGURES]
    return _table("Speed with a server that refuses requests", "what | figure", rows)


def _disk(parts: dict[str, Any]) -> str:
    figures = parts.get("disk", {})
    rows = [f"| `{name}` | {count} |" for name, count in figures.get("stopped", {}).items()]
    return _table("Full disks survived", "command | times stopped for lack of room", rows)


def _fuzz(parts: dict[str, Any]) -> str:
    fuzz = parts.get("fuzz", {})
    targets = fuzz.get("targets", {})
    if not targets:
        return f"**Fuzzing**: {NOT_RUN}."
    least = min(target["executions"] for target in targets.values())
    faults = sum(target["faults"] for target in targets.values())
    return (
        f"**Fuzzing**: {fuzz['executions']:,} executions, at least {least:,} of each target:"
        f" {faults} distinct faults. Targets: {', '.join(targets)}."
    )


def _found(figures: dict[str, Any]) -> str:
    count = len(figures.get("found", ()))
    return f"Faults found while these tests were written, all fixed: {count}."


def _table(title: str, header: str, rows: list[str]) -> str:
    if not rows:
        return f"**{title}**: {NOT_RUN}."
    rule = " | ".join("---" for _ in header.split(" | "))
    return "\n".join([f"**{title}**", "", f"| {header} |", f"| {rule} |", *rows])
