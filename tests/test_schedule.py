import random
from collections import Counter
from typing import Any

import pytest

from scicot import TrainSettings
from scicot.records import Choice, Question, Rationale
from scicot.stages import Stage
from scicot.training.examples import Example, Lesson, digest, encode, examples_of
from scicot.training.schedule import Schedule


class Letters:
    """A tokenizer: one token a character, end token 1."""

    def __call__(self, texts: Any = None, text_target: Any = None) -> dict[str, Any]:
        given = texts if texts is not None else text_target
        if isinstance(given, str):
            return {"input_ids": [*map(ord, given), 1]}
        return {"input_ids": [[*map(ord, text), 1] for text in given]}


def text(ids: list[int]) -> str:
    return "".join(map(chr, ids[:-1]))


def lesson(number: int, file: int = 0, rationale: str = "Metals conduct.") -> Lesson:
    choices = (Choice("A", "wood"), Choice("B", "copper"), Choice("C", "wax"))
    return Lesson(Question(str(number), f"Q{number}?", choices, "B"), rationale, file)


def schedule(lessons: list[Lesson], stage: Stage = Stage.ANSWER, **settings: Any) -> Schedule:
    return Schedule(lessons, stage, Letters(), TrainSettings(batch_size=4, **settings))


def sources(made: Schedule) -> list[str]:
    return [text(made[item]["input_ids"]) for item in range(len(made))]


def test_an_epoch_holds_every_row_once_in_a_new_order() -> None:
    made = schedule([lesson(n) for n in range(8)], epochs=3)
    assert made.steps == 6
    read = sources(made)
    epochs = [read[:8], read[8:16], read[16:]]
    assert all(len(set(epoch)) == 8 for epoch in epochs)
    assert epochs[0] != epochs[1]
    assert sources(schedule([lesson(n) for n in range(8)], epochs=3)) == read
    assert sources(schedule([lesson(n) for n in range(8)], epochs=3, seed=1)) != read


def test_weights_say_how_much_comes_from_each_file() -> None:
    lessons = [lesson(n, file=0) for n in range(30)] + [lesson(n, file=1) for n in range(30, 40)]
    made = schedule(lessons, weights=(1.0, 3.0), max_steps=20)
    files = Counter(int(source.split("?")[0].partition("Q")[2]) >= 30 for source in sources(made))
    assert files == {True: 60, False: 20}
    seen = Counter(sources(made))
    assert len(seen) == 30  # 20 of the 30, and each of the 10
    often = [count for source, count in seen.items() if count > 1]
    assert often == [6] * 10


def test_some_rows_lose_their_rationale_some_of_the_time() -> None:
    made = schedule([lesson(n) for n in range(50)], rationale_dropout=0.3, epochs=20)
    bare = [("rationale:" not in source, source[:14]) for source in sources(made)]
    assert sum(lost for lost, _ in bare) / len(bare) == pytest.approx(0.3, abs=0.05)
    assert len({name for lost, name in bare if lost}) == 50


def test_shuffled_choices_keep_their_answer() -> None:
    made = schedule([lesson(n) for n in range(4)], shuffle_choices=True, epochs=30)
    orders = Counter()
    for item in range(len(made)):
        row = made[item]
        choices = text(row["input_ids"]).split("choices: ")[1].split(" rationale")[0]
        assert f"({text(row['labels'])}) copper" in choices
        orders[choices] += 1
    assert len(orders) == 6


def test_choices_that_others_point_at_stay_where_they_are() -> None:
    dice = random.Random(0)
    named = ("Option B is it.", "(B) is a metal.", "So B is right.", "Let us see: A) no B) yes",
             "A. Wood does not.", "The answer is A.", "It is option A", "see (a)")  # fmt: skip
    for rationale in named:
        assert lesson(1, rationale=rationale).in_fixed_order
        assert lesson(1, rationale=rationale).shuffled(dice) == lesson(1, rationale=rationale)
    choices = (Choice("A", "iron"), Choice("B", "tin"), Choice("C", "all of the above"))
    assert Lesson(Question("1", "Q?", choices, "C")).in_fixed_order
    choices = (Choice("A", "iron"), Choice("B", "tin"), Choice("C", "Both A and B"))
    assert Lesson(Question("1", "Q?", choices, "C")).in_fixed_order
    for text in ("All of the Above", "neither A nor B", "both a and b", "none of the above"):
        choices = (Choice("A", "iron"), Choice("B", "tin"), Choice("C", text))
        assert Lesson(Question("1", "Q?", choices, "C")).in_fixed_order, text
    for rationale in ("A metal conducts.", "It is a metal.", "Because Bob said so, I think."):
        assert not lesson(1, rationale=rationale).in_fixed_order, rationale


def test_a_multi_task_student_meets_both_tasks_of_a_question_together() -> None:
    made = schedule([lesson(n) for n in range(4)], Stage.MULTI_TASK, epochs=1)
    assert (made.steps, made.batch_items) == (1, 8)
    rows = [made[item] for item in range(8)]
    assert [row["task"] for row in rows] == [0, 1] * 4
    for answer, explanation in zip(rows[::2], rows[1::2], strict=True):
        assert text(answer["labels"]) == "B"
        assert text(explanation["labels"]) == "Metals conduct."
        assert text(answer["input_ids"]).removeprefix("predict") == text(
            explanation["input_ids"]
        ).removeprefix("explain")


def test_tokens_are_counted_without_padding() -> None:
    made = schedule([lesson(n) for n in range(8)], epochs=1.5)
    rows = [made[item] for item in range(len(made))]
    assert made.tokens(made.steps) == sum(len(r["input_ids"]) + len(r["labels"]) for r in rows)
    made = schedule([lesson(n) for n in range(8)], Stage.MULTI_TASK, max_steps=3)
    rows = [made[item] for item in range(len(made))]
    assert made.tokens(3) == sum(len(r["input_ids"]) + len(r["labels"]) for r in rows)


def test_what_is_too_long_is_cut_where_it_does_least_harm_and_counted() -> None:
    (example,) = examples_of(lesson(1, rationale="one two three"), Stage.ONE_SEQUENCE)
    assert example.written == "one two three answer: B"
    (answer,) = examples_of(lesson(1, rationale="one two three"), Stage.ANSWER)
    encoded = encode([example, answer], Letters(), 56, 18)
    assert [text(row["labels"]) for row in encoded.rows] == ["one two answer: B", "B"]
    assert text(encoded.rows[1]["input_ids"]) == (
        "question: Q1? choices: (A) wood (B) copper (C) wax"
    )
    assert (encoded.cuts["rationale"], encoded.cut_targets) == (1, 1)


def test_the_digest_knows_texts_and_files() -> None:
    one, other = [lesson(1), lesson(2)], [lesson(1), lesson(2, file=1)]
    assert digest(one, Stage.ANSWER) == digest(list(one), Stage.ANSWER)
    assert digest(one, Stage.ANSWER) == digest(other, Stage.ANSWER)
    weighted = {"weighted": True}
    assert digest(one, Stage.ANSWER, **weighted) != digest(other, Stage.ANSWER, **weighted)
    assert digest(one, Stage.ANSWER) != digest(one, Stage.DIRECT)


def test_a_row_knows_whether_a_student_wrote_it_out_of_fold() -> None:
    question = lesson(1).question
    row = {**question.to_row(), "rationale": "", "teacher": "student:r/folds/0@12", "fold": 0}
    assert Lesson.of(Rationale.from_row(row), 0).out_of_fold
    assert not Lesson.of(
        Rationale.from_row({**row, "rationale": "x", "teacher": "t"}), 0
    ).out_of_fold
    assert Example(examples_of(lesson(1), Stage.DIRECT)[0].source, "B").written == "B"
