"""Compare the question in a row of answers with its counterpart in the question file.

    {"id": "q1", "question": "Which conducts?", "choices": ["wood", "copper"], "prediction": "B"}
    {"id": "q1", "choices": ["wood", "copper"], "prediction": "B"}        part of a question
    {"id": "q1", "prediction": "B", "answer": "B"}                        only its gold answer

If a row has only a part of the question, only this part is compared. Choices must have the same
texts in the same order as in the question file.

A field such as "answers" may hold the choices, or replies of a model. For example, the choices in
the question file are "wood" and "copper":

    "answers": ["wood", "copper"]           the choices
    "answers": ["copper", "wood"]           the choices in another order: an error
    "answers": ["It conducts.", "Metal"]    replies, which are ignored
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from msgspec import structs

from scicot.formats import Reading, UncertainIndex, choice_columns, to_question_row
from scicot.formats import cells as text_cells
from scicot.formats import choices as choice_fields
from scicot.formats.choice_set import ChoiceRow, Choices, choice_rows
from scicot.formats.columns import cells
from scicot.formats.fields import first_filled, named
from scicot.formats.gold import Gold, read_gold
from scicot.formats.names import ANSWERS, CHOICES, plain_name
from scicot.formats.reading import BASES
from scicot.records import Question
from scicot.row_fields import Row, RowProblem

# A "prompt" or "query" may be what the model was sent, with instructions or examples.
_QUESTIONS = ("question", "questionstem", "stem", "questiontext", "qtext")
_COPA = ("cause", "effect")  # COPA's "question", from which the question's text is made
# "correct" may also say whether the prediction is right.
_GOLD = Gold(secondary=("correctanswer", "correctoption", "correctchoice", "goldanswer"))
_PERHAPS_REPLIES = ("answers", "candidates", "choice", "possibleanswers")
_CHOICE_PREFIXES = ("", "choice", "option", "opt", "op", "answeroption", "answerchoice")
# Most files of answers have no other fields, so their rows need not be searched for a question.
_ANSWER_ONLY = frozenset({"id", "prediction", "scores", "confidence"})


def question_in(row: Row, reading: Reading) -> Question | None:
    """Return the question that a row contains; None if it contains no complete question."""
    if row.keys() <= _ANSWER_ONLY:
        return None
    try:
        return Question.from_row(to_question_row(row, replace(reading, columns=None)))
    except RowProblem:
        return None


def check_same(row_question: Question, question: Question) -> None:
    """Raise RowProblem if the texts, choices or gold answers of two questions differ.
    `row_question` is contained in a row, and `question` is its counterpart in the question file."""
    _check_words(row_question.question, question)
    _check_choices([choice.text for choice in row_question.choices], question)
    if row_question.answer is None or question.answer is None:
        return
    if row_question.text_of(row_question.answer) != question.text_of(question.answer):
        raise _other(question, f"another gold answer ({row_question.answer!r})")


def check_parts(row: Row, question: Question, reading: Reading) -> Question:
    """Compare an incomplete question in `row` with `question`, its counterpart in the question
    file. Raises RowProblem if `row` has another question text, other choices or another gold
    answer.

    If `row` has choices, return the question with the labels that `row` uses. Otherwise return
    `question` unchanged.
    """
    if row.keys() <= _ANSWER_ONLY:
        return question
    row = cells(row)
    # The row may be incomplete only because its gold answer cannot be read.
    unlabelled = {name: value for name, value in row.items() if plain_name(name) not in ANSWERS}
    found = question_in(unlabelled, reading) if len(unlabelled) < len(row) else None
    if found is not None:
        check_same(found, question)
    else:
        _check_text(row, question)
        found = _with_choices_of(row, question)
    _check_gold(row, found, question, reading)
    return found


def _other(question: Question, part: str) -> RowProblem:
    return RowProblem(f"{question.id!r} has {part} than in the --questions file")


def _check_words(text: str, question: Question) -> None:
    if text.split() != question.question.split():
        raise _other(question, "another text")


def _check_choices(texts: Sequence[str], question: Question) -> None:
    if list(texts) != [choice.text for choice in question.choices]:
        raise _other(question, "other choices")


def _check_text(row: Row, question: Question) -> None:
    text = row.get(first_filled(row, named(row, _QUESTIONS)) or "")
    if not isinstance(text, str) or text.strip().casefold() in _COPA:
        return
    marked = text_cells.choices_in(text)
    if marked is None or text.split() == question.question.split():
        _check_words(text, question)
    else:
        _check_words(marked[0], question)
        _check_choices(marked[2], question)


def _with_choices_of(row: Row, question: Question) -> Question:
    """If `row` has choices, return `question` with the labels that `row` uses, and without a gold
    answer. Otherwise return `question` unchanged. Raises RowProblem if the texts of the choices of
    `row` and `question` differ."""
    texts = [choice.text for choice in question.choices]
    found = question
    for rows, certain in _choices_in(row):
        row_texts = [str(choice["text"]) for choice in rows]
        # Labels without texts, and scores in columns A to D, are no choices.
        same = sorted(row_texts) == sorted(texts)
        if not same and (not certain or row_texts == list(question.labels) or _numbers(row_texts)):
            continue
        _check_choices(row_texts, question)
        labelled = [{"label": str(choice["label"]), "text": choice["text"]} for choice in rows]
        complete = Question.from_row({"question": question.question, "choices": labelled})
        found = structs.replace(question, choices=complete.choices, answer=None)
    return found


def _choices_in(row: Row) -> Iterator[tuple[list[ChoiceRow], bool]]:
    """Yield (choices, certain) for each field or group of columns of `row` that may hold choices.
    `certain` is True if the name of the field or group proves that the texts are choices."""
    for name in named(row, CHOICES):
        try:
            found = choice_fields.listed(row[name])
        except RowProblem:
            continue
        if found is not None and len(found.choices.rows) > 1:
            yield found.choices.rows, plain_name(name) not in _PERHAPS_REPLIES
    for family in choice_columns.families(tuple(row)):
        rows = choice_columns.choices_of(row, family).rows
        if len(rows) > 1:
            yield rows, family.prefix in _CHOICE_PREFIXES


def _numbers(texts: Sequence[str]) -> bool:
    try:
        return bool([float(text) for text in texts])
    except ValueError:
        return False


def _check_gold(row: Row, labelled: Question, question: Question, reading: Reading) -> None:
    """Raise RowProblem if `row` and `question` have different gold answers. `labelled` is a copy of
    `question` with the labels of `row`, for reading the gold answer of `row`."""
    if question.answer is None:
        return
    choices = Choices(choice_rows(labelled.labels, [c.text for c in labelled.choices]))
    reading = replace(reading.without_counting(), columns=None, recognised=None, kinds=None)
    readings = [reading]
    try:
        read_gold(row, choices, _GOLD, reading)
    except UncertainIndex:  # the gold answer differs if it does so in each way of reading it
        readings = [replace(reading, answer_index=base, answer_texts=False) for base in BASES]
        readings.append(replace(reading, answer_texts=True))
    except RowProblem:  # a field that names no choice is not a gold answer but, say, a reply
        return
    labels = []
    for each in readings:
        try:
            labels.append(read_gold(row, choices, _GOLD, each)[0])
        except RowProblem:
            continue
    texts = [labelled.text_of(label) for label in labels if label is not None]
    if texts and question.text_of(question.answer) not in texts:
        raise _other(question, f"another gold answer ({labels[0]!r})")
