"""What answers cost, and the cheapest system that is not significantly worse than the best."""

from pathlib import Path
from typing import Any

import pytest
from conftest import Recorder, write_rows
from predictions import rows_of

from scicot import evaluate
from scicot.models.weights import weights_in

DIRECT = {
    "answer": "direct@1",
    "rationale": None,
    "rationale_from": "none",
    "scoring": "label",
    "weights": {"direct@1": 1000},
}
TWO_STAGE = {
    "answer": "answer@1",
    "rationale": "rationale@2",
    "rationale_from": "student",
    "scoring": "label",
    "weights": {"answer@1": 1000, "rationale@2": 3000},
}
ASKED = 3 + 4  # words of the question, and of its one-word choices


def cost_of(tmp_path: Path, models: dict[str, Any], **more: Any) -> Any:
    file = write_rows(tmp_path / "one.jsonl", rows_of("AAAA", models=models, **more))
    return evaluate(file).systems[0].cost


@pytest.mark.parametrize(
    ("models", "rationales", "weights", "words", "work"),
    [
        (DIRECT, [], 1000, ASKED + 4, 1000 * (ASKED + 4)),
        # One-word texts of choices cost as much as labels.
        (DIRECT | {"scoring": "text"}, [], 1000, ASKED + 4, 1000 * (ASKED + 4)),
        (
            TWO_STAGE,
            ["five words in a rationale"],
            4000,
            2 * (ASKED + 5) + 4,
            3000 * (ASKED + 5) + 1000 * (ASKED + 5 + 4),
        ),
        # mix_direct adds a pass without a rationale; equal rationales are scored once.
        (
            TWO_STAGE | {"mix_direct": 0.3},
            ["two words", "two words"],
            4000,
            (ASKED + 4) + (ASKED + 2 + 4) + (ASKED + 4),
            3000 * (ASKED + 4) + 1000 * (2 * ASKED + 2 + 8),
        ),
        # A single student does both, so its weights count once.
        (
            DIRECT | {"rationale_from": "student"},
            ["two words"],
            1000,
            2 * ASKED + 2 + 2 + 4,
            1000 * (2 * ASKED + 2 + 2 + 4),
        ),
        # Both answer students read the question.
        (
            DIRECT | {"answer": "direct@1 + direct@2", "weights": {"direct@1": 10, "direct@2": 20}},
            [],
            30,
            2 * (ASKED + 4),
            30 * (ASKED + 4),
        ),
        # Two rationale students, each of which wrote one rationale.
        (
            TWO_STAGE
            | {
                "rationale": ["rationale@2", "fold@3"],
                "weights": {"answer@1": 1, "rationale@2": 10, "fold@3": 100},
            },
            ["one", "two three"],
            111,
            (ASKED + 1) + (ASKED + 2) + (ASKED + 1 + 4) + (ASKED + 2 + 4),
            10 * (ASKED + 1) + 100 * (ASKED + 2) + (ASKED + 1 + 4) + (ASKED + 2 + 4),
        ),
    ],
)
def test_cost_counts_what_students_read_and_write(
    tmp_path: Path,
    models: dict[str, Any],
    rationales: list[str],
    weights: int,
    words: float,
    work: float,
) -> None:
    cost = cost_of(tmp_path, models, rationales=rationales)
    assert (cost.weights, cost.words, cost.work) == (weights, words, work)


@pytest.mark.parametrize(
    "weights", [None, {}, [], {"direct@1": True}, {"direct@1": 0}, {"other@1": 5}]
)
def test_cost_is_unknown_where_rows_do_not_tell_the_weights(tmp_path: Path, weights: Any) -> None:
    assert cost_of(tmp_path, DIRECT | {"weights": weights}) is None


def files(tmp_path: Path, **answers: tuple[str, dict[str, Any]]) -> dict[str, str]:
    return {
        name: str(write_rows(tmp_path / f"{name}.jsonl", rows_of(answered, models=models)))
        for name, (answered, models) in answers.items()
    }


def test_the_cheapest_that_is_not_significantly_worse_is_named(
    tmp_path: Path, recorder: Recorder
) -> None:
    good, close, bad = "A" * 90 + "B" * 10, "A" * 88 + "B" * 12, "B" * 60 + "A" * 40
    small = DIRECT | {"weights": {"direct@1": 10}}
    systems = files(tmp_path, two=(good, TWO_STAGE), direct=(close, DIRECT), tiny=(bad, small))
    found = evaluate(systems, reporter=recorder).cheapest
    assert found is not None
    assert (found.name, found.best) == ("direct", "two")
    assert found.difference == pytest.approx(0.02)
    assert found.interval[0] < 0.02 < found.interval[1]
    assert found.cost_ratio == pytest.approx(11 / (3 * ASKED + 11))
    assert found.sentence.startswith(
        "direct is the cheapest system that is not significantly worse than the most accurate,"
        " two (two minus direct: +2.0 points, 95 % interval "
    )
    # The result does not depend on the order of the systems or on the first one.
    again = evaluate(dict(reversed(systems.items())), reporter=recorder).cheapest
    assert again is not None
    assert (again.name, again.interval) == ("direct", found.interval)
    only = evaluate({name: systems[name] for name in ("two", "tiny")}, reporter=recorder).cheapest
    assert only is not None
    assert only.name == only.best == "two"
    assert only.sentence == (
        "two is the most accurate; every cheaper system is significantly worse."
    )
    best = files(tmp_path, direct=(good, DIRECT), two=(close, TWO_STAGE))
    none = evaluate(best, reporter=recorder).cheapest
    assert none is not None
    assert none.sentence == "direct is the most accurate; no system is cheaper."


def test_upper_bounds_and_unknown_costs_are_no_candidates(tmp_path: Path) -> None:
    given = TWO_STAGE | {"rationale_from": "input"}
    shuffled = TWO_STAGE | {"rationale_from": "shuffled"}
    unknown = {key: value for key, value in DIRECT.items() if key != "weights"}
    systems = files(
        tmp_path,
        two=("AAAB" * 5, TWO_STAGE),
        given=("AAAA" * 5, given),
        shuffled=("AAAA" * 5, shuffled),
    )
    assert evaluate(systems).cheapest is None
    systems |= files(tmp_path, direct=("AABB" * 5, DIRECT), other=("AAAA" * 5, unknown))
    verdict = evaluate(systems)
    found = verdict.cheapest
    assert found is not None
    assert (found.name, found.best, found.cost_ratio) == ("two", "other", None)
    assert found.not_compared == [], "the best one is compared, whatever it costs"
    assert found.sentence.startswith("two is the cheapest system")
    good = files(tmp_path, other=("AAAA" * 30, unknown), two=("BBBB" * 30, TWO_STAGE))
    good |= files(tmp_path, direct=("BBBB" * 30, DIRECT))
    worse = evaluate(good).cheapest
    assert worse is not None
    assert worse.sentence == (
        "other is the most accurate; its cost is not known, and every system of known cost is"
        " significantly worse."
    )
    assert verdict.to_dict()["cheapest"]["sentence"] == found.sentence


def test_the_table_shows_weights_and_cost(scicot: Any, tmp_path: Path) -> None:
    systems = files(tmp_path, two=("AAAB" * 5, TWO_STAGE), direct=("AABB" * 5, DIRECT))
    done = scicot("evaluate", *systems.values())
    assert done.stdout.split("\n")[1].split()[-2:] == ["weights", "cost"]
    rows = [line.split()[-3:] for line in done.stdout.split("\n")[3:5]]
    assert rows == [["4,000", "2.9", "x"], ["1,000", "1.0", "x"]]
    assert "two is the most accurate" in done.stdout or "direct is the cheapest" in done.stdout
    plain = files(tmp_path, plain=("AAAB" * 5, {}))
    assert "weights" not in scicot("evaluate", *plain.values()).stdout


def test_weights_are_counted_in_any_precision(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    save_file(
        {"a": torch.zeros(3, 5, dtype=torch.bfloat16), "b": torch.zeros(2)},
        tmp_path / "model.safetensors",
        metadata={"format": "pt"},
    )
    assert weights_in(tmp_path) == 17
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 400)
    assert weights_in(tmp_path) == 100
