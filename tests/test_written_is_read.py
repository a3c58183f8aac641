"""scicot can read all files that it writes, with any reply, error or user field."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asked import all_rows
from conftest import Recorder, read_rows, world_rows, write_rows
from hypothesis import given, settings
from hypothesis import strategies as st

from scicot import GenerateSettings, ScicotError, evaluate, generate_rationales, sources
from scicot.records import Prediction, Rationale
from scicot.teachers import Reply, Request, TeacherError, load_teacher
from scicot.text import whole_characters

HALF = "\ud83d"
# All kinds of characters: lone surrogates, control characters, unusual line separators.
odd_text = st.text(
    st.one_of(
        st.characters(),
        st.characters(categories=["Cs"]),
        st.sampled_from("\0\n\r\x0b\x1c\x85\u2028\u2029\ufeff\ufffe AB.:()<>{}\\\"'"),
    ),
    max_size=60,
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | odd_text,
    lambda own: st.lists(own, max_size=3) | st.dictionaries(odd_text, own, max_size=3),
    max_leaves=8,
)


class Saying:
    """A teacher that gives these outcomes in turn."""

    name = "odd:" + HALF

    def __init__(self, outcomes: list[Reply | TeacherError]) -> None:
        self._outcomes: Iterator[Reply | TeacherError] = iter(outcomes)
        self.asked = 0

    async def ask(self, request: Request) -> Reply:
        self.asked += 1
        outcome = next(self._outcomes)
        if isinstance(outcome, TeacherError):
            raise outcome
        return outcome

    async def close(self) -> None:
        pass


outcomes = st.builds(
    lambda text, stop, usage: Reply(text, stop, usage),
    st.one_of(odd_text, odd_text.map(lambda text: f"Metals conduct {text}.\nAnswer: A")),
    st.sampled_from(["end_turn", "max_tokens", "refusal", HALF]),
    st.dictionaries(
        st.sampled_from(["input_tokens", "output_tokens", HALF]),
        st.sampled_from([5, -1, 10**400, float("nan"), float("inf"), True, None, "7", [1]]),
        max_size=3,
    ),
) | odd_text.map(TeacherError)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(outcomes, min_size=3, max_size=3),
    st.dictionaries(odd_text.map(lambda text: f"own {text}"), json_values, max_size=3),
    st.sampled_from(["correct", "all"]),
)
def test_whatever_is_written_is_read(
    replies: list[Reply | TeacherError], extra: dict[str, Any], keep: Any
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [{**row, **extra} for row in world_rows()[:3]]
        for row in rows:
            del row["rationale"]
        source, out = write_rows(folder / "q.jsonl", rows), folder / "o.jsonl"
        run_settings = GenerateSettings(keep=keep, concurrency=1, price=(1.0, 1.0))

        def run(teacher: Saying) -> Any:
            return generate_rationales(
                source, out, teacher=teacher, settings=run_settings, reporter=Recorder()
            )

        teacher = Saying(replies)
        summary = run(teacher)
        assert teacher.asked == 3
        assert summary.kept + summary.rejected.total() == len(all_rows(out)) == 3
        assert 0 <= summary.spent < 1
        for again in range(2):  # first with the existing index, then with a new one
            idle = Saying([])
            assert run(idle).already_done == 3
            assert idle.asked == 0
            if again == 0:
                out.with_suffix(".done.sqlite").unlink()
        for file in (out, out.with_suffix(".rejected.jsonl")):
            for row in read_rows(file):
                kept = {key: value for key, value in row.items() if key in extra}
                assert kept == extra
                if "reason" not in row:
                    assert Rationale.from_row(row).to_row() == row
                    row["rationale"].encode()
        if summary.kept:
            recorder = Recorder()
            assert len(list(sources.rationales(out, reporter=recorder))) == summary.kept
            assert len(list(sources.predictions(out, reporter=recorder))) == summary.kept


def test_a_file_that_holds_half_characters_goes_on(tmp_path: Path, recorder: Recorder) -> None:
    """Earlier versions wrote such files, before replies were sanitised."""
    rows = world_rows()[:3]
    source, out = write_rows(tmp_path / "q.jsonl", rows), tmp_path / "o.jsonl"
    replies = tmp_path / "r.jsonl"
    write_rows(replies, [{"id": row["id"], "reply": "Metals conduct."} for row in rows])
    settings = GenerateSettings(keep="all")
    generate_rationales(source, out, teacher=f"recorded:{replies}", settings=settings)
    broken = [{**row, "rationale": f"half {HALF} of one"} for row in read_rows(out)]
    out.write_text("".join(json.dumps(row) + "\n" for row in broken))
    rejects = out.with_suffix(".rejected.jsonl")
    rejects.write_text(
        json.dumps({**broken[0], "sample": 1, "reason": "empty", "reply": HALF}) + "\n"
    )
    out.with_suffix(".done.sqlite").unlink()
    again = generate_rationales(source, out, teacher=f"recorded:{replies}", settings=settings)
    assert again.already_done == 3
    read = list(sources.rationales(out, reporter=recorder))
    assert [row.rationale for row in read] == ["half \ufffd of one"] * 3
    assert any(
        "a lone surrogate in the rationale" in warning and "3 rows" in warning
        for warning in recorder.warnings
    )
    assert evaluate({"teacher": out}).systems[0].questions == 3


def test_recorded_replies_are_cleaned(tmp_path: Path) -> None:
    rows = world_rows()[:1]
    source, out = write_rows(tmp_path / "q.jsonl", rows), tmp_path / "o.jsonl"
    replies = tmp_path / "r.jsonl"
    replies.write_text(
        json.dumps({"id": "q0", "reply": f"Metals {HALF} conduct.\nAnswer: A"}) + "\n"
    )
    generate_rationales(
        source,
        out,
        teacher=load_teacher(f"recorded:{replies}"),
        settings=GenerateSettings(keep="all"),
    )
    assert b"Metals \xef\xbf\xbd conduct." in out.read_bytes()


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("plain", "plain"),
        ("é 😀", "é 😀"),
        (f"a {HALF} b \udc00", "a \ufffd b \ufffd"),
        ("\ud83d\ude00", "😀"),  # a surrogate pair whose halves come from two blocks of a reply
        ("\ude00\ud83d", "\ufffd\ufffd"),
    ],
)
def test_half_characters_are_replaced_and_halves_joined(text: str, clean: str) -> None:
    assert whole_characters(text) == clean


def test_predictions_with_half_characters_are_read() -> None:
    row = {**world_rows()[0], "prediction": "A", "rationales": [HALF], "scores": {}}
    assert Prediction.from_row(row).rationales == ("\ufffd",)


@settings(max_examples=200, deadline=None)
@given(
    texts=st.lists(odd_text | st.sampled_from(["", " ", "\u2028"]), min_size=1, max_size=3),
    source=st.sampled_from(["student", "input", None]),
)
def test_predicted_rationales_are_read_written_and_read(
    texts: list[str], source: str | None
) -> None:
    """A student may write only white space; such a row is read again unchanged."""
    models = {} if source is None else {"rationale_from": source}
    readable = source != "input" or all(map(str.strip, texts))
    row = {**world_rows()[0], "rationales": texts, "prediction": "A", "models": models}
    del row["rationale"]
    with tempfile.TemporaryDirectory() as folder:
        first, second = (Path(folder) / name for name in ("a.jsonl", "b.jsonl"))
        write_rows(first, [row])
        if not readable:
            with pytest.raises(ScicotError, match="from an empty rationale"):
                list(sources.rationales(first, skip_invalid=True, reporter=Recorder()))
            return
        read = list(sources.rationales(first, skip_invalid=True, reporter=Recorder()))
        write_rows(second, [record.to_row() for record in read])
        again = list(sources.rationales(second, skip_invalid=False, reporter=Recorder()))
    assert [record.to_row() for record in again] == [record.to_row() for record in read]
