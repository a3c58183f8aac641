"""Find the characters that a tokenizer lacks, count them, and replace them where possible.

T5's vocabulary, for example, lacks { ^ ~ < and mathematical signs. Its tokenizer encodes each of
them as the unknown token, so "x ≥ 3" and "x ≤ 3" become the same choice to the model, and decoding
omits the unknown tokens.

REPLACEMENTS lists spellings for such characters. If the student's tokenizer lacks a listed
character, training replaces the character by the first spelling that the tokenizer can encode. The
run records the replacements (scicot.json, "replacements"), and prediction makes the same
replacements. If a run has no such record, nothing is replaced.
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

# Keys of the counters. There are also keys such as "lacking é" and "equal q1". The first counts the
# inputs with the character é. The second is for the question with the id q1, in which two choices
# become equal.
LACKING, LACKING_TARGETS, REPLACED, EQUAL = "lacking", "lacking_targets", "replaced", "equal"
_NAMED = 5  # maximum number of question ids, and of characters, listed in a message


class Alphabet:
    """The characters that a tokenizer lacks, and the replacements to make in a text before it is
    encoded. `replacements` maps characters to their spellings. If it is None, texts are not
    changed."""

    def __init__(self, tokenizer: Any, replacements: Mapping[str, str] | None = None) -> None:
        self.unknown: int | None = tokenizer.unk_token_id
        self.replacements = dict(replacements or {})
        self._tokenizer = tokenizer
        self._table = str.maketrans(self.replacements)
        self._lacks: dict[str, bool] = {}

    def lacks(self, character: str) -> bool:
        """Return True if the tokenizer encodes this character as its unknown token. Always False
        for white space, and for a tokenizer without an unknown token."""
        if self.unknown is None or character.isspace():
            return False
        if character not in self._lacks:
            ids = self._tokenizer(character, add_special_tokens=False)["input_ids"]
            self._lacks[character] = self.unknown in ids
        return self._lacks[character]

    def lacking(self, text: str) -> list[str]:
        """List the characters of a text that the tokenizer lacks, each once, in order of first
        occurrence."""
        return [character for character in dict.fromkeys(text) if self.lacks(character)]

    def plain(self, text: str) -> str:
        """Return the text with each character of `replacements` replaced by its spelling. If this
        changes the text, every run of white space also becomes a single space."""
        if not self._table:
            return text
        replaced = text.translate(self._table)
        return text if replaced == text else " ".join(replaced.split())

    def plain_input(self, text: Input) -> Input:
        """Return a student's input with `plain` applied to the question, the choices, the rationale
        and the context."""
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
    """Return the replacements for training a student with this tokenizer, as {character: spelling}.

    A character of REPLACEMENTS is included if the tokenizer lacks it and can encode one of its
    spellings; the first such spelling is used.
    """
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
    """Check one input for characters that the tokenizer lacks, and add the problems to `counts`.

    `text` is the input, and `ids` are its token ids. `spell` maps a list of texts to a list of
    token-id sequences. The input is counted under these keys:

    - LACKING, if `ids` contain the unknown token.
    - REPLACED, if `alphabet` replaces some of its characters.
    - EQUAL, if it is counted under LACKING or REPLACED, and two of its choices are different texts
      with the same token ids.
    """
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
    """Return True if two choices of an input have different texts but the same token ids. `spell`
    maps a list of texts to a list of token-id sequences."""
    texts = list(dict.fromkeys(choice.partition(") ")[2] for choice in text.choices))
    return len(set(map(tuple, spell(texts)))) < len(texts)


def describe(counts: Counter[str]) -> dict[str, str]:
    """Describe the problems in `counts`. Returns a dict with a sentence for each kind of problem
    that occurred. The kinds are LACKING, LACKING_TARGETS, REPLACED and EQUAL."""
    descriptions = {}
    if counts[LACKING]:
        found = {key[len(LACKING) + 1 :]: n for key, n in counts.items() if _is(key, LACKING)}
        by_count = sorted(found, key=lambda character: -found[character])
        rest_note = f" and {len(by_count) - _NAMED} more" if len(by_count) > _NAMED else ""
        descriptions[LACKING] = (
            f"{counts[LACKING]} inputs have characters that the student's tokenizer lacks"
            f" ({' '.join(by_count[:_NAMED])}{rest_note}); the student reads each of these"
            " characters as the unknown token"
        )
    if counts[LACKING_TARGETS]:
        descriptions[LACKING_TARGETS] = (
            f"{counts[LACKING_TARGETS]} targets have characters that the student's tokenizer lacks;"
            " the student learns to write the unknown token instead"
        )
    if counts[REPLACED]:
        descriptions[REPLACED] = (
            f"{counts[REPLACED]} inputs have characters that the student's tokenizer lacks; scicot"
            ' replaces them by other spellings ("replacements" in the scicot.json of a run)'
        )
    if counts[EQUAL]:
        names = [key[len(EQUAL) + 1 :] for key in counts if _is(key, EQUAL)]
        descriptions[EQUAL] = (
            f"in {counts[EQUAL]} inputs the student cannot tell two choices apart, because its"
            f" tokenizer lacks characters in which they differ (first ids: {', '.join(names)})"
        )
    return descriptions


def is_character_problem(key: str) -> bool:
    """Return True if `key` stands for a problem with characters that the tokenizer lacks. `key` is
    one of the keys of `cuts` in truncation.encode_inputs. Examples:

        key          result    counts
        lacking      True      inputs with characters that the tokenizer lacks
        lacking é    True      inputs with the character é, which the tokenizer lacks
        equal q1     True      inputs of question q1 in which such characters make two choices equal
        context      False     inputs with a truncated context
    """
    return key.partition(" ")[0] in (LACKING, LACKING_TARGETS, REPLACED, EQUAL)


def _is(key: str, kind: str) -> bool:
    return key.startswith(f"{kind} ")
