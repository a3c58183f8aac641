import pytest

from scicot import stages
from scicot.records import Choice, Question
from scicot.stages import FORMS, Input, Stage

QUESTION = Question(
    "q", "Which\nconducts  electricity?", (Choice("A", "wood"), Choice("2", "copper wire"))
)
ASKED = "question: Which conducts electricity? choices: (A) wood (2) copper wire"


def test_the_inputs_of_both_stages() -> None:
    assert str(stages.rationale_input(QUESTION)) == ASKED
    assert str(stages.answer_input(QUESTION, None)) == ASKED
    assert str(stages.answer_input(QUESTION, "Copper\nis a metal.")) == (
        f"{ASKED} rationale: Copper is a metal."
    )
    assert stages.answer_target(QUESTION, "2") == "2"
    assert stages.answer_target(QUESTION, "2", answer_as="text") == "copper wire"


def test_baselines_read_no_rationale() -> None:
    for stage in (Stage.DIRECT, Stage.ONE_SEQUENCE, Stage.ANSWER_FIRST):
        assert str(stages.answer_input(QUESTION, "Copper conducts.", stage)) == ASKED
    assert str(stages.answer_input(QUESTION, "Copper.", Stage.MULTI_TASK)) == f"predict: {ASKED}"
    assert str(stages.rationale_input(QUESTION, Stage.MULTI_TASK)) == f"explain: {ASKED}"


def test_a_one_sequence_student_writes_the_label_behind_its_rationale() -> None:
    stage = Stage.ONE_SEQUENCE
    before = stages.answer_prefix("The answer: metals conduct.", stage)
    whole = stages.answer_target(QUESTION, "2", prefix=before)
    assert whole == "The answer: metals conduct. answer: 2"
    assert stages.written_rationale(whole, stage) == "The answer: metals conduct."
    assert stages.written_rationale("answer: 2", stage) == ""
    assert stages.written_rationale("It never came to", stage) == "It never came to"
    assert stages.written_rationale("An answer: 2", Stage.RATIONALE) == "An answer: 2"


def test_an_answer_first_student_writes_the_rationale_behind_its_label() -> None:
    behind = stages.answer_suffix(Stage.ANSWER_FIRST)
    assert stages.answer_target(QUESTION, "2", suffix=behind) == "2 rationale:"
    assert stages.answer_suffix(Stage.DIRECT) == ""


def test_a_shared_student_reads_both_inputs_by_prompt() -> None:
    assert str(stages.rationale_input(QUESTION, Stage.SHARED)) == f"explain: {ASKED}"
    assert str(stages.answer_input(QUESTION, "Copper.", Stage.SHARED)) == (
        f"predict: {ASKED} rationale: Copper."
    )
    assert stages.rationale_input(QUESTION, Stage.SHARED).asks == "rationale"
    assert stages.answer_input(QUESTION, "Copper.", Stage.SHARED).asks == "answer"


def test_every_stage_has_a_form() -> None:
    assert set(FORMS) == set(Stage)


def words(text: Input) -> int:
    return len(str(text).split())


def characters(text: Input) -> int:
    return len(str(text))


LONG = Input("one two three four five", ("(A) x", "(B) y"), "r1 r2 r3", "c1 c2 c3")


@pytest.mark.parametrize(
    ("limit", "text", "lost"),
    [
        (19, str(LONG), ()),
        (18, "question: one two three four five choices: (A) x (B) y rationale: r1 r2 r3"
             " context: c1 c2", ("context",)),
        (15, "question: one two three four five choices: (A) x (B) y rationale: r1 r2 r3",
         ("context",)),
        (13, "question: one two three four five choices: (A) x (B) y rationale: r1",
         ("context", "rationale")),
        (8, "question: four five choices: (A) x (B) y",
         ("context", "rationale", "question")),
        (3, "question: choices: (A) x (B) y", ("context", "rationale", "question")),
    ],
)  # fmt: skip
def test_what_is_too_long_loses_context_then_rationale_then_the_beginning_of_the_question(
    limit: int, text: str, lost: tuple[str, ...]
) -> None:
    short, cut = stages.shortened(LONG, limit, words)
    assert (str(short), cut) == (text, lost)


def test_a_text_without_blanks_is_cut_within() -> None:
    """As in Chinese, where a sentence has no spaces."""
    question = Input("哪一个能导电" * 9, ("(A) 铜", "(B) 木"), "铜是金属。" * 9)
    short, lost = stages.shortened(question, 70, characters)
    assert len(str(short)) == 70
    assert lost == ("rationale", "question")
    assert question.question.endswith(short.question)
    short, lost = stages.shortened(question, 110, characters)
    assert (len(str(short)), lost) == (110, ("rationale",))
    assert question.rationale.startswith(short.rationale)
