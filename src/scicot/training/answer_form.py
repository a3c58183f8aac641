"""Fill in the settings that depend on the student, and choose the form of its answers: label or
text. To choose, each form is tried in a short training and measured on dev.

Which form a student learns better differs by data set. A pretrained student with 126 million
weights answered 68.0 % of ScienceQA correctly by text, and 52.6 % by label. The same student
answered 44.8 % of OpenBookQA correctly by text, and 46.0 % by label.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from scicot import processes
from scicot.config import RECIPES, AnswerAs, TrainSettings
from scicot.devices import release_memory
from scicot.errors import UsageError
from scicot.models.families import CAUSAL, ENCODER_DECODER, family_of
from scicot.reporting import Muted, Reporter
from scicot.stages import Stage
from scicot.students.manifest import read_manifest
from scicot.training import replacement, run_directory
from scicot.training.scratch import PREFIX, is_causal
from scicot.training.setup import prepare
from scicot.training.spec import TrainingSpec

_SHARE = 10  # each form is tried for 1/10 of the steps
_LEAST = 20  # minimum number of steps of a trial


def fill(settings: TrainSettings, student: str, stage: Stage) -> TrainSettings:
    """Return the settings with each missing value (None) replaced by its default. The defaults
    (config.RECIPES) depend on the student's model family, and on whether its weights are
    pretrained. In stage 1, `answer_as` is always "label"."""
    if student.startswith(PREFIX):
        family, fresh = (CAUSAL if is_causal(student) else ENCODER_DECODER), True
    else:
        from scicot.models.pretrained import read_config

        family = family_of(read_config(student, f"student {student}"))
        fresh = _from_scratch(student)
    settings = settings.filled(RECIPES[family.name, fresh])
    return replace(settings, answer_as="label") if stage is Stage.RATIONALE else settings


def _from_scratch(student: str) -> bool:
    """Return True if `student` is a run that was trained from random weights ("scratch:SIZE"), or
    from another run that was trained from random weights, and so on. At most 100 runs are
    checked."""
    for _ in range(100):
        manifest = read_manifest(student)
        if manifest is None:
            return False
        student = manifest.student
        if student.startswith(PREFIX):
            return True
    return False


def decide(spec: TrainingSpec, reporter: Reporter, *, force: bool) -> TrainingSpec:
    """Return the spec with `answer_as` = "auto" replaced by "label" or "text". If `answer_as` has
    another value, return the spec unchanged.

    Each form is tried in a short training, and the form with the higher dev accuracy is used. But
    in these cases, the form that an earlier trial chose is used again:

    - `force` is False, and a run in `spec.run` records an earlier trial.
    - `force` is True, and an earlier call with `force` and the same settings was stopped after its
      trial. The earlier call is then continued.

    Raises ScicotError if `answer_as` is "auto" and there is no dev set.
    """
    if spec.settings.answer_as != "auto":
        return spec
    if not spec.dev:
        raise UsageError(
            "--answer-as auto: compares both forms on dev; give --dev or --dev-fraction, or choose"
            " label or text"
        )
    recorded = processes.on_rank_zero(lambda: _recorded(spec, force=force))
    if recorded is not None:
        return _with_form(spec, *recorded)
    accuracy_of = _tried(spec, reporter)
    best = max(accuracy_of, key=lambda form: accuracy_of[form])
    accuracies = ", ".join(f"{form} {100 * accuracy_of[form]:.1f} %" for form in accuracy_of)
    reporter.note(f"--answer-as auto: {best} (dev accuracy after a short trial: {accuracies})")
    return _with_form(spec, best, accuracy_of)


def _with_form(
    spec: TrainingSpec, form: AnswerAs, accuracy_of: Mapping[Any, float]
) -> TrainingSpec:
    return replace(
        spec, settings=replace(spec.settings, answer_as=form), answer_trial=dict(accuracy_of)
    )


def _recorded(spec: TrainingSpec, *, force: bool) -> tuple[AnswerAs, Mapping[str, float]] | None:
    """Return (the form that an earlier trial chose, the dev accuracy of each form), as a manifest
    in `spec.run` records them. Return None if a new trial is needed."""
    if force and not replacement.has_begun(spec.run):
        return None
    for folder in (spec.run, *sorted(spec.run.glob("seed-*"))):
        manifest = read_manifest(folder) if folder.is_dir() else None
        if manifest is not None and manifest.answer_trial:
            recorded = manifest.answer_as, manifest.answer_trial
            # Without `force`, a run with other settings is an error, which is reported later.
            if not force or not run_directory.changed(manifest, _with_form(spec, *recorded)):
                return recorded
    return None


def _tried(spec: TrainingSpec, reporter: Reporter) -> dict[AnswerAs, float]:
    """Train a student briefly in each form, and return the dev accuracies (0 to 1)."""
    accuracy_of: dict[AnswerAs, float] = {}
    forms: tuple[AnswerAs, ...] = ("label", "text")
    with reporter.task("trying labels and texts as answers", len(forms)) as task:
        for form in forms:
            accuracy_of[form] = _accuracy(spec, form, reporter)
            task.advance()
    return accuracy_of


def _accuracy(spec: TrainingSpec, form: AnswerAs, reporter: Reporter) -> float:
    """Train a student briefly to answer in this form (label or text), and return its dev accuracy
    (0 to 1). The trial run is deleted at the end."""
    from scicot.training.fitting.trainer import fit

    trial_run = spec.run.with_name(f".{spec.run.name}.trial")
    processes.on_rank_zero(lambda: shutil.rmtree(trial_run, ignore_errors=True))
    full_spec = replace(
        spec, run=trial_run, settings=replace(spec.settings, answer_as=form), report_to=()
    )
    prepared = prepare(full_spec, Muted(reporter))
    steps = max(_LEAST, prepared.schedule.steps // _SHARE)
    limits: dict[str, Any] = {"max_steps": steps, "eval_steps": steps, "patience": None}
    trial = replace(full_spec, settings=replace(full_spec.settings, **limits))
    prepared = prepare(trial, Muted(reporter))
    processes.on_rank_zero(lambda: trial_run.mkdir(parents=True, exist_ok=True))
    try:
        _, metrics, _ = fit(
            prepared.model, prepared.form, prepared.schedule, trial, Muted(reporter)
        )
    finally:
        processes.on_rank_zero(lambda: shutil.rmtree(trial_run, ignore_errors=True))
        del prepared
        release_memory()
    return float(metrics["dev_accuracy"])
