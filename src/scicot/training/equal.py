"""A rival that gets as much as other runs did together: their weights, their training tokens."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from scicot.reporting import Reporter
from scicot.stages import Stage
from scicot.students.runs import check_run
from scicot.training import runs
from scicot.training.runs import Work
from scicot.training.scratch import PREFIX


def as_much_as(equals: Sequence[str | os.PathLike[str]], work: Work, reporter: Reporter) -> Work:
    """The work with as many steps as it takes to read as many tokens (inputs and targets, without
    padding) as `equals` did together, and a scratch student with about as many weights.

    A pretrained student keeps its own weights; how many is told. Raises ScicotError for a run that
    is not finished.
    """
    metrics = [check_run(run, "--equal-to", *Stage).manifest.metrics for run in equals]
    weights = sum(own["weights"] for own in metrics)
    tokens = sum(own["training_tokens"] for own in metrics)
    scratch = work.student.startswith(PREFIX)
    one_step = replace(work, settings=replace(work.settings, max_steps=1))
    prepared = runs.prepare(replace(one_step, weights=weights if scratch else None), reporter)
    an_epoch = -(-len(work.lessons) // work.settings.batch_size)
    steps = max(1, round(tokens / prepared.schedule.tokens(an_epoch) * an_epoch))
    own = sum(weight.numel() for weight in prepared.model.parameters())
    reporter.note(
        f"equal to {len(equals)} runs: {own:,} weights (theirs {weights:,}),"
        f" {steps:,} steps for {tokens:,} tokens"
    )
    return replace(
        work,
        settings=replace(work.settings, max_steps=steps),
        weights=weights if scratch else None,
    )
