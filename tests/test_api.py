"""The verbs from Python: plain keywords, rows in memory, results as rows, notebooks."""

import asyncio
import dataclasses
import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY, Recorder, Trained, read_rows

import scicot
from scicot.api.keywords import TYPES
from scicot.api.notebook import NotebookReporter
from scicot.config import (
    EvaluateSettings,
    GenerateSettings,
    PredictSettings,
    ReadingSettings,
    TrainSettings,
)
from scicot.errors import UsageError
from scicot.teachers import Reply

VERBS = (
    *("check", "generate_rationales", "estimate_cost", "train_rationale", "train_answer"),
    *("predict", "merge", "evaluate"),
)
ROWS = [
    {"question": f"Which of {n} conducts?", "choices": ["wood", "copper"], "answer": "copper"}
    for n in range(8)
]
TRAINING: dict[str, Any] = {"student": "scratch:tiny", "epochs": 1, "device": "cpu"}


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory) -> str:
    run = tmp_path_factory.mktemp("runs") / "direct"
    scicot.train_answer(ROWS, run, method="direct", reporter=Recorder(), **TRAINING)
    return str(run)


@pytest.mark.parametrize("verb", VERBS)
def test_an_unknown_keyword_is_a_type_error(verb: str) -> None:
    with pytest.raises(TypeError, match=rf"{verb}\(\) got an unexpected keyword argument 'wurst'"):
        getattr(scicot, verb)(ROWS, wurst=True)


@pytest.mark.parametrize(
    ("verb", "given", "meant"),
    [
        ("train_rationale", "epoch", "epochs"),
        ("train_answer", "learningrate", "learning_rate"),
        ("predict", "sample", "samples"),
        ("generate_rationales", "reveal_answers", "reveal_answer"),
        ("evaluate", "resample", "resamples"),
        ("check", "column", "columns"),
    ],
)
def test_the_nearest_keyword_is_named(verb: str, given: str, meant: str) -> None:
    with pytest.raises(TypeError, match=f"did you mean '{meant}'"):
        getattr(scicot, verb)(ROWS, **{given: 1})


@pytest.mark.parametrize("verb", VERBS)
def test_the_signature_shows_every_keyword(verb: str) -> None:
    names = inspect.signature(getattr(scicot, verb)).parameters
    assert "options" not in names
    assert "columns" in names
    assert ("seed" in names) == (verb.startswith("train") or verb in ("predict", "evaluate"))


def test_none_stands_for_the_default_and_a_device_of_torch_for_its_name(direct: str) -> None:
    import torch

    nothing: Any = None
    options = {"encoding": nothing, "skip_invalid": nothing, "device": torch.device("cpu")}
    found = scicot.predict(ROWS, answer_model=direct, reporter=Recorder(), **options)
    assert found.predicted == 8


def test_none_overrides_a_setting_that_may_be_none() -> None:
    rows = [{"question": "Q?", "choices": ["a", "b", "c"], "answer": 1}]
    reading = scicot.ReadingSettings(answer_index=1)
    for given, base in (({}, 1), ({"answer_index": None}, 0)):
        options: dict[str, Any] = {"reading": reading, "reporter": Recorder(), **given}
        assert f"index from {base}" in scicot.check(rows, **options).read_as[0]


def test_a_keyword_of_another_type_is_refused_in_one_line() -> None:
    for verb in VERBS:
        with pytest.raises(UsageError, match=r"^limit is '3'; it must be an int or None$"):
            getattr(scicot, verb)(ROWS, limit="3")
    with pytest.raises(UsageError, match="force is 'no'; it must be True or False"):
        scicot.evaluate(ROWS, force="no")  # type: ignore[arg-type]
    with pytest.raises(
        UsageError, match=r"settings is \{\}; it must be a scicot.PredictSettings or"
    ):
        scicot.predict(ROWS, settings={})  # type: ignore[arg-type]
    with pytest.raises(
        UsageError, match="answer_model is 5; it must be a str or a path, or a list"
    ):
        scicot.predict(ROWS, answer_model=5)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"reward is 'run'; it must be a scicot.RewardSettings or"):
        scicot.train_rationale(ROWS, "run", student="scratch:tiny", reward="run")


@pytest.mark.parametrize("verb", VERBS)
def test_the_type_of_every_keyword_is_checked(verb: str) -> None:
    classes: tuple[Any, ...] = (
        *(EvaluateSettings, GenerateSettings, PredictSettings, ReadingSettings, TrainSettings),
    )
    settings = {field.name for kind in classes for field in dataclasses.fields(kind)}
    rows = {"dev", "fold_questions", "examples"}
    shown = set(inspect.signature(getattr(scicot, verb)).parameters)
    declared = set(inspect.signature(inspect.unwrap(getattr(scicot, verb))).parameters)
    assert shown - declared - settings - rows <= TYPES.keys()


def test_keywords_go_over_settings(tmp_path: Path) -> None:
    settings = scicot.TrainSettings(epochs=7, seed=3)
    run = scicot.train_answer(
        ROWS, tmp_path / "run", method="direct", settings=settings, reporter=Recorder(), **TRAINING
    )
    assert (run.settings["epochs"], run.settings["seed"]) == (1, 3)


def test_a_run_of_rows_in_memory_is_found_again(tmp_path: Path) -> None:
    first = scicot.train_answer(
        ROWS, tmp_path / "run", method="direct", reporter=Recorder(), **TRAINING
    )
    again = scicot.train_answer(
        ROWS, tmp_path / "run", method="direct", reporter=Recorder(), **TRAINING
    )
    assert again.weights_sha256 == first.weights_sha256


def frame() -> Any:
    return pytest.importorskip("pandas").DataFrame(ROWS)


def dataset() -> Any:
    return pytest.importorskip("datasets").Dataset.from_list(ROWS)


@pytest.mark.parametrize("make", [lambda: ROWS, lambda: tuple(ROWS), frame, dataset])
def test_rows_in_memory_are_predicted_and_judged(direct: str, make: Any) -> None:
    found = scicot.predict(make(), answer_model=direct, reporter=Recorder())
    assert (found.predicted, found.output) == (8, None)
    assert [row["question"] for row in found.rows] == [row["question"] for row in ROWS]
    assert len(found.to_pandas()) == 8
    for predictions in (found, found.rows, found.to_pandas(), {"direct": [found]}):
        verdict = scicot.evaluate(predictions, reporter=Recorder(), resamples=100)
        assert verdict.systems[0].questions == 8
    assert json.loads(json.dumps(verdict.to_dict()))["systems"][0]["name"] == "direct"
    assert "<table>" in verdict._repr_html_()
    assert "Which of 0 conducts?" in found._repr_html_()


def test_a_file_gives_its_rows_and_goes_on(direct: str, tmp_path: Path) -> None:
    out = tmp_path / "predictions.jsonl"
    found = scicot.predict(ROWS, out, answer_model=direct, reporter=Recorder())
    assert len(found.rows) == found.predicted == 8
    again = scicot.predict(ROWS, out, answer_model=direct, reporter=Recorder())
    assert (again.predicted, again.already_done) == (0, 8)


def test_a_text_is_one_name_where_a_list_is_taken(direct: str, tmp_path: Path) -> None:
    rows = [{**row, "ab": n % 2, "a": n, "b": n} for n, row in enumerate(ROWS)]
    found = scicot.predict(rows, answer_model=direct, reporter=Recorder())
    verdict = scicot.evaluate(found, by="ab", resamples=100, reporter=Recorder())
    assert verdict.systems[0].groups.keys() == {"ab"}
    with pytest.raises(scicot.ScicotError, match="--report-to tensorbord: no such tracker"):
        scicot.train_answer(ROWS, tmp_path / "run", report_to="tensorbord", **TRAINING)
    for equal_to in (direct, Path(direct)):
        run = tmp_path / f"as-{type(equal_to).__name__}"
        trained = scicot.train_answer(
            ROWS, run, method="direct", equal_to=equal_to, reporter=Recorder(),
            student="scratch:tiny", device="cpu",
        )  # fmt: skip
        assert trained.equal_to is not None
        assert len(trained.equal_to["runs"]) == 1


def test_merge_takes_one_part_and_refuses_none(direct: str, tmp_path: Path) -> None:
    out, part = tmp_path / "merged.jsonl", tmp_path / "part.jsonl"
    found = scicot.predict(ROWS, part, answer_model=direct, shard="1/1", reporter=Recorder())
    in_memory = (found, found.rows, found.to_pandas())
    for parts in (str(part), part, [part], tmp_path.glob("part.jsonl"), *in_memory, [found]):
        assert scicot.merge(ROWS, parts, out, force=True, reporter=Recorder()) == 8
    empty: tuple[Any, ...] = ([], (), tmp_path.glob("absent-*.jsonl"))
    for none in empty:
        with pytest.raises(UsageError, match=r"^no parts to merge; name the files that predict"):
            scicot.merge(ROWS, none, tmp_path / "new.jsonl", reporter=Recorder())
    with pytest.raises(TypeError, match="cannot read rows from a int"):
        scicot.merge(ROWS, 5, out, reporter=Recorder())
    assert not (tmp_path / "new.jsonl").exists()


def test_evaluate_writes_the_report(direct: str, tmp_path: Path) -> None:
    found = scicot.predict(ROWS, answer_model=direct, reporter=Recorder())
    page = tmp_path / "report.html"
    scicot.evaluate(found, report=page, reporter=Recorder())
    assert "Which of 0 conducts?" in page.read_text()
    with pytest.raises(scicot.ScicotError, match="exists"):
        scicot.evaluate(found, report=page, reporter=Recorder())
    scicot.evaluate(found, report=page, force=True, reporter=Recorder())


def test_an_error_of_rows_in_memory_names_the_row() -> None:
    with pytest.raises(scicot.ScicotError, match=r"^rows.jsonl:2: not a question row"):
        scicot.train_answer(
            [ROWS[0], {"a": 1}], "run", method="direct", reporter=Recorder(), **TRAINING
        )
    with pytest.raises(TypeError, match="row 1 is a int, not a dict"):
        scicot.check([ROWS[0], 5], reporter=Recorder())


def test_a_teacher_is_asked_inside_a_running_event_loop(tmp_path: Path) -> None:
    questions = [{**row, "id": f"q{number}"} for number, row in enumerate(ROWS)]
    replies = [{**row, "reply": "Metals conduct. The answer is (B)."} for row in questions]
    recorded = tmp_path / "replies.jsonl"
    recorded.write_text("".join(json.dumps(row) + "\n" for row in replies))

    async def cell() -> scicot.Rationales:
        return scicot.generate_rationales(
            questions, teacher=f"recorded:{recorded}", keep="correct", reporter=Recorder()
        )

    found = asyncio.run(cell())
    assert (found.kept, len(found.rows)) == (8, 8)
    assert {row["rationale"] for row in found.rows} == {"Metals conduct."}


def test_bars_of_a_notebook(capsys: pytest.CaptureFixture[str]) -> None:
    with NotebookReporter().task("reading", 3) as task:
        task.advance(2, loss=0.5)
    assert "reading" in capsys.readouterr().err


@pytest.mark.parametrize("page", ["README.md", "docs/api.md"])
def test_the_code_of_the_pages_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (REPOSITORY / page).read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    named = [{**row, "id": f"q{number}"} for number, row in enumerate(ROWS)]
    cells = [f"{row['id']},{row['question']},wood,copper,B\n" for row in named]
    for name in ("train.csv", "test.csv"):
        Path(name).write_text("id,question,A,B,answer\n" + "".join(cells))
    reply = "Metals let a current pass. The answer is (B)."
    recorded = [{**row, "reply": reply} for row in named]
    Path("replies.jsonl").write_text("".join(json.dumps(row) + "\n" for row in recorded))
    exec(block.replace("epochs=3", "epochs=1"), {})


def test_an_integer_answer_beside_a_missing_one_is_an_index() -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame([{**ROWS[0], "answer": 1}, {**ROWS[1], "answer": None}])
    assert table["answer"].dtype == float
    found = scicot.check(table, answer_index=0, reporter=Recorder())
    assert (found.gold, found.without_answer) == ({"B": 1}, 1)


@pytest.mark.parametrize(
    "rows", [{"question": "?"}, (row for row in ROWS), 5], ids=["a dict", "a generator", "a number"]
)
def test_what_holds_no_rows_is_a_type_error(rows: Any) -> None:
    with pytest.raises(TypeError, match=r"cannot read rows from a .*; give a file name, a list"):
        scicot.check(rows, reporter=Recorder())


def test_no_rows_are_said_in_one_line() -> None:
    with pytest.raises(scicot.ScicotError, match=r"^rows.jsonl: holds no rows"):
        scicot.check([], reporter=Recorder())
    with pytest.raises(scicot.ScicotError, match="direct: no predictions given; pass a file"):
        scicot.evaluate({"direct": []}, reporter=Recorder())


def test_nothing_of_the_temporary_folder_is_told(direct: str) -> None:
    found = scicot.check([*ROWS, {"a": 1}], reporter=Recorder())
    assert found.file == "rows.jsonl"
    assert found.problems[0].startswith("1 row cannot be read: rows.jsonl:9")
    verdict = scicot.evaluate(scicot.predict(ROWS, answer_model=direct, reporter=Recorder()))
    assert verdict.systems[0].files == ["rows.jsonl"]


def test_half_a_character_in_memory_is_read_as_in_a_file() -> None:
    found = scicot.check([{**ROWS[0], "note": "\ud800"}], reporter=Recorder())
    assert found.questions == 1


def test_what_was_paid_for_is_kept_where_there_is_no_output(tmp_path: Path) -> None:
    class Interrupting:
        name = "anthropic:interrupting"
        asked = 0

        async def ask(self, request: Any) -> Any:
            self.asked += 1
            if self.asked > 3:
                raise scicot.StoppedEarly("the server is away")
            return Reply("Metals conduct. The answer is (B).")

        async def close(self) -> None:
            pass

    with pytest.raises(scicot.StoppedEarly, match="the rows so far are in ") as stopped:
        scicot.generate_rationales(ROWS, teacher=Interrupting(), concurrency=1, reporter=Recorder())
    kept = Path(re.search(r"are in (\S+); pass this path as output", str(stopped.value))[1])  # type: ignore[index]
    assert len(read_rows(kept)) == 3
    with pytest.raises(scicot.ScicotError, match="batch: give an output file"):
        scicot.generate_rationales(ROWS, teacher="anthropic:x", batch=True, reporter=Recorder())
    with pytest.raises(scicot.ScicotError, match="output: give a file name"):
        scicot.predict(ROWS, "-", answer_model="run", reporter=Recorder())


def test_no_bar_of_transformers_is_shown(
    trained: Trained,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The settings of transformers itself are as before."""
    from transformers.utils import logging

    monkeypatch.setattr(logging, "_tqdm_active", True)
    options: dict[str, Any] = {"method": "direct", "max_steps": 1, "device": "cpu"}
    scicot.train_answer(trained.rows, tmp_path / "a", student="scratch:tiny", **options)
    scicot.predict(trained.rows, answer_model=tmp_path / "a", engine="transformers", device="cpu")
    shown = capfd.readouterr().err
    assert "Writing model" not in shown
    assert "Loading weights" not in shown
    list(logging.tqdm([1], desc="mine"))
    assert "mine" in capfd.readouterr().err
