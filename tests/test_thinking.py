"""--rationale-source thinking: what a reasoning model thought is read as the rationale."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scicot import GenerateSettings
from scicot.annotation.judging import judge
from scicot.records import Choice, Question, Rationale
from scicot.replies import read_reply, split_thinking
from scicot.replies.shortening import shorten_to_tokens
from scicot.teachers import Reply

CHOICES = (Choice("A", "wood"), Choice("B", "copper"))
ASKED = Question("q1", "Which conducts electricity?", CHOICES, answer="B")
THOUGHT = "Copper is a metal. Metals have free electrons. So the answer is B."
THINKING = GenerateSettings(rationale_source="thinking")


def judged(reply: Reply, settings: GenerateSettings = THINKING) -> tuple[Rationale, str | None]:
    return judge(Rationale(ASKED, ""), reply, settings)


@pytest.mark.parametrize(
    ("text", "reply", "thinking", "unclosed"),
    [
        ("B", "B", "", False),
        ("<think>Hm.</think>B", "B", "Hm.", False),
        ("<THINKING>Hm.</thinking>\nB", "B", "Hm.", False),
        ("[THINK]Hm.[/THINK]B", "B", "Hm.", False),
        ("Hm.</think>B", "B", "Hm.", False),
        ("<think>Hm.", "", "Hm.", True),
        ("<think>Hm.</think>B <think>Oh.</think>C", "B C", "Hm.\n\nOh.", False),
        ("I [think] so.", "I [think] so.", "", False),
        ("", "", "", False),
    ],
)
def test_thinking_is_taken_out_of_a_text(
    text: str, reply: str, thinking: str, unclosed: bool
) -> None:
    assert split_thinking(text) == (reply, thinking, unclosed)


@pytest.mark.parametrize(
    "reply",
    [
        Reply("Copper it is.\nAnswer: B", thinking=THOUGHT),
        Reply(f"<think>{THOUGHT}</think>Copper it is.\nAnswer: B"),
        Reply(f"{THOUGHT}</think>Copper it is.\nAnswer: B"),
        Reply("Answer: B", thinking=f"<think>\n{THOUGHT}"),
    ],
)
def test_the_rationale_is_the_thinking_cleaned_and_the_answer_that_of_the_reply(
    reply: Reply,
) -> None:
    row, reason = judged(reply)
    assert reason is None
    assert row.rationale == "Copper is a metal. Metals have free electrons."
    assert row.conclusion == "B"
    assert (row.reply, row.thinking) == (reply.text, reply.thinking or None)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply("It conducts.\nAnswer: B"), "no-thinking"),
        # the thinking does not count for the conclusion
        (Reply("Answer: A", thinking=THOUGHT), "wrong-conclusion"),
        (Reply("", "max_tokens", thinking=THOUGHT), "truncated"),
        (Reply(f"<think>{THOUGHT}"), "truncated"),
        # truncated after it had answered
        (Reply("Answer: B", "max_tokens", thinking=THOUGHT), None),
        (Reply("", thinking=THOUGHT), "wrong-conclusion"),
        (Reply("I cannot help with that.", thinking=THOUGHT), "refusal"),
        (Reply("Answer: B", thinking="So the answer is B."), "empty"),
        (Reply("Answer: B", thinking="Wait. It is so. " * 9), "repetitive"),
        (Reply("Answer: B", thinking="Metals conduct well. " * 2000), "too-long"),
    ],
)
def test_thinking_that_is_no_rationale_is_rejected(reply: Reply, reason: str | None) -> None:
    assert judged(reply)[1] == reason


def test_a_question_that_is_repeated_within_the_thinking_does_not_end_it() -> None:
    thought = f"Let me see.\nQuestion: which one conducts?\nAnswer choices: wood, copper\n{THOUGHT}"
    row, reason = judged(Reply("Answer: B", thinking=thought))
    assert reason is None
    assert row.rationale.endswith("Copper is a metal. Metals have free electrons.")
    assert "Answer choices" not in row.rationale
    assert read_reply(row.rationale, ASKED).rationale == row.rationale


def test_long_thinking_loses_its_last_sentences() -> None:
    long = f"{THOUGHT} " + "Wood has none at all, as its electrons are bound. " * 900
    row, reason = judged(
        Reply("Answer: B", thinking=long), GenerateSettings(
            rationale_source="thinking", max_rationale_tokens=14
        )
    )  # fmt: skip
    assert reason is None
    assert row.rationale == "Copper is a metal. Metals have free electrons."
    assert row.thinking == long, "the raw text stays"


def test_replies_are_cut_as_well_and_stay_in_the_row_then() -> None:
    text = "Copper is a metal. Metals have free electrons.\nAnswer: B"
    for most, rationale, raw in ((50, text[:-10], None), (6, "Copper is a metal.", text)):
        row, reason = judged(Reply(text), GenerateSettings(max_rationale_tokens=most))
        assert (row.rationale, row.reply, row.thinking, reason) == (rationale, raw, None, None)


@given(st.text(st.sampled_from("aä中😀.!? \n"), max_size=80), st.integers(1, 20))
def test_a_cut_text_is_short_enough_and_a_beginning(text: str, most: int) -> None:
    cut = shorten_to_tokens(text, most)
    assert len(cut.encode()) <= 4 * most
    assert "".join(text.split()).startswith("".join(cut.split()))


def test_a_sentence_ends_at_a_blank_and_long_ones_at_a_word() -> None:
    assert shorten_to_tokens("It is 3.5 m long.", 3) == "It is 3.5 m"
    assert shorten_to_tokens("Yes. It is 3.5 m long.", 3) == "Yes."
    assert shorten_to_tokens("Kupfer leitet.", 99) == "Kupfer leitet."


@given(st.lists(st.sampled_from([
    "Copper is a metal.", "So the answer is B.", "Question: which?", "Wait, maybe it is wood.",
    "Therefore, copper conducts.", "Wood is not a metal,", "\n", "The answer is A.", "1.",
]), max_size=12), st.none() | st.integers(1, 40))  # fmt: skip
def test_what_is_kept_reads_as_itself(sentences: list[str], most: int | None) -> None:
    settings = GenerateSettings(rationale_source="thinking", max_rationale_tokens=most)
    row, reason = judged(Reply("Answer: B", thinking=" ".join(sentences)), settings)
    if reason is None:
        again = read_reply(row.rationale, ASKED)
        assert (again.rationale, again.conclusion) == (row.rationale, row.still_concludes)
        assert most is None or len(row.rationale.encode()) <= 4 * most
