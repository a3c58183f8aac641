"""Read αNLI and the Story Cloze Test, which ask which of two sentences fits into a story.

αNLI (Bhagavatula et al. 2020), as published and on the Hub:

    {"obs1": "...", "obs2": "...", "hyp1": "...", "hyp2": "...", "label": 1}
    {"observation_1": "...", ..., "hypothesis_1": "...", ..., "label": 1}

The Story Cloze Test (Mostafazadeh et al. 2016), as published and on the Hub:

    InputSentence1..4, RandomFifthSentenceQuiz1..2, AnswerRightEnding
    input_sentence_1..4, sentence_quiz1..2, answer_right_ending

Rows have no field for the question, since it is always the same. Gold answers count from 1 in all
of these layouts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scicot.formats import columns, fields
from scicot.formats.choice_set import Choices, lettered
from scicot.formats.gold import Gold
from scicot.formats.names import ANSWERS, plain_name
from scicot.formats.reading import PLAIN, Reading
from scicot.formats.values import is_blank
from scicot.row_fields import Row, RowProblem


@dataclass(frozen=True, slots=True)
class _Layout:
    title: str
    question: str
    story_fields: Sequence[str]  # fields of the story, in order
    choices: Sequence[str]
    gold: Gold
    gap: str = " "  # separator between the story's sentences


def _gold(name: str) -> Gold:
    field = plain_name(name)
    return Gold((*ANSWERS, field), (), bases={field: 1})


_EXPLAINS = "What happened in between?"
_ENDS = "How does the story end?"
_LAYOUTS = (
    _Layout("αNLI", _EXPLAINS, ("observation_1", "observation_2"),
            ("hypothesis_1", "hypothesis_2"), _gold("label"), " ... "),
    _Layout("αNLI", _EXPLAINS, ("obs1", "obs2"), ("hyp1", "hyp2"), _gold("label"), " ... "),
    _Layout("Story Cloze Test", _ENDS, tuple(f"InputSentence{n}" for n in range(1, 5)),
            ("RandomFifthSentenceQuiz1", "RandomFifthSentenceQuiz2"), _gold("AnswerRightEnding")),
    _Layout("Story Cloze Test", _ENDS, tuple(f"input_sentence_{n}" for n in range(1, 5)),
            ("sentence_quiz1", "sentence_quiz2"), _gold("answer_right_ending")),
)  # fmt: skip


def matches(row: Row) -> bool:
    # Exact spellings only, because this runs for every row.
    return _layout_of(row) is not None


def convert(row: Row, reading: Reading = PLAIN) -> Row:
    layout = _layout_of(row)
    assert layout is not None
    row = columns.cells(row)
    sentences = [row.pop(name) for name in layout.story_fields]
    for name, sentence in zip(layout.story_fields, sentences, strict=True):
        if is_blank(sentence) or not isinstance(sentence, str):
            raise RowProblem(f'"{name}" is missing or empty ({layout.title})')
    row["context"] = layout.gap.join(sentence.strip() for sentence in sentences)
    row["question"] = layout.question
    texts = [row.pop(name) for name in layout.choices]
    if reading.recognised is not None:
        reading.recognised.question = "the same for all rows"
        reading.recognised.context = " + ".join(layout.story_fields)
        reading.recognised.choices = " and ".join(layout.choices)
    return fields.labelled(row, Choices(lettered(texts)), reading=reading, gold=layout.gold)


def _layout_of(row: Row) -> _Layout | None:
    for layout in _LAYOUTS:
        if layout.choices[0] in row and layout.choices[1] in row and "question" not in row:
            return layout if all(name in row for name in layout.story_fields) else None
    return None
