"""Prepare a training: the student with its initial weights, its prompt format and its examples."""

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
from scicot.students.runs import CHECKPOINTS, read_manifest
from scicot.training import examples
from scicot.training.plan.layout import Layout
from scicot.training.plan.schedule import Schedule
from scicot.training.scratch import PREFIX, build_scratch, is_causal
from scicot.training.spec import TrainingSpec

_STEPS = 20  # minimum number of steps per epoch with --batch-size auto


@dataclass(frozen=True)
class Prepared:
    """A student with its initial weights, its prompt format and its schedule of examples."""

    model: Any
    form: PromptFormat
    schedule: Schedule


def prepare(work: TrainingSpec, reporter: Reporter) -> Prepared:
    """Build or load the student and tokenise its rows. Raises ScicotError if it is not
    available."""
    from transformers import set_seed

    set_seed(work.settings.seed)
    if work.student.startswith(PREFIX) and work.begin_from is None:
        texts = (
            text
            for lesson in work.lessons
            for example in examples.examples_of(
                lesson, work.stage, answer_as=work.settings.answer_form
            )
            for text in (_prompt(work, example.source), example.written)
        )
        model, tokenizer = build_scratch(
            work.student, texts, weights=(work.equal_to or {}).get("weights")
        )
    else:
        from scicot.models.pretrained import load_pretrained

        nf4 = work.settings.quantization == "nf4"
        device = resolve_device(work.settings.device) if nf4 else None
        model, tokenizer = load_pretrained(str(work.begin_from or work.student), nf4_on=device)
    begun = processes.on_rank_zero(lambda: _begun(work.run))
    # A resumed training must encode texts as before, so it keeps its recorded replacements.
    before = read_manifest(work.run) if begun is not None else None
    former = before or (read_manifest(work.begin_from) if work.begin_from else None)
    replacements = replacements_for(tokenizer) if former is None else former.replacements
    name = former.prompt_format if work.begin_from and former else work.settings.prompt_format
    form = make_format(name, model, tokenizer, replacements)
    with reporter.task("tokenising"):
        schedule = processes.rank_zero_first(
            lambda: Schedule(
                work.lessons,
                work.stage,
                form,
                work.settings,
                family=family_of(model.config),
                layout=begun,
                ranks=processes.count(),
            )
        )
    if begun is None and work.settings.batch_size == AUTO:
        _fit_batches(model, schedule, work.settings, reporter)
    return Prepared(model, form, schedule)


def _prompt(work: TrainingSpec, source: Input) -> str:
    """Return the prompt of a scratch student, on which its tokenizer is trained."""
    return plain_prompt(source) if is_causal(work.student) else str(source)


def _fit_batches(
    model: Any, schedule: Schedule, settings: TrainSettings, reporter: Reporter
) -> None:
    """Recompute the schedule with the largest batches that fit in memory, but at least _STEPS steps
    per epoch."""
    from scicot.training.fitting.auto_batch_size import tokens_that_fit

    fit = processes.on_rank_zero(lambda: tokens_that_fit(model, schedule.longest, settings))
    tokens = max(1, min(fit * processes.count(), schedule.tokens_an_epoch // _STEPS))
    reporter.note(f"--batch-size auto: {tokens} tokens a step")
    schedule.fit(tokens, fit)


def _begun(run: Path) -> Layout | None:
    """Return the layout of a training that left a checkpoint, which resuming keeps; else None."""
    checkpoints = run / CHECKPOINTS
    return Layout.read(checkpoints) if any(checkpoints.glob("checkpoint-*")) else None
