"""A table of the questions that were asked. Questions are looked up by their id, or by their
text and choices."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping

from scicot import jsonl
from scicot.errors import ScicotError
from scicot.records import Question
from scicot.row_fields import RowProblem


class QuestionTable:
    """A table of `questions` in a temporary SQLite database. Error messages name `file`, the file
    of the questions.

    Raises ScicotError if two questions with the same id have different texts, contexts, choices or
    gold answers.
    """

    def __init__(self, questions: Iterable[Question], file: str) -> None:
        # SQLite keeps a database without a name in memory while it is small.
        self._table = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._table.execute("pragma journal_mode = off")
        self._table.execute("create table asked (id blob unique, content blob, row blob)")
        self._table.execute("create index alike on asked (content)")
        self._table.execute("begin")
        for question in questions:
            row = _key(question.id), _content(question), jsonl.encode(question.to_row())
            if self._table.execute("insert or ignore into asked values (?, ?, ?)", row).rowcount:
                continue
            earlier = self.get(question.id)
            if earlier is None or _facts(earlier) != _facts(question):
                raise ScicotError(
                    f"{file}: id {question.id!r} occurs twice, with different texts, contexts,"
                    " choices or answers; rename or delete one"
                )

    def get(self, identity: str) -> Question | None:
        query = "select row from asked where id = ?"
        found = self._table.execute(query, (_key(identity),)).fetchone()
        return None if found is None else Question.from_row(jsonl.decode(found[0]))

    def find_same(self, question: Question) -> Question | None:
        """Return the question in the table with the text and the choices of `question`, or None if
        there is none. Ids and labels are not compared.

        If several questions have this text and these choices, and their contexts differ, return the
        one that also has the context of `question`. Raises RowProblem if none of them has it.
        """
        query = "select row from asked where content = ? order by rowid"
        rows = self._table.execute(query, (_content(question),)).fetchall()
        found = [Question.from_row(jsonl.decode(row)) for (row,) in rows]
        if len({_words(same.context) for same in found}) < 2:
            return next(iter(found), None)
        for same in found:
            if _words(same.context) == _words(question.context):
                return same
        raise RowProblem(
            f"has no id, and {len(found)} questions have its text and choices, but none has its"
            " context; add the id"
        )

    def first_id(self) -> str:
        """Return the id of the first question; "" if there is none."""
        return next((question.id for question in self), "")

    def __iter__(self) -> Iterator[Question]:
        for (row,) in self._table.execute("select row from asked order by rowid"):
            yield Question.from_row(jsonl.decode(row))


def check_same_question(file: str, question: Question, seen: Mapping[str, int]) -> None:
    """Raise ScicotError if an earlier row had a different question with the id of `question`.
    `seen` maps the ids of earlier questions to their hashes."""
    if seen.get(question.id, hash_of(question)) != hash_of(question):
        raise ScicotError(
            f"{file}: two different questions have the id {question.id!r}; rename one"
        )


def hash_of(question: Question) -> int:
    """Return a hash of a question's text, context, choices and right answer. The hash does not
    depend on the order of the choices."""
    texts = frozenset(choice.text for choice in question.choices)
    right = None if question.answer is None else question.text_of(question.answer)
    return hash((_words(question.question), _words(question.context), texts, right))


def _facts(question: Question) -> tuple[object, ...]:
    """Return the fields in which questions with the same id have to agree."""
    texts = _words(question.question), _words(question.context)
    return *texts, question.choices, question.answer


def _content(question: Question) -> bytes:
    """Return a digest of the question's text and the choices' texts. The digest does not depend on
    the labels, nor on the amount of white space between the words of the question's text."""
    texts = [_words(question.question), *(choice.text for choice in question.choices)]
    return hashlib.blake2b(
        "\0".join(texts).encode("utf-8", "surrogatepass"), digest_size=16
    ).digest()


def _words(text: str) -> str:
    return " ".join(text.split())


def _key(identity: str) -> bytes:
    return identity.encode("utf-8", "surrogatepass")
