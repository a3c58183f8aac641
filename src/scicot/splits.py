"""Rows that would give each other away are kept together: in one fold, or all in dev, or not.

What is chosen depends on the questions alone, not on a seed or on the order of files: both stages
carve the same dev questions out of the same questions.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence

from scicot.errors import ScicotError
from scicot.overlap import text_key, whole_key
from scicot.records import Question

Groups = list[list[int]]  # the places of the rows of each group

_HINT = "(--fold-by FIELD groups by another field; --fold-by id parts all but the same)"


def group_rows(questions: Sequence[Question], by: str | None = None) -> Groups:
    """Groups of rows that must not be parted, in an order that depends on their content alone.

    Rows of one id are one group, and so are rows of the same question text. With `by`, a field as
    "meta.topic", its value takes the place of the text: rows of one value are one group, and so
    are rows of the same text and choices. ScicotError where a row lacks the field.
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
    # By what binds a group, not by its members: of many members one would nearly always come first.
    return sorted(
        members.values(), key=lambda own: min(_binding(questions[place], by) for place in own)
    )


def assign_folds(
    groups: Groups, folds: int, dev: set[int] | None = None, further: set[int] | None = None
) -> list[int]:
    """The fold (from 0) of each row: whole groups, the folds as even in rows as they can be.

    Large groups are dealt first, each to the fold that has least; those of `dev` and those of
    nothing but `further` rows, which nobody learns from either, each kind for itself. ScicotError
    where there are fewer groups to learn from than folds.
    """
    dev, further = dev or set(), further or set()
    learnt = [own for own in groups if own[0] not in dev | further]
    if len(learnt) < folds:
        raise ScicotError(
            f"--folds {folds}: the rows make only {len(learnt)} groups that may be parted {_HINT}"
        )
    fold_of = [0] * sum(map(len, groups))
    for part in (learnt, *([own for own in groups if own[0] in kind] for kind in (dev, further))):
        sizes = [0] * folds
        for own in sorted(part, key=len, reverse=True):
            fold = sizes.index(min(sizes))
            sizes[fold] += len(own)
            for place in own:
                fold_of[place] = fold
    return fold_of


def dev_split(
    questions: Sequence[Question], groups: Groups, fraction: float, by: str | None = None
) -> set[int]:
    """The places of about this fraction of the rows, whole groups, at least one and never all.

    Each group is taken or left by itself, as a throw of dice that its content decides: what other
    rows there are does not matter, so another file of the same questions is parted alike. Only a
    group that is larger than the fraction asked for is left whatever the dice say.
    """
    if len(groups) < 2:
        raise ScicotError(f"--dev-fraction: all rows are one group that may not be parted {_HINT}")
    most = fraction * len({question.id for question in questions})
    carved: set[int] = set()
    for own in groups:
        dice = min(_binding(questions[place], by) for place in own)
        small = len({questions[place].id for place in own}) <= most
        if small and int.from_bytes(dice[:8]) < fraction * 2**64:
            carved.update(own)
    return carved or set(sorted(groups, key=len)[0])


def group_keys(question: Question, by: str | None) -> Iterable[str]:
    """The keys of a question: those that share one are one group."""
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
    """Dice thrown by what keeps a question's group together."""
    key = text_key(question) if by is None else _value_key(question, by)
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
