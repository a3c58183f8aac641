"""Answers by likelihood, compared with a plain reference that scores one label at a time."""

import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import SHARED, Trained, needs_shared_data, read_rows, world_rows, write_rows

from scicot import PredictSettings, TrainSettings, predict, train_answer
from scicot.decoding.engine import Decoding
from scicot.decoding.engine_spec import EngineRequest
from scicot.decoding.transformers_engine import TransformersEngine
from scicot.records import Question
from scicot.stages import Stage, answer_input
from scicot.students.answering import answer_of, averaged, choice_scores, softmax, vote_of
from scicot.students.loading import load_student

LABELS = {
    2: ["A", "B"],
    4: ["1", "10", "(ii)", "none of these"],
    8: [f"option {n}" for n in range(8)],
    26: [chr(65 + n) for n in range(26)],
}
QUESTION = Question.from_row(
    {
        "question": "Which conducts electricity?",
        "choices": [{"label": label, "text": f"thing {label}"} for label in "ABC"],
    }
)


def reference_scores(directory: Path, question: Question, rationale: str | None) -> list[float]:
    """log p(label, end | question, rationale) of each label, through transformers alone."""
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModelForSeq2SeqLM.from_pretrained(directory, dtype=torch.float32).eval()
    source = tokenizer(str(answer_input(question, rationale)), return_tensors="pt")
    scores = []
    for label in question.labels:
        labels = tokenizer(text_target=label, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            logits = model(**source, labels=labels).logits
        log_p = torch.log_softmax(logits, dim=-1).gather(-1, labels.unsqueeze(-1))
        scores.append(float(log_p.sum()))
    return scores


def questions() -> list[tuple[Question, str | None]]:
    rows = []
    for count, labels in LABELS.items():
        choices = [{"label": label, "text": f"metal {n}"} for n, label in enumerate(labels)]
        text = "Which conducts electricity? " * (count // 2)
        question = Question.from_row({"question": text, "choices": choices})
        rows += [(question, None), (question, "copper is a metal. " * count)]
    return rows


def assert_like_the_reference(directory: Path) -> None:
    asked = questions()
    student = load_student(
        directory,
        EngineRequest(precision="fp32", device="cpu", batch_size=7),
        max_source_tokens=512,
    )
    scores = choice_scores(
        student, Stage.ANSWER, [q for q, _ in asked], [text for _, text in asked], "label"
    )
    for (question, rationale), found in zip(asked, scores, strict=True):
        assert found == pytest.approx(reference_scores(directory, question, rationale), abs=2e-5)


def test_scores_of_a_tiny_student_are_the_reference(trained: Trained) -> None:
    assert_like_the_reference(trained.answer)


@needs_shared_data
def test_scores_of_flan_t5_smalls_shape_are_the_reference(tmp_path: Path) -> None:
    import torch
    from transformers import T5Config, T5ForConditionalGeneration, T5Tokenizer

    shutil.copy(SHARED / "t5_tokenizer" / "spiece.model", tmp_path)
    config = T5Config.from_json_file(SHARED / "t5_tokenizer" / "flan-t5-base.config.json")
    small = {"d_model": 512, "d_ff": 1024, "d_kv": 64, "num_heads": 6}
    config.update({**small, "num_layers": 8, "num_decoder_layers": 8})
    torch.manual_seed(0)
    model = T5ForConditionalGeneration(config)
    # An untrained output layer gives log p of about -220, whose last digit in fp32 is 1.5e-5.
    model.lm_head.weight.data *= 0.1
    model.save_pretrained(tmp_path)
    T5Tokenizer.from_pretrained(tmp_path).save_pretrained(tmp_path)
    assert_like_the_reference(tmp_path)


@pytest.mark.parametrize(
    "method", ["two-stage", "direct", "one-sequence", "answer-first", "multi-task", "shared"]
)
def test_a_student_of_texts_is_scored_by_texts_per_token(
    trained: Trained, tmp_path: Path, method: str, recorder: Any
) -> None:
    run = tmp_path / "run"
    settings = TrainSettings(
        max_steps=3, batch_size=9, warmup_steps=1, device="cpu", answer_as="text"
    )
    manifest = train_answer(
        trained.rows, run, student="scratch:tiny", method=method, settings=settings
    )
    rows = world_rows()[:3]
    for row in rows:
        row["choices"][0]["text"] += " of a very long name"
    file, out = write_rows(tmp_path / "q.jsonl", rows), tmp_path / "out.jsonl"
    given: Any = "input" if method == "two-stage" else "student"
    predict(
        file, out, answer_model=run, settings=PredictSettings(device="cpu", rationale_from=given)
    )
    student = load_student(run, EngineRequest(device="cpu", batch_size=1), max_source_tokens=512)
    for row in read_rows(out):
        assert row["models"]["scoring"] == "text"
        question = Question.from_row(row)
        (rationale,) = row["rationales"] or [None]
        (source,) = student.encode([answer_input(question, rationale, manifest.stage)])
        expected = []
        for choice in question.choices:
            target = student.form.tokenizer(text_target=choice.text)["input_ids"]
            if method == "answer-first":  # it continues after the answer, where others end
                whole = f"{choice.text} rationale:"
                target = student.form.tokenizer(text_target=whole)["input_ids"][:-1]
            before = f"{rationale} answer:" if method == "one-sequence" else ""
            start = student.form.tokenizer(text_target=before)["input_ids"][:-1]
            ((log_p,),) = student._engine.score([source], [[start + target]])
            expected.append(math.fsum(log_p[len(start) :]) / len(target))
        assert list(row["scores"].values()) == pytest.approx(softmax(expected), abs=1e-5)

    settings_by_label = PredictSettings(device="cpu", rationale_from=given, scoring="label")
    again = tmp_path / "again.jsonl"
    predict(file, again, answer_model=run, settings=settings_by_label, reporter=recorder)
    assert read_rows(again)[0]["models"]["scoring"] == "label"
    assert "was trained to write texts" in recorder.warnings[0]


def test_choices_of_one_text_are_no_answer_by_text(trained: Trained, tmp_path: Path) -> None:
    choices = [{"label": label, "text": "wood"} for label in "AB"]
    file = write_rows(tmp_path / "q.jsonl", [{"question": "Which?", "choices": choices}])
    out = tmp_path / "out.jsonl"
    settings = PredictSettings(device="cpu", scoring="text")
    assert predict(file, out, answer_model=trained.direct, settings=settings).unanswered == 1
    assert read_rows(out)[0]["prediction"] is None


def test_votes_and_means() -> None:
    sure, torn = [0.9, 0.06, 0.04], [0.2, 0.41, 0.39]
    assert averaged([sure, torn]) == pytest.approx([0.55, 0.235, 0.215])
    assert averaged([sure, torn], [1, 3]) == pytest.approx([0.375, 0.3225, 0.3025])
    assert averaged([sure]) == sure
    voted = vote_of(QUESTION, [sure, torn, torn])
    assert (voted.label, voted.scores) == ("B", {"A": 1 / 3, "B": 2 / 3, "C": 0})
    assert vote_of(QUESTION, [sure, torn]).label == "A", "the mean decides between equal votes"
    even = vote_of(QUESTION, [[0.4, 0.4, 0.2], [0.4, 0.4, 0.2]])
    assert (even.label, even.scores["A"]) == (None, 0.5)
    undecided = vote_of(QUESTION, [[0.4, 0.4, 0.2], [0.1, 0.2, 0.7]])
    assert undecided.label == "C", "a vote divided between two choices is still one vote"
    assert undecided.scores == {"A": 0.25, "B": 0.25, "C": 0.5}
    assert answer_of(QUESTION, None).scores == {}


def test_softmax() -> None:
    assert softmax([0.0, 0.0]) == [0.5, 0.5]
    assert softmax([-1000.0, -1001.0]) == pytest.approx([0.7310586, 0.2689414])
    assert softmax([0.0, -2.0], temperature=2.0) == softmax([0.0, -1.0])
    assert softmax([1.0, math.inf]) is None
    assert softmax([math.nan, 0.0]) is None


def test_beams_find_likelier_texts_than_greedy() -> None:
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(1)
    ids: dict[str, Any] = {"decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1}
    config = T5Config(
        vocab_size=30, d_model=16, d_ff=32, d_kv=8, num_layers=1, num_heads=2, **ids
    )  # fmt: skip
    model = T5ForConditionalGeneration(config)
    model.eval()  # type: ignore[no-untyped-call]
    # a tied output layer would repeat its input
    model.lm_head = torch.nn.Linear(16, 30, bias=False)
    engine = TransformersEngine(model, batch_size=8)
    sources = [[5 + n, 7, 9 + n, 1] for n in range(10)]
    draws: list[list[int | None]] = [[None]] * len(sources)

    def found(beams: int) -> list[list[int]]:
        return [text for (text,) in engine.generate(sources, draws, Decoding(5, beams=beams))]

    greedy, searched = found(1), found(8)
    assert searched != greedy
    for source, greedy_text, beam_text in zip(sources, greedy, searched, strict=True):
        (scores,) = engine.score([source], [[greedy_text, beam_text]])
        means = [sum(log_p) / len(log_p) for log_p in scores]  # beams are compared by mean log p
        assert means[1] >= means[0] - 1e-6
    with pytest.raises(ValueError, match="beam search cannot be combined with sampling"):
        engine.generate(sources[:1], [[3]], Decoding(5, beams=2))


@pytest.mark.parametrize("engine", ["torch", "transformers"])
def test_where_memory_does_not_suffice_a_batch_is_halved(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    import torch

    from scicot import ScicotError
    from scicot.models.native.t5 import Decoder

    kind, name = {
        "torch": (Decoder, "__call__"),
        "transformers": (TransformersEngine, "_generated"),
    }[engine]
    student = load_student(
        trained.rationale, EngineRequest(engine, device="cpu", batch_size=8), max_source_tokens=64
    )
    inputs = [answer_input(question) for question, _ in questions()[::2]]
    whole = student.generate(inputs, Decoding(6))
    work = getattr(kind, name)

    def small(limit: int) -> Any:
        def run(self: Any, rows: Any, *more: Any) -> Any:
            if len(rows) > limit:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return work(self, rows, *more)

        return run

    monkeypatch.setattr(kind, name, small(1))
    assert student.generate(inputs, Decoding(6)) == whole
    monkeypatch.setattr(kind, name, small(0))
    with pytest.raises(ScicotError, match="not enough device memory for a single sequence"):
        student.generate(inputs, Decoding(6))
