import pytest
from hypothesis import given
from hypothesis import strategies as st

from scicot.rouge import LONGEST, rouge_l

# Few different words, so that texts have words in common; up to 90 words, more than an integer has
# bits.
words = st.lists(st.sampled_from("abcde"), max_size=90)


def longest_common_subsequence(first: list[str], second: list[str]) -> int:
    """The textbook's quadratic table, a row at a time."""
    row = [0] * (len(first) + 1)
    for word in second:
        above, row = row, [0]
        for column, word_of_first in enumerate(first):
            row.append(
                above[column] + 1 if word == word_of_first else max(above[column + 1], row[column])
            )
    return row[-1]


@pytest.mark.parametrize(
    ("candidate", "reference", "expected"),
    [
        ("police killed the gunman", "police kill the gunman", 3 / 4),  # Lin 2004, section 3.1
        ("the gunman kill police", "police kill the gunman", 2 / 4),
        ("Copper conducts.", "copper CONDUCTS", 1.0),
        ("metals conduct", "copper is a metal", 0.0),
        ("a", "a b c", 2 * 1 / 4),
        ("it's H2O", "it s h2o", 1.0),
        # like rouge_score: characters other than a-z and 0-9 separate words
        ("naïve", "na ve", 1.0),
        ("", "words", 0.0),
        ("words", "...", 0.0),
        ("", "", 0.0),
    ],
)
def test_cases_worked_by_hand(candidate: str, reference: str, expected: float) -> None:
    assert rouge_l(candidate, reference) == pytest.approx(expected, abs=1e-12)


@given(words, words)
def test_it_agrees_with_the_quadratic_table(first: list[str], second: list[str]) -> None:
    expected = 0.0
    if first and second:
        common = longest_common_subsequence(first, second)
        precision, recall = common / len(first), common / len(second)
        if common:
            expected = 2 * precision * recall / (precision + recall)
    assert rouge_l(" ".join(first), " ".join(second)) == pytest.approx(expected, abs=1e-12)


@given(st.text(), st.text())
def test_it_is_a_symmetric_share(first: str, second: str) -> None:
    assert 0.0 <= rouge_l(first, second) == rouge_l(second, first) <= 1.0
    assert rouge_l(first, first) in (0.0, 1.0)


def test_only_the_first_twenty_thousand_words_are_compared() -> None:
    words = [str(number) for number in range(LONGEST)]
    same = " ".join(words)
    assert rouge_l(same, f"{same} and more") == 1.0
    assert rouge_l(same, " ".join(words[:-1])) < 1.0
