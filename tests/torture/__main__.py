"""`python -m torture`, from the folder tests: see the package's docstring."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import conftest  # noqa: F401  (clears the environment, and has the Hub left alone)

from scicot.version import __version__
from torture import disk, faults, kills, page, rates
from torture.fuzz import part as fuzz
from torture.results import Options, Result

PARTS: dict[str, Callable[[Options], Result]] = {
    "fuzz": fuzz.run,
    "rates": rates.run,
    "faults": faults.run,
    "kills": kills.run,
    "disk": disk.run,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m torture", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"{', '.join(PARTS)}; all of them by default")
    parser.add_argument("--short", action="store_true", help="seconds rather than minutes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--executions", type=int, help="of each fuzz target")
    parser.add_argument("--minutes", type=float, default=28.0, help="for the fuzzing, at most")
    parser.add_argument(
        "--only", action="append", default=[], help="a fuzz target; may be repeated"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        help="where files and faulty inputs go; the same again goes on with a stopped fuzz part",
    )
    parser.add_argument("--json", type=Path, help="where the figures go")
    given = parser.parse_args()
    if given.parts[:1] == ["page"]:
        page.write()
        return 0
    if given.parts[:1] == ["replay"] and len(given.parts) == 3:
        sys.stdout.write(fuzz.replay(given.parts[1], Path(given.parts[2])) + "\n")
        return 0
    names = given.parts or list(PARTS)
    if unknown := set(names) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    folder = given.folder or Path(tempfile.mkdtemp(prefix="scicot-torture-"))
    folder.mkdir(parents=True, exist_ok=True)
    options = Options(
        folder, given.seed, given.short, given.executions, given.minutes, tuple(given.only)
    )
    began = time.monotonic()
    results = []
    for result in run(names, options):
        results.append(result)
        say(f"{result.part}: {summary(result)}")
        # written after each part, so that a crash of a later part loses nothing
        if given.json is not None:
            page.keep(given.json, figures(results, options))
    if given.json is not None and given.json.resolve() == page.FIGURES.resolve():
        page.write()
    seconds = time.monotonic() - began
    sys.stdout.write(f"{table(results)}\n{seconds / 60:.1f} minutes; files in {folder}\n")
    return 1 if any(result.broken for result in results) else 0


def run(names: list[str], options: Options) -> Iterator[Result]:
    """Run the parts one after another, and yield their results. In the long form, fuzzing runs in
    the background."""
    beside, start = None, time.monotonic()
    if "fuzz" in names and not options.short:
        beside = fuzz.Background(options, time.monotonic() + 60 * options.minutes)
    for name in names:
        if name == "fuzz" and beside is not None:
            continue
        say(f"{name} ...")
        began = time.monotonic()
        yield _timed(PARTS[name](options), began)
    if beside is not None:
        yield _timed(beside.result(), start)


def _timed(result: Result, began: float) -> Result:
    result.minutes = round((time.monotonic() - began) / 60, 1)
    return result


def say(line: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stderr.flush()


def summary(result: Result) -> str:
    if result.skipped is not None:
        return f"skipped: {result.skipped}"
    broken = f"{len(result.broken)} promises broken" if result.broken else "all promises held"
    return f"{broken}" + "".join(f"\n    {line}" for line in result.broken)


def table(results: list[Result]) -> str:
    """The figures of all parts, aligned."""
    rows = []
    for result in results:
        shown = {**result.figures}
        targets = shown.pop("targets", {})
        if result.skipped is not None:
            shown["skipped"] = result.skipped
        shown["promises broken"] = len(result.broken)
        rows += [(result.part, name, _told(value)) for name, value in shown.items()]
        rows += [
            (
                "",
                name,
                f"{target_figures['executions']:,} executions, {target_figures['faults']} faults",
            )
            for name, target_figures in targets.items()
        ]
    return "\n".join(f"{part:<8}{name:<28}{value}" for part, name, value in rows)


def _told(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)


def figures(results: list[Result], options: Options) -> dict[str, Any]:
    return {
        "form": "short" if options.short else "long",
        "scicot": __version__,
        "seed": options.seed,
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "parts": {
            result.part: {
                **result.figures,
                "minutes": result.minutes,
                "broken": result.broken,
                **({"skipped": result.skipped} if result.skipped else {}),
            }
            for result in results
        },
    }


if __name__ == "__main__":
    sys.exit(main())
