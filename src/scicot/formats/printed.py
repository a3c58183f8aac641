"""Find the letters and numbers that are printed in front of the texts of choices.

["(B)wood", "(A)copper"]   ["A) wood", "C) copper", "D) glass"]   ["1. wood", "2. copper"]

In a file from which choices were removed, or in which they were shuffled, the letters are not A, B,
C and so on. A gold answer "C" then means the choice with the letter C, not the third choice.

Some letters at the beginning of a text are not labels:
- A letter with a full stop or a colon may be part of a name, as in "E. coli" and "C: major". Such
  letters count only if those of all choices are A, B, C and so on (see choices.py), or a sequence
  with gaps, such as A, C, D (see `_letters_with_gaps`).
- A letter with a closing bracket may be part of a name, as in "(R)-butanol", or of an order of
  statements, as in "(B) → (A)". It does not count if a hyphen, an arrow or a further letter in
  brackets follows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

# Not "(a) and (b)", "(a) only", "[A] > [B]", "(B) → (A)" and "(R)-butanol", but "(B) -5".
_LETTER = re.compile(
    r"\s*([(\[]?)\s*([A-Za-z])\s*([)\]])"
    r"(?!\s*[<>=+*/^&,;←→↔⇒⇔]|[-–—]|\s+[-–—](?!\d))"
    r"(?!\s*(?:and|or|but|only|is|are|und|oder|nur|ist|sind)\b)"
    r"\s*(\S.*)",
    re.DOTALL | re.IGNORECASE,
)
# A further letter, as in "(b) false, (a) true" and "B) A) C)": the text is about statements with
# these letters. In "f(x)" and "(x + y)" there is none.
_FURTHER = re.compile(
    r"(?<!\w)[(\[]\s?[A-Za-z]\s?[)\]]|\A[^(\[]*(?<!\w)[A-Za-z]\s?[)\]]", re.DOTALL
)
_NUMBER = re.compile(r"\s*[(\[]?\s*(\d{1,2})(?:[)\]]|\.(?=\s))\s*\S", re.DOTALL)
# a quick check, which fails for nearly all texts
_MAY_BE_PRINTED = re.compile(r"[\s(\[]*[A-Za-z]\s*[)\]]").match
_DOTTED = re.compile(r"\s*([A-Z])[.:]\s+\S").match
# Letters up to J, the last one of sets with ten choices. Further letters, as in "(S) butanol", are
# rarely labels.
_LIKELY_LETTERS = 10


@dataclass(frozen=True, slots=True)
class _Letter:
    letter: str
    form: str  # its brackets, and whether it is a capital
    text: str  # the text after the letter


def labels_and_texts(texts: Sequence[str]) -> tuple[list[str], list[str]] | None:
    """Split texts that all begin with a printed label, such as "C) copper", into labels and texts.

    Return None in these cases:

    - A text has no printed label, or two texts have the same one.
    - The labels differ in form, such as "C)" and "(D)".
    - The letters are probably not labels.
    """
    if not _MAY_BE_PRINTED(texts[0]):
        return None
    found = [_letter(text) for text in texts]
    letters = [entry for entry in found if entry is not None]
    distinct = {entry.letter for entry in letters}
    if not len(texts) == len(letters) == len(distinct) or len({e.form for e in letters}) > 1:
        return None
    if not _are_likely(letters, len(texts)):
        return None
    return [entry.letter for entry in letters], [entry.text.strip() for entry in letters]


def contradicting(
    label: str, choices: Sequence[Mapping[str, Any]], *, dots: bool
) -> tuple[str, ...]:
    """If letters printed in the choices contradict the answer `label`, return the labels of the
    choices that the answer may mean. Otherwise return ().

    There are two contradictions:
    - Another letter is printed before the text of the choice `label`: choice A is "B) wood".
    - The letter `label` is printed before the text of another choice.

    Printed letters count only if more than half of the texts begin with a printed letter, and if
    these letters are all different.

    dots: True if letters with a full stop count too. If the choices have labels of their own, such
        letters are probably initials ("B. Franklin"), so `dots` should be False.
    """
    texts = [choice["text"] for choice in choices]
    for text in texts:
        if isinstance(text, str) and (_MAY_BE_PRINTED(text) or (dots and _DOTTED(text))):
            break
    else:
        return ()
    found: list[_Letter | None] = [*_letters_with_gaps(texts)] if dots else []
    found = found or [_letter(text) if isinstance(text, str) else None for text in texts]
    letters = [entry for entry in found if entry is not None]
    # Letters that come twice are probably references to statements, such as "(b) is wrong".
    distinct = {entry.letter for entry in letters}
    if (
        len(letters) <= max(1, len(texts) // 2)
        or len(distinct) < len(letters)
        or not _are_likely(letters, len(texts))
    ):
        return ()
    folded = label.strip().upper()
    by_label = [
        entry
        for choice, entry in zip(choices, found, strict=True)
        if entry is not None and str(choice["label"]) == label
    ]
    if any(entry.letter.upper() == folded for entry in by_label):
        return ()
    by_letter = [
        str(choice["label"])
        for choice, entry in zip(choices, found, strict=True)
        if entry is not None and entry.letter.upper() == folded
    ]
    return tuple(dict.fromkeys((label, *by_letter))) if by_label or by_letter else ()


def label_of_number(number: int, choices: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the label of the choice whose text begins with `number`, as in "2. copper".

    Return None in these cases:

    - No text begins with `number`.
    - At least one text does not begin with a number.
    - Two texts begin with the same number.
    """
    labels: dict[int, str] = {}
    for choice in choices:
        text = choice["text"]
        match = _NUMBER.match(text) if isinstance(text, str) else None
        if match is None:
            return None
        labels[int(match[1])] = str(choice["label"])
    return labels.get(number) if len(labels) == len(choices) else None


def _letters_with_gaps(texts: Sequence[Any]) -> list[_Letter]:
    """Return the letter of each text, for texts such as "A. wood", "C. copper" and "D. glass".

    All of these conditions must be met. Otherwise return [].

    - There are at least three texts.
    - Each text begins with a capital letter and a full stop or a colon.
    - The first letter is A, and the letters are in alphabetical order. Letters may be skipped.
    """
    matches = [_DOTTED(text) if isinstance(text, str) else None for text in texts]
    letters = [match[1] for match in matches if match]
    if not len(texts) == len(letters) == len(set(letters)) > 2 or letters[0] != "A":
        return []
    if letters != sorted(letters):
        return []
    return [_Letter(letter, ".", "") for letter in letters]


def _letter(text: str) -> _Letter | None:
    match = _LETTER.fullmatch(text)
    if match is None or _FURTHER.search(match[4]):
        return None
    case = "A" if match[2].isupper() else "a"
    return _Letter(match[2], f"{match[3]}{match[1]}{case}", match[4])


def _are_likely(letters: Sequence[_Letter], choice_count: int) -> bool:
    """Return True if these letters are early enough in the alphabet to be labels."""
    likely = ascii_uppercase[: max(_LIKELY_LETTERS, choice_count + 2)]
    return all(entry.letter.upper() in likely for entry in letters)
