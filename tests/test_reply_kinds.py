"""Kinds of replies that were misread: ten variants of each, and what is read from them."""

import json
from pathlib import Path

import pytest

from scicot.records import Choice, Question
from scicot.replies import read_reply
from scicot.replies.languages import ANNOUNCEMENTS


def question(*texts: str) -> Question:
    choices = tuple(Choice(label, text) for label, text in zip("ABCD", texts, strict=False))
    return Question("q", "Which of these conducts electricity?", choices)


TWO = question("wood", "copper")
FOUR = question("wood", "a copper wire", "wool", "glass")

KINDS = json.loads((Path(__file__).parent / "data" / "reply_kinds.json").read_text("utf-8"))
FOR_FOUR = ("eliminated options",)


@pytest.mark.parametrize(
    ("kind", "reply", "conclusion"),
    [(kind, reply, label) for kind, cases in KINDS.items() for reply, label in cases],
)
def test_a_reply_of_a_kind_is_read(kind: str, reply: str, conclusion: str | None) -> None:
    assert read_reply(reply, FOUR if kind in FOR_FOUR else TWO).conclusion == conclusion


@pytest.mark.parametrize(
    ("reply", "rationale"),
    [
        (
            "Let us analyze each option:\n\nA. Wood\n- It insulates.\n\n"
            "B. Copper\n- It conducts.\n\nThe best answer is B.",
            "Let us analyze each option:\nA. Wood\n- It insulates.\nB. Copper\n- It conducts.",
        ),
        ("<reasoning>Metals conduct.</reasoning>\n<answer>\nB\n</answer>", "Metals conduct."),
        ("Metalle leiten Strom.\nAntwort: B", "Metalle leiten Strom."),
    ],
)
def test_what_explains_is_left(reply: str, rationale: str) -> None:
    assert read_reply(reply, TWO).rationale == rationale


def test_a_language_is_added_as_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    reply = "I metalli conducono. La risposta è B."
    assert read_reply(reply, TWO).conclusion is None
    monkeypatch.setitem(ANNOUNCEMENTS, "Italian", ["risposta è {}"])
    assert read_reply(reply, TWO).conclusion == "B"
