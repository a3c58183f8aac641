"""The example world: facts held out for the test, hops seen in training, the tutor's replies."""

import importlib.util
import json
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "examples" / "make_world.py"
SIZES = {"entities": 100, "train": 4000, "test": 320, "choices": 3, "noise": 0.06}

Row = dict[str, Any]
Files = dict[str, list[Row]]


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_world", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look up the module of a class
    spec.loader.exec_module(module)
    return module


make_world = load_script()


@pytest.fixture(scope="module")
def files() -> Files:
    made: Files = make_world.make_world(**SIZES, seed=7)
    return made


def texts(row: Row) -> frozenset[str]:
    return frozenset(choice["text"] for choice in row["choices"])


def prop(row: Row) -> str:
    return str(row["meta"]["fact"].split("/")[1])


def facts(rows: list[Row]) -> set[tuple[str, str]]:
    """Return (entity, property) for every choice of every question, right or wrong."""
    return {(text, prop(row)) for row in rows for text in texts(row)}


def verdict(row: Row, reply: Row) -> str:
    """Return the tutor's fault that a reply shows, "" if there is none."""
    if reply["stop_reason"] != "end_turn":
        return str(reply["stop_reason"])
    return "right" if reply["reply"].endswith(f"\nAnswer: {row['answer']}") else "wrong"


def test_blocks_and_facts_of_the_test_never_occur_in_training(files: Files) -> None:
    train, test = files["train.jsonl"], files["test.jsonl"]
    blocks = [{row["meta"]["block"] for row in rows} for rows in (train, test)]
    assert not blocks[0] & blocks[1]
    assert not facts(train) & facts(test)
    held_out = len(facts(test)) / len(facts(train) | facts(test))
    assert 0.15 < held_out < 0.25


def test_each_fact_lies_in_one_block(files: Files) -> None:
    block_of: dict[tuple[str, str], str] = {}
    for row in files["train.jsonl"] + files["test.jsonl"]:
        for text in texts(row):
            assert (
                block_of.setdefault((text, prop(row)), row["meta"]["block"]) == row["meta"]["block"]
            )


def test_training_shows_every_entity_and_every_property_of_a_kind(files: Files) -> None:
    seen = facts(files["train.jsonl"])
    for domain in make_world.load_world(make_world.WORLD, SIZES["entities"]):
        assert set(domain.kinds) <= {entity for entity, _ in seen}
        hops = {(domain.kinds[entity], prop) for entity, prop in seen if entity in domain.kinds}
        assert hops == {(kind, prop) for kind in domain.has for prop in domain.negative}


def test_the_test_has_distinct_choice_sets_and_many_decisive_facts(files: Files) -> None:
    test = files["test.jsonl"]
    assert len({texts(row) for row in test}) == len(test) == 320
    assert len({row["meta"]["fact"] for row in test}) >= 60


def test_no_question_is_asked_twice(files: Files) -> None:
    train = files["train.jsonl"]
    assert len({(row["question"], texts(row)) for row in train}) == len(train) == 4000
    ids = [row["id"] for name in ("train.jsonl", "test.jsonl") for row in files[name]]
    assert len(set(ids)) == len(ids)


def test_one_choice_only_is_right(files: Files) -> None:
    domains = {d.name: d for d in make_world.load_world(make_world.WORLD, SIZES["entities"])}
    for row in files["train.jsonl"] + files["test.jsonl"]:
        domain = domains[row["meta"]["domain"]]
        holds = {c["label"]: domain.true(c["text"], prop(row)) for c in row["choices"]}
        asked = domain.phrase(prop(row), holds[row["answer"]])
        assert row["question"] == f"Which of these {asked}?"
        assert list(holds.values()).count(holds[row["answer"]]) == 1


def test_the_place_of_the_answer_tells_nothing(files: Files) -> None:
    for name in ("train.jsonl", "test.jsonl"):
        rows = files[name]
        shares = [count / len(rows) for count in Counter(row["answer"] for row in rows).values()]
        assert len(shares) == 3
        assert all(0.25 < share < 0.42 for share in shares)


def test_an_entitys_record_in_training_does_not_give_the_answer_away(files: Files) -> None:
    right: Counter[str] = Counter()
    shown: Counter[str] = Counter()
    for row in files["train.jsonl"]:
        shown.update(texts(row))
        right.update(c["text"] for c in row["choices"] if c["label"] == row["answer"])
    hits = sum(
        max(row["choices"], key=lambda c: right[c["text"]] / shown[c["text"]])["label"]
        == row["answer"]
        for row in files["test.jsonl"]
    )
    assert hits / len(files["test.jsonl"]) < 0.45


def test_the_tutor_walks_through_each_choice(files: Files) -> None:
    for row, reply in zip(files["test.jsonl"], files["test_replies.jsonl"], strict=True):
        assert reply["id"] == row["id"]
        assert verdict(row, reply) == "right"
        explanation, _ = reply["reply"].split("\n")
        for sentence, choice in zip(explanation.split(". "), row["choices"], strict=True):
            assert sentence.startswith(f"The {choice['text']} is ")


def test_the_share_of_bad_replies_is_what_was_asked(files: Files) -> None:
    pairs = zip(files["train.jsonl"], files["train_replies.jsonl"], strict=True)
    counts = Counter(verdict(row, reply) for row, reply in pairs)
    assert counts == {"right": 3760, "wrong": 80, "max_tokens": 80, "refusal": 80}


def test_a_seed_gives_the_same_world_and_another_seed_another(tmp_path: Path) -> None:
    made = []
    for number, seed in enumerate(("1", "1", "2")):
        out = tmp_path / str(number)
        make_world.main(["--out", str(out), "--train", "60", "--test", "30", "--seed", seed])
        made.append({path.name: path.read_text() for path in out.iterdir()})
    assert len(made[0]) == 4
    assert made[0] == made[1]
    assert all(made[0][name] != made[2][name] for name in made[0])
    assert len([json.loads(line) for line in made[0]["test.jsonl"].splitlines()]) == 30


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--train", "0"),
        ("--train", "many"),
        ("--train", "900000"),
        ("--test", "-1"),
        ("--test", "90000"),
        ("--entities", "5"),
        ("--entities", "5000"),
        ("--choices", "1"),
        ("--noise", "1.5"),
        ("--noise", "nan"),
    ],
)
def test_a_bad_size_ends_with_one_line(
    option: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        make_world.main(["--out", str(tmp_path / "out"), option, value])
    assert stopped.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert option in last
    assert last.startswith("make_world.py: error: ") or ": error: " in last
    assert not (tmp_path / "out").exists()
