"""Split rows into folds and into train and dev; rows that leak each other's answers stay together.

The split depends only on the questions, not on a seed or the order of files: both stages select the
same dev questions from the same questions.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence

from scicot.errors import ScicotError
from scicot.overlap import text_key, whole_key
from scicot.records import Question

Groups = list[list[int]]  # the row indices of each group

_HINT = "(--fold-by FIELD groups by another field; --fold-by id parts all but the same)"


def group_rows(questions: Sequence[Question], fold_by: str | None = None) -> Groups:
    """Group rows that must stay together; the order of groups depends only on their content.

    Rows with the same id, or the same question text, are in one group. With `fold_by`, a field such
    as "meta.topic", its value replaces the text: rows with the same value are in one group, and so
    are rows with the same text and choices. Raises ScicotError if a row lacks the field.
    """
    parents = list(range(len(questions)))

    def root(row: int) -> int:
        while parents[row] != row:
            parents[row] = parents[parents[row]]
            row = parents[row]
        return row

    first_row: dict[str, int] = {}
    for row, question in enumerate(questions):
        for key in group_keys(question, fold_by):
            parents[root(row)] = root(first_row.setdefault(key, row))
    members: dict[int, list[int]] = defaultdict(list)
    for row in range(len(questions)):
        members[root(row)].append(row)
    # Sorted by the hash that identifies a group. By its members' hashes, large groups would nearly
    # always come first.
    return sorted(
        members.values(),
        key=lambda group: min(_group_hash(questions[row], fold_by) for row in group),
    )


def assign_folds(
    groups: Groups, folds: int, dev: set[int] | None = None, extra: set[int] | None = None
) -> list[int]:
    """Return the fold (from 0) of each row: whole groups, with about equally many rows per fold.

    The largest groups are assigned first, each to the smallest fold. Groups that are not trained on
    are balanced separately: those in `dev`, and those with only `extra` rows. Raises ScicotError
    if there are fewer groups to train on than folds.
    """
    dev, extra = dev or set(), extra or set()
    trained = [group for group in groups if group[0] not in dev | extra]
    if len(trained) < folds:
        raise ScicotError(
            f"--folds {folds}: the rows make only {len(trained)} groups that may be parted {_HINT}"
        )
    row_folds = [0] * sum(map(len, groups))
    for part in (
        trained,
        *([group for group in groups if group[0] in rows] for rows in (dev, extra)),
    ):
        sizes = [0] * folds
        for group in sorted(part, key=len, reverse=True):
            fold = sizes.index(min(sizes))
            sizes[fold] += len(group)
            for row in group:
                row_folds[row] = fold
    return row_folds


def dev_split(
    questions: Sequence[Question], groups: Groups, fraction: float, fold_by: str | None = None
) -> set[int]:
    """Return the indices of about this fraction of the rows: whole groups, at least one and never
    all.

    Each group is selected by a hash of its content, independent of the other rows, so that another
    file of the same questions is split in the same way. A group with more than this fraction of the
    questions is not selected. If no group is selected, the smallest one is returned.
    """
    if len(groups) < 2:
        raise ScicotError(f"--dev-fraction: all rows are one group that may not be parted {_HINT}")
    largest = fraction * len({question.id for question in questions})
    selected: set[int] = set()
    for group in groups:
        group_hash = min(_group_hash(questions[row], fold_by) for row in group)
        small = len({questions[row].id for row in group}) <= largest
        if small and int.from_bytes(group_hash[:8]) < fraction * 2**64:
            selected.update(group)
    return selected or set(sorted(groups, key=len)[0])


def group_keys(question: Question, fold_by: str | None) -> Iterable[str]:
    """Yield the keys of a question; questions that share a key are in one group."""
    yield f"id {question.id}"
    if fold_by is None:
        yield f"text {text_key(question)}"
        return
    yield f"question {whole_key(question)}"
    yield _value_key(question, fold_by)


def _value_key(question: Question, fold_by: str) -> str:
    try:
        value = question.field(fold_by)
    except KeyError:
        value = None
    if value is None:
        raise ScicotError(f"--fold-by {fold_by}: question {question.id!r} has no such field")
    return f"value {json.dumps(value, sort_keys=True)}"


def _group_hash(question: Question, fold_by: str | None) -> bytes:
    """Return a hash of the text or value that determines a question's group. It serves as a random
    number for the split."""
    key = text_key(question) if fold_by is None else _value_key(question, fold_by)
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
