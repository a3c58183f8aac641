"""Rewarded rationales: rewards, the choice of writers and scorers, and the files of rounds."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Recorder, read_rows, world_rows, write_rows
from msgspec import structs

from scicot import RewardSettings, ScicotError, TrainSettings, train_answer, train_rationale
from scicot.records import Question, Rationale
from scicot.students.manifest import read_manifest
from scicot.students.student import Student
from scicot.training.examples import Lesson
from scicot.training.folds import Folds
from scicot.training.rewards.report import report_of
from scicot.training.rewards.rounds import RewardedFolds
from scicot.training.rewards.scoring import (
    ScoredRationale,
    best,
    counted_reward,
    gain,
    score,
)

SHORT = TrainSettings(
    max_steps=3, warmup_steps=1, batch_size=8, max_target_tokens=12, device="cpu",
    learning_rate=3e-3, fold_by="meta.metal",
)  # fmt: skip
QUESTION = Question.from_row(world_rows()[0])
GOLD = QUESTION.text_of(QUESTION.answer or "")


class HandMade(Student):
    """An answer student whose scores follow from the rationale it reads."""

    def __init__(self, gold: dict[str, float]) -> None:
        self.gold = gold  # rationale -> log-odds of the gold choice
        self.asked: list[str] = []

    def score(self, inputs: Any, candidates: Any, **options: Any) -> list[list[float]]:
        self.asked += [text.rationale for text in inputs]
        index = QUESTION.labels.index(QUESTION.answer or "")
        return [
            [self.gold[text.rationale] if n == index else 0.0 for n in range(len(texts))]
            for text, texts in zip(inputs, candidates, strict=True)
        ]


def log_p(odds: float) -> float:
    return -math.log1p(math.exp(-odds))


def test_the_reward_is_what_gold_gains() -> None:
    helps, harms = "copper lets a current pass easily.", "wood lets a current pass easily."
    tells = f"So the answer is ({QUESTION.answer}) {GOLD}."
    student = HandMade({"": 0.5, GOLD: 2.0, helps: 1.5, harms: -1.0, tells: 5.0, "short": 3.0})
    (found,) = score(student, "label", [QUESTION], [[helps, harms, tells, "short", helps]])
    rewards = [sample.reward for sample in found.samples]
    wanted = [log_p(odds) - log_p(0.5) for odds in (1.5, -1.0, 5.0, 3.0, 1.5)]
    assert rewards == pytest.approx(wanted, abs=1e-4)
    assert [sample.rejected for sample in found.samples] == [
        None, None, "leaks-answer", "too-short", None,
    ]  # fmt: skip
    assert found.samples[0].leak == pytest.approx(log_p(2.0) - log_p(0.5), abs=1e-4)
    (wrong,) = (label for label in QUESTION.labels if label != QUESTION.answer)
    assert (found.none.label, found.samples[1].output.label) == (QUESTION.answer, wrong)
    assert best(found.samples, 5, 0.8) == [0]
    assert student.asked.count(helps) == 1


def test_a_score_that_is_no_number_is_no_reward() -> None:
    broken = "this one has no number at all."
    student = HandMade({"": 0.0, GOLD: 1.0, broken: math.nan})
    (found,) = score(student, "label", [QUESTION], [[broken]])
    assert found.samples[0].reward is None
    assert found.samples[0].output.label is None
    assert best(found.samples, 1, 0.8) == []


def test_a_shuffled_rationale_is_another_questions() -> None:
    texts = [f"this is about number {n} alone." for n in range(4)]
    student = HandMade({"": 0.0, GOLD: 1.0, **{text: n - 1.5 for n, text in enumerate(texts)}})
    found = score(student, "label", [QUESTION] * 4, [[text] for text in texts])
    golds = [
        scored_question.shuffled.gold_log_probability
        for scored_question in found
        if scored_question.shuffled
    ]
    assert golds == pytest.approx([log_p(odds) for odds in (0.5, 1.5, -1.5, -0.5)])


def test_rewards_count_up_to_a_share_of_the_leak() -> None:
    assert counted_reward(0.9, 1.0, 0.8) == pytest.approx(0.8)
    assert counted_reward(0.3, 1.0, 0.8) == 0.3
    # stating the choice gains nothing, so there is no cap
    assert counted_reward(0.9, -0.2, 0.8) == 0.9
    assert counted_reward(0.9, None, 0.8) == 0.9

    def scored(text: str, reward: float, names: str | None = None) -> ScoredRationale:
        return ScoredRationale(text, None, reward, 1.0, None, names)  # type: ignore[arg-type]

    samples = [scored("a", 2.0, "B"), scored("b", 0.5), scored("c", 0.9), scored("c", 0.9)]
    # above the cap, rationales that do not name exactly one choice come first
    assert best(samples, 2, 0.8) == [2, 0]
    assert best(samples, 9, 9.0) == [0, 2, 1]
    assert best([scored("a", 0.0), scored("b", -1.0)], 2, 0.8) == []


def test_only_what_helps_as_much_as_the_teachers_rationale_is_learnt() -> None:
    better, worse = "copper lets a current pass easily.", "copper is a thing among others."
    teachers = "copper is a metal, and metals conduct."
    student = HandMade({"": 0.0, GOLD: 9.0, better: 1.5, worse: 0.5, teachers: 1.0})
    texts = {QUESTION.id: [worse, teachers]}  # the better one counts
    (found,) = score(student, "label", [QUESTION], [[worse, better, teachers]], texts)
    assert found.teacher is not None
    reward = gain(found.teacher, found.none)
    assert reward == pytest.approx(log_p(1.0) - log_p(0.0), abs=1e-4)
    assert best(found.samples, 5, 0.8, reward) == [1, 2]
    assert best(found.samples, 5, 0.8) == [1, 2, 0]
    assert best(found.samples, 5, 0.01, reward) == [0, 1, 2], "above the cap all count the same"
    (other,) = score(student, "label", [QUESTION], [[better]])
    assert other.teacher is None


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("rows") / "rows.jsonl", world_rows())


@pytest.fixture(scope="module")
def answer(rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("answer") / "answer"
    settings = replace(SHORT, folds=3, rationale_dropout=0.3, max_steps=6)
    train_answer(rows, run, student="scratch:tiny", settings=settings)
    return run


@pytest.fixture(scope="module")
def run(rows: Path, answer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("rewarded") / "rationale"
    reward = RewardSettings(str(answer), rounds=2, samples=3, reward_confidence=0)
    train_rationale(rows, run, student="scratch:tiny", settings=SHORT, reward=reward)
    return run


def ids(run: Path) -> set[str]:
    return {row["id"] for row in read_rows(run / "trained_on.jsonl")}


def test_neither_writer_nor_scorer_was_trained_on_a_question(run: Path, answer: Path) -> None:
    """Checked with the ids in each student's record of its training questions."""
    everything = {row["id"] for row in world_rows()}
    metals = {row["id"]: row["meta"]["metal"] for row in world_rows()}
    for number, samples in ((0, 3), (1, 3), (2, 1)):
        scored = read_rows(run / "rounds" / str(number) / "scored.jsonl")
        assert len(scored) == samples * len(everything)
        assert {row["id"] for row in scored} == everything
        for row in scored:
            written_by = row["teacher"].removeprefix("student:").partition("@")[0]
            scored_by = row["scorer"].removeprefix("student:").partition("@")[0]
            for student in (run.parent / written_by, answer.parent / scored_by):
                met = ids(student)
                assert met
                assert row["id"] not in met
                assert row["meta"]["metal"] not in {metals[identity] for identity in met}


def test_rounds_leave_rows_reports_and_a_run(run: Path, rows: Path, answer: Path) -> None:
    first = run / "rounds" / "0"
    scored, kept = read_rows(first / "scored.jsonl"), read_rows(first / "kept.jsonl")
    assert kept == [row for row in scored if row["kept"]]
    assert all(row["reward"] > 0 and row["rejected"] is None for row in kept)
    caps = [0.8 * row["leak"] if row["leak"] > 0 else math.inf for row in kept]
    assert all(
        row["reward"] >= min(row["reward_teacher"], cap)
        for row, cap in zip(kept, caps, strict=True)
    )
    assert isinstance(Rationale.from_row(scored[0]), Rationale)
    reports = [json.loads((run / "rounds" / str(n) / "report.json").read_text()) for n in range(3)]
    assert [report["rationales"] for report in reports] == [108, 108, 36]
    assert (reports[0]["kept"], reports[2]["kept"]) == (len(kept), 0)
    assert all(0 <= report["accuracy_shuffled"] <= 1 for report in reports)
    manifest = json.loads((run / "scicot.json").read_text())
    assert manifest["finished"]
    assert manifest["student"] == "scratch:tiny"
    assert manifest["reward"]["round"] == 2
    assert manifest["reward"]["answer"].startswith("answer@")
    assert manifest["reward"]["reward_above"] == "teacher"
    assert len(read_rows(run / "out_of_fold.jsonl")) == len(world_rows())
    again = Recorder()
    reward = RewardSettings(str(answer), rounds=2, samples=3, reward_confidence=0)
    options: dict[str, Any] = {"student": "scratch:tiny", "settings": SHORT}
    train_rationale(rows, run, reward=reward, reporter=again, **options)
    assert again.notes == [f"{run} is finished already and not trained again"]
    with pytest.raises(
        ScicotError, match=r"already holds a different run \(reward samples: was 3, is 4\)"
    ):
        train_rationale(rows, run, reward=replace(reward, samples=4), **options)


def test_a_run_of_an_earlier_version_goes_on_with_its_rule(
    rows: Path, answer: Path, tmp_path: Path
) -> None:
    """Earlier versions learnt every rationale with a positive reward, and recorded no rule."""
    run = tmp_path / "run"
    reward = RewardSettings(str(answer), samples=2, reward_confidence=0, reward_above="none")
    options: dict[str, Any] = {"student": "scratch:tiny", "settings": SHORT}
    train_rationale(rows, run, reward=reward, **options)
    recorded = json.loads((run / "scicot.json").read_text())["reward"]
    assert "reward_above" not in recorded
    (run / "rounds" / "1" / "report.json").unlink()
    weights = (run / "model.safetensors").read_bytes()
    train_rationale(rows, run, reward=reward, **options)
    assert (run / "rounds" / "1" / "report.json").exists()
    assert (run / "model.safetensors").read_bytes() == weights
    with pytest.raises(ScicotError, match=r"reward_above: was 'none', is 'teacher'"):
        train_rationale(rows, run, reward=replace(reward, reward_above="teacher"), **options)


def test_a_judge_that_met_the_question_is_refused(
    rows: Path, answer: Path, trained: Any, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"student": "scratch:tiny", "settings": SHORT}
    by_id = tmp_path / "by-id"
    settings = replace(SHORT, fold_by="id", folds=2, max_steps=1)
    train_answer(rows, by_id, student="scratch:tiny", settings=settings)
    for judge, said in (
        (trained.answer, "has no fold students; train it with train-answer --folds"),
        (by_id, "all its fold students were trained on question"),
    ):
        reward = RewardSettings(str(judge))
        with pytest.raises(ScicotError, match=said):
            train_rationale(rows, tmp_path / "run", reward=reward, **options)


def test_a_folder_of_the_users_own_is_left_alone(rows: Path, answer: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    options: dict[str, Any] = {"student": "scratch:tiny", "settings": SHORT}
    reward = RewardSettings(str(answer))
    for force in (False, True):
        with pytest.raises(ScicotError, match="mine: is not a scicot run"):
            train_rationale(rows, tmp_path / "mine", reward=reward, force=force, **options)
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_a_dry_run_tells_steps_samples_and_time(
    rows: Path, answer: Path, tmp_path: Path, scicot: Any
) -> None:
    asked = (
        "train-rationale", rows, "-o", tmp_path / "run", "--student", "scratch:tiny",
        "--max-steps", 3, "--warmup-steps", 1, "--batch-size", 8, "--max-target-tokens", 12,
        "--device", "cpu",
    )  # fmt: skip
    rewarded = ("--reward", answer, "--rounds", 2, "--samples", 3)
    found = scicot(*asked, *rewarded, "--dry-run", "--json")
    assert found.code == 0, found.stderr
    estimate = json.loads(found.stdout)
    assert (estimate["students"], estimate["steps"], estimate["samples"]) == (12, 36, 36 * 7)
    assert estimate["seconds"] > 0
    assert not (tmp_path / "run").exists()
    words = scicot(*asked, *rewarded, "--dry-run").stdout
    assert "12 students to train, 36 steps, 252 rationales to sample and score" in words
    for wrong in (("--dry-run",), ("--rounds", 2), (*rewarded, "--json")):
        refused = scicot(*asked, *wrong)
        assert (refused.code, refused.stdout) == (2, "")


def scored_rows(gains: list[float | None]) -> list[dict[str, Any]]:
    """Make rows whose `reward` exceeds `reward_shuffled` by the values in `gains`."""
    answered = dict.fromkeys(("own", "none", "announced", "shuffled"), "A")
    row = {"sample": 0, "answer": "A", "rejected": None, "names": None}
    return [
        {
            **row, "reward": None if gain is None else 0.5 + gain, "reward_shuffled": 0.5,
            "kept": gain is not None, "leak": 1.0, "answered": answered,
        }
        for gain in gains
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("gains", "informative"),
    [
        ([0.1, 0.2, 0.1, 0.2], True),
        ([0.1, -0.2, 0.3, -0.1], False),
        ([-0.1, -0.2, -0.1, -0.2], False),
        ([0.0, 0.0], False),
        ([0.1, 0.11, None], True),
        ([0.1], True),  # too few to tell
    ],
)
def test_nothing_is_learnt_from_rewards_that_are_chance(
    gains: list[float | None], informative: bool
) -> None:
    report = report_of(0, scored_rows(gains), 0.8, 0.95, last=False)
    assert report.informative == informative
    assert (report.warning is None) == informative
    rewarded = len(gains) - gains.count(None)
    assert report.kept == (rewarded if informative else 0)
    assert report_of(0, scored_rows(gains), 0.8, 0.0, last=False).kept == rewarded


def test_a_round_without_information_only_goes_on_with_the_teachers_rationales(
    rows: Path, answer: Path, tmp_path: Path
) -> None:
    """The result equals the first student after as many further steps of training without
    rewards."""
    recorder, run = Recorder(), tmp_path / "run"
    reward = RewardSettings(str(answer), samples=2, reward_confidence=0.999999)
    options: dict[str, Any] = {"student": "scratch:tiny", "settings": SHORT}
    train_rationale(rows, run, reward=reward, reporter=recorder, **options)
    assert read_rows(run / "rounds" / "0" / "kept.jsonl") == []
    assert any(row["kept"] for row in read_rows(run / "rounds" / "0" / "scored.jsonl"))
    assert [warning for warning in recorder.warnings if "rewards are unreliable" in warning]
    more = tmp_path / "more"
    first = str(run / "rounds" / "0" / "student")
    train_rationale(rows, more, student=first, settings=replace(SHORT, fold_by=None))
    weights = [read_manifest(place) for place in (run, more)]
    assert len({manifest and manifest.weights_sha256 for manifest in weights}) == 1


def test_fold_students_of_later_rounds_are_judged_on_dev_too() -> None:
    lessons = [Lesson(structs.replace(QUESTION, id=f"q{n}"), "why", 3) for n in range(6)]
    folds = Folds(lessons, [0, 1, 0, 1, 0, 1], dev={4, 5})
    rewarded = RewardedFolds.of(folds, [])
    assert list(map(id, rewarded.lessons[4:])) == list(map(id, lessons[4:])), "known by identity"
    assert [lesson.file for lesson in rewarded.lessons] == [0, 0, 0, 0, 3, 3]
