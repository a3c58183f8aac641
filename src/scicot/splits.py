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


def group_rows(questions: Sequence[Question], by: str | None = None) -> Groups:
    """Group rows that must stay together; the order of groups depends only on their content.

    Rows with the same id, or the same question text, are in one group. With `by`, a field such as
    "meta.topic", its value replaces the text: rows with the same value are in one group, and so are
    rows with the same text and choices. Raises ScicotError if a row lacks the field.
    """
    parents = list(range(len(questions)))

    def root(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    first: dict[str, int] = {}
    for place, question in enumerate(questions):
        for key in group_keys(question, by):
            parents[root(place)] = root(first.setdefault(key, place))
    members: dict[int, list[int]] = defaultdict(list)
    for place in range(len(questions)):
        members[root(place)].append(place)
    # Sorted by the hash that identifies a group. By its members' hashes, large groups would nearly
    # always come first.
    return sorted(
        members.values(), key=lambda group: min(_binding(questions[place], by) for place in group)
    )


def assign_folds(
    groups: Groups, folds: int, dev: set[int] | None = None, further: set[int] | None = None
) -> list[int]:
    """Return the fold (from 0) of each row: whole groups, with about equally many rows per fold.

    The largest groups are assigned first, each to the smallest fold. Groups that are not trained on
    are balanced separately: those in `dev`, and those with only `further` rows. Raises ScicotError
    if there are fewer groups to train on than folds.
    """
    dev, further = dev or set(), further or set()
    learnt = [group for group in groups if group[0] not in dev | further]
    if len(learnt) < folds:
        raise ScicotError(
            f"--folds {folds}: the rows make only {len(learnt)} groups that may be parted {_HINT}"
        )
    fold_of = [0] * sum(map(len, groups))
    for part in (
        learnt,
        *([group for group in groups if group[0] in kind] for kind in (dev, further)),
    ):
        sizes = [0] * folds
        for group in sorted(part, key=len, reverse=True):
            fold = sizes.index(min(sizes))
            sizes[fold] += len(group)
            for place in group:
                fold_of[place] = fold
    return fold_of


def dev_split(
    questions: Sequence[Question], groups: Groups, fraction: float, by: str | None = None
) -> set[int]:
    """Return the indices of about this fraction of the rows: whole groups, at least one and never
    all.

    Each group is selected by a hash of its content, independent of the other rows, so that another
    file of the same questions is split alike. A group with more than this fraction of the questions
    is not selected. If no group is selected, the smallest one is returned.
    """
    if len(groups) < 2:
        raise ScicotError(f"--dev-fraction: all rows are one group that may not be parted {_HINT}")
    most = fraction * len({question.id for question in questions})
    carved: set[int] = set()
    for group in groups:
        dice = min(_binding(questions[place], by) for place in group)
        small = len({questions[place].id for place in group}) <= most
        if small and int.from_bytes(dice[:8]) < fraction * 2**64:
            carved.update(group)
    return carved or set(sorted(groups, key=len)[0])


def group_keys(question: Question, by: str | None) -> Iterable[str]:
    """Yield the keys of a question; questions that share a key are in one group."""
    yield f"id {question.id}"
    if by is None:
        yield f"text {text_key(question)}"
        return
    yield f"question {whole_key(question)}"
    yield _value_key(question, by)


def _value_key(question: Question, by: str) -> str:
    try:
        value = question.field(by)
    except KeyError:
        value = None
    if value is None:
        raise ScicotError(f"--fold-by {by}: question {question.id!r} has no such field")
    return f"value {json.dumps(value, sort_keys=True)}"


def _binding(question: Question, by: str | None) -> bytes:
    """Return a hash of the text or value that determines a question's group. It serves as a random
    number for the split."""
    key = text_key(question) if by is None else _value_key(question, by)
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
