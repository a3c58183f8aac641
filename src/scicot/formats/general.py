"""Read rows of layouts that have no module of their own, by the names and types of the fields.

The choices are read from the first of these places that has any:
- one field (choices.py)
- several columns with one choice each (choice_columns.py)
- fields of right and wrong answers (choice_columns.py)
- the question's text (cells.py).

If none of them has choices, but the gold answer is yes or no, the choices are yes and no. The same
applies to other pairs, such as true and false (yes_no.py).

A row whose choices come from the question's text or from such a pair is refused if it has a list
that may hold the choices (unused_lists.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from scicot.formats import cells, choice_columns, choices, columns, fields, published, yes_no
from scicot.formats.choice_set import Choices, choice_rows, lettered
from scicot.formats.gold import Gold, read_gold
from scicot.formats.names import CHOICES, QUESTIONS, QUESTIONS_BESIDE_CHOICES, plain_name
from scicot.formats.reading import BASES, PLAIN, Reading, UncertainIndex
from scicot.formats.unused_lists import refuse_unused_list
from scicot.formats.values import is_blank, shortened
from scicot.jsonl import decode
from scicot.row_fields import Row, RowProblem, as_json

_MARKED = ("mc1targets", "targetscores")  # TruthfulQA, BIG-bench
_SCORES = "targetscores"
_SENTENCES = ("sent1", "sent2")  # SWAG
# the first choice is always right; unshuffled, students would learn to answer A
_FIRST_IS_RIGHT = "mc1targets"


@dataclass(frozen=True, slots=True)
class _Found:
    """The choices of a row, with the fields from which they were read.

    used: the names of these fields. Empty if the choices are in the question's text, or are a pair
        such as yes and no.
    description: the name of these fields in messages, such as "A-D".
    answer: the gold label. None if the gold answer is withheld or has not been read.
    answer_field: the field of the gold answer. Empty if the gold answer has not been read.
    kind: the form of the gold answer, such as "texts". Empty if the gold answer has not been read.
    shuffled: True if the choices were shuffled.
    stem: the question's text without the choices. None if the choices are not in this text.
    """

    choices: Choices
    used: tuple[str, ...]
    description: str
    answer: str | None = None
    answer_field: str = ""
    kind: str = ""
    shuffled: bool = False
    stem: str | None = None


class Unread(RowProblem):
    """Raised for a row of no known layout."""


def convert(row: Row, reading: Reading = PLAIN) -> Row:
    """Convert a row to scicot's schema. Raises Unread if it has no question with choices."""
    row = columns.cells(row)
    question = _question(row)
    if question is None:
        raise Unread("not a question row")
    gold = published.gold_of(tuple(row))
    found = _found(row, question, gold, reading)
    if found is None:
        raise Unread("not a question row")
    text = row[question] if found.stem is None else found.stem
    sentences = _sentences(row, question)
    if sentences is not None:
        row = {name: cell for name, cell in row.items() if plain_name(name) not in _SENTENCES}
        row["context"] = sentences
    row = fields.with_context(row, reading, without=(question, *found.used))
    if question not in ("question", *found.used):
        row = {name: value for name, value in row.items() if name != question}
    row = {**row, "question": text}
    if reading.recognised is not None:
        reading.recognised.question = question
        reading.recognised.choices = found.description
        reading.recognised.shuffled = found.shuffled
    if found.answer_field:
        if reading.recognised is not None:
            reading.recognised.answer, reading.recognised.kind = found.answer_field, found.kind
        return fields.rebuilt(
            row, found.choices, found.answer, used=(*found.used, found.answer_field)
        )
    return fields.labelled(row, found.choices, reading=reading, gold=gold, used=found.used)


def _question(row: Row) -> str | None:
    """Return the name of the field that holds the question's text, None if there is none. If the
    field holds chat messages, replace them in `row` by the text of the last message."""
    for name in fields.named(row, (*QUESTIONS, *QUESTIONS_BESIDE_CHOICES)):
        value = row[name]
        if isinstance(value, list):
            contents = [m.get("content") for m in value if isinstance(m, Mapping)]
            value = next((text for text in reversed(contents) if isinstance(text, str)), None)
        if isinstance(value, str) and not is_blank(value):
            row[name] = value
            return name
    return None


def _sentences(row: Row, question: str) -> str | None:
    """Join SWAG's fields "sent1" and "sent2" into one context. Return None if these two fields do
    not hold the context."""
    names = fields.named(row, _SENTENCES)
    if len(names) < 2 or question in names or fields.named(row, ("context",)):
        return None
    texts = [row[name] for name in names]
    return " ".join(texts) if all(isinstance(text, str) for text in texts) else None


def _found(row: Row, question: str, gold: Gold, reading: Reading) -> _Found | None:
    found = _in_one_field(row, question, gold, reading) or _in_columns(row, question)
    if found is None and not reading.ordered:
        found = _right_and_wrong(row, question, gold, reading)
    if found is not None:
        return found
    found = _in_the_question(row, question)
    if found is None and not reading.ordered:
        found = _yes_or_no(row, gold, reading)
    if found is not None:
        texts = [choice["text"] for choice in found.choices.rows]
        refuse_unused_list(row, question, texts, (*gold.names, *gold.secondary))
    return found


def _in_one_field(row: Row, question: str, gold: Gold, reading: Reading) -> _Found | None:
    for name in fields.named(row, (*CHOICES, *_MARKED)):
        if name == question or is_blank(row[name]):
            continue
        if plain_name(name) == _SCORES:
            listed = choices.scored(row[name])
        else:
            listed = choices.listed(row[name], choices.letters_of(reading))
        if listed is None or len(listed.choices.rows) < 2:
            if plain_name(name) == "choices":
                raise RowProblem(_no_choices(row[name]))
            continue
        unmarked = _Found(listed.choices, (name,), name)
        if not listed.right:  # the answer is in another field or missing
            return unmarked
        if len(listed.right) > 1:
            raise RowProblem(f'"{name}" marks {len(listed.right)} choices as right; mark only one')
        right = listed.right[0]
        found = replace(unmarked, answer=right, answer_field=name, kind="marked")
        _check_agreement(row, found, gold, reading)
        if plain_name(name) == _FIRST_IS_RIGHT and not reading.ordered:
            rows, right = choice_columns.shuffled_by_hash(
                listed.choices.rows, right, _shuffle_key(row, question)
            )
            shuffled = replace(listed.choices, rows=rows, cells=())
            found = replace(found, choices=shuffled, answer=right, shuffled=True)
        return _without_answer(found) if _maps_answer(reading) else found
    return None


def _maps_answer(reading: Reading) -> bool:
    return reading.columns is not None and reading.columns.maps("answer")


def _without_answer(found: _Found) -> _Found:
    """Return a copy of `found` without the gold answer."""
    # Called if --columns maps the answer: the mapped field is then the only source of it.
    return replace(found, answer=None, answer_field="", kind="")


def _check_agreement(row: Row, found: _Found, gold: Gold, reading: Reading) -> None:
    """Raise RowProblem if a gold field of the row contradicts the answer in `found`. The fields
    from which the choices were read are not checked."""
    other_fields = {name: value for name, value in row.items() if name not in found.used}
    reading = replace(reading, recognised=None, kinds=None)
    try:
        answers = _possible_answers(other_fields, found.choices, gold, reading)
    except RowProblem:
        return  # the field names no choice, and may be the text of a solution
    label, name = answers[0]
    if label is not None and found.answer not in [label for label, _ in answers]:
        raise RowProblem(
            f'has two gold answers: "{name}" is {shortened(row[name or ""])}, choice'
            f" {shortened(label)}, and choice {shortened(found.answer)} is marked as right;"
            " remove the wrong one"
        )


def _possible_answers(
    row: Row, choices: Choices, gold: Gold, reading: Reading
) -> list[tuple[str | None, str | None]]:
    """Return everything that the gold answer may mean, as a list of pairs (gold label, name of the
    gold field). There are several pairs only if the answer is ambiguous.

    Raises RowProblem if the answer cannot be read.
    """
    try:
        return [read_gold(row, choices, gold, reading)]
    except UncertainIndex:
        pass
    # As an index or a label, or as a text.
    readings = [replace(reading, answer_index=base, answer_texts=False) for base in BASES]
    if reading.answer_texts is None:
        readings.insert(0, replace(reading, answer_texts=True))
    return [read_gold(row, choices, gold, each) for each in readings]


def _no_choices(value: Any) -> str:
    if isinstance(value, list):
        return f'"choices" is {as_json(value)}; it must be a list of 2 to 26 texts'
    if isinstance(value, str):
        try:
            decode(value)
        except ValueError:
            return (
                'the column "choices" holds neither JSON nor texts separated by | or ; (example:'
                " wood|copper|glass)"
            )
        return 'the column "choices" holds no list of choices'
    return '"choices" must hold two lists of strings, "text" and "label", or a text for each label'


def _in_columns(row: Row, question: str) -> _Found | None:
    for family in choice_columns.families(tuple(row)):
        if question not in family.columns:
            found = choice_columns.choices_of(row, family)
            if len(found.rows) > 1:
                return _Found(found, family.columns, family.description)
    return None


def _right_and_wrong(row: Row, question: str, gold: Gold, reading: Reading) -> _Found | None:
    parts = choice_columns.right_and_wrong(row, _shuffle_key(row, question))
    if parts is None:
        return None
    used = (parts.right, *parts.wrong)
    found = _Found(
        parts.choices, used, " + ".join(used), parts.answer, parts.right, "texts", shuffled=True
    )
    _check_agreement(row, found, gold, PLAIN)
    if reading.columns is None or not _maps_answer(reading):
        return found
    # The mapped answer is in the field "answer", or, beside mapped distractors, in another one.
    is_mapped = parts.right == "answer" or reading.columns.maps("distractors")
    return found if is_mapped else _without_answer(found)


def _shuffle_key(row: Row, question: str) -> str:
    """Return the text whose hash determines the order of the choices: the question and its
    context."""
    context = row.get("context")
    return f"{row[question]}\0{context if isinstance(context, str) else ''}"


def _in_the_question(row: Row, question: str) -> _Found | None:
    parsed = cells.choices_in(row[question])
    if parsed is None:
        return None
    stem, labels, texts = parsed
    found = Choices(choice_rows(labels, texts), labels_from="texts")
    return _Found(found, (), f"those in {question}", stem=stem)


def _yes_or_no(row: Row, gold: Gold, reading: Reading) -> _Found | None:
    mapped = _maps_answer(reading)
    texts_and_field = yes_no.texts_of(row, ("answer",) if mapped else gold.names, only=mapped)
    if texts_and_field is None:
        return None
    texts, name = texts_and_field
    answer = yes_no.label_of(row, name, texts)
    return _Found(Choices(lettered(texts)), (), " or ".join(texts), answer, name, "yes or no")
