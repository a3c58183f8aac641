"""Write the training, dev and test files of one set and seed.

questions/train.jsonl        training questions with gold answers
questions/teacher.jsonl      training questions with the kept rationales of the teacher
questions/dev.jsonl          dev questions, split off the training questions
questions/teacher_dev.jsonl  dev questions with the kept rationales of the teacher
questions/test.jsonl         test questions, without rationales
questions/tutor.jsonl        test questions with the teacher's rationales
questions/about.json         sizes; which test questions are in the training files; clusters
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.cells.sets import REPOSITORY, TEST_FRACTION, CellSet, stop
from scicot.text import normalized

Rows = list[dict[str, Any]]

DEV_FRACTION, MOST_DEV = 0.1, 400
_OF_RATIONALES = ("rationale", "teacher", "saw_answer")
_QUESTION_FIELDS = ("id", "question", "choices", "answer", "context", "meta")


def prepare(
    folder: Path,
    cell_set: CellSet,
    seed: int,
    data: Path,
    limit: int | None,
    test_limit: int | None,
) -> dict[str, Any]:
    """Write the files unless about.json exists; return the contents of about.json.

    At most `limit` training questions and `test_limit` test questions are selected; None selects
    all. Questions are selected by a hash of their text. Thus all seeds of a real set select the
    same questions, and a smaller selection is part of a larger one.
    """
    about = folder / "about.json"
    if about.exists():
        found: dict[str, Any] = json.loads(about.read_text())
        return found
    folder.mkdir(parents=True, exist_ok=True)
    if cell_set.real:
        train, test, replies, tutor = _real(cell_set, data)
    else:
        train, test, replies, tutor = _world(folder, cell_set, seed)
    train, test = _unique(train), _unique(test)
    keys = {_key(row) for row in train}
    dev = _select(train, "dev", min(DEV_FRACTION, MOST_DEV / len(train))) if cell_set.real else []
    dev_keys = {_key(row) for row in dev}
    train = _limited([row for row in train if _key(row) not in dev_keys], limit)
    dev = _limited(dev, limit and max(limit // 4, 4))
    test = _limited(test, test_limit)
    _write(folder / "train.jsonl", map(_question_row, train))
    _write(folder / "dev.jsonl", map(_question_row, dev))
    _write(folder / "test.jsonl", map(_question_row, test))
    _teach(folder, "teacher", train, replies, keep="correct")
    _teach(folder, "teacher_dev", dev, replies, keep="correct")
    _teach(folder, "tutor", test, tutor, keep="all")
    facts = _about(folder, cell_set, test, keys)
    about.write_text(json.dumps(facts))
    return facts


def rows(file: Path) -> Rows:
    """Read all rows of a file."""
    with file.open() as lines:
        return [json.loads(line) for line in lines]


def _about(folder: Path, cell_set: CellSet, test: Rows, keys: set[str]) -> dict[str, Any]:
    names = ("train", "teacher", "dev", "teacher_dev", "test", "tutor")
    ids = "\n".join(row["id"] for row in test)
    facts = [row.get("meta", {}).get("fact", row["id"]) for row in test]
    numbers = {fact: number for number, fact in enumerate(dict.fromkeys(facts))}
    seen = ["1" if cell_set.real and _key(row) in keys else "0" for row in test]
    return {
        "sizes": {name: len(rows(folder / f"{name}.jsonl")) for name in names},
        "chance": sum(1 / len(row["choices"]) for row in test) / len(test),
        "test_sha256": hashlib.sha256(ids.encode()).hexdigest()[:16],
        "seen": "".join(seen),
        "clusters": None if cell_set.real else [numbers[fact] for fact in facts],
    }


def _real(cell_set: CellSet, data: Path) -> tuple[Rows, Rows, Rows, Rows]:
    """Read a real set: return the training questions, the test questions, the rationales of the
    training questions, and the rationales of the test questions."""
    train = _read(data, cell_set.train)
    if not cell_set.test:
        test = _select(train, "test", TEST_FRACTION)
        test_keys = {_key(row) for row in test}
        train = [row for row in train if _key(row) not in test_keys]
        return train, test, train, test
    test = _read(data, cell_set.test)
    replies = _read(data, cell_set.rationales) if cell_set.rationales else train
    return train, test, replies, _read(data, cell_set.tutor) if cell_set.tutor else test


def _world(folder: Path, cell_set: CellSet, seed: int) -> tuple[Rows, Rows, Rows, Rows]:
    script = str(REPOSITORY / "examples" / "make_world.py")
    size = ["--out", str(folder / "world"), "--test", "600", "--seed", str(seed), *cell_set.world]
    subprocess.run([sys.executable, script, *size], check=True, stdout=subprocess.DEVNULL)
    train, test, replies, tutor = (
        rows(folder / "world" / f"{name}.jsonl")
        for name in ("train", "test", "train_replies", "test_replies")
    )
    return train, test, replies, tutor


def _read(data: Path, names: Sequence[str]) -> Rows:
    for name in names:
        if not (data / name).exists():
            stop(f"{data / name}: no such file; name the folder of the sets by --data")
    found: dict[str, dict[str, Any]] = {}
    for row in (row for name in names for row in rows(data / name)):
        found.setdefault(f"{row['id']} {_key(row)} {row.get('rationale')}", row)
    return list(found.values())


def _teach(folder: Path, name: str, questions: Rows, replies: Rows, keep: Any) -> None:
    """Write `questions` with their rationales to NAME.jsonl. If `replies` are a teacher's recorded
    replies, generate-rationales extracts the rationales from them."""
    out = folder / f"{name}.jsonl"
    if replies and ("reply" in replies[0] or "question" not in replies[0]):
        if not questions:
            _write(out, [])
            return
        _write(folder / f"{name}_asked.jsonl", map(_question_row, questions))
        _write(folder / f"{name}_replies.jsonl", replies)
        from scicot import GenerateSettings, generate_rationales

        generate_rationales(
            folder / f"{name}_asked.jsonl",
            out,
            teacher=f"recorded:{folder / f'{name}_replies.jsonl'}",
            settings=GenerateSettings(keep=keep),
        )
        return
    _write(out, _joined(questions, replies))


def _joined(questions: Rows, replies: Rows) -> Iterable[dict[str, Any]]:
    """Yield a rationale row for each rationale in `replies` that belongs to one of `questions` and
    has the same gold answer."""
    by_id = {row["id"]: row for row in questions}
    by_text: defaultdict[str, Rows] = defaultdict(list)
    for row in questions:
        by_text[_key(row)].append(row)
    for rationale in replies:
        # The files of a set may use different ids, so questions are also matched by their text.
        matches = [by_id[rationale["id"]]] if rationale["id"] in by_id else by_text[_key(rationale)]
        same = [
            row for row in matches if (_key(row), _gold(row)) == (_key(rationale), _gold(rationale))
        ]
        if same and isinstance(rationale.get("rationale"), str):
            fields = {name: rationale[name] for name in _OF_RATIONALES if name in rationale}
            yield {**_question_row(same[0]), **fields}


def _unique(items: Rows) -> Rows:
    """Keep the first row of each id: sets repeat rows, and have several rationales for a
    question."""
    return list({row["id"]: row for row in reversed(items)}.values())[::-1]


def _select(items: Rows, purpose: str, fraction: float) -> Rows:
    """Select about this fraction of the rows, by a hash of question text and purpose."""
    return [row for row in items if _random_number(row, purpose) < fraction]


def _limited(items: Rows, limit: int | None) -> Rows:
    """Select `limit` rows by a hash of their text, in their original order; None selects all."""
    if limit is None or len(items) <= limit:
        return items
    chosen = sorted(range(len(items)), key=lambda index: _random_number(items[index], "limit"))[
        :limit
    ]
    return [items[index] for index in sorted(chosen)]


def _random_number(row: dict[str, Any], purpose: str) -> float:
    """Return a pseudo-random number from 0 to 1 that depends only on question text and
    `purpose`."""
    digest = hashlib.sha256(f"{purpose}\n{_key(row)}".encode()).digest()
    return float(int.from_bytes(digest[:8]) / 2**64)


def _key(row: dict[str, Any]) -> str:
    return normalized(row["question"])


def _gold(row: dict[str, Any]) -> str:
    return str(next(c["text"] for c in row["choices"] if c["label"] == row["answer"]))


def _question_row(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in _QUESTION_FIELDS if name in row}


def _write(file: Path, items: Iterable[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in items))
