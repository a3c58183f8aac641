from scicot import stages
from scicot.records import Choice, Question

QUESTION = Question(
    "q", "Which\nconducts  electricity?", (Choice("A", "wood"), Choice("2", "copper wire"))
)


def test_the_inputs_of_both_stages() -> None:
    asked = "question: Which conducts electricity? choices: (A) wood (2) copper wire"
    assert stages.rationale_input(QUESTION) == asked
    assert stages.answer_input(QUESTION, None) == asked
    assert stages.answer_input(QUESTION, "Copper\nis a metal.") == (
        f"{asked} rationale: Copper is a metal."
    )
    assert stages.answer_target("2") == "2"


def test_what_may_be_cut_stands_last() -> None:
    question = Question("q", "Which?", QUESTION.choices, context="In a lab.")
    text = stages.answer_input(question, "Metals conduct.")
    assert text.index("choices:") < text.index("rationale:") < text.index("context:")
