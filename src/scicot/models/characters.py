"""Find characters that a tokenizer lacks, count them, and replace them where possible.

T5's vocabulary lacks { ^ ~ < and mathematical signs: the model reads an unknown token instead, and
decoding omits them. So "x ≥ 3" and "x ≤ 3" become the same choice.

Training replaces the characters of REPLACEMENTS that its tokenizer lacks, each by the first
spelling that the tokenizer has, and records this in the run (scicot.json, "replacements");
prediction makes the same replacements. Runs without such a record are used without replacements.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from scicot.stages import Input

# Spellings to try for each character. docs/training.md shows this table.
REPLACEMENTS: dict[str, tuple[str, ...]] = {
    "≤": ("<=", " less than or equal to "),
    "≥": (">=", " greater than or equal to "),
    "<": (" less than ",),
    ">": (" greater than ",),
    "≠": ("!=", " not equal to "),
    "≈": ("~=", " approximately "),
    "±": ("+/-",),
    "−": ("-",),
    "×": ("*", " times "),
    "·": ("*", " times "),
    "⋅": ("*", " times "),
    "÷": ("/",),
    "√": (" sqrt ", " square root of "),
    "∞": (" infinity ",),
    "∑": (" sum ",),
    "∫": (" integral ",),
    "∂": (" d ",),
    "∆": (" Delta ",),
    "→": ("->", " to "),
    "←": ("<-", " from "),
    "↔": ("<->", " to and from "),
    "⇌": ("<=>", " in equilibrium with "),
    "⇒": ("=>", " implies "),
    "∧": (" and ",),
    "∨": (" or ",),
    "¬": (" not ",),
    "∈": (" in ",),
    "∪": (" union ",),
    "∩": (" intersection ",),
    "∅": (" empty set ",),
    "∀": (" for all ",),
    "∃": (" there exists ",),
    "{": ("(",),
    "}": (")",),
    "^": ("**", " to the power of "),
    "~": (" about ",),
    "\\": ("/",),
    "`": ("'",),
    "°": (" degrees ",),
    "′": ("'",),
    "″": ('"',),
    "α": (" alpha ",), "β": (" beta ",), "γ": (" gamma ",), "δ": (" delta ",),
    "ε": (" epsilon ",), "η": (" eta ",), "θ": (" theta ",), "λ": (" lambda ",),
    "μ": (" mu ",), "µ": (" mu ",), "ν": (" nu ",), "π": (" pi ",), "ρ": (" rho ",),
    "σ": (" sigma ",), "τ": (" tau ",), "φ": (" phi ",), "χ": (" chi ",), "ψ": (" psi ",),
    "ω": (" omega ",), "Δ": (" Delta ",), "Σ": (" Sigma ",), "Φ": (" Phi ",), "Ω": (" Omega ",),
}  # fmt: skip

# Keys of the counters.
LACKING, LACKING_TARGETS, REPLACED, EQUAL = "lacking", "lacking_targets", "replaced", "equal"
_NAMED = 5  # rows, and characters, listed in a message


class Alphabet:
    """The characters that a tokenizer lacks, and the replacements made before it encodes a text."""

    def __init__(self, tokenizer: Any, replacements: Mapping[str, str] | None = None) -> None:
        self.unknown: int | None = tokenizer.unk_token_id
        self.replacements = dict(replacements or {})
        self._tokenizer = tokenizer
        self._table = str.maketrans(self.replacements)
        self._lacks: dict[str, bool] = {}

    def lacks(self, character: str) -> bool:
        """Return True if the tokenizer encodes this character as its unknown token."""
        if self.unknown is None or character.isspace():
            return False
        if character not in self._lacks:
            ids = self._tokenizer(character, add_special_tokens=False)["input_ids"]
            self._lacks[character] = self.unknown in ids
        return self._lacks[character]

    def lacking(self, text: str) -> list[str]:
        """List the characters of a text that the tokenizer lacks, each once, in order."""
        return [character for character in dict.fromkeys(text) if self.lacks(character)]

    def plain(self, text: str) -> str:
        """Return the text with the replacements made."""
        if not self._table:
            return text
        replaced = text.translate(self._table)
        return text if replaced == text else " ".join(replaced.split())

    def plain_input(self, text: Input) -> Input:
        """Return a student's input with the replacements made in all its parts."""
        if not self._table:
            return text
        return replace(
            text,
            question=self.plain(text.question),
            choices=tuple(map(self.plain, text.choices)),
            rationale=self.plain(text.rationale),
            context=self.plain(text.context),
        )


def replacements_for(tokenizer: Any) -> dict[str, str]:
    """Return the replacements for training a student with this tokenizer: for each character that
    it lacks, the first spelling in REPLACEMENTS that it can encode, if any."""
    alphabet = Alphabet(tokenizer)
    found: dict[str, str] = {}
    if alphabet.unknown is None:
        return found
    for character, spellings in REPLACEMENTS.items():
        if alphabet.lacks(character):
            fitting = (text for text in spellings if not alphabet.lacking(text))
            spelling = next(fitting, None)
            if spelling is not None:
                found[character] = spelling
    return found


def count(
    counts: Counter[str], text: Input, ids: Sequence[int], alphabet: Alphabet, spell: Any
) -> None:
    """Count an input whose ids contain an unknown token, or in which characters were replaced.
    `spell` encodes texts, to find choices that became equal."""
    unknown = alphabet.unknown is not None and alphabet.unknown in ids
    replaced_input = alphabet.plain_input(text)
    if unknown:
        counts[LACKING] += 1
        counts.update(
            f"{LACKING} {character}" for character in alphabet.lacking(str(replaced_input))
        )
    replaced = replaced_input != text
    counts[REPLACED] += replaced
    if (unknown or replaced) and equal_choices(text, spell):
        counts[EQUAL] += 1
        if sum(key.startswith(f"{EQUAL} ") for key in counts) < _NAMED:
            counts[f"{EQUAL} {text.id}"] += 1


def equal_choices(text: Input, spell: Any) -> bool:
    """Return True if two choices with different texts have the same token ids; `spell` encodes a
    list of texts."""
    texts = list(dict.fromkeys(choice.partition(") ")[2] for choice in text.choices))
    return len(set(map(tuple, spell(texts)))) < len(texts)


def describe(counts: Counter[str]) -> dict[str, str]:
    """Describe what was counted, in a sentence for each kind (LACKING, EQUAL, ...)."""
    descriptions = {}
    if counts[LACKING]:
        found = {key[len(LACKING) + 1 :]: n for key, n in counts.items() if _is(key, LACKING)}
        by_count = sorted(found, key=lambda character: -found[character])
        rest_note = f" and {len(by_count) - _NAMED} more" if len(by_count) > _NAMED else ""
        descriptions[LACKING] = (
            f"{counts[LACKING]} inputs hold characters that the student's tokenizer lacks"
            f" ({' '.join(by_count[:_NAMED])}{rest_note}): to the student they are all the same"
        )
    if counts[LACKING_TARGETS]:
        descriptions[LACKING_TARGETS] = (
            f"{counts[LACKING_TARGETS]} targets hold characters that the student's tokenizer lacks:"
            " it learns to write an unknown token there"
        )
    if counts[REPLACED]:
        descriptions[REPLACED] = (
            f"{counts[REPLACED]} inputs have characters that the student's tokenizer lacks, read as"
            ' plain ones ("replacements" in its scicot.json)'
        )
    if counts[EQUAL]:
        names = [key[len(EQUAL) + 1 :] for key in counts if _is(key, EQUAL)]
        descriptions[EQUAL] = (
            f"in {counts[EQUAL]} inputs two choices become equal to the student, since its"
            f" tokenizer lacks characters: {', '.join(names)}"
        )
    return descriptions


def is_count(key: str) -> bool:
    """Return True if this key of a `cuts` counter is from this module (LACKING, EQUAL, ...), not a
    truncation."""
    return key.partition(" ")[0] in (LACKING, LACKING_TARGETS, REPLACED, EQUAL)


def _is(key: str, kind: str) -> bool:
    return key.startswith(f"{kind} ")
