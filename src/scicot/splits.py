"""Split rows into folds, or into train and dev. Rows that reveal each other's answers stay
together.

The split depends only on the questions, not on a seed or the order of files. So the two stages have
the same dev questions if they are trained on the same questions.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence

from scicot.errors import ScicotError
from scicot.overlap import text_key, whole_key
from scicot.records import Question
from scicot.reporting import number_of, some_of

Groups = list[list[int]]  # the row indices of each group

_HINT = (
    "(--fold-by FIELD groups by another field; --fold-by id keeps only rows with the same id or"
    " question together)"
)

_FIELDS_SHOWN = 12  # fields named in a message


def group_rows(questions: Sequence[Question], fold_by: str | None = None) -> Groups:
    """Group the rows that must stay together, and return the row indices of each group. The order
    of the groups depends only on their content.

    Rows with the same id are always in one group. Without `fold_by`, rows with the same question
    text are in one group too. `fold_by` is the name of a field, such as "meta.topic". With
    `fold_by`, two rows are also in one group if they have the same value of this field, or if their
    question texts, contexts and choices are all the same. Raises ScicotError if a row lacks the
    field.
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
    # Sort by the smallest hash of a text or, with `fold_by`, of a value in the group. With one hash
    # per row, large groups would nearly always come first.
    return sorted(
        members.values(),
        key=lambda group: min(_group_hash(questions[row], fold_by) for row in group),
    )


def assign_folds(
    groups: Groups, folds: int, dev: set[int] | None = None, extra: set[int] | None = None
) -> list[int]:
    """Return the fold of each row, from 0. Groups are not split, and all folds get about equally
    many rows.

    `dev` holds the indices of the dev rows. `extra` holds the indices of the rows that were read
    from --fold-questions; these must be the last rows. Fold students write rationales for `extra`
    rows, but are not trained on them.

    Three kinds of groups are distributed separately: groups with dev rows, groups with only `extra`
    rows, and training groups, which are all others. For each kind, the largest groups are assigned
    first, each to the fold that has the fewest rows of this kind so far. Raises ScicotError if
    there are fewer training groups than folds.
    """
    dev, extra = dev or set(), extra or set()
    trained = [group for group in groups if group[0] not in dev | extra]
    if len(trained) < folds:
        raise ScicotError(
            f"--folds {folds}: rows of related questions stay together, which leaves only"
            f" {number_of(len(trained), 'group')} to distribute {_HINT}"
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
    """Select whole groups as the dev split, about `fraction` of all rows. Return the row indices.

    A group is selected by a hash of its content. So a group that occurs in two files is usually
    selected in both files or in neither. There are three exceptions to the selection by hash:

    - A group is left out if it has more than `fraction` of all question ids. (Several rows may have
      the same id.)
    - If all groups are selected, the largest group is left out.
    - If no group is selected, the smallest group becomes the dev split, whatever its size.

    `groups` is the result of `group_rows` for the same `fold_by`. Raises ScicotError if there is
    only one group.
    """
    if len(groups) < 2:
        raise ScicotError(
            "--dev-fraction: rows of related questions stay together, and all rows form one group"
            f" {_HINT}"
        )
    by_size = sorted(groups, key=len)
    largest = fraction * len({question.id for question in questions})
    selected: set[int] = set()
    for group in groups:
        group_hash = min(_group_hash(questions[row], fold_by) for row in group)
        small = len({questions[row].id for row in group}) <= largest
        if small and int.from_bytes(group_hash[:8]) < fraction * 2**64:
            selected.update(group)
    if len(selected) == sum(map(len, groups)):
        selected.difference_update(by_size[-1])
    return selected or set(by_size[0])


def group_keys(question: Question, fold_by: str | None) -> Iterable[str]:
    """Yield the keys of a question. Questions that share a key are in one group. `fold_by` is the
    field of --fold-by, or None."""
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
        paths = question.field_paths()
        there_is = f"; its fields: {some_of(paths, _FIELDS_SHOWN)}" if paths else ""
        raise ScicotError(
            f"--fold-by {fold_by}: question {question.id!r} has no such field{there_is}"
        )
    return f"value {json.dumps(value, sort_keys=True)}"


def _group_hash(question: Question, fold_by: str | None) -> bytes:
    """Return a hash of the question's text or, if `fold_by` names a field, of the value of this
    field. It serves as a random number for the order and the selection of groups."""
    key = text_key(question) if fold_by is None else _value_key(question, fold_by)
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
