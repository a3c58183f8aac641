"""Format what the training commands print: the summary of a finished training, and the estimate of
--dry-run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from scicot.reporting import number_of

if TYPE_CHECKING:
    from scicot.students.manifest import Manifest
    from scicot.training.rewards.estimate import RewardEstimate


def estimated(estimate: RewardEstimate) -> str:
    """Format an estimate for --dry-run: the amount of work, the total time, and the times for
    training, sampling and scoring. The times are in minutes, and are the sums over all students."""
    parts = {
        "training": estimate.training_seconds,
        "sampling": estimate.sampling_seconds,
        "scoring": estimate.scoring_seconds,
    }
    times = ", ".join(f"{name} {seconds / 60:.1f} min" for name, seconds in parts.items())
    return (
        f"{number_of(estimate.rounds, 'round')} on {estimate.questions:,} questions:"
        f" {estimate.students} students to train, {estimate.steps:,} steps,"
        f" {estimate.samples:,} rationales to sample and score\n"
        f"about {estimate.seconds / 60:.1f} min on this machine, one student at a time: {times}"
    )


def trained(manifest: Manifest, run: Path) -> str:
    """Format the line printed after training. For one student it shows rows, optimizer steps, last
    loss, seconds and dev metrics. For several seeds it shows the dev metrics and the number of
    students."""
    metrics = manifest.metrics
    if manifest.seeds:
        return f"{run}: {len(manifest.seeds)} {manifest.stage} students trained{_dev(metrics)}"
    return (
        f"{run}: {manifest.stage} student trained on {metrics['rows']} rows,"
        f" {metrics['steps']} steps, last loss {metrics['last_loss']:.3g},"
        f" {metrics['train_seconds']:.0f} s{_dev(metrics)}"
    )


def _dev(metrics: Mapping[str, float]) -> str:
    """Format the metrics that _DEV_FIGURES lists. If `metrics` contains the standard deviation of a
    metric over seeds, it is added in brackets."""
    parts = []
    for name, words in _DEV_FIGURES.items():
        if name in metrics:
            spread = metrics.get(f"{name}_sd")
            spread_text = "" if spread is None else f" (sd {spread:.3g})"
            parts.append(f"{words} {metrics[name]:.3g}{spread_text}")
    return f"; {', '.join(parts)}" if parts else ""


_DEV_FIGURES = {
    "dev_accuracy": "dev accuracy",
    "dev_loss": "dev loss",
    "dev_rouge_l": "dev ROUGE-L",
    "out_of_fold_rouge_l": "out-of-fold ROUGE-L",
}
