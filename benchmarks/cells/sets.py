"""The question sets of the cells, and the files from which they are built."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from benchmarks.evidence_sets import SETS

REPOSITORY = Path(__file__).parents[2]
TEST_FRACTION = 0.25  # share of the training questions, for sets without test questions


@dataclass(frozen=True)
class CellSet:
    """A question set: its files in the schema of docs/rows.md, or the options that make its
    world."""

    title: str
    seeds: tuple[int, ...]
    train: tuple[str, ...] = ()  # files of training questions
    test: tuple[str, ...] = ()  # files of test questions; (): the test set is split off `train`
    # Files with rationales of the training questions; may be the files of the questions themselves.
    rationales: tuple[str, ...] = ()
    tutor: tuple[str, ...] = ()  # files with rationales of the test questions
    real: bool = True
    world: tuple[str, ...] = ()
    # Steps of stage 1 and stage 2 on a world, for students with fresh weights, as in the grid.
    steps: tuple[int, int] = (1000, 600)


def _world(name: str, title: str) -> CellSet:
    grid_set = SETS[name]
    return CellSet(title, grid_set.seeds, real=False, world=grid_set.world, steps=grid_set.steps)


_ARC = tuple(f"arc_{kind}.train.jsonl" for kind in ("easy", "challenge"))
_ARC_TEST = tuple(f"arc_{kind}.dev.jsonl" for kind in ("easy", "challenge"))
CELL_SETS = {
    "scienceqa": CellSet(
        "ScienceQA, questions of text, rationales of Llama-2-13b-chat",
        (0, 1, 2),
        train=("scienceqa_text_llama2chat13b.train.jsonl",),
        test=("scienceqa_text_llama2chat13b.dev.jsonl",),
    ),
    "openbookqa": CellSet(
        "OpenBookQA, rationales of Flan-T5-XL, which saw the answers",
        (0, 1, 2),
        train=("openbookqa_flant5xl.train.jsonl",),
        test=("openbookqa_flant5xl.dev.jsonl",),
    ),
    "arc": CellSet(
        "ARC, Easy and Challenge, rationales of EntailmentBank's experts and of Flan-T5-XL",
        (0, 1, 2),
        train=_ARC,
        test=_ARC_TEST,
        # EntailmentBank's own dev questions occur in ARC's training set, so they are not used.
        rationales=("entailmentbank.train.jsonl", "arc_challenge_flant5xl.train.jsonl"),
        tutor=("arc_challenge_flant5xl.dev.jsonl",),
    ),
    "commonsenseqa": CellSet(
        "CommonsenseQA, rationales of PaLM-540B, a test set carved from the training questions",
        (0, 1, 2),
        train=("csqa_palm.train.jsonl",),
    ),
    "shipped": _world("shipped", "The example world"),
    "harder": _world("harder", "A harder world: 700 training questions rather than 4,000"),
}


def data_folder(folder: Path | None = None) -> Path:
    """Return the folder of the real sets: as given, or from SCICOT_DATA, or beside the checkout."""
    if folder is not None:
        return folder
    path = os.environ.get("SCICOT_DATA")
    return Path(path) if path else REPOSITORY.parent / "shared" / "data"


def stop(message: str) -> NoReturn:
    """Exit with code 1 and a one-line message for a user error."""
    sys.exit(f"evidence: {message}")


def set_and_seed(name: str) -> tuple[str, int]:
    """Split "scienceqa-0" into ("scienceqa", 0)."""
    called, _, seed = name.rpartition("-")
    if called not in CELL_SETS or not seed.isdecimal():
        stop(f"{name}: no SET-SEED; a set is one of {', '.join(CELL_SETS)}, as scienceqa-0")
    return called, int(seed)
