"""Check a file of questions before it is used: report how it is read, and its problems."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import asdict, dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from scicot import sources
from scicot.config import ReadingSettings
from scicot.overlap import SeenQuestions, text_key
from scicot.records import Question, content_id
from scicot.reporting import LogReporter, Muted, Reporter, counted, some_of
from scicot.row_fields import Row

if TYPE_CHECKING:
    from scicot.students.alphabets import StudentAlphabet

SHOWN = 3  # number of questions in `Check.first`
LONG = 2_000  # characters, about as many as 512 tokens of a student
_IDS_SHOWN = 10  # maximum number of ids in a message


@dataclass
class Check:
    """The result of checking a file of questions.

    - `problems`: sentences about what must be fixed.
    - `notes`: facts that need no action.
    - `id_fields`: the names of the fields from which ids are read.
    - `choices`: the number of questions with 2 choices, with 3 choices and so on.
    - `gold`: the number of questions for each label of the gold answer.

    These attributes are counts:

    - `made_ids`: questions without an id. Their id is made from question, context and choices.
    - `repeated`: rows with the id and content of an earlier row.
    - `same_text`: rows with the question text of an earlier row, but with another id.
    - `equal_choices`: questions in which two choices have the same text.
    - `images`: questions about an image, which are skipped.
    - `overlap`: questions that are also in another file.

    Lengths include the context and the choices. They are in tokens if a student is given, else in
    characters.

    - `unit`: the unit of lengths.
    - `longest`: the length of the longest question.
    - `long`: the number of questions that are longer than the student's limit or, without a
      student, longer than 2,000 characters.
    - `characters`: for each kind of problem with characters that the student's tokenizer lacks
      (models/characters.py), the number of questions that have the problem.
    """

    file: str
    read_as: list[str] = field(default_factory=list)
    kept_fields: list[str] = field(default_factory=list)
    id_fields: list[str] = field(default_factory=list)
    made_ids: int = 0
    first: list[Row] = field(default_factory=list)
    questions: int = 0
    unreadable: int = 0
    images: int = 0
    without_answer: int = 0
    choices: dict[str, int] = field(default_factory=dict)
    gold: dict[str, int] = field(default_factory=dict)
    repeated: int = 0
    same_text: int = 0
    equal_choices: int = 0
    long: int = 0
    longest: int = 0
    unit: str = "characters"
    characters: dict[str, int] = field(default_factory=dict)
    overlap: dict[str, int] | None = None
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def fit(self) -> bool:
        """True if the check found no problem."""
        return not self.problems

    def to_row(self) -> Row:
        return {**asdict(self), "fit": self.fit}


class _Listener(Muted):
    """A reporter that collects warnings, suppresses notes, and passes progress on to another
    reporter."""

    def __init__(self, reporter: Reporter) -> None:
        super().__init__(reporter)
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def check(
    questions: sources.Source,
    *,
    student: str | None = None,
    overlap: sources.Source | None = None,
    reading: ReadingSettings | None = None,
    limit: int | None = None,
    reporter: Reporter | None = None,
) -> Check:
    """Read a file of questions as all commands do, and report what was found.

    `student` is a run, a model directory or a Hub id. Only its tokenizer is loaded, to measure
    lengths and to find characters that it lacks. `overlap` is another file of questions, with which
    the questions are compared. Raises ScicotError if the file as a whole cannot be read.
    """
    reporter = reporter or LogReporter()
    listener = _Listener(reporter)
    found = Check(os.fspath(questions))
    alphabet = _alphabet(student) if student is not None else None
    rows = sources.questions(
        questions, reading=reading, limit=limit, skip_invalid=True, reporter=listener
    )
    tally = _Tally(found, alphabet, _seen(overlap, reading, reporter))
    with reporter.task(f"reading {found.file}") as task:
        for question in counted(rows, task):
            tally.add(question)
    tally.close()
    found.read_as = rows.recognised or ["scicot's own rows: question, choices, answer"]
    own_ids = found.made_ids < found.questions
    found.id_fields = (rows.id_fields or ["id"]) if own_ids else []
    found.unreadable, found.images = rows.counts.invalid, rows.counts.not_text
    found.notes += rows.notes
    if rows.columns_warning:
        found.problems.append(rows.columns_warning)
    if rows.counts.invalid:
        count = rows.counts.invalid
        subject = "1 row cannot be read" if count == 1 else f"{count:,} rows cannot be read, first"
        found.problems.append(f"{subject}{':' if count == 1 else ''} {rows.counts.first_invalid}")
    if found.without_answer == found.questions and rows.likely_answer:
        field_name = rows.likely_answer
        found.problems.append(
            f'no row has a gold answer; if "{field_name}" holds it, add'
            f" --columns answer={field_name}"
        )
    return found


def _alphabet(student: str) -> StudentAlphabet:
    from scicot.students.alphabets import StudentAlphabet

    return StudentAlphabet.of(student)


def _seen(
    file: sources.Source | None, reading: ReadingSettings | None, reporter: Reporter
) -> SeenQuestions | None:
    if file is None:
        return None
    seen = SeenQuestions()
    seen.add(sources.questions(file, reading=reading, skip_invalid=True, reporter=Muted(reporter)))
    return seen


class _Tally:
    """Adds questions to the counts of a `Check`, one at a time."""

    def __init__(
        self, found: Check, alphabet: StudentAlphabet | None, seen: SeenQuestions | None
    ) -> None:
        self._found = found
        self._alphabet = alphabet
        self._seen = seen
        self._choices: Counter[int] = Counter()
        self._gold: Counter[str] = Counter()
        self._contents: dict[str, str] = {}  # content digests by id
        self._texts: set[str] = set()
        self._conflicts: list[str] = []
        self._unanswered: set[str] = set()  # ids whose first row has no gold answer
        self._lost_gold: dict[str, None] = {}  # those of which a later row has one
        self._fields: dict[str, None] = {}

    def add(self, question: Question) -> None:
        found = self._found
        found.questions += 1
        if len(found.first) < SHOWN:
            found.first.append(question.to_row())
        self._fields.update(dict.fromkeys(question.extra))
        self._choices[len(question.choices)] += 1
        if question.answer is None:
            found.without_answer += 1
        else:
            self._gold[question.answer] += 1
        texts = [choice.text.strip() for choice in question.choices]
        found.equal_choices += len(set(texts)) < len(texts)
        self._compare(question)
        self._measure(question)

    def _compare(self, question: Question) -> None:
        content = content_id(question.question, question.context, question.choices)
        self._found.made_ids += question.id == content
        key = text_key(question)
        if question.answer is None and question.id not in self._contents:
            self._unanswered.add(question.id)
        elif question.answer is not None and question.id in self._unanswered:
            self._lost_gold[question.id] = None
        earlier = self._contents.setdefault(question.id, content)
        if earlier != content:
            self._conflicts.append(question.id)
        elif key in self._texts:
            # The question text occurs again, with other choices or under another id.
            self._found.same_text += 1
        self._texts.add(key)
        if self._seen is not None:
            self._seen.overlap_with([question])

    def _measure(self, question: Question) -> None:
        if self._alphabet is not None:
            length, limit = self._alphabet.add(question), self._alphabet.max_source_tokens
        else:
            texts = (choice.text for choice in question.choices)
            length = sum(map(len, chain([question.question, question.context], texts)))
            limit = LONG
        self._found.longest = max(self._found.longest, length)
        self._found.long += length > limit

    def close(self) -> None:
        """Fill in the results that are known only after the last question."""
        found = self._found
        found.choices = {str(number): count for number, count in sorted(self._choices.items())}
        found.gold = dict(sorted(self._gold.items()))
        found.kept_fields = list(self._fields)
        found.repeated = found.questions - len(self._contents) - len(self._conflicts)
        found.same_text -= found.repeated
        if self._conflicts:
            named = some_of(self._conflicts[:_IDS_SHOWN])
            found.problems.append(
                f"different questions share an id ({named}); give each question its own id"
            )
        if self._lost_gold:
            named = some_of(list(self._lost_gold)[:_IDS_SHOWN])
            found.notes.append(
                "only the first row of a repeated question is read, and it lacks the gold answer of"
                f" a later row ({named}); delete the row without it"
            )
        if self._seen is not None:
            overlap = self._seen.overlap
            found.overlap = {"same_text": overlap.same_text, "same_question": overlap.same_question}
        if self._alphabet is not None:
            found.unit = "tokens"
            found.characters = dict(self._alphabet.counts)
            found.notes += self._alphabet.described
            found.problems += self._alphabet.problems
