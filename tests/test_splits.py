from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scicot import ScicotError
from scicot.overlap import SeenQuestions, text_key, whole_key
from scicot.records import Choice, Question
from scicot.splits import assign_folds, dev_split, group_rows


def question(
    identity: str, text: str, choices: str = "wood copper", topic: str | None = None
) -> Question:
    labelled = tuple(
        Choice(label, word) for label, word in zip("ABCD", choices.split(), strict=False)
    )
    return Question(identity, text, labelled, meta={"topic": topic} if topic else {})


def sets(questions: list[Question], by: str | None = None) -> set[frozenset[int]]:
    return {frozenset(group) for group in group_rows(questions, by)}


def test_rows_of_one_id_or_one_text_are_not_parted() -> None:
    rows = [
        question("1", "Which conducts?"),
        question("2", "which  CONDUCTS", "iron wax"),
        question("3", "Which floats?"),
        question("3", "Which sinks?"),
        question("4", "Which sinks!"),
    ]
    assert sets(rows) == {frozenset({0, 1}), frozenset({2, 3, 4})}


def test_a_field_takes_the_place_of_the_text_but_not_of_the_question() -> None:
    rows = [
        question("1", "Which conducts?", "wood copper", "a"),
        question("2", "Which conducts?", "iron wax", "b"),
        question("3", "Which floats?", "iron wax", "b"),
        question("4", "Which conducts", "copper wood", "c"),
    ]
    assert sets(rows, "meta.topic") == {frozenset({0, 3}), frozenset({1, 2})}
    assert sets(rows, "id") == {frozenset({0, 3}), frozenset({1}), frozenset({2})}
    with pytest.raises(
        ScicotError,
        match=r"--fold-by meta\.block: question '1' has no such field; its fields: meta\.topic",
    ):
        group_rows(rows, "meta.block")
    null = Question("1", "Which?", rows[0].choices, meta={"topic": None})
    with pytest.raises(ScicotError, match="question '1' has no such field"):
        group_rows([null], "meta.topic")


@given(st.lists(st.integers(1, 9), min_size=6, max_size=40), st.integers(2, 6))
def test_folds_are_whole_groups_and_even(sizes: list[int], folds: int) -> None:
    rows = [
        question(f"{number}-{n}", f"text {number}")
        for number, size in enumerate(sizes)
        for n in range(size)
    ]
    groups = group_rows(rows)
    fold_of = assign_folds(groups, folds)
    assert all(len({fold_of[index] for index in group}) == 1 for group in groups)
    counts = [Counter(fold_of)[fold] for fold in range(folds)]
    assert min(counts) > 0
    assert max(counts) - min(counts) <= max(sizes)
    carved = dev_split(rows, groups, 0.3)
    assert 0 < len(carved) < len(rows)
    learnt = [group for group in groups if group[0] not in carved]
    if len(learnt) >= folds:
        of_rest = assign_folds(groups, folds, carved)
        assert len({of_rest[group[0]] for group in learnt}) == folds
    assert all(carved >= set(group) or not carved & set(group) for group in groups)


def test_parting_depends_on_the_questions_not_on_their_order() -> None:
    rows = [question(str(n), f"text {n // 2}") for n in range(200)]

    def dev(questions: list[Question]) -> set[str]:
        return {questions[index].id for index in dev_split(questions, group_rows(questions), 0.2)}

    assert dev(rows) == dev(rows[::-1]) == dev([*rows, *rows[:30], *rows[10:50]])
    assert dev(rows) >= dev(rows[:100])
    assert 0.1 < len(dev(rows)) / len(rows) < 0.3


def test_dev_is_like_the_rest_in_how_often_its_questions_recur() -> None:
    sizes = [1] * 600 + [20] * 20
    rows = [
        question(f"{number}-{n}", f"text {number}")
        for number, size in enumerate(sizes)
        for n in range(size)
    ]
    carved = dev_split(rows, group_rows(rows), 0.3)
    alone = sum(
        rows[index].id.endswith("-0") and int(rows[index].id[:-2]) < 600 for index in carved
    )
    assert alone / 600 == pytest.approx(0.3, abs=0.07)
    assert (len(carved) - alone) / 400 == pytest.approx(0.3, abs=0.25)


@pytest.mark.parametrize("count", [2, 3])
def test_a_large_share_of_few_groups_leaves_rows_to_train_on(count: int) -> None:
    for seed in range(30):
        rows = [question(str(n), f"text {seed} {n}") for n in range(count)]
        assert 0 < len(dev_split(rows, group_rows(rows), 0.9)) < count


def test_too_few_groups() -> None:
    rows = [question(str(n), "Which?", f"a{n} b{n}") for n in range(9)]
    with pytest.raises(
        ScicotError,
        match="--folds 3: rows of related questions stay together, which leaves only 1 group to",
    ):
        assign_folds(group_rows(rows), 3)
    with pytest.raises(ScicotError, match=r"--dev-fraction: .*all rows form one group"):
        dev_split(rows, group_rows(rows), 0.1)
    assert len(set(assign_folds(group_rows(rows, "id"), 3))) == 3


def test_the_same_question_and_the_same_text() -> None:
    first = question("1", "Which conducts?")
    assert text_key(first) == text_key(question("2", "which conducts", "iron wax"))
    assert whole_key(first) == whole_key(question("2", "WHICH conducts", "copper wood"))
    assert whole_key(first) != whole_key(question("1", "Which conducts?", "iron wax"))
    met = SeenQuestions()
    met.add([first])
    overlap = met.overlap_with(
        [first, question("2", "Which conducts?", "iron wax"), question("3", "Which floats?")]
    )
    assert overlap.describe("known ones") == (
        "2 of 3 questions have the text of known ones,"
        " 1 of them with the same context and choices too"
    )
