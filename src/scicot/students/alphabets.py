"""The tokenizer of a student without its weights: which characters it lacks, and how long texts
are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from scicot import stages
from scicot.errors import ScicotError
from scicot.models import characters
from scicot.models.characters import Alphabet, replacements_for
from scicot.models.pretrained import load_tokenizer, local_directory
from scicot.records import Question
from scicot.students.runs import read_manifest

_LIMIT = 512  # tokens, as --max-source-tokens has it where nothing else is said
_OPTION = "--student"


class StudentAlphabet:
    """Counts what a student cannot spell in questions."""

    def __init__(self, tokenizer: Any, alphabet: Alphabet, max_source_tokens: int) -> None:
        self.max_source_tokens = max_source_tokens
        self.counts: Counter[str] = Counter()
        self._tokenizer = tokenizer
        self._alphabet = alphabet

    @classmethod
    def of(cls, student: str) -> StudentAlphabet:
        """That of a run, which reads as it was trained to, or of a model, as a training would read;
        ScicotError where there is none."""
        if student.startswith("scratch:"):
            raise ScicotError(
                f"{_OPTION} {student}: a fresh student learns its characters from the rows that it"
                " is trained on; name a run, or a pretrained model"
            )
        directory = local_directory(student, f"{_OPTION} {student}")
        tokenizer = load_tokenizer(Path(directory), f"{_OPTION} {student}")
        manifest = read_manifest(Path(directory))
        if manifest is None:
            return cls(tokenizer, Alphabet(tokenizer, replacements_for(tokenizer)), _LIMIT)
        return cls(
            tokenizer, Alphabet(tokenizer, manifest.replacements), manifest.max_source_tokens
        )

    def add(self, question: Question) -> int:
        """Count a question; returns its tokens."""
        given = question.extra.get("rationale")
        text = stages.answer_input(question, given if isinstance(given, str) else None)
        ids: list[int] = self._ids([str(self._alphabet.plain_input(text))])[0]
        characters.count(self.counts, text, ids, self._alphabet, self._spelled)
        return len(ids)

    def _spelled(self, texts: list[str]) -> list[list[int]]:
        return self._ids([self._alphabet.plain(text) for text in texts])

    def _ids(self, texts: list[str]) -> list[list[int]]:
        ids: list[list[int]] = self._tokenizer(texts, truncation=False)["input_ids"]
        return ids

    @property
    def described(self) -> list[str]:
        """What was counted, in a sentence for each kind."""
        return [text for text in characters.describe(self.counts) if text not in self.problems]

    @property
    def problems(self) -> list[str]:
        """What a student cannot answer: choices that are the same to it."""
        equal = self.counts[characters.EQUAL]
        return [t for t in characters.describe(self.counts) if equal and "become equal" in t]
