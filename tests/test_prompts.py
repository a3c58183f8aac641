"""Prompts for the teacher: the built-in prompt, the revealed answer, and templates written by
users."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scicot.errors import ScicotError
from scicot.prompts import Prompt, build_prompt
from scicot.records import Choice, Question
from scicot.replies import read_reply

CHOICES = (Choice("A", "wood"), Choice("B", "a spoon"))
QUESTION = Question("q7", "Which conducts electricity?", CHOICES, answer="B")


def test_prompt_states_question_choices_and_the_form_of_the_answer() -> None:
    prompt = build_prompt(QUESTION)
    assert "Question: Which conducts electricity?\nA. wood\nB. a spoon\n" in prompt.user
    assert '"Answer: X", where X is one of A, B.' in prompt.user
    assert "student" in prompt.system
    assert "chain of thought" not in (prompt.system + prompt.user).lower()


def test_prompt_keeps_the_answer_to_itself() -> None:
    other = Question("q7", "Which conducts electricity?", CHOICES, answer="A")
    assert build_prompt(QUESTION) == build_prompt(other)


def test_context_is_shown_where_there_is_one() -> None:
    with_context = Question("q", "Which?", CHOICES, context="Metals conduct.")
    assert build_prompt(with_context).user.startswith(
        "Context: Metals conduct.\n\nQuestion: Which?"
    )
    assert "Context" not in build_prompt(QUESTION).user


@pytest.mark.parametrize(
    "labels", [["1", "2", "3"], ["yes", "no"], list("ABCDEFGHIJKLMNOPQRSTUVWXYZ")]
)
def test_any_labels_are_asked_for(labels: list[str]) -> None:
    choices = tuple(Choice(label, f"thing {label}") for label in labels)
    user = build_prompt(Question("q", "Which?", choices)).user
    assert f"one of {', '.join(labels)}." in user
    assert all(f"\n{label}. thing {label}" in user for label in labels)


def test_revealed_answer_is_a_hint_to_reason_without() -> None:
    user = build_prompt(QUESTION, reveal_answer=True).user
    assert "Hint: the correct answer is B. a spoon\n" in user
    assert "as if you had not been told" in user
    assert "Hint" not in build_prompt(QUESTION).user


def test_revealing_an_unknown_answer_is_the_users_mistake() -> None:
    with pytest.raises(ScicotError, match="'q7' has no answer to reveal"):
        build_prompt(Question("q7", "Which?", CHOICES), reveal_answer=True)


def test_template_is_the_whole_prompt() -> None:
    prompt = build_prompt(QUESTION, template='Q: {question}\n{choices}\n{context}Say {{"a": 1}}.')
    assert prompt == Prompt(
        "", 'Q: Which conducts electricity?\nA. wood\nB. a spoon\nSay {"a": 1}.'
    )


def test_template_shows_the_answer_where_revealed() -> None:
    template = "{question} {choices} ({answer})"
    assert build_prompt(QUESTION, reveal_answer=True, template=template).user.endswith(
        "(B. a spoon)"
    )
    with pytest.raises(ScicotError, match=r"\{answer\} needs --reveal-answer always"):
        build_prompt(QUESTION, template=template)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{choices}", r"lacks \{question\}"),
        ("{question}", r"lacks \{choices\}"),
        ("", r"lacks \{question\}"),
        ("{question} {choices} {subject}", r"unknown placeholder \{subject\}; known are"),
        ("{question} {choices} {}", r"unknown placeholder \{\}"),
        ("{question} {choices} {0}", r"unknown placeholder \{0\}"),
        ("{question.id} {choices}", r"unknown placeholder \{question.id\}"),
        ("{question} {choices} {a\nb}", r"unknown placeholder \{a b\}"),
        ("{question!r} {choices}", "must not have a format or conversion"),
        ("{question:>9} {choices}", "must not have a format or conversion"),
        ("{question} {choices} {", "cannot be read"),
        ("{question} {choices} }", "cannot be read"),
    ],
)
def test_template_that_cannot_be_filled_is_one_line(template: str, message: str) -> None:
    with pytest.raises(ScicotError, match=message) as caught:
        build_prompt(QUESTION, template=template)
    assert "\n" not in str(caught.value)


@given(st.text(alphabet="{}abquestion !:[].0", min_size=1))
def test_braces_in_a_question_are_text(text: str) -> None:
    asked = Question("q", text, (Choice("A", text), Choice("B", "b")), "A", context=text)
    for reveal in (False, True):
        assert text.strip() in build_prompt(asked, reveal_answer=reveal).user
        filled = build_prompt(
            asked, reveal_answer=reveal, template="{context}|{question}|{choices}"
        )
        assert filled.user == f"{text.strip()}|{text.strip()}|A. {text.strip()}\nB. b"


def test_the_reply_asked_for_is_read() -> None:
    assert read_reply("Metal conducts.\nAnswer: B", QUESTION).conclusion == "B"
