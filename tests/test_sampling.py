"""Many rationales, mixed answers, other sources of rationales, abstaining."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Recorder, Trained, read_rows, world_rows, write_rows

from scicot import (
    PredictSettings,
    ScicotError,
    TrainSettings,
    predict,
    train_answer,
    train_rationale,
)
from scicot.records import Rationale
from scicot.training.confidence_power import POWERS, fit_confidence_power

CPU = PredictSettings(device="cpu", max_new_tokens=8)
FIVE = replace(CPU, samples=5, temperature=1.5)


def both(trained: Trained, settings: PredictSettings, **more: Any) -> dict[str, Any]:
    models = {"answer_model": trained.answer, "rationale_model": trained.rationale}
    return {**models, "settings": settings, **more}


def rows_of(trained: Trained, out: Path, settings: PredictSettings, **more: Any) -> Any:
    predict(trained.rows, out, **both(trained, settings, **more))
    return read_rows(out)


def test_a_sample_is_decided_by_seed_question_and_number_alone(
    trained: Trained, tmp_path: Path
) -> None:
    rows = rows_of(trained, tmp_path / "a", FIVE)
    assert all(len(row["rationales"]) == 5 for row in rows)
    assert any(len(set(row["rationales"])) > 1 for row in rows)
    other = rows_of(trained, tmp_path / "b", replace(FIVE, window=7, batch_size=3, samples=3))
    assert [row["rationales"] for row in other] == [row["rationales"][:3] for row in rows]
    backwards = write_rows(tmp_path / "backwards.jsonl", world_rows()[::-1])
    predict(backwards, tmp_path / "c", **both(trained, FIVE))
    for row, again in zip(rows, read_rows(tmp_path / "c")[::-1], strict=True):
        assert again["rationales"] == row["rationales"]
        assert again["scores"] == pytest.approx(row["scores"], abs=1e-6)
    twins = [{**world_rows()[0], "id": name} for name in ("one", "two")]
    file = write_rows(tmp_path / "twins.jsonl", twins)
    predict(file, tmp_path / "twins", **both(trained, FIVE))
    first_twin, second_twin = read_rows(tmp_path / "twins")
    assert first_twin["rationales"] != second_twin["rationales"], "the id is part of what decides"
    reseeded = rows_of(trained, tmp_path / "d", replace(FIVE, seed=1))
    assert [row["rationales"] for row in reseeded] != [row["rationales"] for row in rows]


def test_samples_are_averaged_or_vote(trained: Trained, tmp_path: Path) -> None:
    rows = rows_of(trained, tmp_path / "mean", FIVE)
    votes = rows_of(trained, tmp_path / "vote", replace(FIVE, vote=True))
    alone = []
    for sample in range(5):
        given = [{**w, "rationale": r["rationales"][sample]} for w, r in zip(world_rows(), rows)]  # noqa: B905
        file, out = write_rows(tmp_path / f"{sample}.jsonl", given), tmp_path / f"out{sample}"
        settings = replace(CPU, rationale_from="input")
        predict(file, out, answer_model=trained.answer, settings=settings)
        alone.append(read_rows(out))
    for index, (row, voted) in enumerate(zip(rows, votes, strict=True)):
        each = [sample_rows[index] for sample_rows in alone]
        mean = {
            label: sum(sample_row["scores"][label] for sample_row in each) / 5
            for label in row["scores"]
        }
        assert row["scores"] == pytest.approx(mean, abs=1e-6)
        assert row["prediction"] == max(mean, key=mean.get)  # type: ignore[arg-type]
        shares = Counter(sample_row["prediction"] for sample_row in each)
        assert voted["scores"] == pytest.approx({label: shares[label] / 5 for label in mean})
        assert voted["prediction"] == max(mean, key=lambda label: (shares[label], mean[label]))
    assert votes[0]["models"]["vote"] is True
    assert votes[0]["models"]["temperature"] == 1.5


def test_surer_answers_weigh_more(trained: Trained, tmp_path: Path) -> None:
    """The power is fitted on dev, where a question has several rationales."""
    written = tmp_path / "written.jsonl"
    predict(trained.rows, written, rationale_model=trained.rationale, settings=FIVE)
    run = tmp_path / "run"
    settings = TrainSettings(max_steps=4, batch_size=9, warmup_steps=0, device="cpu")
    manifest = train_answer(
        trained.rows, run, student="scratch:tiny", settings=settings, dev=[written]
    )
    power = manifest.metrics["dev_confidence_power"]
    assert power in POWERS
    metrics = {**manifest.metrics, "dev_confidence_power": 4.0, "dev_temperature": 0.3}
    replace(manifest, metrics=metrics).write(run)
    models: dict[str, Any] = {"rationale_model": trained.rationale, "answer_model": run}
    out = tmp_path / "weighed.jsonl"
    predict(trained.rows, out, settings=replace(FIVE, weigh="confidence"), **models)
    found = read_rows(out)
    for row in found:
        row["rationale"] = row["rationales"][0]
    assert found[0]["models"]["confidence_power"] == 4.0
    each = []
    for sample in range(5):
        given = write_rows(
            tmp_path / f"{sample}.jsonl",
            [{**row, "rationale": row["rationales"][sample]} for row in found],
        )
        alone = replace(CPU, rationale_from="input")
        predict(given, tmp_path / f"out{sample}", answer_model=run, settings=alone)
        each.append([row["scores"] for row in read_rows(tmp_path / f"out{sample}")])
    for number, row in enumerate(found):
        weights = [max(scores[number].values()) ** 4 for scores in each]
        for label, value in row["scores"].items():
            probabilities = [scores[number][label] for scores in each]
            wanted = sum(w * p for w, p in zip(weights, probabilities, strict=True)) / sum(weights)
            assert value == pytest.approx(wanted, abs=1e-5)


def test_the_power_of_confidence_that_makes_gold_likeliest() -> None:
    sure, torn = [0.9, 0.1], [0.45, 0.55]
    assert fit_confidence_power([[sure, torn]] * 5, [0] * 5) == POWERS[-1]
    assert fit_confidence_power([[sure, torn]] * 5, [1] * 5) == 0.0
    assert fit_confidence_power([[sure], [torn]], [0, 1]) is None


def test_top_p_and_beams(trained: Trained, tmp_path: Path) -> None:
    greedy = rows_of(trained, tmp_path / "greedy", CPU)
    narrow = rows_of(trained, tmp_path / "narrow", replace(CPU, temperature=1.0, top_p=1e-6))
    assert [row["rationales"] for row in narrow] == [row["rationales"] for row in greedy]
    beams = rows_of(trained, tmp_path / "beams", replace(CPU, beams=3))
    assert beams[0]["models"]["beams"] == 3
    assert all(len(row["rationales"]) == 1 for row in beams)


def test_the_direct_answer_is_mixed_in(trained: Trained, tmp_path: Path) -> None:
    recorder = Recorder()
    behind = rows_of(trained, tmp_path / "behind", CPU)
    predict(
        trained.rows, tmp_path / "bare", answer_model=trained.answer, reporter=recorder,
        settings=replace(CPU, rationale_from="none"),
    )  # fmt: skip
    assert "was not trained to answer without a rationale" in recorder.warnings[0]
    mixed = rows_of(trained, tmp_path / "mixed", replace(CPU, mix_direct=0.25))
    for row, with_rationale, bare in zip(mixed, behind, read_rows(tmp_path / "bare"), strict=True):
        expected = {
            label: 0.75 * with_rationale["scores"][label] + 0.25 * bare["scores"][label]
            for label in with_rationale["scores"]
        }
        assert row["scores"] == pytest.approx(expected, abs=1e-6)
        assert row["rationales"] == with_rationale["rationales"]
        assert row["models"]["mix_direct"] == 0.25


@pytest.mark.parametrize("given", [True, False])
def test_shuffled_rationales_are_those_of_other_questions(
    trained: Trained, tmp_path: Path, given: bool
) -> None:
    rows = world_rows()
    for number, row in enumerate(rows):
        row["rationale"] = f"this is about {number}."
    file = write_rows(tmp_path / "q.jsonl", rows)
    models: dict[str, Any] = {"answer_model": trained.answer}
    rationales = [row["rationale"] for row in rows]
    if not given:
        models["rationale_model"] = trained.rationale
        predict(file, tmp_path / "own", settings=CPU, **models)
        rationales = [row["rationales"][0] for row in read_rows(tmp_path / "own")]
    outs = []
    for window in (5, 36):
        settings = replace(CPU, rationale_from="shuffled", window=window)
        predict(file, tmp_path / f"out{window}", settings=settings, **models)
        outs.append([row["rationales"][0] for row in read_rows(tmp_path / f"out{window}")])
    assert outs[0] == outs[1] == rationales[18:] + rationales[:18]
    assert read_rows(tmp_path / "out5")[0]["models"]["rationale_from"] == "shuffled"


def test_a_rotation_is_not_continued_as_another(trained: Trained, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    settings = replace(CPU, rationale_from="shuffled")
    predict(trained.rows, out, answer_model=trained.answer, settings=settings, limit=10)
    for changed in ({"limit": 20}, {"limit": 10, "settings": replace(settings, seed=1)}):
        options: dict[str, Any] = {"settings": settings, **changed}
        with pytest.raises(ScicotError, match=r"other settings .rotation: was '5 of 10', is"):
            predict(trained.rows, out, answer_model=trained.answer, **options)


def test_what_was_predicted_behind_others_rationales_is_not_learnt_from(
    trained: Trained, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    settings = replace(CPU, rationale_from="shuffled")
    predict(trained.rows, out, answer_model=trained.answer, settings=settings)
    with pytest.raises(ScicotError, match="from another question's rationale"):
        train_answer(out, tmp_path / "run", student="scratch:tiny")


def test_a_column_fold_of_the_users_own_does_not_stop_rationales(
    trained: Trained, tmp_path: Path
) -> None:
    file = write_rows(tmp_path / "q.jsonl", [{**row, "fold": 1} for row in world_rows()])
    out = tmp_path / "out.jsonl"
    for limit in (5, 9):
        predict(file, out, rationale_model=trained.rationale, settings=CPU, limit=limit)
    assert not any("fold" in row for row in read_rows(out))


def test_rationale_rows_of_several_samples(trained: Trained, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    options: dict[str, Any] = {"rationale_model": trained.rationale, "settings": FIVE}
    predict(trained.rows, out, **options)
    rows = read_rows(out)
    assert [(row["id"], row["sample"]) for row in rows[:6]] == [
        *((rows[0]["id"], sample) for sample in range(5)),
        (rows[5]["id"], 0),
    ]
    assert Rationale.from_row(rows[0]).teacher.startswith("student:rationale@")  # type: ignore[union-attr]
    whole = out.read_bytes()
    out.write_bytes(b"".join(whole.splitlines(keepends=True)[:8]))
    summary = predict(trained.rows, out, **options)
    assert (summary.already_done, summary.predicted) == (1, 35)
    assert out.read_bytes() == whole


def test_what_is_not_sure_is_left_open(trained: Trained, tmp_path: Path) -> None:
    plain = rows_of(trained, tmp_path / "plain", CPU)
    threshold = sorted(row["confidence"] for row in plain)[18]
    recorder = Recorder()
    careful = rows_of(
        trained, tmp_path / "careful", replace(CPU, abstain_below=threshold), reporter=recorder
    )
    for row, plain_row in zip(careful, plain, strict=True):
        unsure = plain_row["confidence"] < threshold
        assert row["prediction"] == (None if unsure else plain_row["prediction"])
        assert row.get("abstained", False) == unsure
        assert (row["scores"], row["confidence"]) == (plain_row["scores"], plain_row["confidence"])
    assert sum("abstained" in row for row in careful) == 18
    assert any("18 questions got no answer: confidence below" in note for note in recorder.notes)


def test_the_temperature_of_dev_is_applied(trained: Trained, tmp_path: Path) -> None:
    run = tmp_path / "run"
    settings = TrainSettings(
        max_steps=6, batch_size=9, warmup_steps=1, learning_rate=3e-3, device="cpu", eval_steps=6
    )
    manifest = train_answer(
        trained.rows, run, student="scratch:tiny", method="direct", settings=settings,
        dev=[trained.rows],
    )  # fmt: skip
    temperature = manifest.metrics["dev_temperature"]
    assert temperature == manifest.temperature != 1
    outs = []
    for name, on in (("on", True), ("off", False)):
        off = PredictSettings(device="cpu", calibrate=on)
        predict(trained.rows, tmp_path / name, answer_model=run, settings=off)
        outs.append(read_rows(tmp_path / name))
    for row, raw in zip(*outs, strict=True):
        powers = {label: p ** (1 / temperature) for label, p in raw["scores"].items()}
        total = sum(powers.values())
        expected = {label: p / total for label, p in powers.items()}
        assert row["scores"] == pytest.approx(expected)
        assert row["prediction"] == raw["prediction"]
        assert row["models"]["calibration"] == temperature
        assert "calibration" not in raw["models"]


def test_a_teachers_dev_rationales_fit_no_temperature(trained: Trained, tmp_path: Path) -> None:
    settings = TrainSettings(max_steps=2, batch_size=9, warmup_steps=0, device="cpu")
    options: dict[str, Any] = {"student": "scratch:tiny", "settings": settings}
    by_teacher = train_answer(trained.rows, tmp_path / "a", dev=[trained.rows], **options)
    assert "dev_temperature" not in by_teacher.metrics
    predicted = tmp_path / "predicted.jsonl"
    predict(trained.rows, predicted, rationale_model=trained.rationale, settings=CPU)
    by_student = train_answer(trained.rows, tmp_path / "b", dev=[predicted], **options)
    assert by_student.metrics["dev_temperature"] > 0


def test_several_students_write_and_their_answers_are_averaged(
    trained: Trained, tmp_path: Path
) -> None:
    run = tmp_path / "rationale"
    settings = TrainSettings(
        max_steps=4, batch_size=9, warmup_steps=1, device="cpu", folds=2, fold_by="meta.metal"
    )
    train_rationale(trained.rows, run, student="scratch:tiny", settings=settings)
    writers = [run, run / "folds" / "0", run / "folds" / "1"]
    alone = []
    for number, writer in enumerate(writers):
        out = tmp_path / f"{number}.jsonl"
        predict(
            trained.rows, out, answer_model=trained.answer, rationale_model=writer, settings=CPU
        )
        alone.append(read_rows(out))
    together, named = tmp_path / "together.jsonl", tmp_path / "named.jsonl"
    options: dict[str, Any] = {"answer_model": trained.answer}
    predict(
        trained.rows, together, rationale_model=run, settings=replace(CPU, with_folds=True),
        **options,
    )  # fmt: skip
    predict(trained.rows, named, rationale_model=writers, settings=CPU, **options)
    assert together.read_bytes() == named.read_bytes()
    for row, *each in zip(read_rows(together), *alone, strict=True):
        assert row["rationales"] == [
            text for student_row in each for text in student_row["rationales"]
        ]
        mean = {
            label: sum(student_row["scores"][label] for student_row in each) / 3
            for label in row["scores"]
        }
        assert row["scores"] == pytest.approx(mean, abs=1e-6)
        assert len(row["models"]["rationale"]) == 3
    twice = tmp_path / "twice.jsonl"
    predict(trained.rows, twice, rationale_model=[run, run], settings=FIVE, **options)
    texts = [row["rationales"] for row in read_rows(twice)]
    assert any(samples[:5] != samples[5:] for samples in texts), "each draws apart from the others"
    with pytest.raises(ScicotError, match="only one student can write rationales"):
        predict(trained.rows, tmp_path / "x", rationale_model=writers, settings=CPU)
    with pytest.raises(ScicotError, match=r"--with-folds: .* has no fold students"):
        predict(
            trained.rows, tmp_path / "x", rationale_model=trained.rationale,
            settings=replace(CPU, with_folds=True), **options,
        )  # fmt: skip


def test_samples_vote_on_the_command_line(scicot: Any, trained: Trained, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    models = ("--answer-model", trained.answer, "--rationale-model", trained.rationale)
    done = scicot("predict", trained.rows, "-o", out, *models, "--samples", 2, "--vote")
    assert done.code == 0, done.stderr
    assert read_rows(out)[0]["models"]["vote"] is True
