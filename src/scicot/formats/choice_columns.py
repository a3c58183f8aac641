"""Read choices from columns of two kinds:

- one column for each label, named A to D, "Option A", opa, opt1, choice0, ending0 or "Answer 1",
- columns of right and wrong answers, such as correct_answer and distractor1.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import count, takewhile
from string import ascii_uppercase
from typing import Any

from scicot.formats import choices, fields
from scicot.formats.choice_set import ChoiceRow, Choices, lettered
from scicot.formats.names import CHOICE_PREFIXES, RIGHT, WRONG, plain_name
from scicot.formats.values import is_blank, number_as_text

_PREFIX = "|".join(sorted(CHOICE_PREFIXES, key=len, reverse=True))
_CHOICE = re.compile(
    rf"[(\[]?(?:(?P<prefix>{_PREFIX})[(\[]?)?(?P<label>[a-z]|\d{{1,2}})[)\].]?(?P<more>text)?"
)
_PADDED = re.compile(r"0[0-9]")
_WRONG = re.compile(rf"({'|'.join(sorted(WRONG, key=len, reverse=True))})(?:[a-z]|\d{{1,2}})?")


@dataclass(frozen=True)
class Family:
    """Columns with one choice each, such as "opt1" and "opt2".

    prefix: the beginning of all names ("opt"). It may be empty.
    labels: the labels of the choices. They are consecutive and begin with A, 0 or 1.
    columns: the columns' names, in the order of `labels`.
    """

    prefix: str
    labels: tuple[str, ...]
    columns: tuple[str, ...]

    @property
    def description(self) -> str:
        first, last = self.columns[0], self.columns[-1]
        return f"{first}-{last}" if len(first) == len(last) == 1 else f"{first} to {last}"

    @cached_property
    def labels_by_name(self) -> dict[str, str]:
        """The label of each column, by the column's name in the form of `plain_name`. Gold answers
        such as "Option B" are looked up here. A column named "choice01" also has the key "01"."""
        if not self.prefix:
            return {}  # the names are the labels themselves
        names = [plain_name(name) for name in self.columns]
        padded = [name.removeprefix(self.prefix) for name in names]
        found = dict(zip(names, self.labels, strict=True))
        pairs = zip(padded, self.labels, strict=True)
        return found | {number: label for number, label in pairs if _PADDED.fullmatch(number)}


@lru_cache(maxsize=256)  # cached because nearly all rows of a file have the same fields
def families(names: tuple[str, ...]) -> tuple[Family, ...]:
    """Return all families of choice columns among these field names. A family has at least two
    columns, and its first label is A, 0 or 1. So columns named "x" and "y" are not a family."""
    found: dict[str, dict[str, str]] = {}
    for name in names:
        match = _CHOICE.fullmatch(plain_name(name))
        if match is None:
            continue
        prefix, label = match["prefix"] or "", match["label"].upper()
        if prefix or (label.isalpha() and not match["more"]):
            label = str(int(label)) if label.isdigit() else label
            found.setdefault(prefix, {}).setdefault(label, name)
    families_found = []
    for prefix in (*CHOICE_PREFIXES, ""):
        family = found.get(prefix, {})
        for labels in _label_runs():
            run = tuple(takewhile(family.__contains__, labels))
            if len(run) > 1:
                families_found.append(Family(prefix, run, tuple(family[label] for label in run)))
                break
    return tuple(families_found)


def _label_runs() -> Iterator[Iterable[str]]:
    yield ascii_uppercase
    yield map(str, count(0))
    yield map(str, count(1))


def choices_of(row: Mapping[str, Any], family: Family) -> Choices:
    """Return the choices of a row from the columns of a family, leaving out blank cells. Each
    choice keeps the label of its column."""
    cells: list[str | None] = []
    rows: list[ChoiceRow] = []
    for label, name in zip(family.labels, family.columns, strict=True):
        text = row[name]
        if is_blank(text):
            cells.append(None)
        else:
            cells.append(label)
            rows.append({"label": label, "text": number_as_text(text)})
    return Choices(rows, tuple(cells), "row", numeric=True, columns=family.labels_by_name)


@dataclass(frozen=True)
class RightAndWrong:
    """Choices made from fields of right and wrong answers, shuffled by a hash of the question.
    `answer` is the label of the right choice. `right` and `wrong` are the names of the fields."""

    choices: Choices
    answer: str
    right: str
    wrong: tuple[str, ...]


@lru_cache(maxsize=256)
def wrong_columns(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the fields that hold wrong answers."""
    return tuple(name for name in names if _WRONG.fullmatch(plain_name(name)))


def right_and_wrong(row: Mapping[str, Any], shuffle_key: str) -> RightAndWrong | None:
    """Return the choices of a row that has separate fields for right and wrong answers. Return None
    for other rows. The choices are shuffled by a hash of `shuffle_key`."""
    wrong = wrong_columns(tuple(row))
    right = fields.first_filled(row, fields.named(row, RIGHT)) if wrong else None
    if right is None or not isinstance(row[right], str):
        return None
    texts = [row[right].strip()]
    for name in wrong:
        if is_blank(row[name]):
            continue
        # "distractor1" always holds a single text; "distractors" may hold a list.
        single = name.strip()[-1:].isdigit()
        found = [row[name]] if single else choices.distractors(row[name], row[right])
        texts += [number_as_text(text) for text in found]
    if len(texts) < 2 or not all(isinstance(text, str) for text in texts):
        return None
    listed = lettered([text.strip() for text in texts])
    rows, answer = shuffled_by_hash(listed, listed[0]["label"], shuffle_key)
    return RightAndWrong(Choices(rows), answer, right, wrong)


def shuffled_by_hash(
    rows: list[ChoiceRow], right: str, shuffle_key: str
) -> tuple[list[ChoiceRow], str]:
    """Shuffle choices, and label them A, B, C and so on. Return (shuffled choices, label of the
    right choice after the shuffle).

    The order depends only on the choices and on the hash of `shuffle_key`, so it is the same in
    every run. `right` is the label of the right choice before the shuffle.
    """
    order = sorted(range(len(rows)), key=lambda n: _digest(shuffle_key, rows[n]["text"], n))
    shuffled_rows = lettered([rows[index]["text"] for index in order])
    right_index = [choice["label"] for choice in rows].index(right)
    return shuffled_rows, shuffled_rows[order.index(right_index)]["label"]


def _digest(shuffle_key: str, text: str, index: int) -> bytes:
    content = f"{shuffle_key}\0{text}\0{index}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(content).digest()
