"""Logs of Inspect: archives and JSON files, judged as those of lm-evaluation-harness are."""

import io
import json
import zipfile
from typing import Any

import pytest
from conftest import Recorder, write_rows

from scicot import ScicotError, evaluate


def sample(number: int, answer: str, *, target: Any = "B", epoch: int = 1, **more: Any) -> Any:
    reply = f"Copper is a metal.\nANSWER: {answer}"
    return {
        "id": number,
        "epoch": epoch,
        "input": f"Which conducts, in case {number}?",
        "choices": ["wood", "copper"],
        "target": target,
        "messages": [{"role": "user", "content": "..."}],
        "output": {"model": "some/model", "completion": reply},
        "scores": {"choice": {"value": "C" if answer == target else "I", "answer": answer}},
        "events": [{"event": "model"}],
        **more,
    }


def archive(samples: list[Any]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("header.json", json.dumps({"version": 2, "eval": {}}))
        for log_sample in samples:
            name = f"samples/{log_sample['id']}_epoch_{log_sample['epoch']}.json"
            target.writestr(name, json.dumps(log_sample))
        target.writestr("summaries.json", "[]")
    return packed.getvalue()


def document(samples: list[Any], indent: int | None) -> str:
    log = {"version": 2, "status": "success", "eval": {"task": "x"}, "plan": {},
           "results": {"scores": [{"name": "choice"}]}, "samples": samples,
           "reductions": [{"scorer": "choice", "samples": []}]}  # fmt: skip
    return json.dumps(log, indent=indent)


SAMPLES = [sample(1, "B"), sample(2, "A"), sample(3, "B")]


@pytest.mark.parametrize(
    "content", [archive(SAMPLES), document(SAMPLES, None), document(SAMPLES, 2)]
)
def test_a_log_is_judged(write: Any, content: bytes | str) -> None:
    (system,) = evaluate(write(content), reporter=Recorder()).systems
    assert (system.questions, system.answered, system.correct) == (3, 3, 2)


@pytest.mark.parametrize(
    "choices", [["A) wood", "C) copper", "D) tin"], ["B) wood", "A) copper"], ["x", "C) y", "A) z"]]
)
def test_choices_are_labelled_by_position_whatever_letters_are_printed(
    write: Any, choices: list[str]
) -> None:
    (system,) = evaluate(
        write(archive([sample(1, "B", choices=choices)])), reporter=Recorder()
    ).systems
    assert (system.questions, system.answered, system.correct) == (1, 1, 1)


def test_a_reply_is_read_where_no_scorer_noted_an_answer(write: Any) -> None:
    bare = [sample(1, "B", scores={"match": {"value": 1}}), sample(2, "A", scores=None)]
    (system,) = evaluate(write(document(bare, 1)), reporter=Recorder()).systems
    assert (system.answered, system.correct) == (2, 1)


def test_the_first_epoch_counts(write: Any) -> None:
    twice = [sample(1, "B"), sample(1, "A", epoch=2), sample(2, "B"), sample(2, "B", epoch=2)]
    recorder = Recorder()
    (system,) = evaluate(write(archive(twice)), reporter=recorder).systems
    assert (system.questions, system.correct) == (2, 2)
    assert any("2 rows left out, further samples" in note for note in recorder.notes)


def test_a_log_is_joined_to_questions_by_id(tmp_path: Any, write: Any) -> None:
    rows = [{"id": n, "input": f"Which conducts, in case {n}?", "choices": ["wood", "copper"],
             "target": "B"} for n in (1, 2, 3, 4)]  # fmt: skip
    asked = write_rows(tmp_path / "q.jsonl", rows)
    (system,) = evaluate(write(archive(SAMPLES)), questions=asked, reporter=Recorder()).systems
    assert (system.questions, system.answered, system.correct) == (4, 3, 2)


def test_a_log_without_choices_asks_for_the_questions(write: Any) -> None:
    bare = [sample(1, "B", choices=None)]
    with pytest.raises(ScicotError, match="has no complete question; give the question file"):
        evaluate(write(archive(bare)), reporter=Recorder())


def test_a_sample_with_several_right_answers_is_refused(write: Any) -> None:
    with pytest.raises(
        ScicotError, match=r"\"target\" is \['A', 'B'\], several answers; give exactly one"
    ):
        evaluate(write(archive([sample(1, "B", target=["A", "B"])])), reporter=Recorder())


def test_two_samples_with_the_ids_1_and_the_text_1_are_refused(write: Any) -> None:
    two = [sample(1, "B"), sample(1, "A", target="A", id="1")]
    with pytest.raises(ScicotError, match="two different questions have the id '1'"):
        evaluate(write(document(two, 1)), reporter=Recorder())
