"""Give a student the training budget of several other runs together: as many tokens as these runs
were trained on in total. A student with random weights also gets about as many weights as these
runs have in total."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from scicot.config import TrainSettings
from scicot.errors import ScicotError, UsageError
from scicot.reporting import Reporter
from scicot.stages import Stage
from scicot.students.runs import check_run
from scicot.training.scratch import PREFIX
from scicot.training.setup import prepare
from scicot.training.spec import TrainingSpec


def check_length(settings: TrainSettings) -> None:
    """Check the settings that the user gave for a training run with --equal-to. Raises UsageError
    if the user gave the length of the run (--epochs or --max-steps)."""
    for option, value in {"--epochs": settings.epochs, "--max-steps": settings.max_steps}.items():
        if value is not None:
            raise UsageError(
                f"--equal-to and {option}: both set the training length; give only one"
            )


def match_budget(
    equals: Sequence[str | os.PathLike[str]], spec: TrainingSpec, reporter: Reporter
) -> TrainingSpec:
    """Return a copy of the spec with `max_steps` set. With this number of steps, training reads
    about as many tokens (inputs and targets, without padding) as all runs in `equals` together.

    A student with random weights ("scratch:SIZE") also gets about as many weights as these runs
    have together. A pretrained student keeps its size. Raises ScicotError if a run is not finished.
    """
    runs = [check_run(run, "--equal-to", *Stage, weights=False) for run in equals]
    for run in runs:
        if not {"weights", "training_tokens"} <= run.manifest.metrics.keys():
            raise ScicotError(
                f"--equal-to {run.location}: does not record its weights and training tokens (older"
                " scicot); train it again"
            )
    weights = sum(run.manifest.metrics["weights"] for run in runs)
    tokens = sum(run.manifest.metrics["training_tokens"] for run in runs)
    equal = {"runs": [run.identity for run in runs], "weights": None, "tokens": tokens}
    if spec.student.startswith(PREFIX):
        equal["weights"] = weights
    one_step = replace(spec, settings=replace(spec.settings, max_steps=1), equal_to=equal)
    prepared = prepare(one_step, reporter)
    epoch = prepared.schedule.epoch_steps
    steps = max(1, round(tokens / prepared.schedule.tokens(epoch) * epoch))
    count = sum(weight.numel() for weight in prepared.model.parameters())
    reporter.note(
        f"--equal-to {', '.join(equal['runs'])}: the student has {count:,} weights (these runs:"
        f" {weights:,}) and is trained for {steps:,} steps (about {tokens:,} tokens)"
    )
    return replace(one_step, settings=replace(spec.settings, max_steps=steps))
