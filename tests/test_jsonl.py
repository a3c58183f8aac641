import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scicot import jsonl
from scicot.errors import InvalidRow

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), json_values))
def test_a_row_is_one_line_that_reads_back(row: dict[str, object]) -> None:
    line = jsonl.encode(row)
    assert line.count(b"\n") == 1
    assert jsonl.decode(line.decode()) == row


# JSON text that other programs may write but jsonl.encode does not: nested, long, with spaces and
# escapes.
scalars = st.sampled_from(
    [
        *("0", "-0.0", "1e400", "-1e-400", "1E5", "9" * 4300, "9" * 4301, "-" + "1" * 5000),
        *('"\\ud83d"', '"\\udc00\\ud83d"', '"\\u0000"', '"\\u2028"', '"\u2028"', '"\\u000a"', '""'),
        *("true", "null", "NaN", "-Infinity", "01", ""),
    ]
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    text = draw(scalars | st.text(max_size=9).map(json.dumps))
    for _ in range(draw(st.integers(0, 3))):
        depth = draw(st.integers(1, 60) | st.sampled_from([98, 99, 100, 101, 900, 3000]))
        opening, closing = draw(st.sampled_from([("[", "]"), ('{"a": ', "}"), ('[0, {"": ', "}]")]))
        text = opening * depth + text + closing * depth
    return draw(st.sampled_from(['{{"a": {}}}', ' {{"a":{}}}\r\n', "{}", '{{"a": {}}} x'])).format(
        text
    )


@given(texts())
@settings(max_examples=300)
def test_what_is_read_can_be_written_and_read_again(text: str) -> None:
    """The row is written 300 calls deeper in the stack than it was read, and nested in another
    row."""
    try:
        row = jsonl.decode(text)
    except ValueError:
        return

    def deeper(calls: int) -> bytes:
        return deeper(calls - 1) if calls else jsonl.encode({"question": {"meta": row}})

    line = deeper(300)
    again = jsonl.decode(line, max_depth=jsonl.MAX_DEPTH + 2)
    assert repr(again) == repr({"question": {"meta": row}})  # repr distinguishes -0.0 from 0.0


@pytest.mark.parametrize("pair", [("[", "]"), ('{"a": ', "}")])
def test_rows_are_as_deep_as_is_said(pair: tuple[str, str]) -> None:
    opening, closing = pair
    inner = jsonl.MAX_DEPTH - 1
    fitting = '{"a": ' + opening * inner + "1" + closing * inner + "}"
    assert jsonl.decode(jsonl.encode(jsonl.decode(fitting))) == jsonl.decode(fitting)
    with pytest.raises(ValueError, match=r"nested too deeply \(more than 100 levels\)"):
        jsonl.decode(f'{{"b": {fitting}}}')
    with pytest.raises(InvalidRow, match=r"f:1: not JSON \(nested too deeply"):
        next(jsonl.decode_lines([f'{{"b": {fitting}}}'.encode()], "f"))


def test_many_brackets_are_not_many_levels() -> None:
    row = {"a": [[{}]] * 500, "text": "[{" * 500}
    assert jsonl.decode(jsonl.encode(row)) == row


def test_half_a_surrogate_pair_survives() -> None:
    assert jsonl.decode(jsonl.encode({"text": "\ud83d"}).decode()) == {"text": "\ud83d"}


@pytest.mark.parametrize("text", ["NaN", '{"a": Infinity}', "1e999", "[" * 100_000, "{", ""])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        jsonl.decode(text)


def test_lines_are_numbered_and_blank_ones_passed_over() -> None:
    lines = [b'\xef\xbb\xbf{"a": 1}\n', b"\n", b"  \r\n", b'{"a": 2}\r\n', b'{"a": 3}']
    assert list(jsonl.decode_lines(lines, "f")) == [
        ("f:1", {"a": 1}),
        ("f:4", {"a": 2}),
        ("f:5", {"a": 3}),
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"a": \n', "not JSON (Expecting value at column"),
        (b"[1]\n", "not a JSON object"),
        (b"null\n", "not a JSON object"),
        (b'{"a": NaN}\n', "NaN is not JSON"),
        (b'{"a": "\xff"}\n', "not UTF-8"),
    ],
)
def test_a_bad_line_is_named_and_reading_can_go_on(line: bytes, problem: str) -> None:
    rows = jsonl.decode_lines([b'{"a": 1}\n', line, b'{"a": 3}\n'], "f")
    assert next(rows) == ("f:1", {"a": 1})
    with pytest.raises(InvalidRow) as caught:
        next(rows)
    assert caught.value.where == "f:2"
    assert problem in caught.value.problem
    assert next(rows) == ("f:3", {"a": 3})


def test_replacing_leaves_the_old_file_when_the_block_fails(tmp_path: Path) -> None:
    path = tmp_path / "out"
    jsonl.write_text(path, "old")

    def fail() -> None:
        with jsonl.replacing(path) as stream:
            stream.write(b"half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (b"", b""),
        (b"a\nb\n", b"a\nb\n"),
        (b"a\nb", b"a\n"),
        (b"a", b""),
        (b"a\n" + b"x" * 200_000, b"a\n"),
    ],
)
def test_a_torn_last_line_is_cut_off(tmp_path: Path, content: bytes, kept: bytes) -> None:
    path = tmp_path / "out"
    path.write_bytes(content)
    assert jsonl.mend_last_line(path) == (content != kept)
    assert path.read_bytes() == kept


FRAGMENTS = (
    '{"a": ', "}", "[", "]", ",", ":", "1", "-0", "01", "1.5", "1e5", "1e999", "1E-999", "NaN", "-",
    "Infinity", "123456789012345678901234567890", "9007199254740993", "true", "null", "nul", " ",
    '"', '"b"', '"\\ud83d\\ude00"', '"\\ud800"', '"\\x"', '"\\u00e9"', '"é\x7f"', '"\x01"', "\n",
    "\ufeff", '{"a": 1, "a": 2}', "{}", "[]", "5e-324", "0.1", "1.", ".5", "+1", "//", "'",
)  # fmt: skip


@settings(max_examples=1000)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=9).map("".join))
@example("1" * 5000)  # more digits than Python converts
def test_any_text_is_read_as_by_pythons_own_parser(text: str) -> None:
    """The fast parser and Python's agree on values, and on which texts are refused."""

    def refused(constant: str) -> NoReturn:
        raise ValueError(constant)

    def finite(number: str) -> float:
        if math.isinf(float(number)):
            raise ValueError(number)
        return float(number)

    def outcome(parse: Callable[[str], object]) -> str:
        try:
            return repr(parse(text))
        except ValueError:
            return "refused"

    reference = json.JSONDecoder(parse_constant=refused, parse_float=finite)
    assert outcome(jsonl.decode) == outcome(reference.decode)
