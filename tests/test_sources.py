"""Rows from every kind of source: found, placed, counted, and refused in one line."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scicot.errors import InvalidRow, ScicotError
from scicot.records import Question, Row
from scicot.reporting import LogReporter, Task
from scicot.sources import (
    Counts,
    hub,
    located_rows,
    predictions,
    questions,
    rationales,
    sha256_of,
    unique,
)

QUESTION: Row = {"id": "q1", "question": "Q?", "choices": ["wood", "copper"], "answer": 1}
TABLE = 'id,question,A,B,answer\nq1,"Q\n1?",wood,copper,B\n\nq2,Q2?,"a, b",c,A\n'


class Listener:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def task(self, description: str, total: int | None = None) -> AbstractContextManager[Task]:
        return LogReporter().task(description, total)


def lines(*rows: Any) -> str:
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(content: str | bytes, name: str = "rows") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def places(path: Path | str) -> list[str]:
    """Every entry: the place of a row, or the message where there is none; without the folder."""
    rows, found = located_rows(path), []
    while True:
        try:
            found.append(next(rows)[0])
        except StopIteration:
            return [place.replace(f"{Path(path).parent}/", "") for place in found]
        except InvalidRow as error:
            found.append(str(error))


# Kinds of files, by what they hold


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
    first, *rest = places(write(lines(broken, {"a": 1}, {"b": 2})))
    assert "rows:1: not JSON" in first
    assert rest == ["rows:2", "rows:3"]
    [only] = places(write(lines(broken)))
    assert "rows:1: not JSON" in only


def test_reading_goes_on_after_bad_lines(write: Any) -> None:
    path = write(lines({"a": 1}, "{", "[1]", "7", {"b": 2}).encode() + b'{"c": "\xff"}\n{"d": 4}')
    found = [place.removeprefix(f"{path.parent}/").split(" (")[0] for place in places(path)]
    assert found == [
        "rows:1",
        "rows:2: not JSON",
        "rows:3: not a JSON object",
        "rows:4: not a JSON object",
        "rows:5",
        "rows:6: not UTF-8 text",
        "rows:7",
    ]


def test_a_table_goes_on_after_bad_records(write: Any) -> None:
    path = write(b'question,A\na,b\nc\nd,e,f\n"g"h,i\nj\xff,k\n,\n l,m\n"n,o')
    found = [place.removeprefix(f"{path.parent}/") for place in places(path)]
    assert found[:1] + found[1:3] + found[5:6] == [
        "rows:2",
        "rows:3: has 1 cells, the header names 2",
        "rows:4: has 3 cells, the header names 2",
        "rows:8",
    ]
    assert found[3].startswith("rows:5: not CSV")
    assert found[4] == "rows:6: not UTF-8 text"
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
        ("question,A,A\nq,x,y\n", 'two columns are called "A"'),
        ("name,age\nx,1\n", "no CSV header"),
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


def test_a_file_that_cannot_be_opened_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for source, message in [
        (tmp_path / "none", "no such file"),
        (tmp_path, "a directory"),
        (tmp_path / "file" / "x", "cannot be read"),
        ("a\0b", "cannot be read"),
    ]:
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
        # Closes the pipe, and so ends the wait, should the reader ask for more than has come.
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
    assert len(list(questions("-", limit=1, reporter=Listener()))) == 1


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
        assert questions(source, reporter=Listener()).rereadable is expected, source
    with pytest.raises(ValueError, match="only once"):
        questions(f"/dev/fd/{reading}", reporter=Listener()).check()
    os.write(writing, path.read_bytes())
    os.close(writing)
    assert [q.id for q in questions(f"/dev/fd/{reading}", reporter=Listener())] == ["q1"]
    os.close(reading)


def test_digest_is_of_the_bytes_and_streams_have_none(write: Any) -> None:
    path = write(gzip.compress(lines(QUESTION).encode(), mtime=0))
    assert sha256_of(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert sha256_of("-") is None
    assert sha256_of("hf://a/b/test") is None
    with pytest.raises(ScicotError, match="no such file"):
        sha256_of(path.parent / "none")


# Rows: parsed, counted, skipped


def test_the_first_invalid_row_raises(write: Any) -> None:
    path = write(lines(QUESTION, {**QUESTION, "answer": 9}, QUESTION))
    rows = iter(questions(path, reporter=Listener()))
    assert isinstance(next(rows), Question)
    with pytest.raises(InvalidRow, match=r'rows:2: "answer" is 9'):
        next(rows)


def test_skip_invalid_counts_and_shows_the_first_five(write: Any) -> None:
    listener = Listener()
    path = write(lines(QUESTION, *["oops"] * 4, *[{"x": 1}] * 3, QUESTION))
    rows = questions(path, skip_invalid=True, reporter=listener)
    assert [q.id for q in rows] == ["q1", "q1"]
    assert (rows.counts.rows, rows.counts.invalid, rows.counts.not_text) == (2, 7, 0)
    assert [w.split(": ")[0].rpartition(":")[2] for w in listener.warnings[:5]] == list("23456")
    assert listener.warnings[5:] == [f"{path}: 7 invalid rows skipped"]
    assert rows.check() == 2, "read anew"
    assert len(listener.warnings) == 6, "and warned of once"


def test_image_questions_are_skipped_counted_and_noted(write: Any) -> None:
    image = {**QUESTION, "hint": "", "image": "image.png"}
    listener = Listener()
    rows = questions(write(lines(image, QUESTION, image)), reporter=listener)
    assert rows.check() == 1
    assert rows.counts.not_text == 2
    assert listener.warnings == []
    assert listener.notes == [f"{rows.source}: 2 image questions skipped"]


def test_choices_of_the_same_text_are_kept_and_warned_of_once(write: Any) -> None:
    twins = {**QUESTION, "choices": ["x", "y", "x "], "answer": "y"}
    listener = Listener()
    rows = questions(write(lines(QUESTION, twins, twins)), reporter=listener)
    assert (rows.check(), rows.check()) == (3, 3)
    [warning] = listener.warnings
    assert f"2 rows with two choices of the same text, first at {rows.source}:2" in warning


def test_a_source_without_rows_says_why(write: Any) -> None:
    image = {**QUESTION, "hint": "", "image": "image.png"}
    for content, message in [
        ("", "holds no rows$"),
        ("\n \n", "holds no rows$"),
        ("[]", "holds no rows$"),
        ("question,A,B\n", "holds no rows$"),
        (gzip.compress(b"", mtime=0), "holds no rows$"),
        (lines(image, image), "no rows that can be used: 2 image questions skipped"),
        (lines(image, "oops"), r"1 invalid row skipped \(first: .*:2: not JSON.*\), 1 image quest"),
    ]:
        with pytest.raises(ScicotError, match=message):
            list(questions(write(content), skip_invalid=True, reporter=Listener()))


def test_counts_begin_at_zero_and_limit_counts_records(write: Any) -> None:
    rows = questions(write(lines(*[QUESTION] * 5)), limit=2, reporter=Listener())
    assert rows.counts == Counts()
    assert rows.check() == 2
    assert len(list(rows)) == 2
    assert rows.counts.rows == 2


def test_a_repeated_question_is_given_once_and_noted(write: Any) -> None:
    other = {**QUESTION, "id": "q2"}
    listener = Listener()
    rows = questions(write(lines(QUESTION, other, QUESTION, QUESTION)), reporter=listener)
    assert [q.id for q in unique(rows, listener)] == ["q1", "q2"]
    assert listener.notes == ["2 repeated questions left out, the same by id and text"]


def test_two_questions_with_one_id_are_refused(write: Any) -> None:
    other = {**QUESTION, "choices": ["x", "y"]}
    rows = questions(write(lines(QUESTION, other)), reporter=Listener())
    with pytest.raises(ScicotError, match="two different questions have the id 'q1'"):
        list(unique(rows, Listener()))


# Kinds of rows

RATIONALE = {**QUESTION, "rationale": "It is a metal.", "conclusion": "B", "teacher": "t"}
OWN = [{"label": "A", "text": "wood"}, {"label": "B", "text": "copper"}]
PREDICTION = {
    **{**QUESTION, "choices": OWN, "answer": "B", "mine": 1},
    **{"rationales": ["r0", "r1"], "prediction": "A", "scores": {"A": 0.6, "B": 0.4}},
    **{"rationale": "as given", "usage": {"in": 1}, "models": {}},
}


def test_questions_takes_rows_of_any_kind(write: Any) -> None:
    path = write(lines(QUESTION, RATIONALE, PREDICTION))
    plain, rationale, prediction = questions(path, reporter=Listener())
    assert plain.extra == {}
    assert rationale.extra["rationale"] == "It is a metal."
    assert prediction.extra["prediction"] == "A"


def test_rationales_come_from_rationale_and_prediction_rows(write: Any) -> None:
    path = write(lines(RATIONALE, PREDICTION))
    taught, *own = rationales(path, reporter=Listener())
    assert (taught.rationale, taught.teacher, taught.question.answer) == (
        "It is a metal.",
        "t",
        "B",
    )
    assert [(r.rationale, r.sample, r.teacher) for r in own] == [
        ("r0", 0, "predicted"),
        ("r1", 1, "predicted"),
    ]
    assert own[0].question.extra == {"mine": 1}
    assert own[0].to_row()["rationale"] == "r0"
    assert len(list(rationales(path, limit=2, reporter=Listener()))) == 2


def test_rows_that_hold_no_rationale_are_told_where_to_get_one(write: Any) -> None:
    with pytest.raises(InvalidRow, match='no "rationale"; scicot generate-rationales makes them'):
        list(rationales(write(lines(QUESTION)), reporter=Listener()))
    direct = {**PREDICTION, "rationales": []}
    with pytest.raises(InvalidRow, match="predicted without a rationale"):
        list(rationales(write(lines(direct)), reporter=Listener()))


def test_foreign_formats_with_a_rationale_column_train_as_well(write: Any) -> None:
    table = "question,A,B,answer,rationale,sample\nQ?,wood,copper,B,It is a metal.,3\n"
    [read] = rationales(write(table), reporter=Listener())
    assert (read.rationale, read.sample, read.question.answer) == ("It is a metal.", 3, "B")


def test_predictions_come_from_prediction_rows_and_conclusions(write: Any) -> None:
    elsewhere = {**RATIONALE, "conclusion": "E"}
    path = write(lines(PREDICTION, RATIONALE, elsewhere))
    own, taught, lost = predictions(path, reporter=Listener())
    assert (own.prediction, own.rationales) == ("A", ("r0", "r1"))
    assert (taught.prediction, taught.models["teacher"]) == ("B", "t")
    assert lost.prediction is None, "a conclusion that is no choice is no answer"
    for row in (QUESTION, {**QUESTION, "rationale": "x"}):
        with pytest.raises(InvalidRow, match='has no "prediction"'):
            list(predictions(write(lines(row)), reporter=Listener()))


# The Hub


class FakeTable:
    features: dict[str, object] = {}  # noqa: RUF012

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)


@pytest.fixture
def fake_datasets(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    fake = SimpleNamespace(
        config=SimpleNamespace(HF_HUB_OFFLINE=True),
        Image=type("Image", (), {}),
        disable_progress_bars=lambda: None,
        load_dataset=lambda *_args, **_kw: FakeTable([QUESTION, {"x": float("nan")}]),
    )
    monkeypatch.setitem(sys.modules, "datasets", fake)
    return fake


def test_a_data_set_on_the_hub_is_placed_by_row(fake_datasets: SimpleNamespace) -> None:
    asked: list[Any] = []
    table = FakeTable([QUESTION, {"x": float("nan")}, {"when": Path("later")}])
    fake_datasets.load_dataset = lambda *args, **kw: asked.append((args, kw)) or table
    rows = located_rows("hf://owner/name/config/test")
    assert next(rows) == ("hf://owner/name/config/test:1", QUESTION)
    with pytest.raises(InvalidRow, match="test:2: not JSON"):
        next(rows)
    assert next(rows)[1] == {"when": "later"}
    next(located_rows("hf://owner/name/test"))
    assert asked == [
        (("owner/name", "config"), {"split": "test"}),
        (("owner/name", None), {"split": "test"}),
    ]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            ValueError("Unknown split \"x\".\nShould be one of ['train']."),
            "Unknown split .* Should",
        ),
        (FileNotFoundError("Dataset 'o/n' doesn't exist on the Hub"), "doesn't exist"),
        (ConnectionError("Couldn't reach"), "the Hub cannot be reached .* give a local file"),
    ],
)
def test_a_data_set_that_cannot_be_had_is_one_line(
    fake_datasets: SimpleNamespace, error: Exception, message: str
) -> None:
    def load(*_args: Any, **_kw: Any) -> None:
        raise error

    fake_datasets.load_dataset = load
    with pytest.raises(ScicotError, match=message) as caught:
        next(located_rows("hf://o/n/x"))
    assert str(caught.value).startswith("hf://o/n/x: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("address", ["hf://", "hf://o", "hf://o/n", "hf://o//n", "hf://o/n/c/s/x"])
def test_an_address_on_the_hub_has_three_or_four_parts(address: str) -> None:
    with pytest.raises(ScicotError, match="write hf://OWNER/NAME/SPLIT"):
        next(located_rows(address))
    assert hub.parse("hf://o/n/s") == ("o/n", None, "s")


def test_a_local_folder_is_not_taken_for_a_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "o" / "n").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ScicotError, match="the local folder o/n has the same name"):
        next(located_rows("hf://o/n/train"))


def test_without_a_network_the_hub_is_given_up_at_once(tmp_path: Path) -> None:
    """The real library against a port where nobody listens: one line, no retries, no traceback."""
    pytest.importorskip("datasets")
    script = (
        "import sys, time\nfrom scicot.errors import ScicotError\n"
        "from scicot.sources import located_rows\n"
        "assert not {'datasets', 'torch', 'transformers'} & set(sys.modules)\n"
        "import datasets\nstart = time.monotonic()\n"
        "try: next(located_rows('hf://o/n/test'))\n"
        "except ScicotError as error: print(error)\n"
        "assert time.monotonic() - start < 3\n"
    )
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("HF_")},
        **{"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path)},
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("hf://o/n/test: the Hub cannot be reached")
    assert done.stdout.count("\n") == 1
