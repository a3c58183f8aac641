"""Prepare a training run: the student's initial weights, its prompt format and its training
examples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scicot import processes
from scicot.config import AUTO, TrainSettings
from scicot.devices import resolve_device
from scicot.models.characters import replacements_for
from scicot.models.families import family_of
from scicot.models.prompt_format import PromptFormat, make_format, plain_prompt
from scicot.reporting import Reporter
from scicot.stages import Input
from scicot.students.manifest import CHECKPOINTS, read_manifest
from scicot.training import examples
from scicot.training.plan.layout import Layout
from scicot.training.plan.schedule import Schedule
from scicot.training.scratch import PREFIX, build_scratch, is_causal
from scicot.training.spec import TrainingSpec

_STEPS = 20  # minimum number of steps per epoch with --batch-size auto


@dataclass(frozen=True)
class Prepared:
    """A student that is ready to be trained: the model with its initial weights, its prompt format,
    and the schedule of its training examples."""

    model: Any
    form: PromptFormat
    schedule: Schedule


def prepare(spec: TrainingSpec, reporter: Reporter) -> Prepared:
    """Seed the random generators, build or load the student, and tokenise its training rows. Raises
    ScicotError if the student cannot be loaded."""
    from transformers import set_seed

    set_seed(spec.settings.seed)
    if spec.student.startswith(PREFIX) and spec.begin_from is None:
        texts = (
            text
            for lesson in spec.lessons
            for example in examples.examples_of(
                lesson, spec.stage, answer_as=spec.settings.answer_form
            )
            for text in (_prompt(spec, example.source), example.full_target)
        )
        model, tokenizer = build_scratch(
            spec.student, texts, weights=(spec.equal_to or {}).get("weights")
        )
    else:
        from scicot.models.pretrained import load_pretrained

        nf4 = spec.settings.quantization == "nf4"
        device = resolve_device(spec.settings.device) if nf4 else None
        model, tokenizer = load_pretrained(str(spec.begin_from or spec.student), nf4_on=device)
    layout = processes.on_rank_zero(lambda: _layout_begun(spec.run))
    # A resumed run must encode texts as before, so it keeps its recorded replacements.
    own_manifest = read_manifest(spec.run) if layout is not None else None
    manifest = own_manifest or (read_manifest(spec.begin_from) if spec.begin_from else None)
    replacements = replacements_for(tokenizer) if manifest is None else manifest.replacements
    name = manifest.prompt_format if spec.begin_from and manifest else spec.settings.prompt_format
    form = make_format(name, model, tokenizer, replacements)
    with reporter.task("tokenising"):
        schedule = processes.rank_zero_first(
            lambda: Schedule(
                spec.lessons,
                spec.stage,
                form,
                spec.settings,
                family=family_of(model.config),
                layout=layout,
                ranks=processes.count(),
            )
        )
    if layout is None and spec.settings.batch_size == AUTO:
        _fit_batches(model, schedule, spec.settings, reporter)
    return Prepared(model, form, schedule)


def _prompt(spec: TrainingSpec, source: Input) -> str:
    """Return the text of an input as a student trained from scratch reads it."""
    return plain_prompt(source) if is_causal(spec.student) else str(source)


def _fit_batches(
    model: Any, schedule: Schedule, settings: TrainSettings, reporter: Reporter
) -> None:
    """Recompute the schedule for --batch-size auto. A step gets as many tokens as fit in the memory
    of all processes, but at most 1/_STEPS of an epoch's tokens."""
    from scicot.training.fitting.auto_batch_size import tokens_that_fit

    fit = processes.on_rank_zero(lambda: tokens_that_fit(model, schedule.longest, settings))
    tokens = max(1, min(fit * processes.count(), schedule.tokens_an_epoch // _STEPS))
    reporter.note(f"--batch-size auto: {tokens} tokens a step")
    schedule.fit(tokens, fit)


def _layout_begun(run: Path) -> Layout | None:
    """Return the stored batch layout of a run, which must stay the same when training is resumed.
    Return None if the run has no checkpoint."""
    checkpoints = run / CHECKPOINTS
    return Layout.read(checkpoints) if any(checkpoints.glob("checkpoint-*")) else None
