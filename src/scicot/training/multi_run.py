"""Train all students of one command: for every seed, the main student and its fold students."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from scicot import processes
from scicot.devices import release_memory
from scicot.errors import ScicotError
from scicot.reporting import Reporter
from scicot.stages import Stage
from scicot.students.manifest import CHECKPOINTS, Manifest, read_manifest
from scicot.training import replacement, run_directory, side_by_side
from scicot.training.card import write_card
from scicot.training.folds import Folds
from scicot.training.setup import Prepared, prepare
from scicot.training.spec import TrainingSpec

Done = dict[Path, Manifest]


def train_all(
    main: TrainingSpec,
    folds: Folds | None,
    force: bool,
    reporter: Reporter,
    *,
    out_of_fold: bool = True,
) -> Manifest:
    """Train all students of one command that are not trained yet, and return the manifest of the
    main run. Existing runs are checked before any training.

    - `main`: the spec of the main student. With several seeds, each main student gets a copy of
      `main` with its own seed, and the returned manifest summarises the runs of all seeds.
    - `folds`: the folds of the training questions. If None, no fold students are trained.
    - `force`: True to train all students again (see replacement.py).
    - `out_of_fold`: True if the fold students of stage 1 also write the out-of-fold rationales.
    """
    main_specs = _of_seeds(main)
    of_folds = {spec.run: folds.fold_specs(spec) if folds else [] for spec in main_specs}
    specs = [spec for main_spec in main_specs for spec in [main_spec, *of_folds[main_spec.run]]]
    for spec in specs:
        run_directory.check_rows(spec)
    done, replaces = processes.on_rank_zero(lambda: _begin(main, main_specs, specs, force))
    todo = [spec for spec in specs if spec.run not in done]
    # before the existing run is set aside, because preparing may fail
    first_prepared, parallel = _prepare_first(todo, done, main, reporter)
    if replaces:
        processes.on_rank_zero(lambda: replacement.begin(main.run, reporter))
    elif force:
        reporter.note(f"{main.run}: resuming the training that an earlier --force started")
    if len(main_specs) > 1:
        processes.on_rank_zero(lambda: _sum_up(main, main_specs, done))
    try:
        if parallel > 1:
            first_prepared = None  # frees its memory for the worker processes
            release_memory()
            done |= side_by_side.train(todo, parallel, reporter)
        else:
            done |= _one_by_one(todo, first_prepared, reporter)
    except ScicotError as error:
        raise type(error)(f"{error}{replacement.note_about_former(main.run)}") from None
    if folds:
        writes = out_of_fold and main.stage is Stage.RATIONALE
        for main_spec in main_specs:
            metrics = folds.write(main_spec, of_folds[main_spec.run], reporter) if writes else {}
            processes.on_rank_zero(partial(_add_folds, done[main_spec.run], metrics, main_spec))
    if len(main_specs) > 1:
        done[main.run] = processes.on_rank_zero(lambda: _sum_up(main, main_specs, done))
    return done[main.run]


def _begin(
    main: TrainingSpec,
    main_specs: Sequence[TrainingSpec],
    specs: Sequence[TrainingSpec],
    force: bool,
) -> tuple[Done, bool]:
    """Return (done, replaces). `done` maps the directories of the finished runs to their manifests.
    `replaces` is True if the contents of the directory `main.run` must be replaced.

    - Without `force`, nothing is replaced. Raises ScicotError in the cases listed in `_found`.
    - With `force`, any run of scicot is replaced, except the unfinished run of an earlier call with
      `force` and the same settings and data. Raises ScicotError if the directory holds anything but
      a run of scicot.
    """
    if not force:
        return _found(main, main_specs, specs), False
    replacement.check_ours(main.run)
    if replacement.has_begun(main.run):
        with suppress(ScicotError):  # a run with other settings
            return _found(main, main_specs, specs), False
    return {}, True


def _one_by_one(
    todo: Sequence[TrainingSpec], first_prepared: Prepared | None, reporter: Reporter
) -> Done:
    done = {}
    for number, spec in enumerate(todo, start=1):
        if len(todo) > 1:
            reporter.note(f"student {number} of {len(todo)}: {spec.run}")
        # `first_prepared` is cleared, so that no two students are in memory at once.
        prepared, first_prepared = first_prepared or prepare(spec, reporter), None
        done[spec.run] = run_directory.train(spec, prepared, reporter)
        del prepared
    return done


def _prepare_first(
    todo: Sequence[TrainingSpec], done: Done, main: TrainingSpec, reporter: Reporter
) -> tuple[Prepared | None, int]:
    """Report how many students are left to train, and prepare the first of them. Returns (prepared
    student, number of students to train in parallel). If no student is left, returns (None, 1)."""
    if not todo:
        reporter.note(f"{main.run} is finished already and not trained again")
        return None, 1
    if done:
        count = len(done) + len(todo)
        reporter.note(f"{len(done)} of {count} students are finished and not trained again")
    first_prepared = prepare(todo[0], reporter)
    if len(todo) == 1:
        return first_prepared, 1
    return first_prepared, processes.on_rank_zero(lambda: _announce(todo, first_prepared, reporter))


def _of_seeds(main: TrainingSpec) -> list[TrainingSpec]:
    """Return the specs of the main students. A single student is trained in the directory of
    `main`. With several seeds, each student is trained in a subdirectory seed-S."""
    first_seed, count = main.settings.seed, main.settings.seeds
    if count == 1:
        return [main]
    return [
        replace(main, run=main.run / f"seed-{seed}", settings=replace(main.settings, seed=seed))
        for seed in range(first_seed, first_seed + count)
    ]


def _found(
    main: TrainingSpec, main_specs: Sequence[TrainingSpec], specs: Sequence[TrainingSpec]
) -> Done:
    """Return the manifests of the finished runs among `specs`, by directory, and delete the
    checkpoints of these runs.

    - `main`: the spec of the main student (see `train_all`).
    - `main_specs`: the specs of the main students, one for each seed.
    - `specs`: the specs of the main students and of their fold students.

    Raises ScicotError in these cases:

    - The directory of a student holds other files, or a run with other settings or data.
    - `main.run` holds a single run, and `main_specs` has several seeds, or the reverse.
    - `main_specs` has several seeds, and `run_directory.check_seeds` fails.
    """
    top = read_manifest(main.run)
    if top is not None and bool(top.seeds) != (len(main_specs) > 1):
        contents, them = "a single run", "run"
        if top.seeds:
            contents, them = f"the runs of {len(top.seeds)} seeds", "runs"
        raise ScicotError(
            f"-o {main.run}: already holds {contents}, but --seeds is {len(main_specs)}; choose"
            f" another directory, or replace the {them} with --force"
        )
    if len(main_specs) > 1:
        run_directory.check_seeds(main, top, [spec.run.name for spec in main_specs])
    found = {spec.run: run_directory.existing(spec) for spec in specs}
    done = {run: manifest for run, manifest in found.items() if manifest}
    for run in done:  # a run may have been stopped before it deleted its checkpoints
        shutil.rmtree(run / CHECKPOINTS, ignore_errors=True)
    return done


def _announce(todo: Sequence[TrainingSpec], first_prepared: Prepared, reporter: Reporter) -> int:
    """Estimate and report the duration of the training. Return the number of students to train in
    parallel."""
    from scicot.training.fitting.eta import expected_seconds

    settings = todo[0].settings
    seconds = expected_seconds(
        first_prepared.model,
        first_prepared.form,
        first_prepared.schedule,
        todo[0].dev_set(),
        settings,
    )
    parallel = side_by_side.parallel_students(first_prepared, len(todo), seconds, settings)
    rows = len(todo[0].lessons)
    # With epochs, fold students train on fewer rows; with --max-steps, for equally many steps.
    shares = [1.0 if spec.settings.max_steps else len(spec.lessons) / rows for spec in todo]
    folds = sum(spec.fold is not None for spec in todo)
    of_folds = f", {folds} of them fold students" if folds else ""
    together = f", {parallel} in parallel" if parallel > 1 else ""
    writes = bool(folds) and todo[0].stage is Stage.RATIONALE
    writing = ", plus the time to write the out-of-fold rationales" if writes else ""
    reporter.note(
        f"{len(todo)} students to train{of_folds}{together}: about {_duration(seconds)} for one"
        f" alone, {_duration(seconds * sum(shares))} for all one after another{writing}"
    )
    return parallel


def _sum_up(
    main: TrainingSpec, main_specs: Sequence[TrainingSpec], done: Mapping[Path, Manifest]
) -> Manifest:
    """Write and return the manifest that summarises the runs of several seeds. If all these runs
    are finished, the manifest holds the mean and standard deviation of each metric, and a model
    card is written."""
    trained = [done[spec.run] for spec in main_specs if spec.run in done]
    summary = main.manifest()
    summary.seeds = [spec.run.name for spec in main_specs]
    summary.finished = len(trained) == len(main_specs)
    if summary.finished:
        summary.metrics = _mean_and_spread([manifest.metrics for manifest in trained])
    main.run.mkdir(parents=True, exist_ok=True)
    summary.write(main.run)
    if summary.finished:
        write_card(summary, main.run)
    return summary


def _mean_and_spread(metrics: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return, for each metric that all runs have, its mean as NAME and its sample standard
    deviation over the runs as NAME_sd. NAME_sd is left out if all values are equal."""
    shared = [name for name in metrics[0] if all(name in run_metrics for run_metrics in metrics)]
    result: dict[str, float] = {}
    for name in shared:
        values = [run_metrics[name] for run_metrics in metrics]
        result[name] = statistics.mean(values)
        if len(set(values)) > 1:
            result[f"{name}_sd"] = statistics.stdev(values)
    return result


def _add_folds(manifest: Manifest, metrics: Mapping[str, float], main: TrainingSpec) -> None:
    """Add the fold settings, and the metrics of the out-of-fold rationales, to the manifest and the
    model card of a main student."""
    fold_settings = {"folds": main.settings.folds, "fold_by": main.settings.fold_by}
    added = {**manifest.metrics, **metrics}, {**manifest.settings, **fold_settings}
    if added != (manifest.metrics, manifest.settings):
        manifest.metrics, manifest.settings = added
        manifest.write(main.run)
        write_card(manifest, main.run)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
