"""The time for judging a reply grows about linearly with its length, whatever the reply says.

The tests compare the processor time for a text with that for a text four times as long. Processor
time hardly depends on how busy the machine is. The limit reader.LONGEST is lifted, because it would
hide faster growth below it.
"""

import math
import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scicot.annotation.judging import judge, repeats
from scicot.config import GenerateSettings
from scicot.records import Choice, Question, Rationale
from scicot.replies import announces_answer, only_choice_named, reader
from scicot.teachers import Reply
from scicot.text import normalized

LABELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
FLOOR = 0.02  # seconds; shorter times are too noisy to compare
MOST = 8  # maximum ratio of times for a text four times as long


def question(*texts: str) -> Question:
    choices = tuple(Choice(label, text) for label, text in zip(LABELS, texts, strict=False))
    return Question("q", "Which is it?", choices, "B")


QUESTIONS = {
    "short": question("wood", "a spoon", "rubber", "glass"),
    "long": question("spoon " * 333, "a " * 1000, "is " * 666, "the spoon is " * 150),
    "many": question(*("spoon " * 300 + label for label in LABELS)),
}
UNITS = [
    *("-", "(((", " x ", "\nx\n", "w", "**", '"', "_", "\u00e9", "\U0001f600", "\u0301\u0323"),
    *("a\n", "A\n", "A. ", ". . .", "B) a spoon\n", "(A) ", "A, ", "(A) or (B) or ", ", and "),
    *(" ", "\n", "\t\n", "A ", "a:", "so,", "...", "is not ", "\\", "Q:\n", "x\n--------\n"),
    *("is ", "is a ", "the answer is ", "answer: ", "either ", "not not", ": ", "\\boxed{", "Q: "),
    *("x<think>", "x</think>", "spoon ", "the spoon is ", "a spoon is the best answer "),
    "(A) as is A or ",  # every "is" introduces the same list, which does not end
    "Metal conducts. So wood, as (A) says, does not.\n",
]
TOKENS = [
    *("A", "B", "(A)", "(b)", "**B**", "a", "the", "spoon", "wood", "answer", "option", "the hint"),
    *("is", "was", "be", "as", "or", "and", "either", "not", "than", "because", "since", "so"),
    *(
        "correct",
        "best",
        "more",
        "whether",
        "might",
        "pick",
        "Answer:",
        "Q:",
        "<think>",
        "</think>",
    ),
    *("\\boxed{", "}", "(", ")", "[", "*", "_", '"', ":", "=", ";", ",", ".", "!", "?", "-", "\n"),
    *(" ", "  ", "\t", "\u00e9", "\u0130", "\u0301", "\ufdfa", "\U0001f600", "\u3000"),
]


def whole(unit: str, length: int) -> str:
    return (unit * (length // len(unit) + 1))[:length]


def judged(text: str, asked: Question) -> None:
    """Run every check that scicot makes on the text of a reply or of a rationale."""
    row = Rationale(asked, "", saw_answer=True)
    judge(row, Reply(text), GenerateSettings(samples=2, keep="all"))
    announces_answer(text, asked)
    only_choice_named(text, asked)


def seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def growth(work: Callable[[str], object], unit: str, length: int) -> float:
    """Return the time for a text of 4 * `length` characters, divided by that for `length`
    characters."""
    short, long = whole(unit, length), whole(unit, 4 * length)
    floor = longest = ratio = math.inf
    # Another process on the same core can double a measured time, so the shortest times count.
    for _ in range(10):
        floor = min(floor, max(seconds(lambda: work(short)), FLOOR))
        longest = min(longest, seconds(lambda: work(long)))
        ratio = longest / floor
        if ratio <= MOST:
            break
    return ratio


@pytest.fixture
def unbounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "LONGEST", 1 << 40, raising=False)


@pytest.mark.usefixtures("unbounded")
@pytest.mark.parametrize("unit", UNITS)
def test_time_grows_with_the_length(unit: str) -> None:
    assert growth(lambda text: judged(text, QUESTIONS["short"]), unit, 4000) <= MOST


@pytest.mark.usefixtures("unbounded")
@pytest.mark.parametrize("asked", ["long", "many"])
@pytest.mark.parametrize("unit", ["spoon ", "a ", "is a ", "the spoon is ", "A. spoon\n"])
def test_time_grows_with_the_length_where_choices_are_long(asked: str, unit: str) -> None:
    assert growth(lambda text: judged(text, QUESTIONS[asked]), unit, 4000) <= MOST


@pytest.mark.usefixtures("unbounded")
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=12).map("".join))
def test_time_grows_with_the_length_of_any_content(unit: str) -> None:
    assert growth(lambda text: judged(text, QUESTIONS["short"]), unit, 2500) <= MOST


@pytest.mark.parametrize(
    "unit", ["-", "a\n", "(((", " x", "w", "A. ", "Q\n", "<think>x</think>y ", "--------\n"]
)
def test_two_megabytes_are_judged_in_seconds(unit: str) -> None:
    text = whole(unit, 2_000_000)
    assert seconds(lambda: judged(text, QUESTIONS["short"])) < 5


def test_a_reply_that_is_too_long_is_rejected_although_it_concludes_well() -> None:
    asked = QUESTIONS["short"]
    explained = "".join(f"Metal number {n} conducts.\n" for n in range(2000)) + "Answer: B"
    row, reason = judge(Rationale(asked, ""), Reply(explained), GenerateSettings())
    assert (row.conclusion, reason) == ("B", "too-long")
    row, reason = judge(Rationale(asked, ""), Reply(explained[-20_000:]), GenerateSettings())
    assert (row.conclusion, reason) == ("B", None)


@pytest.mark.parametrize("unit", ["\u0301\u0323", "\u0301 ", "e\u0301", "-", "a-", "\ufdfa"])
def test_normalizing_grows_with_the_length(unit: str) -> None:
    assert growth(normalized, unit, 10_000) <= MOST


@pytest.mark.parametrize("unit", ["a ", "a b ", "- "])
def test_comparing_samples_is_bounded(unit: str) -> None:
    text = whole(unit, 2_000_000)
    assert seconds(lambda: repeats(text, [text])) < 5
