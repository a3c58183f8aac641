"""Sources of every kind: reading them, the location of each row, and one-line errors."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import QUESTION, Recorder, lines
from hypothesis import given
from hypothesis import strategies as st

from scicot.errors import InvalidRow, ScicotError
from scicot.sources import (
    located_rows,
    questions,
    sha256_of,
)

TABLE = 'id,question,A,B,answer\nq1,"Q\n1?",wood,copper,B\n\nq2,Q2?,"a, b",c,A\n'


def places(path: Path | str) -> list[str]:
    """Return the location or the error message of every entry, without the folder's path."""
    rows, found = located_rows(path), []
    while True:
        try:
            found.append(next(rows)[0])
        except StopIteration:
            return [where.replace(f"{Path(path).parent}/", "") for where in found]
        except InvalidRow as error:
            found.append(str(error))


# Kinds of files


def test_json_lines_are_placed_by_line(write: Any) -> None:
    assert places(write(lines("", {"a": 1}, "  ", {"b": 2}))) == ["rows:2", "rows:4"]


def test_an_array_is_placed_by_index(write: Any) -> None:
    assert places(write(json.dumps([{"a": 1}, 7, {"b": 2}], indent=1))) == [
        "rows[0]",
        "rows[1]: not a JSON object",
        "rows[2]",
    ]
    assert places(write("\n [{}]")) == ["rows[0]"]
    assert places(write("[]")) == []


@pytest.mark.parametrize("indent", [None, 1])
def test_objects_by_id_take_their_key_as_id(write: Any, indent: int | None) -> None:
    path = write(json.dumps({"12": {"question": "a"}, "x": {"question": "b"}}, indent=indent))
    assert places(path) == ['rows["12"]', 'rows["x"]']
    assert [row for _, row in located_rows(path)] == [
        {"id": "12", "question": "a"},
        {"id": "x", "question": "b"},
    ]


def test_one_row_may_stand_on_many_lines(write: Any) -> None:
    assert places(write(json.dumps(QUESTION, indent=2))) == ["rows:1"]
    assert places(write('{"choices": [\n{"label": "A"},\n{"label": "B"}\n]}')) == ["rows:1"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_are_placed_by_their_first_line(write: Any, delimiter: str) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(csv.reader(io.StringIO(TABLE)))
    path = write("\ufeff" + out.getvalue())
    assert places(path) == ["rows:2", "rows:5"]
    first, second = (row for _, row in located_rows(path))
    assert (first["id"], first["question"], second["A"]) == ("q1", "Q\n1?", "a, b")


@pytest.mark.parametrize(
    "content",
    [lines({"a": 1}, {"b": 2}), '[{"a": 1}, {"b": 2}]', "question;A\nq;x\nr;y\n",
     '{"1": {"question": "a"}, "2": {"question": "b"}}'],
)  # fmt: skip
def test_any_kind_may_be_gzipped_or_begin_with_a_byte_order_mark(write: Any, content: str) -> None:
    plain = [row for _, row in located_rows(write(content))]
    assert len(plain) == 2
    assert [
        row for _, row in located_rows(write(gzip.compress(content.encode(), mtime=0)))
    ] == plain
    assert [row for _, row in located_rows(write("\ufeff" + content))] == plain


@pytest.mark.parametrize(
    "broken",
    ['{"id": "q1", "quest', '{"id": "q1",', '{"id": "q1", "choices": [', '{"id": ', '{id: 1}',
     '{"a": 1,}', '"id": "q0", "question": "x"}', '{"a": NaN}', "oops"],
)  # fmt: skip
def test_a_broken_first_line_is_line_1_and_the_next_are_read(write: Any, broken: str) -> None:
    problem = "rows:1: not JSON" if broken.startswith("{") else "rows:1: neither JSON nor a CSV"
    first, *rest = places(write(lines(broken, {"a": 1}, {"b": 2})))
    assert problem in first
    assert rest == ["rows:2", "rows:3"]
    [only] = places(write(lines(broken)))
    assert problem in only


def test_reading_goes_on_after_bad_lines(write: Any) -> None:
    path = write(lines({"a": 1}, "{", "[1]", "7", {"b": 2}).encode() + b'{"c": "\xff"}\n{"d": 4}')
    found = [where.removeprefix(f"{path.parent}/").split(" (")[0] for where in places(path)]
    assert found == [
        "rows:1",
        "rows:2: not JSON",
        "rows:3: not a JSON object",
        "rows:4: not a JSON object",
        "rows:5",
        "rows:6: not UTF-8 text; give its encoding, for example --encoding latin-1 or --encoding"
        " cp1252",
        "rows:7",
    ]


def test_a_table_goes_on_after_bad_records(write: Any) -> None:
    path = write(b'question,A\na,b\nc\nd,e,f\n"g"h,i\nj\xff,k\n,\n l,m\n"n,o')
    found = [where.removeprefix(f"{path.parent}/") for where in places(path)]
    assert found[:1] + found[1:3] + found[5:6] == [
        "rows:2",
        "rows:3: has 1 cell, but the header has 2",
        "rows:4: has 3 cells, but the header has 2",
        "rows:8",
    ]
    assert found[3].startswith("rows:5: not CSV")
    assert found[4].startswith(
        "rows:6: not UTF-8 text; give its encoding, for example --encoding latin-1"
    )
    assert found[6].startswith("rows:9: not CSV")
    assert len(found) == 7


def test_columns_without_a_name_are_left_out(write: Any) -> None:
    [(_, row)] = located_rows(write(",question,A,,\n0,q,x,,\n"))
    assert row == {"question": "q", "A": "x"}


def test_a_document_broken_far_inside_names_its_line(write: Any) -> None:
    text = json.dumps({"1": {"question": "a"}, "2": {"question": "b"}}, indent=1)
    assert places(write(text.replace('"b"', "b")))[0].endswith(
        "rows:6: not JSON (Expecting value at column 15)"
    )
    [extra] = places(write(text.replace("\n", "") + "\nmore"))[2:]
    assert extra.endswith("rows:2: text after the end of the JSON object")


def test_replies_without_questions_are_named_as_such(write: Any) -> None:
    [message] = places(write('["So the answer is (d).", "x"]'))
    assert "an array of 2 strings: replies without their questions" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x7fELF\0\1\2", "a binary file"),
        (b"\xff\xfe\x00\x01", "UTF-16"),
        ('{"a": 1}\n'.encode("utf-16"), "UTF-16"),
        ('{"a": 1}\n'.encode("utf-16-le"), "a binary file"),
        ("question,réponse\n".encode("latin-1"), "not UTF-8 text"),
        ('{"question": "é"}\n'.encode("latin-1"), "not UTF-8 text"),
        ('["é"]\n'.encode("latin-1"), "not UTF-8 text"),
        (b"\xe9\n", "not UTF-8 text"),
        (gzip.compress(b'{"a": 1}\n' * 9, mtime=0)[:-9], "damaged or cut short"),
        (gzip.compress(b'{"a": 1}\n', mtime=0)[:5], "damaged or cut short"),
        (b"\x1f\x8b rubbish that is long enough", "damaged or cut short"),
        ("question,A,A\nq,x,y\n", 'two columns are called "A"; rename one'),
        ("name,age\nx,1\n", "neither JSON nor a CSV header"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(
    write: Any, content: bytes | str, message: str
) -> None:
    path = write(content)
    with pytest.raises(ScicotError, match=message) as caught:
        list(located_rows(path))
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_an_empty_name_is_not_the_current_directory() -> None:
    with pytest.raises(ScicotError, match="the name of a file to read is empty"):
        next(located_rows(""))


def test_a_file_that_cannot_be_opened_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused: list[tuple[str | Path, str]] = [
        (tmp_path / "none", "no such file"),
        (tmp_path, "a directory"),
        (tmp_path / "file" / "x", "cannot be read"),
        ("a\0b", "cannot be read"),
    ]
    for source, message in refused:
        with pytest.raises(ScicotError, match=message):
            next(located_rows(source))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_said_in_one_line(write: Any) -> None:
    path = write("{}")
    path.chmod(0)
    with pytest.raises(ScicotError, match="Permission denied"):
        next(located_rows(path))


@given(st.binary(max_size=60) | st.text('{}[]",:;\n 1a\tquestion', max_size=60).map(str.encode))
def test_any_bytes_are_rows_or_one_line_errors(tmp_path_factory: Any, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(content)
    rows = located_rows(path)
    while True:
        try:
            where, row = next(rows)
        except StopIteration:
            break
        except InvalidRow as error:
            assert "\n" not in str(error)  # noqa: PT017 (may or may not raise)
        except ScicotError:
            break
        else:
            assert where.startswith(str(path))
            assert isinstance(row, dict)


# Streams


@pytest.mark.parametrize(
    "sent",
    [
        [lines({"a": 1}), lines({"b": 2}), lines({"c": 3})],
        ["\n\n" + lines({"a": 1}), lines({"b": 2})],
        ["question,A\nq,x\n", "r,y\n", '"s\n",z\n'],
        ['{"1": {"question": "a"}}\n'],
    ],
)
def test_a_row_is_given_as_soon_as_its_line_has_come(
    monkeypatch: pytest.MonkeyPatch, sent: list[str]
) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading) as stdin, os.fdopen(writing, "wb", buffering=0) as pipe:
        monkeypatch.setattr(sys, "stdin", stdin)
        # Closes the pipe after 5 s, so that the test fails instead of hanging if the reader waits
        # for more.
        watchdog = threading.Timer(5, pipe.close)
        watchdog.start()
        rows = located_rows("-")
        for text in sent:
            pipe.write(text.encode())
            where, _ = next(rows)
            assert where.startswith("<stdin>")
            assert not pipe.closed, "the reader waited for more"
        watchdog.cancel()


def test_limit_reads_nothing_beyond_its_last_row(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            text = lines(QUESTION).encode()
            assert not self.asked, "asked for more than the limit needs"
            self.asked = True
            buffer[: len(text)] = text
            return len(text)

        asked = False

    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(Endless())))
    assert len(list(questions("-", limit=1, reporter=Recorder()))) == 1


@pytest.mark.parametrize("zipped", [False, True])
def test_standard_input_may_be_a_stand_in(monkeypatch: Any, zipped: bool) -> None:
    data = lines({"a": 1}, "oops").encode()
    stream = io.BytesIO(gzip.compress(data, mtime=0) if zipped else data)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream))
    first, second = places("-")
    assert first == "<stdin>:1"
    assert second.startswith("<stdin>:2: not JSON")
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(ScicotError, match="<stdin>: closed"):
        next(located_rows("-"))


def test_only_files_can_be_read_twice(write: Any, tmp_path: Path) -> None:
    path = write(lines(QUESTION))
    os.mkfifo(tmp_path / "fifo")
    reading, writing = os.pipe()
    rereadable = {
        str(path): True,
        "-": False,
        str(tmp_path / "fifo"): False,
        f"/dev/fd/{reading}": False,
        "hf://a/b/test": True,
    }
    for source, expected in rereadable.items():
        assert questions(source, reporter=Recorder()).rereadable is expected, source
    with pytest.raises(ValueError, match="only once"):
        questions(f"/dev/fd/{reading}", reporter=Recorder()).check()
    os.write(writing, path.read_bytes())
    os.close(writing)
    assert [q.id for q in questions(f"/dev/fd/{reading}", reporter=Recorder())] == ["q1"]
    os.close(reading)


def test_digest_is_of_the_bytes_and_streams_have_none(write: Any) -> None:
    path = write(gzip.compress(lines(QUESTION).encode(), mtime=0))
    assert sha256_of(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert sha256_of("-") is None
    assert sha256_of("hf://a/b/test") is None
    with pytest.raises(ScicotError, match="no such file"):
        sha256_of(path.parent / "none")
