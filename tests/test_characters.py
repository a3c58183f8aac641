"""Characters that a tokenizer lacks: counted, named, replaced in new runs, left in old ones."""

import json
import re
import string
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from conftest import (
    REPOSITORY,
    SHARED,
    Recorder,
    Trained,
    needs_shared_data,
    read_rows,
    student_of_letters,
    write_rows,
)

from scicot import PredictSettings, TrainSettings, predict, stages, train_answer
from scicot.models import characters
from scicot.models.characters import REPLACEMENTS, Alphabet, describe, replacements_for
from scicot.records import Question
from scicot.students.manifest import read_manifest


class Letters:
    """A tokenizer of these characters alone."""

    unk_token_id = 0

    def __init__(self, known: str) -> None:
        self._known = known

    def __call__(self, text: Any, **_: Any) -> dict[str, Any]:
        texts = [text] if isinstance(text, str) else text
        ids = [[self._known.find(c) + 1 for c in own if not c.isspace()] for own in texts]
        return {"input_ids": ids[0] if isinstance(text, str) else ids}


PLAIN = Letters("abcdefghijklmnopqrstuvwxyzABCDQ0123456789()?.:-=>*/'+!\"")


def asked(*texts: str) -> stages.Input:
    choices = [{"label": label, "text": text} for label, text in zip("ABCD", texts, strict=False)]
    return stages.answer_input(
        Question.from_row({"id": "q1", "question": "Q?", "choices": choices})
    )


def counted(text: stages.Input, alphabet: Alphabet) -> Counter[str]:
    counts: Counter[str] = Counter()

    def spelled(texts: list[str]) -> Any:
        return PLAIN([alphabet.plain(text) for text in texts])["input_ids"]

    ids = PLAIN(str(alphabet.plain_input(text)))["input_ids"]
    characters.count(counts, text, ids, alphabet, spelled)
    return counts


def test_replacements_are_those_that_the_tokenizer_can_spell() -> None:
    found = replacements_for(PLAIN)
    assert found["→"] == "->"
    assert found["≤"] == " less than or equal to ", "it has no <"
    assert found["π"] == " pi "
    assert ">" not in found, "which it has"
    assert replacements_for(Letters("xyz")) == {}, "what cannot be spelled is not replaced"


def test_a_tokenizer_that_spells_everything_needs_none() -> None:
    class Bytes(Letters):
        unk_token_id: Any = None

    assert replacements_for(Bytes("x")) == {}
    assert not Alphabet(Bytes("x")).lacks("π")


def test_what_vanishes_is_counted_and_equal_choices_are_named() -> None:
    counts = counted(asked("x ≤ 3", "x ≥ 3"), Alphabet(PLAIN))
    lacking, equal = describe(counts).values()
    assert "1 inputs have characters that the student's tokenizer lacks (≤ ≥)" in lacking
    assert equal.endswith("(first ids: q1)")
    with_replacements = counted(asked("x ≤ 3", "x ≥ 3"), Alphabet(PLAIN, replacements_for(PLAIN)))
    [replaced] = describe(with_replacements).values()
    assert "scicot replaces them by other spellings" in replaced


def test_choices_that_replacements_make_equal_are_named() -> None:
    alphabet = Alphabet(PLAIN, {"{": "(", "}": ")"})
    assert counted(asked("{1}", "(1)"), alphabet)[characters.EQUAL] == 1
    assert describe(counted(asked("a", "b"), alphabet)) == {}


@needs_shared_data
def test_t5_lacks_what_the_page_says() -> None:
    import sentencepiece

    model = sentencepiece.SentencePieceProcessor(
        model_file=str(SHARED / "t5_tokenizer" / "spiece.model")
    )

    class T5:
        unk_token_id = 2

        def __call__(self, text: str, **_: Any) -> dict[str, Any]:
            return {"input_ids": model.encode(text)}

    alphabet, found = Alphabet(T5()), replacements_for(T5())
    assert all(alphabet.lacks(character) for character in "{}^~<≤≥→π∧∨")
    assert set(found) == {character for character in REPLACEMENTS if alphabet.lacks(character)}
    assert not any(alphabet.lacking(text) for text in found.values())


def test_the_table_of_the_page_is_that_of_the_code() -> None:
    page = (REPOSITORY / "docs" / "training.md").read_text()
    for character, spellings in REPLACEMENTS.items():
        cell = " or ".join(text.strip() for text in spellings)
        entry = re.escape(f"{character}  {cell}")
        assert re.search(rf"(?<!\S){entry}(  |\n)", page), character


def test_a_run_records_its_replacements_and_predicts_with_them(tmp_path: Path) -> None:
    rows = [
        {"id": f"q{n}", "question": f"Which is number {n}?", "answer": "AB"[n % 2],
         "choices": [{"label": "A", "text": "one"}, {"label": "B", "text": "two"}]}
        for n in range(12)
    ]  # fmt: skip
    file = write_rows(tmp_path / "train.jsonl", rows)
    settings = TrainSettings(max_steps=2, warmup_steps=1, batch_size=4, device="cpu")
    recorder = Recorder()
    run = tmp_path / "run"
    student = student_of_letters(tmp_path / "student", string.printable.strip() + " ")
    train_answer(file, run, student=str(student), method="direct", settings=settings,
                 reporter=recorder)  # fmt: skip
    manifest = read_manifest(run)
    assert manifest is not None
    assert manifest.replacements["π"] == " pi "
    assert "{" not in manifest.replacements, "its tokenizer has them"
    sign = {**rows[0], "id": "sign", "question": "Which is number π, or ☃?"}
    out = tmp_path / "out.jsonl"
    told = Recorder()
    predict(write_rows(tmp_path / "q.jsonl", [sign]), out, answer_model=run,
            settings=PredictSettings(device="cpu"), reporter=told)  # fmt: skip
    assert any("tokenizer lacks (☃)" in warning for warning in told.warnings)
    assert any("1 inputs have characters" in warning for warning in told.warnings)
    assert read_rows(out)[0]["question"] == sign["question"], "rows keep their own text"


def test_a_run_without_a_record_is_read_as_it_was_trained(trained: Trained, tmp_path: Path) -> None:
    import shutil

    old = tmp_path / "direct"
    shutil.copytree(trained.direct, old)
    manifest = json.loads((old / "scicot.json").read_text())
    del manifest["replacements"]
    (old / "scicot.json").write_text(json.dumps(manifest))
    found = read_manifest(old)
    assert found is not None
    assert found.replacements == {}


@pytest.mark.parametrize("wrong", [["x"], {"ab": "x"}, {"a": 1}])
def test_a_record_that_is_none_is_refused(trained: Trained, tmp_path: Path, wrong: Any) -> None:
    from scicot.errors import ScicotError

    manifest = json.loads((trained.direct / "scicot.json").read_text())
    (tmp_path / "scicot.json").write_text(json.dumps({**manifest, "replacements": wrong}))
    with pytest.raises(ScicotError, match="not readable as a run's manifest"):
        read_manifest(tmp_path)
