"""Measure the gain of two-stage distillation, cell by cell: one set, one seed, one system.

    python -m benchmarks.evidence run OUT SET-SEED [SYSTEM ...]  train and predict; resumable
    python -m benchmarks.evidence grid OUT [SET-SEED ...]        the grid of students from scratch
    python -m benchmarks.evidence keep OUT [FOLDER]              copy results to docs/evidence/
    python -m benchmarks.evidence page [CELLS ...]               write docs/evidence.md

A cell is OUT/SET-SEED.SYSTEM.json. Stages that several systems need are trained once, in
OUT/SET-SEED. Without a SYSTEM only the questions are prepared; "all" stands for all systems. The
page is made from the results in docs/evidence/; CELLS are files or folders of cells to use instead
of docs/evidence/cells.

Real questions are read from the folder that --data or SCICOT_DATA names. The .dev files there are
the test sets. The dev sets are split off the .train files, and so is the test set of a set without
a .dev file.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from benchmarks.cells.sets import REPOSITORY

KEPT = REPOSITORY / "docs" / "evidence"


def main() -> int:
    """Parse the arguments and run the command; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="cells of one set and seed")
    run.add_argument("out", type=Path)
    run.add_argument("name", metavar="SET-SEED")
    run.add_argument(
        "systems", metavar="SYSTEM", nargs="*", help="none: only the questions; or all"
    )
    run.add_argument("--student", help="a directory, a Hub id or scratch:SIZE")
    run.add_argument("--rows", type=int, help="training questions (default: all)")
    run.add_argument("--test-rows", type=int, help="test questions (default: all)")
    run.add_argument("--max-steps", type=int, help="of every training, to try the commands")
    run.add_argument("--device", default="auto")
    run.add_argument("--data", type=Path, help="the folder of the real sets (or SCICOT_DATA)")
    run.add_argument(
        "--limit-scale",
        type=float,
        metavar="X",
        help="stop each system after X times what it may take on one H100 (default: never)",
    )
    grid = commands.add_parser("grid", help="the grid of students from scratch")
    grid.add_argument("out", type=Path, nargs="?", default=REPOSITORY / "evidence")
    grid.add_argument("names", nargs="*", help="SET-SEED; all of them unless named")
    grid.add_argument("--jobs", type=int, default=2, help="seeds at a time, a thread each")
    keep = commands.add_parser("keep", help="copy results to docs/evidence/")
    keep.add_argument("out", type=Path, nargs="?", default=REPOSITORY / "evidence")
    keep.add_argument("folder", nargs="?", default="", help="of docs/evidence/cells, for these")
    page = commands.add_parser("page", help="write docs/evidence.md")
    page.add_argument("cells", type=Path, nargs="*", default=[KEPT / "cells"])
    arguments = parser.parse_args()
    if arguments.command == "run":
        return _run(arguments)
    if arguments.command == "grid":
        from benchmarks.evidence_grid import run_grid

        run_grid(arguments.out, arguments.names, arguments.jobs)
    elif arguments.command == "keep":
        _keep(arguments.out, arguments.folder)
    else:
        from benchmarks.evidence_page import write

        write(KEPT, arguments.cells, REPOSITORY / "docs" / "evidence.md")
    return 0


def _run(arguments: argparse.Namespace) -> int:
    from benchmarks.cells.cell import Options, experiment_of, run_cells
    from benchmarks.cells.systems import SYSTEMS

    options = Options(
        arguments.student,
        arguments.rows,
        arguments.test_rows,
        arguments.max_steps,
        arguments.device,
        arguments.data,
    )
    if not arguments.systems:
        experiment_of(arguments.out, arguments.name, options)
        return 0
    systems = list(SYSTEMS) if arguments.systems == ["all"] else arguments.systems
    return run_cells(arguments.out, arguments.name, systems, options, arguments.limit_scale)


def _keep(out: Path, folder: str) -> None:
    """Copy the grid's results (SET-SEED.json) to docs/evidence/, and cells (SET-SEED.SYSTEM.json)
    to docs/evidence/cells/FOLDER."""
    from benchmarks.cells.systems import SYSTEMS

    for file in sorted(out.glob("*-*.json")):
        _, cell, system = file.stem.partition(".")
        if cell and system not in SYSTEMS:
            continue  # other results of the set, such as SET-SEED.reward.json
        target = KEPT / "cells" / folder if cell else KEPT
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target / file.name)


if __name__ == "__main__":
    sys.exit(main())
