"""Replies as teachers write them, and what is read from each."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scicot.records import Choice, Question
from scicot.replies import announces_answer, is_refusal, read_reply
from scicot.replies.reader import ENDS


def question(*texts: str, labels: str | list[str] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ") -> Question:
    choices = tuple(Choice(label, text) for label, text in zip(labels, texts, strict=False))
    return Question("q", "Which is it?", choices)


METAL = question("wood", "a spoon", "rubber", "glass")
SERVICE = question("a service", "a good")

CONCLUSIONS = [
    # The requested format, and how models vary it.
    ("Metal conducts.\n\nAnswer: B", "B"),
    ("Metal conducts.\n\n**Answer: B**", "B"),
    ("Metal conducts.\n\n**Answer:** (B)", "B"),
    ("Metal conducts.\n\n**Answer:** B) a spoon", "B"),
    ("Metal conducts.\n\n### Answer\n\n**B**", "B"),
    ("Metal conducts.\nAnswer - B", "B"),
    ("Metal conducts.\n#### B", "B"),
    ("Metal conducts.\n\nFinal answer: b", "B"),
    ("Metal conducts.\n\nAnswer: $B$", "B"),
    ("Metal conducts.\n\nAnswer: `B`", "B"),
    ("Metal conducts.\n\nAnswer\uff1aB", "B"),
    ("Metal conducts.\n\nThe final answer is: $\\boxed{B}$", "B"),
    ("Thus \\[ \\boxed{\\text{B}} \\]", "B"),
    ("Metal conducts. The final answer is \\(\\boxed{\\textbf{(B)}}\\).", "B"),
    # Within a sentence.
    ("Metal conducts. So the answer is (b) spoon.", "B"),
    ("The correct answer is B) a spoon", "B"),
    ("Therefore, the correct answer is (B): a spoon.", "B"),
    ("The correct answer is **B. a spoon**.", "B"),
    ("The correct answer is B.", "B"),
    ("The correct answer is:\n\n**B) a spoon**", "B"),
    ("The best choice among these is option B.", "B"),
    ("The correct option here is letter (B).", "B"),
    ("I would go with B because metal conducts.", "B"),
    ("I'd choose (B).", "B"),
    ("Since metal conducts, B is the correct answer.", "B"),
    ("Metal conducts, making option B the best choice.", "B"),
    ("Therefore (B) is correct.", "B"),
    ("Metals conduct, so the answer must be B.", "B"),
    ("Among these, only metals conduct electricity, which is (B).", "B"),
    ("The material that conducts is: (B).", "B"),
    # The choice's text instead of its label.
    ("Metal conducts. So the answer is spoon.", "B"),
    ("Metal conducts. The answer is a spoon, because it is metal.", "B"),
    ('The answer is "A Spoon"!', "B"),
    ("Answer: spoon", "B"),
    ("**Answer:** *the spoon*", "B"),
    ("A spoon is the correct answer.", "B"),
    ("Spoon", "B"),
    # The answer before the explanation.
    ("B", "B"),
    ("B.", "B"),
    ("(B)", "B"),
    ("B) a spoon", "B"),
    ("B. Because metal conducts.", "B"),
    ("B) Because metal conducts.", "B"),
    ("**B**\n\nMetal conducts, and wood does not.", "B"),
    (
        "(B) a spoon\n\n(A) is wrong since wood insulates.\n(C) is wrong since rubber insulates.",
        "B",
    ),
    # Several choices are named, then one is chosen.
    ("At first the answer seems to be (A). But metal conducts. The answer is (B).", "B"),
    ("The answer is C. Wait, rubber insulates. So the answer is B.", "B"),
    ("B. Let me check: glass insulates.\n\nAnswer: B", "B"),
    ("(A) Wood insulates.\n(B) Metal conducts.\n(C) Rubber insulates.\n\nThe answer is (B).", "B"),
    ("Option A is wrong, C and D are too. The answer is B, not A.", "B"),
    ("The answer is not A. The answer is B.", "B"),
    ("The answer is B rather than C.", "B"),
    ("You might think the answer is A, but it is B.", None),
    ("The answer cannot be A or C, so the answer is B.", "B"),
    ("The wrong answer is A. The right answer is B.", "B"),
    # No choice is concluded.
    ("", None),
    ("   \n\n ", None),
    ("The answer is A and B.", None),
    ("The answer is either (A) or (B).", None),
    ("The answer is (A) wood or (B) spoon.", None),
    ("Both A and B are correct, so the answer is A, B.", None),
    ("The answer is not A.", None),
    ("The answer isn't (A).", None),
    ("The answer is none of the above.", None),
    ("The answer is (F).", None),
    ("The answer is (B) wood.", None),
    ("A good conductor lets a current pass.", None),
    ("The answer is a matter of taste.", None),
    ("The answer is a good conductor of heat.", None),
    ("Here are the options:\n(A) wood\n(B) a spoon\n(C) rubber\n(D) glass", None),
    ("(B) a spoon conducts better\nthan (A) wood.", "B"),
    ("I can't help with that.", None),
    # Thinking tags.
    ("<think>The answer is A.</think>\n\nThe answer is B.", "B"),
    ("Perhaps the answer is A.\n</think>\n\nAnswer: B", "B"),
    ("<think>So the answer is A", None),
    ("<thinking>A?</thinking>Answer: B<think>The answer is C", "B"),
    # The reply continues with questions of its own.
    (
        "So the answer is (b) spoon.\n\nQ: Who?\nAnswer Choices:\n(a) I\nA: The answer is (a) I.",
        "B",
    ),
    ("Answer: B\n\nQuestion: Who?\nOptions:\n(A) I\n\nAnswer: A", "B"),
    ("Answer: B\n\n### Question 2:\nWho?\nAnswer: A", "B"),
    ("Answer: B<|im_end|>\n<|im_start|>user\nAnswer: A", "B"),
    ("The answer is B.\nHuman: Are you sure?\nAssistant: The answer is A.", "B"),
    ("The answer is B. \u2014 \u201cmetal\u201d \u2714\ufe0f", "B"),
]


@pytest.mark.parametrize(("reply", "conclusion"), CONCLUSIONS)
def test_conclusion(reply: str, conclusion: str | None) -> None:
    assert read_reply(reply, METAL).conclusion == conclusion


@pytest.mark.parametrize(
    ("reply", "asked", "conclusion"),
    [
        ("The answer is a service.", SERVICE, "A"),
        ("The answer is (A): a service.", SERVICE, "A"),
        ("A haircut is a service, so the answer is A.", SERVICE, "A"),
        ("The answer is option 2", question("x", "y", labels="1234"), "2"),
        ("Answer: 2", question("x", "y", labels="1234"), "2"),
        ("1. Find x.\n2. Find y.\n\nAnswer: 2", question("x", "y", labels="1234"), "2"),
        ("The answer is 2.", question("2", "3", labels="12"), "2"),  # exactly a label: that label
        ("Answer: C", question("C", "NO2", "O2", "CO"), "C"),
        ("The answer is C (carbon).", question("C", "NO2", "O2", "CO"), "C"),
        ("The answer is (2).", question("2", "3", labels="12"), "2"),
        ("The answer is 2) 3", question("2", "3", labels="12"), "2"),
        ("The answer is 2 apples.", question("3 pears", "4 figs", "2 apples", labels="123"), "3"),
        ("The answer is no.", question("It is.", "It is not.", labels=["yes", "no"]), "no"),
        ("Answer: beta", question("x", "y", labels=["alpha", "beta"]), "beta"),
        ("Yes, it rains.", question("yes", "no"), "A"),
        ("The answer is vitamin C.", question("vitamin A", "vitamin C"), "B"),
        ("The answer is A.", question("B", "A"), "A"),
        ("The answer is (A).", question("B", "A"), "A"),
        ("The answer is red.", question("red", "red"), None),
        ("The answer is (B) red.", question("red", "red"), "B"),
        ("The answer is dear Ann.", question("Dear Ann", "dear Ann"), "B"),
        ("Answer: \u00c9COLE", question("\u00e9cole", "mus\u00e9e"), "A"),
        ("Answer: (B) \u2192", question("\u2190", "\u2192"), "B"),
        ("Answer: Z", question(*(f"thing {n}" for n in range(26))), "Z"),
        ("The answer is I because it fits.", question(*"rstuvwxyz"), "I"),
        ("The answer is None of the above.", question("x", "none of the above"), "B"),
        ("It is (a): see.\n\nAnswer: a", question("x", "y", labels="aA"), "a"),
        ("Answer: A", question("x", "y", labels="aA"), "A"),
    ],
)
def test_conclusion_with_other_labels(reply: str, asked: Question, conclusion: str | None) -> None:
    assert read_reply(reply, asked).conclusion == conclusion


RATIONALES = [
    ("Metal conducts.\n\nAnswer: B", "Metal conducts."),
    ("Since metal conducts, the answer is (B) spoon.", "Metal conducts."),
    ("Spoons are metal, so the answer is (B).", "Spoons are metal."),
    ("The answer is (B) because metal conducts.", "Metal conducts."),
    ("B. Because metal conducts.", "Because metal conducts."),
    ("(B) a spoon\n\nMetal conducts.", "Metal conducts."),
    ("Based on the facts, the correct answer is (B).", ""),
    ("Sure! Metal  conducts.\n\n\nWood\tis not.\n**Answer:** B", "Metal conducts.\nWood is not."),
    ("**Explanation:** Metal conducts.\n\n**Answer:** B", "Metal conducts."),
    ("The answer must be a thing that conducts. Only metal does. So the answer is (b) spoon.",
     "The answer must be a thing that conducts. Only metal does."),
    ("(A) Wood burns.\n(B) Metal conducts.\n\nAnswer: B", "(A) Wood burns.\n(B) Metal conducts."),
    ("Metal conducts. Answer: B\n\nQ: Who?\nA: I.", "Metal conducts."),
    ("<think>B it is.</think>Metal conducts.\nAnswer: B", "Metal conducts."),
    ("Dr. J. J. Thomson found electrons. The answer is B.", "Dr. J. J. Thomson found electrons."),
    ("The metal is:\n\n(B) a spoon\n\nIt is 3.5 mm thick.", "It is 3.5 mm thick."),
    ("", ""),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "rationale"), RATIONALES)
def test_rationale_explains_and_does_not_announce(reply: str, rationale: str) -> None:
    assert read_reply(reply, METAL).rationale == rationale
    assert not announces_answer(rationale, METAL)


@pytest.mark.parametrize(
    ("rationale", "leaks"),
    [
        ("The answer is (B).", True),
        ("Metal conducts, so B is correct.", True),
        ("The correct option is the one that conducts.", True),
        ("Metal conducts.\nAnswer: B", True),
        ("The conductor is (B) a spoon.", True),
        ("A spoon conducts, since it is metal.", False),
        ("Only a spoon conducts. (A) is an insulator.", False),
        ("The answer must be a thing that conducts.", False),
        ("A current needs free electrons.", False),
        ("", False),
    ],
)
def test_announces_answer(rationale: str, leaks: bool) -> None:
    assert announces_answer(rationale, METAL) is leaks


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("I can't help with that.", True),
        ("I\u2019m sorry, but I can\u2019t assist with this request.", True),
        ("I'm sorry, but I am unable to answer.", True),
        ("Sorry, I cannot provide an answer to this question.", True),
        ("As an AI language model, I cannot answer.", True),
        ("Unfortunately, I'm not able to help with that.", True),
        ("I must decline.", True),
        ("<think>Hm.</think>I won't do that.", True),
        ("I apologize for the confusion. Metal conducts. Answer: B", False),
        ("Metal conducts, so I can't pick wood. Answer: B", False),
        ("I cannot see through wood. " + "Light is absorbed by it. " * 20, False),
        ("I'm sorry to say that wood burns.", False),
        ("", False),
    ],
)
def test_is_refusal(text: str, refusal: bool) -> None:
    assert is_refusal(text) is refusal


PIECES = st.sampled_from(
    [
        *(
            "A",
            "B",
            "(B)",
            "b.",
            "a",
            "spoon",
            "the answer is",
            "answer",
            "is",
            "Answer: ",
            "option",
        ),
        *(
            "correct",
            "best",
            "not",
            "or",
            "and",
            "so",
            "because",
            "Since",
            "Q:",
            "<think>",
            "</think>",
        ),
        *(":", "\n", "\n\n", "**", "\\boxed{", "}", ",", ".", " ", "\ufb01", "\u0130", "\u017f"),
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(), st.lists(PIECES).map(" ".join), st.lists(PIECES).map("".join)))
def test_any_text_is_read_and_never_leaks(text: str) -> None:
    reply = read_reply(text, METAL)
    assert reply.conclusion is None or reply.conclusion in METAL.labels
    assert not announces_answer(reply.rationale, METAL)
    assert isinstance(is_refusal(text), bool)


@settings(max_examples=100, deadline=None)
@given(
    st.text(), st.lists(st.text(min_size=1).filter(str.strip), min_size=2, max_size=5, unique=True)
)
def test_any_labels_are_read(text: str, labels: list[str]) -> None:
    asked = question(*labels, labels=labels)
    for reply in (text, f"{text}\nAnswer: {labels[0]}"):
        assert read_reply(reply, asked).conclusion in (None, *labels)


def test_of_a_long_reply_only_the_ends_are_read() -> None:
    filler = "The sun is a star.\n" * 2000
    ends = read_reply(f"Metal conducts.\n{filler}\nAnswer: B", METAL)
    assert (ends.conclusion, ends.rationale, ends.too_long) == ("B", "", True)
    assert read_reply(f"B\n{filler}", METAL).conclusion == "B"
    middle = read_reply(f"{filler}The answer is B.\n{filler}", METAL)
    assert (middle.conclusion, middle.too_long) == (None, True)


def test_the_two_ends_of_a_long_reply_make_no_sentence() -> None:
    beginning, end = " the answer is".rjust(ENDS, "x"), "(B) ".ljust(ENDS, "x")
    assert read_reply(beginning + end, METAL).conclusion == "B"
    reply = read_reply(f"{beginning}{'Metal conducts. ' * 1000}{end}", METAL)
    assert (reply.conclusion, reply.too_long) == (None, True)


def test_thinking_does_not_make_a_reply_too_long() -> None:
    thinking = "Is it wood?\n" * 10_000
    reply = read_reply(f"<think>{thinking}</think>Metal conducts.\nAnswer: B", METAL)
    assert (reply.conclusion, reply.rationale) == ("B", "Metal conducts.")
    assert not reply.too_long
    ran_on = read_reply(f"Metal conducts.\nAnswer: B\nQ: What?\n{thinking}", METAL)
    assert (ran_on.conclusion, ran_on.rationale) == ("B", "Metal conducts.")
    assert not ran_on.too_long


HTML = ("<option>", "<label>")
SETTLED = [
    (("wood", "copper"), "The solution of salt [solution A] is pure. The answer is (B).", "B"),
    (HTML, "<option> tags list entries, <label> elements name a field. The answer is (B).", "B"),
    (("wood", "copper"), "Each option:\n(A) wood is dry.\nThe correct answer is:\n(B) copper", "B"),
    (("wood", "copper"), "The answer is (B). No, wood does not conduct; that is (A).", "B"),
    (("wood", "copper"), "The answer is (B). Actually, it is (A) wood that insulates.", "B"),
    (
        ("wood", "copper"),
        "Copper is the answer.\n\nNo other option: it is (A) that insulates.",
        "B",
    ),
    (("wood", "copper"), "So the answer is (B), otherwise the lamp would not glow.", "B"),
    (("wood", "copper"), "The answer is **B** - if a wire is metal, it conducts.", "B"),
    (("wood", "copper"), "In case it matters, the answer is B.", "B"),
    (("wood", "copper"), "The answer is B. Let me recheck: yes, copper is a metal.", "B"),
    (("wood", "copper"), "The answer is A. I'm not sure.", None),
]


@pytest.mark.parametrize(("choices", "reply", "conclusion"), SETTLED)
def test_later_words_do_not_unsettle_an_answer(
    choices: tuple[str, str], reply: str, conclusion: str | None
) -> None:
    asked = Question("q", "Which conducts?", tuple(map(Choice, "AB", choices)))
    read = read_reply(reply, asked)
    assert read.conclusion == conclusion
    if choices == HTML:
        assert read.rationale == "<option> tags list entries, <label> elements name a field."


@pytest.mark.parametrize(
    "reply", ["(A) stimmt nicht, denn Holz leitet nicht.", "Die falsche Antwort ist (A)."]
)
def test_a_denial_in_another_language_announces_nothing(reply: str) -> None:
    asked = Question("q", "Which conducts?", tuple(map(Choice, "AB", ("Holz", "Kupfer"))))
    assert read_reply(reply, asked).rationale == reply
