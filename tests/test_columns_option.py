"""--columns: the fields that a user names."""

from typing import Any

import pytest
from conftest import Recorder, lines, write_rows

from scicot import ReadingSettings, ScicotError, check, evaluate
from scicot.formats import Columns
from scicot.sources import questions

TABLE = "Aufgabe;W1;W2;W3;Lsg;Text\nWas leitet?;Holz;Kupfer;Glas;B;Metalle leiten.\n"


def read(source: Any, columns: str, **more: Any) -> list[Any]:
    settings = ReadingSettings(columns=columns, **more)
    return list(questions(source, reading=settings, reporter=Recorder()))


@pytest.mark.parametrize("choices", ["W1+W2+W3", "W1-W3", " W1 + W2 + W3 "])
def test_the_named_columns_of_a_table_are_read(write: Any, choices: str) -> None:
    [question] = read(write(TABLE), f"question=Aufgabe,choices={choices},answer=Lsg,context=Text")
    assert (question.question, question.context, question.answer) == (
        "Was leitet?",
        "Metalle leiten.",
        "B",
    )
    assert [choice.text for choice in question.choices] == ["Holz", "Kupfer", "Glas"]
    assert question.extra == {}


def test_paths_lead_into_objects_and_lists(write: Any) -> None:
    row = {"q": {"text": "Which?"}, "opts": ["a", "b"], "gold": [{"label": "B"}], "mine": 1}
    [question] = read(write(lines(row)), "question=q.text,choices=opts,answer=gold.0.label")
    assert (question.question, question.answer, question.extra["mine"]) == ("Which?", "B", 1)
    dotted = {"q.text": "Which?", "choices": ["a", "b"], "answer": "A"}
    [question] = read(write(lines(dotted)), "question=q.text")
    assert question.question == "Which?"


@pytest.mark.parametrize("position", ["²", "9" * 5000, "1.5", "-1"])
def test_what_is_no_position_in_a_list_is_a_missing_field(write: Any, position: str) -> None:
    row = {"q": ["Which?", "What?"], "choices": ["a", "b"], "answer": "a"}
    with pytest.raises(ScicotError, match=r':1: --columns: there is no field "q\.'):
        read(write(lines(row)), f"question=q.{position}")


def test_what_is_not_mapped_is_recognised_and_nothing_is_lost(write: Any) -> None:
    row = {"question": "Which?", "A": "a", "B": "b", "answer": "because", "key": "B"}
    [question] = read(write(lines(row)), "answer=key")
    assert (question.answer, question.extra) == ("B", {"original.answer": "because"})


def test_wrong_answers_beside_the_right_one(write: Any) -> None:
    row = {"question": "Which?", "gut": "a", "f1": "b", "f2": "c"}
    [question] = read(write(lines(row)), "answer=gut,distractors=f1+f2")
    assert question.text_of(question.answer) == "a"
    assert len(question.choices) == 3


def test_a_name_may_hold_commas_and_blanks(write: Any) -> None:
    row = {"Frage, kurz": "Which?", "A": "a", "B": "b", "Antwort (richtig)": "B"}
    [question] = read(write(lines(row)), "question=Frage, kurz,answer=Antwort (richtig)")
    assert (question.question, question.answer) == ("Which?", "B")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ("Frage", "write question=FIELD"),
        ("frage=x", "names allowed before =: question, choices"),
        ("question=", "names question without a field"),
        ("question=a,question=b", "names question twice"),
        ("choices=a+b,distractors=c", "names both choices and distractors; name choices"),
    ],
)
def test_an_option_that_says_nothing_is_refused(columns: str, message: str) -> None:
    with pytest.raises(ScicotError, match=message):
        Columns.parse(columns)


@pytest.mark.parametrize("role", ["question", "answer", "context", "choices"])
def test_a_field_that_is_not_there_is_named_with_those_that_are(write: Any, role: str) -> None:
    row = {"question": "Which?", "A": "a", "B": "b", "answer": "B"}
    with pytest.raises(ScicotError, match=r'there is no field "nope"; the row has "question", "A"'):
        read(write(lines(row)), f"{role}=nope")


WITH_GOLD = {
    "id": "1",
    "question": "Conducts?",
    "choices": ["wood", "copper"],
    "answer": "A",
    "gold": "B",
}
WITHOUT_GOLD = {"id": "2", "question": "Burns?", "choices": ["wood", "copper"], "answer": "B"}


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("own", [False, True])
def test_a_mapped_field_is_the_only_source_of_its_role(
    write: Any, reverse: bool, own: bool
) -> None:
    rows: list[dict[str, Any]] = [WITH_GOLD, WITHOUT_GOLD]
    if own:
        choices = [{"label": "A", "text": "wood"}, {"label": "B", "text": "copper"}]
        rows = [{**row, "choices": choices} for row in rows]
    found = read(write(lines(*(reversed(rows) if reverse else rows))), "answer=gold")
    assert {question.id: question.answer for question in found} == {"1": "B", "2": None}
    assert {q.id: q.extra["original.answer"] for q in found} == {"1": "A", "2": "B"}


@pytest.mark.parametrize(
    ("columns", "second", "expected"),
    [
        ("context=text", {"passage": "P", "context": "C", "hint": "H"}, ("2", "", "A")),
        ("id=nr", {"qid": "other"}, None),
        ("answer=key", {"Answer": "B", "correct_answer": "B"}, ("2", "", None)),
        ("answer=key", {"choices": {"choices": ["a", "b"], "labels": [0, 1]}}, ("2", "", None)),
        ("answer=key", {"choices": [], "correct_answer": "yes"}, None),
        ("answer=key", {"choices": [], "correct_answer": "a", "distractor1": "b"}, ("2", "", None)),
    ],
)
def test_no_other_field_stands_in_for_a_mapped_one(
    write: Any, columns: str, second: dict[str, Any], expected: Any
) -> None:
    first = {"id": "1", "question": "Q?", "choices": ["a", "b"], "answer": "A"}
    first |= {"text": "T", "nr": "n1", "key": "A"}
    row = {**first, "id": "2", **second}
    if not row["choices"]:
        del row["choices"]
    for name in ("text", "nr", "key"):
        del row[name]
    settings = ReadingSettings(columns=columns)
    file = write(lines(first, row))
    found = list(questions(file, reading=settings, skip_invalid=True, reporter=Recorder()))[1:]
    if columns == "id=nr":
        assert found[0].id not in ("2", "other")
        return
    assert [(q.id, q.context, q.answer) for q in found] == ([] if expected is None else [expected])


def test_unmapped_wrong_answers_stay_out_of_mapped_ones(write: Any) -> None:
    row = {"question": "Which?", "gut": "a", "f1": "b", "correct_answer": "z", "distractor1": "y"}
    [question] = read(write(lines(row)), "answer=gut,distractors=f1")
    assert sorted(choice.text for choice in question.choices) == ["a", "b"]
    assert question.text_of(question.answer) == "a"
    assert question.extra == {"original.correct_answer": "z", "original.distractor1": "y"}


def test_a_field_that_no_row_has_is_one_error(write: Any, scicot: Any) -> None:
    file = write(lines(*[{**WITHOUT_GOLD, "id": str(n), "prediction": "B"} for n in range(8)]))
    for role in ("answer", "prediction", "id", "context"):
        for command in ("check", "evaluate"):
            outcome = scicot(command, file, "--columns", f"{role}=nofield")
            if command == "evaluate" or role != "prediction":
                assert outcome.code == 1
                assert outcome.stderr.count("error:") == 1
                assert 'there is no field "nofield"' in outcome.stderr


def test_a_stream_cannot_lack_a_field_before_it_has_it(scicot: Any) -> None:
    rows = lines(WITHOUT_GOLD, WITH_GOLD)
    outcome = scicot("check", "-", "--columns", "answer=gold", stdin=rows)
    assert outcome.code == 1
    assert '<stdin>:1: --columns: there is no field "gold"' in outcome.stderr


def test_a_mapped_id_may_be_that_of_the_question_file(tmp_path: Any) -> None:
    asked = write_rows(tmp_path / "q.jsonl", [{**WITHOUT_GOLD, "nr": 7}])
    said = write_rows(tmp_path / "p.jsonl", [{"id": 7, "prediction": "B"}])
    settings = ReadingSettings(columns="id=nr")
    (system,) = evaluate(said, questions=asked, reading=settings, reporter=Recorder()).systems
    assert (system.answered, system.correct) == (1, 1)
    some = write_rows(
        tmp_path / "some.jsonl", [{"nr": 7, "prediction": "B"}, {"id": 7, "prediction": "A"}]
    )
    with pytest.raises(ScicotError, match='has neither an "id" nor a complete question'):
        evaluate(some, questions=asked, reading=settings, reporter=Recorder())


def test_scicots_own_rows_may_stand_beside_a_table(write: Any) -> None:
    choices = [{"label": "A", "text": "a"}, {"label": "B", "text": "b"}]
    own = {"question": "Which?", "choices": choices, "answer": "B"}
    [same] = read(write(lines(own)), "question=Aufgabe,choices=W1+W2+W3,answer=Lsg")
    assert same.answer == "B"


def test_evaluate_maps_questions_and_predictions(tmp_path: Any) -> None:
    asked = write_rows(tmp_path / "q.jsonl", [{"nr": 1, "Fr": "Q?", "A": "a", "B": "b", "ok": "B"}])
    said = write_rows(tmp_path / "p.jsonl", [{"nr": 1, "says": "B"}])
    settings = ReadingSettings(columns="question=Fr,answer=ok,id=nr,prediction=says")
    (system,) = evaluate(said, questions=asked, reading=settings, reporter=Recorder()).systems
    assert (system.questions, system.correct) == (1, 1)


def test_config_and_command_line_take_the_options(scicot: Any, tmp_path: Any) -> None:
    table = tmp_path / "t.csv"
    table.write_text(TABLE)
    config = tmp_path / "c.yaml"
    config.write_text("columns: question=Aufgabe,choices=W1+W2+W3,answer=Lsg\n")
    outcome = scicot("check", table, "--config", config)
    assert outcome.code == 0
    assert "question = Aufgabe, choices = W1+W2+W3, answer = Lsg (labels)" in outcome.stdout
    assert scicot("check", table).code == 1


def test_a_field_that_no_row_has_is_told_where_all_rows_are_our_own(write: Any) -> None:
    choices = [{"label": "A", "text": "a"}, {"label": "B", "text": "b"}]
    own = {"question": "Which?", "choices": choices, "answer": "A"}
    file, recorder = write(lines(own)), Recorder()
    settings = ReadingSettings(columns="question=Frage")
    assert len(list(questions(file, reading=settings, reporter=recorder))) == 1
    assert any(
        "--columns question=Frage: ignored, because no row has all" in warning
        for warning in recorder.warnings
    )
    [problem] = check(file, reading=settings, reporter=Recorder()).problems
    assert "no row has all of these fields" in problem
    both = write(lines({"Frage": "Which?", "choices": choices}, own))
    assert check(both, reading=settings, reporter=Recorder()).fit, "one row has it"


@pytest.mark.parametrize(
    ("names", "answer", "gold"),
    [
        ("W1+W2+W3", "W2", "bee"),
        ("W1+W2+W3", "w3", "cow"),
        ("opt01+opt02+opt03", "02", "bee"),
        ("opt01+opt02+opt03", "opt03", "cow"),
        ("Option X+Option Y+Option Z", "Option Z", "cow"),
    ],
)
def test_an_answer_may_name_a_mapped_column(write: Any, names: str, answer: str, gold: str) -> None:
    header = ",".join(names.split("+"))
    table = f"question,{header},answer\nQ?,ant,bee,cow,{answer}\n"
    [question] = read(write(table), f"choices={names}")
    assert question.text_of(question.answer) == gold


def test_a_letter_is_no_name_of_a_mapped_column(write: Any) -> None:
    table = "question,C,D,E,answer\nQ?,ant,bee,cow,D\n"
    with pytest.raises(ScicotError, match="'D', neither a label"):
        read(write(table), "choices=C+D+E")


@pytest.mark.parametrize(
    ("answer", "role"),
    [("copper", "distractors"), ("wood", "choices"), ("B", "choices"), ("w2", "choices")],
)
def test_the_hint_says_whether_columns_are_all_choices_or_the_wrong_ones(
    write: Any, answer: str, role: str
) -> None:
    table = f"q,right,w1,w2\nWhich conducts?,{answer},wood,wax\n"
    with pytest.raises(ScicotError, match=rf"question=q,{role}=w1\+w2,answer=right"):
        read(write(table), "")
