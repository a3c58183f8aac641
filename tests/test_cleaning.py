"""Cleaned rationales: what is removed and what stays. Cleaning twice changes nothing more."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scicot.annotation.judging import judge
from scicot.config import GenerateSettings, TrainSettings
from scicot.errors import ScicotError
from scicot.records import Choice, Question, Rationale
from scicot.replies import ParsedReply, count_words, read_reply
from scicot.reporting import LogReporter
from scicot.stages import Stage
from scicot.teachers import Reply
from scicot.training.data import Reader

DATA = Path(__file__).parents[2] / "shared" / "data"


def question(text: str, *choices: str, answer: str = "A") -> Question:
    labelled = tuple(Choice(label, own) for label, own in zip("ABCDE", choices, strict=False))
    return Question("q", text, labelled, answer)


METAL = question("Which conducts electricity?", "wood", "a spoon", "rubber", "glass", answer="B")
FLEXIBLE = question("Which is the most flexible?", "paper", "a clay tile")
RUN_ON = question("Is this a run-on sentence?", "yes", "no")
TRAIT = question("Is playing the flute acquired or inherited?", "acquired", "inherited")
GAS = question("Select the gas.", "marbles", "air inside a ball")
PARADOX = question("Which figure of speech is used?", "paradox", "simile")


@pytest.mark.parametrize(
    ("asked", "reply", "rationale"),
    [
        # A closing verdict is removed; the reasons for it stay.
        (FLEXIBLE, "Thin things bend easily. Therefore, paper is the most flexible.",
         "Thin things bend easily."),
        (TRAIT, "It is learned by practice, so it is an acquired trait.",
         "It is learned by practice."),
        (FLEXIBLE, "Tiles are rigid and break. Thus (A) is more flexible because it is thin.",
         "Tiles are rigid and break. It is thin."),
        (PARADOX, "It contradicts itself on purpose. The statement is, therefore, a paradox.",
         "It contradicts itself on purpose."),
        (FLEXIBLE, "1. Thin things bend easily.\n2. So, paper is the most flexible.",
         "1. Thin things bend easily."),
        # An opening sentence that only restates the question is removed too.
        (RUN_ON, "Yes, this is a run-on sentence. It joins two clauses with nothing but a comma.",
         "It joins two clauses with nothing but a comma."),
        # Chatter about the reply is removed, and so are lead-ins to removed text.
        (GAS, "Sure! I'll select the gas.\n\nThe answer is (B).", ""),
        (GAS, "Here's the complete sentence:\n\nThis is a (B): air inside a ball.", ""),
    ],
)  # fmt: skip
def test_what_tells_the_answer_is_cut_out(asked: Question, reply: str, rationale: str) -> None:
    read = read_reply(reply, asked)
    assert (read.rationale, read.still_concludes) == (rationale, None)


@pytest.mark.parametrize(
    ("asked", "reply", "concludes"),
    [
        (METAL, "A spoon is made of metal. Metals let a current pass.", "B"),
        (FLEXIBLE, "Paper is made of thin fibres.", "A"),
        (TRAIT, "Therefore the trait is acquired.", "A"),  # kept, since nothing else would be left
    ],
)
def test_a_sentence_that_is_the_reasoning_stays_and_is_marked(
    asked: Question, reply: str, concludes: str
) -> None:
    read = read_reply(reply, asked)
    assert (read.rationale, read.still_concludes) == (reply, concludes)
    row, reason = judge(
        Rationale(asked, ""), Reply(f"{reply}\nAnswer: {concludes}"), GenerateSettings()
    )
    assert (reason, row.to_row()["still_concludes"]) == (None, concludes)
    assert Rationale.from_row(row.to_row()) == row


@pytest.mark.parametrize(
    ("reply", "conclusion"),
    [
        ("Clay is baked and hard. Therefore, option (B) is incorrect.", None),
        ("The answer must be something that bends like paper.", None),
    ],
)
def test_what_denies_a_choice_or_names_a_requirement_concludes_nothing(
    reply: str, conclusion: str | None
) -> None:
    assert read_reply(reply, FLEXIBLE).conclusion == conclusion


@pytest.mark.parametrize(
    "reply",
    [
        "Of course, metals let a current pass.",
        "Metals carry free electrons!",
        "Great heat melts most metals, and free electrons carry a current.",
    ],
)
def test_reasons_that_begin_or_end_like_chatter_stay(reply: str) -> None:
    assert read_reply(f"{reply}\nThe answer is (B).", METAL).rationale == reply


def test_a_rationale_of_one_word_is_too_short() -> None:
    row = Rationale(METAL, "")
    assert judge(row, Reply("Metal.\nAnswer: B"), GenerateSettings())[1] == "too-short"
    assert judge(row, Reply("Metal conducts.\nAnswer: B"), GenerateSettings())[1] is None
    assert count_words("\u91d1\u5c5e\u5bfc\u7535") == 4  # no spaces between words


PIECES = st.sampled_from([
    *("A", "(A)", "(b)", "**B**", "a", "the", "spoon", "wood", "glass", "yes", "Yes,", "answer"),
    *("is", "are", "or", "and", "not", "than", "because", "since", "So", "so", ", so", "Therefore"),
    *("therefore", "thus,", "correct", "best", "pick", "Answer:", "Q:", "<think>", "</think>"),
    *("Here's the sentence:", "Let me select", "1.", "2)", "metal", "conducts", "Explanation:"),
    *(":", ";", ",", ".", "!", "?", "-", "\n", "\\boxed{", "}", "\u0130", "\U0001f600"),
])  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(st.text(), st.lists(PIECES).map(" ".join), st.lists(PIECES).map("".join)),
    st.sampled_from([METAL, RUN_ON, FLEXIBLE]),
)
def test_cleaning_is_a_fixed_point(text: str, asked: Question) -> None:
    _assert_fixed(read_reply(text, asked), asked)


def _assert_fixed(read: ParsedReply, asked: Question) -> None:
    if read.leaks:
        return  # the reply was rejected
    again = read_reply(read.rationale, asked)
    assert again.rationale == read.rationale
    assert again.conclusion == again.still_concludes == read.still_concludes
    assert not again.leaks
    assert again.conclusion is None or not again.announced


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("scienceqa_text_llama2chat13b.train.jsonl", 0.001),
        ("arc_challenge_llama2.train.jsonl", 0.01),
        ("openbookqa_flant5xl.train.jsonl", 0.001),
        ("csqa_palm.train.jsonl", 0.001),
    ],
)
def test_real_rationales_are_fixed_points(name: str, lost: float) -> None:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()][:600]
    leaks = 0
    for row in rows:
        asked = Question.from_row({key: row[key] for key in ("id", "question", "choices")})
        read = read_reply(row.get("reply") or row["rationale"], asked)
        leaks += read.leaks
        _assert_fixed(read, asked)
    assert leaks <= lost * len(rows)


class Heard(LogReporter):
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)

    def warn(self, message: str) -> None:
        self.warnings.append(message)


RATIONALES = {
    "Metals conduct. So the answer is (B).": "Metals conduct.",
    "The answer is (B).": None,
    "Metals let a current pass.": "Metals let a current pass.",
}


def _read(tmp_path: Path, stage: Stage, teacher: str = "t", *, clean: bool) -> tuple[Any, Heard]:
    file, heard = tmp_path / "r.jsonl", Heard()
    texts = [*RATIONALES, *([""] if teacher.startswith("student:") else [])]
    rows = [
        {**METAL.to_row(), "id": f"q{n}", "rationale": text, "teacher": teacher}
        for n, text in enumerate(texts)
    ]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    lessons = Reader(stage, TrainSettings(clean=clean), {}, heard).read([file])
    return [lesson.rationale for lesson in lessons], heard


@pytest.mark.parametrize(
    "stage", [Stage.RATIONALE, Stage.ANSWER, Stage.ONE_SEQUENCE, Stage.MULTI_TASK]
)
def test_training_counts_rationales_that_announce_and_clean_cuts_them(
    tmp_path: Path, stage: Stage
) -> None:
    texts, heard = _read(tmp_path, stage, clean=False)
    assert texts == list(RATIONALES)
    (warning,) = heard.warnings
    assert warning.startswith("2 of 3 rationales (66.7%) announce the answer")
    texts, heard = _read(tmp_path, stage, clean=True)
    assert texts == [text for text in RATIONALES.values() if text]
    assert not heard.warnings
    (note,) = heard.notes
    assert note.startswith("--clean: shortened 1 of 3 rationales; left out 1 row ")


def test_clean_keeps_the_blank_rationales_of_students(tmp_path: Path) -> None:
    texts, _ = _read(tmp_path, Stage.ANSWER, "student:r@1", clean=True)
    assert texts == ["Metals conduct.", "Metals let a current pass.", ""]


def test_clean_means_nothing_without_rationales(tmp_path: Path) -> None:
    from scicot import train_answer

    file = tmp_path / "q.jsonl"
    file.write_text(json.dumps(METAL.to_row()) + "\n")
    with pytest.raises(ScicotError, match="--clean: has no effect on direct students"):
        train_answer(
            file, tmp_path / "run", student="scratch:tiny", method="direct",
            settings=TrainSettings(clean=True, device="cpu"),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("stop_reason", "cut"),
    [
        ("end_turn", False), ("stop_sequence", False), ("stop", False), ("max_tokens", True),
        ("length", True), ("model_context_window_exceeded", True), ("pause_turn", True),
        ("odd", True), ("STOP", False), ("COMPLETE", False), ("finished", False),
        ("FinishReason.STOP", False), ("MAX_TOKENS", True), ("tool_calls", True),
    ],
)  # fmt: skip
def test_a_reply_whose_stop_reason_does_not_say_that_it_is_whole_has_to_conclude(
    stop_reason: str, cut: bool
) -> None:
    row, settings = Rationale(METAL, ""), GenerateSettings(keep="all")
    cut_text = Reply("Iron is a metal, and metals conduct elec", stop_reason)
    assert judge(row, cut_text, settings)[1] == ("truncated" if cut else None)
    whole_text = Reply("Iron is a metal and conducts.\nAnswer: B", stop_reason)
    assert judge(row, whole_text, settings)[1] is None


@pytest.mark.parametrize(
    "stop_reason", ["refusal", "content_filter", "SAFETY", "guardrail_intervened", "Recitation"]
)
def test_a_reply_that_a_filter_stopped_is_a_refusal(stop_reason: str) -> None:
    reply = Reply("Iron is a metal, and metals conduct electricity.", stop_reason)
    assert judge(Rationale(METAL, ""), reply, GenerateSettings())[1] == "refusal"
