"""Read one row as a question of a file, and judge answers against a file of three questions."""

from pathlib import Path
from typing import Any

from conftest import Recorder

from scicot import EvaluateSettings, evaluate
from scicot.evaluation import Evaluation
from scicot.formats import Reading, to_question_row
from scicot.records import Question
from scicot.row_fields import Row

STRICT = Reading(from_file=True)  # as for the rows of a file


def question(row: Row, reading: Reading = STRICT) -> Question:
    return Question.from_row(to_question_row(row, reading))


ASKED: list[dict[str, Any]] = [
    {"id": "q1", "question": "Conducts?", "choices": ["wood", "a copper wire"], "answer": 1},
    {"id": "q2", "question": "Floats?", "choices": ["cork", "lead"], "answer": "A"},
    {"id": "q3", "question": "Shines?", "choices": ["the sun", "coal"], "answer": 0},
]


def judged(file: Path, asked: Path | None, **settings: Any) -> tuple[Evaluation, Recorder]:
    reporter = Recorder()
    verdict = evaluate(
        file, questions=asked, settings=EvaluateSettings(**settings), reporter=reporter
    )
    return verdict, reporter
