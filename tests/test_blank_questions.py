"""A question that is blank, or that is no text, is named with its field and its value."""

import pytest
from test_formats import OWN_CHOICES, STEM, question

from scicot.formats import Columns, Reading, to_question_row
from scicot.row_fields import Row, RowProblem

TWO = {"choices": ["wood", "copper"]}
OTHER = {"about": "It is about electricity"}


@pytest.mark.parametrize(
    ("row", "columns", "message"),
    [
        ({"question": " ", **TWO}, "", '"question" is empty'),
        ({"question": None, **TWO}, "", '"question" is null; it must be a string'),
        ({"question": 7, **TWO}, "", '"question" is 7; it must be a string'),
        ({"question": None, "choices": OWN_CHOICES}, "", '"question" is null; it must be a string'),
        ({"question": 7, "choices": OWN_CHOICES}, "", '"question" is 7; it must be a string'),
        ({"Frage": "", "stem": None, **TWO}, "", '"stem" is null; it must be a string'),
        ({"sentence": "", **TWO}, "", '"sentence" is empty'),
        ({"premise": "It fell.", "question": "", "choice1": "a", "choice2": "b"}, "",
         '"question" is empty'),
        ({"question": "", **TWO, **OTHER}, "",
         '"question" is empty; if another field holds the question, add --columns question=about'),
        ({"Q": "", "prompt": "Choose one.", **TWO}, "question=Q", '"Q" is empty'),
        ({"Q": True, **TWO}, "question=Q", '"Q" is true; it must be a string'),
        ({"q": {"text": None}, **TWO}, "question=q.text", '"q.text" is null; it must be a string'),
    ],
)  # fmt: skip
def test_a_question_that_is_blank_or_no_text_is_named(row: Row, columns: str, message: str) -> None:
    with pytest.raises(RowProblem) as caught:
        to_question_row(row, Reading(Columns.parse(columns)))
    assert str(caught.value) == message


def test_another_field_may_hold_the_question_if_the_first_is_blank() -> None:
    for blank in ("", None):
        assert question({"question": blank, "stem": STEM, **TWO}).question == STEM
        assert question({"question": blank, "sentence": STEM, **TWO}).question == STEM
