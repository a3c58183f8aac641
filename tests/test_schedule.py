import random
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from scicot import TrainSettings
from scicot.models.prompt_format import Seq2Seq
from scicot.records import Choice, Question, Rationale
from scicot.stages import Stage
from scicot.training.examples import Example, Lesson, digest, encode, examples_of
from scicot.training.plan import tokens
from scicot.training.plan.layout import Layout, cheapest_batch_count
from scicot.training.plan.length_buckets import padded, pieces, similar_batches, turns_of
from scicot.training.plan.row_sampler import RowSampler
from scicot.training.plan.schedule import Schedule


class Letters:
    """A tokenizer: one token a character, end token 1."""

    unk_token_id = None  # it can encode any text

    def __call__(self, texts: Any = None, text_target: Any = None) -> dict[str, Any]:
        given = texts if texts is not None else text_target
        if isinstance(given, str):
            return {"input_ids": [*map(ord, given), 1]}
        return {"input_ids": [[*map(ord, text), 1] for text in given]}


FORM = Seq2Seq(Letters(), frozenset({1}))


def text(ids: list[int]) -> str:
    return "".join(map(chr, ids[:-1]))


def lesson(number: int, file: int = 0, rationale: str = "Metals conduct.") -> Lesson:
    choices = (Choice("A", "wood"), Choice("B", "copper"), Choice("C", "wax"))
    return Lesson(Question(str(number), f"Q{number}?", choices, "B"), rationale, file)


def schedule(
    lessons: list[Lesson], stage: Stage = Stage.ANSWER, ranks: int = 1, **settings: Any
) -> Schedule:
    asked = TrainSettings(**{"batch_size": 4, "device": "cpu", **settings})
    return Schedule(lessons, stage, FORM, asked, ranks=ranks)


def rows(made: Schedule, steps: range | None = None) -> list[dict[str, Any]]:
    """All rows of the steps, in their order."""
    a_step = len(made) // made.steps
    items = range(len(made)) if steps is None else range(a_step * steps.start, a_step * steps.stop)
    return [row for item in items for row in made[item] if row["share"]]


def sources(made: Schedule, steps: range | None = None) -> list[str]:
    return [text(row["input_ids"]) for row in rows(made, steps)]


def test_an_epoch_holds_every_row_once_in_a_new_order() -> None:
    made = schedule([lesson(n) for n in range(8)], epochs=3)
    assert made.steps == 6
    read = sources(made)
    epochs = [read[:8], read[8:16], read[16:]]
    assert all(len(set(epoch)) == 8 for epoch in epochs)
    assert epochs[0] != epochs[1]
    assert sources(schedule([lesson(n) for n in range(8)], epochs=3)) == read
    assert sources(schedule([lesson(n) for n in range(8)], epochs=3, seed=1)) != read


def test_fewer_rows_than_a_step_holds_are_a_step() -> None:
    made = schedule([lesson(n) for n in range(3)], batch_size=32, epochs=2)
    assert made.steps == 2
    assert [len(set(sources(made, range(n, n + 1)))) for n in range(2)] == [3, 3]


def test_batches_of_like_lengths_hold_every_row_once_and_little_padding() -> None:
    dice = np.random.default_rng(0)
    lengths = np.stack([dice.lognormal(4, 0.5, 1000), dice.lognormal(4, 0.7, 1000)], 1).astype(int)
    for count in (1, 7, 63, 1000):
        made = similar_batches(lengths, np.ones(1000), count)
        assert sorted(np.concatenate(made)) == list(range(1000))
        assert len(made) == count
        assert max(map(len, made)) - min(map(len, made)) <= 1
    sixteen = similar_batches(lengths, np.ones(1000), 63)
    waste = sum(padded(lengths[batch]) for batch in sixteen) - lengths.sum()
    in_turn = np.array_split(np.arange(1000), 63)
    assert waste < 0.15 * (sum(padded(lengths[batch]) for batch in in_turn) - lengths.sum())
    by_tokens = similar_batches(lengths, lengths.sum(axis=1), 50)
    sums = [lengths[batch].sum() for batch in by_tokens]
    assert max(sums) < 1.3 * min(sums)


def test_the_rows_of_a_step_may_be_counted_in_tokens() -> None:
    lessons = [lesson(n, rationale="why " * (n % 9)) for n in range(90)]
    made = schedule(lessons, Stage.RATIONALE, batch_size="600tokens", epochs=1)
    held = [
        sum(len(row["input_ids"]) + len(row["labels"]) for row in rows(made, range(step, step + 1)))
        for step in range(made.steps)
    ]
    assert made.tokens(made.steps) == sum(held)
    assert sum(held) / len(held) == pytest.approx(600, rel=0.1)
    assert max(held) < 1.35 * min(held)
    assert len(set(sources(made))) == 90


@pytest.mark.parametrize("ranks", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("stage", [Stage.RATIONALE, Stage.MULTI_TASK])
def test_processes_share_the_steps_of_one(ranks: int, stage: Stage) -> None:
    lessons = [lesson(n, rationale="why " * (n % 7) + "so") for n in range(50)]
    alone = schedule(lessons, stage, batch_size=8, epochs=2)
    shared = schedule(lessons, stage, ranks, batch_size=8, epochs=2)
    assert len(shared) == shared.steps * shared.turns * ranks
    for step in range(alone.steps):
        rows_alone, rows_shared = (rows(made, range(step, step + 1)) for made in (alone, shared))
        assert sorted(map(repr, rows_alone)) == sorted(map(repr, rows_shared))
    assert all(shared[item] for item in range(len(shared)))


def test_the_target_tokens_of_a_step_weigh_the_same() -> None:
    lessons = [lesson(n, rationale="why " * (n % 7) + "so") for n in range(20)]
    made = schedule(lessons, Stage.RATIONALE, epochs=1)
    for step in range(made.steps):
        step_rows = rows(made, range(step, step + 1))
        assert len({row["share"] for row in step_rows}) == 1
        assert sum(row["share"] * len(row["labels"]) for row in step_rows) == pytest.approx(1)
    both = schedule(lessons, Stage.MULTI_TASK, rationale_loss_weight=0.5, epochs=1)
    step_rows = rows(both, range(1))
    assert sum(row["share"] * len(row["labels"]) for row in step_rows) == pytest.approx(1.5)


def test_groups_are_joined_where_that_costs_less() -> None:
    alike_ones = np.array([[[8, 100, 50]] * 4] * 5)
    assert cheapest_batch_count(alike_ones, "cpu") == 1
    unlike = np.array([[[8, 100, 50], [8, 400, 300], [8, 30, 20], [8, 1000, 500]]] * 5)
    assert cheapest_batch_count(unlike, "cpu") == 4
    assert cheapest_batch_count(alike_ones, "cpu", max_tokens=2500) == 2
    # each rank computes half of the batch
    assert cheapest_batch_count(alike_ones, "cpu", ranks=2, max_tokens=2500) == 1
    # no number of batches fits, so the smallest batches are used
    assert cheapest_batch_count(alike_ones, "cpu", max_tokens=10) == 4
    asked = TrainSettings(batch_size=32, accumulate=3)
    assert Layout.grouped(asked, 320, 1000) == Layout(32, None, 6, 3)
    assert Layout.grouped(asked, 2, 1000) == Layout(32, None, 2, 2)


@pytest.mark.parametrize("stage", [Stage.RATIONALE, Stage.MULTI_TASK])
@pytest.mark.parametrize("ranks", [1, 2])
def test_steps_may_be_made_as_large_as_fits(stage: Stage, ranks: int) -> None:
    lessons = [lesson(n, rationale="why " * (n % 9) + "so") for n in range(90)]
    made = schedule(lessons, stage, ranks, epochs=1)
    made.fit(2000, 700)
    assert made.layout.tokens == 2000
    assert made.layout.groups == 4  # more than one group, to mix kinds of rows
    for item in range(len(made)):
        held = [(len(row["input_ids"]), len(row["labels"])) for row in made[item]]
        assert padded(np.array(held)) <= 700


def test_one_who_goes_on_keeps_the_layout() -> None:
    lessons = [lesson(n, rationale="why " * (n % 9)) for n in range(40)]
    first = schedule(lessons, Stage.RATIONALE, epochs=2)
    other = Layout(4, None, 2, 1)
    kept = Schedule(
        lessons, Stage.RATIONALE, FORM, TrainSettings(batch_size=4, epochs=2), layout=other
    )
    assert kept.layout == other != first.layout


def test_many_rows_are_tokenised_once_and_read_from_the_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    monkeypatch.setattr(tokens, "_CHUNK", 8)
    monkeypatch.setattr("scicot.training.plan.schedule.MANY", 10)
    lessons = [lesson(n, rationale="so " * (n % 5) + "yes") for n in range(40)]
    cached = schedule(lessons, Stage.RATIONALE, epochs=1, max_source_tokens=64)
    files = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.arrow")}
    assert files
    again = schedule(lessons, Stage.RATIONALE, epochs=1, max_source_tokens=64)
    assert {f: f.stat().st_mtime_ns for f in tmp_path.rglob("*.arrow")} == files
    monkeypatch.setattr("scicot.training.plan.schedule.MANY", 1000)
    in_memory = schedule(lessons, Stage.RATIONALE, epochs=1, max_source_tokens=64)
    assert rows(cached) == rows(again) == rows(in_memory)
    assert cached.cuts == again.cuts == in_memory.cuts


def test_weights_say_how_much_comes_from_each_file() -> None:
    lessons = [lesson(n, file=0) for n in range(30)] + [lesson(n, file=1) for n in range(30, 40)]
    made = schedule(lessons, weights=(1.0, 3.0), max_steps=20)
    files = Counter(int(source.split("?")[0].partition("Q")[2]) >= 30 for source in sources(made))
    assert files == {True: 60, False: 20}
    seen = Counter(sources(made))
    assert len(seen) == 30  # 20 of the first file's 30 lessons, and all 10 of the second
    often = [count for source, count in seen.items() if count > 1]
    assert often == [6] * 10


def test_an_epoch_has_as_many_rows_with_a_very_small_weight() -> None:
    settings = TrainSettings(weights=(10.49, 0.02, 989.49))
    sampler = RowSampler([0] * 10 + [1] * 10 + [2] * 980, settings)
    assert {len(rows) for rows, _ in map(sampler.epoch, range(20))} == {1000}


def test_some_rows_lose_their_rationale_some_of_the_time() -> None:
    made = schedule([lesson(n) for n in range(50)], rationale_dropout=0.3, epochs=20)
    bare = [("rationale:" not in source, source[:14]) for source in sources(made)]
    assert sum(lost for lost, _ in bare) / len(bare) == pytest.approx(0.3, abs=0.05)
    assert len({name for lost, name in bare if lost}) == 50
    some = rows(made, range(17))
    assert made.tokens(17) == sum(len(row["input_ids"]) + len(row["labels"]) for row in some)


def test_shuffled_choices_keep_their_answer() -> None:
    made = schedule([lesson(n) for n in range(4)], shuffle_choices=True, epochs=30)
    orders: Counter[str] = Counter()
    for row in rows(made):
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


def test_a_multi_task_student_meets_both_tasks_of_a_question_in_one_step() -> None:
    made = schedule([lesson(n) for n in range(4)], Stage.MULTI_TASK, epochs=1)
    all_rows = rows(made)
    assert made.steps == 1
    answers = [row for row in all_rows if text(row["labels"]) == "B"]
    explained = [row for row in all_rows if text(row["labels"]) == "Metals conduct."]
    assert len(answers) == len(explained) == 4
    assert {text(row["input_ids"]).removeprefix("predict") for row in answers} == {
        text(row["input_ids"]).removeprefix("explain") for row in explained
    }


def test_tokens_are_counted_without_padding() -> None:
    for stage in (Stage.ANSWER, Stage.MULTI_TASK):
        made = schedule([lesson(n) for n in range(8)], stage, epochs=1.5)
        read = rows(made)
        assert made.tokens(made.steps) == sum(len(r["input_ids"]) + len(r["labels"]) for r in read)


def test_what_is_too_long_is_cut_where_it_does_least_harm_and_counted() -> None:
    (example,) = examples_of(lesson(1, rationale="one two three"), Stage.ONE_SEQUENCE)
    assert example.full_target == "one two three answer: B"
    (answer,) = examples_of(lesson(1, rationale="one two three"), Stage.ANSWER)
    encoded = encode([example, answer], FORM, 56, 18)
    assert [text(row["labels"]) for row in encoded.rows] == ["one two answer: B", "B"]
    assert text(encoded.rows[1]["input_ids"]) == (
        "question: Q1? choices: (A) wood (B) copper (C) wax"
    )
    assert (encoded.cuts["rationale"], encoded.cut_targets) == (1, 1)


def test_what_answer_first_and_shared_students_are_fed() -> None:
    asked = "question: Q1? choices: (A) wood (B) copper (C) wax"
    given = lesson(1, rationale="one two three")
    (first,) = examples_of(given, Stage.ANSWER_FIRST)
    assert (str(first.source), first.full_target) == (asked, "B rationale: one two three")
    encoded = encode([first], FORM, 100, 22)
    assert text(encoded.rows[0]["labels"]) == "B rationale: one two", "the label is never cut"
    assert encoded.cut_targets == 1
    answer, explanation = examples_of(given, Stage.SHARED)
    assert str(answer.source) == f"predict: {asked} rationale: one two three"
    assert answer.full_target == "B"
    assert str(explanation.source) == f"explain: {asked}"
    assert explanation.full_target == "one two three"
    bare, _ = examples_of(given, Stage.SHARED, drop_rationale=True)
    assert str(bare.source) == f"predict: {asked}"
    (by_text,) = examples_of(given, Stage.ANSWER_FIRST, answer_as="text")
    assert by_text.full_target == "copper rationale: one two three"


def test_rationales_are_cut_where_they_are_written_and_where_they_are_read() -> None:
    given = [lesson(1, rationale="one two three")]
    for stage, field in ((Stage.RATIONALE, "labels"), (Stage.ANSWER, "input_ids")):
        made = schedule(given, stage, epochs=1, max_rationale_tokens=8)
        (row,) = rows(made)
        assert text(row[field]).endswith("one two")
        shuffled = schedule(given, stage, epochs=1, max_rationale_tokens=8, shuffle_choices=True)
        assert text(rows(shuffled)[0][field]).endswith("one two")
    (first,) = rows(schedule(given, Stage.ANSWER_FIRST, epochs=1, max_rationale_tokens=8))
    assert text(first["labels"]) == "B rationale: one two"


def test_soft_labels_are_drawn_from_the_votes() -> None:
    given = [replace(lesson(n), votes=("B", "C", "C", "C")) for n in range(40)]
    made = schedule([*given, lesson(40)], Stage.DIRECT, epochs=20, soft_labels=0.5)
    labels = Counter(text(row["labels"]) for row in rows(made))
    assert labels.total() == 41 * 20
    assert set(labels) == {"B", "C"}
    assert labels["C"] / (40 * 20) == pytest.approx(0.5 * 0.75, abs=0.05)
    again = schedule([*given, lesson(40)], Stage.DIRECT, epochs=20, soft_labels=0.5)
    assert [row["labels"] for row in rows(again)] == [row["labels"] for row in rows(made)]
    hard = schedule(given, Stage.DIRECT, epochs=2)
    assert {text(row["labels"]) for row in rows(hard)} == {"B"}
    assert digest(given, Stage.DIRECT) != digest([lesson(n) for n in range(40)], Stage.DIRECT)


def test_the_digest_knows_texts_and_files() -> None:
    first, second = [lesson(1), lesson(2)], [lesson(1), lesson(2, file=1)]
    assert digest(first, Stage.ANSWER) == digest(list(first), Stage.ANSWER)
    assert digest(first, Stage.ANSWER) == digest(second, Stage.ANSWER)
    weighted = {"weighted": True}
    assert digest(first, Stage.ANSWER, **weighted) != digest(second, Stage.ANSWER, **weighted)
    assert digest(first, Stage.ANSWER) != digest(first, Stage.DIRECT)


def test_a_row_knows_whether_a_student_wrote_it_out_of_fold() -> None:
    question = lesson(1).question
    row = {**question.to_row(), "rationale": "", "teacher": "student:r/folds/0@12", "fold": 0}
    assert Lesson.of(Rationale.from_row(row), 0).out_of_fold
    assert not Lesson.of(
        Rationale.from_row({**row, "rationale": "x", "teacher": "t"}), 0
    ).out_of_fold
    assert Example(examples_of(lesson(1), Stage.DIRECT)[0].source, "B").full_target == "B"


def test_batches_are_split_no_more_than_processes_need() -> None:
    for batches in range(1, 13):
        for ranks in range(1, 13):
            smallest = next(n for n in range(1, ranks + 1) if batches * n % ranks == 0)
            assert pieces(batches, ranks) == smallest, (batches, ranks)
    assert pieces(4, 6) == 3


def test_shares_lose_nothing() -> None:
    batches = [[1, 2, 3], [4, 5], [6], [7, 8]]
    for ranks in range(1, 10):
        turns = turns_of(batches, ranks)
        assert all(len(turn) == ranks for turn in turns)
        assert sorted(index for turn in turns for piece in turn for index in piece) == list(
            range(1, 9)
        )
