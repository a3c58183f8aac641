"""Train one student in its run directory: check for an existing run, train, write the finished
run."""

from __future__ import annotations

import importlib.metadata
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from scicot import jsonl, processes
from scicot.config import TrainSettings
from scicot.devices import release_memory
from scicot.errors import ScicotError
from scicot.models import characters
from scicot.models.families import family_of
from scicot.models.library_bars import hidden_bars
from scicot.models.truncation import PARTS, describe_cuts
from scicot.models.weights import is_whole, weights_sha256
from scicot.outputs import differences
from scicot.overlap import write_seen
from scicot.reporting import Reporter
from scicot.students.manifest import CHECKPOINTS, MANIFEST, Manifest, read_manifest
from scicot.training.card import write_card
from scicot.training.loss_plot import loss_plot
from scicot.training.plan.layout import Layout
from scicot.training.plan.schedule import Schedule
from scicot.training.setup import Prepared
from scicot.training.spec import TrainingSpec

Log = list[dict[str, Any]]

# Settings that do not affect the weights, or affect them only through the selected rows.
_IGNORED_SETTINGS = (
    *("device", "folds", "fold_by", "dev_fraction", "seeds"),
    *("gradient_checkpointing", "compile", "checkpoint_minutes", "jobs"),
)

_ROWS = ("training rows", "dev rows")  # names of the digests of rows in `determining`


def existing(spec: TrainingSpec) -> Manifest | None:
    """Return the manifest of the run in `spec.run` if the run is finished. Return None if the run
    must still be trained or resumed. Raises ScicotError if the directory holds other files, or a
    run with other settings or data."""
    if not spec.run.exists():
        return None
    old = read_manifest(spec.run) if spec.run.is_dir() else None
    if old is None:
        if spec.run.is_dir() and is_empty(spec.run):
            return None
        raise ScicotError(
            f"-o {spec.run}: exists and is not a scicot run; choose another directory"
        )
    if not old.finished and not any((spec.run / CHECKPOINTS).glob("checkpoint-*")):
        return None  # no step was trained yet, so the run may begin with other settings
    differing = changed(old, spec)
    if not old.finished and Layout.read(spec.run / CHECKPOINTS) is None:
        differing.append("started by an earlier scicot, which made other batches")
    if differing:
        raise ScicotError(
            f"-o {spec.run}: already holds a different run ({'; '.join(differing)});"
            f" choose another directory, {_instead(spec)}"
        )
    if not old.finished:
        return None
    if not is_whole(spec.run):
        raise ScicotError(
            f"-o {spec.run}: its weights are missing or damaged; copy the run again if"
            f" it is a copy, {_instead(spec)}"
        )
    return old


def changed(old: Manifest, spec: TrainingSpec) -> list[str]:
    """List the settings and data in which a run differs from `spec`, each as "name: was OLD, is
    NEW"."""
    old, new = comparable(old, spec.manifest())
    old_values, new_values = determining(old), determining(new)
    folds = differences(old.fold or {}, new.fold or {})
    if folds and any(old_values[name] != new_values[name] for name in _ROWS):
        # Other folds are the reason that a fold student has other rows.
        for name in _ROWS:
            old_values[name] = new_values[name]
    else:
        folds = []  # the same rows in differently named folds
    return [*differences(old_values, new_values, defaults=asdict(TrainSettings())), *folds]


def comparable(old: Manifest, new: Manifest) -> tuple[Manifest, Manifest]:
    """Return both manifests, prepared for a comparison. If only one of them records the hash of its
    student's weights, the hash is removed, and the students are compared by name."""
    if None in (old.student_sha256, new.student_sha256):
        return replace(old, student_sha256=None), replace(new, student_sha256=None)
    return old, new


def is_empty(run: Path) -> bool:
    """Return True if a directory is empty, or holds only temporary files of the manifest, which a
    killed process may have left."""
    return all(path.name.startswith(f".{MANIFEST}.") for path in run.iterdir())


def check_seeds(main: TrainingSpec, top: Manifest | None, names: Sequence[str]) -> None:
    """Check that students of several seeds can be trained in the directory `main.run`.

    `names` are the names of the students' folders ("seed-0", ...). `top` is the manifest of the
    directory, or None if there is no manifest. Raises ScicotError in these cases:

    - There is a manifest, and its settings (except the seed) or its data differ from those of
      `main`.
    - There is a manifest, and it lists a seed that is not in `names`.
    - There is no manifest, and the directory holds anything except the folders `names` and their
      lock files. (A missing directory is accepted.)
    """
    if top is None:
        parts = list(main.run.iterdir()) if main.run.is_dir() else []
        # Runs of seeds that were trained one by one (by an array of jobs) are accepted.
        if not parts or {part.name.removesuffix(".lock") for part in parts} - {*names}:
            existing(main)
        return
    old, new = map(determining, comparable(top, main.manifest()))
    differing = differences({**old, "seed": None}, {**new, "seed": None})
    if not set(top.seeds) <= set(names):
        differing.append(f"seeds: were {', '.join(top.seeds)}, are {', '.join(names)}")
    if differing:
        raise ScicotError(
            f"-o {main.run}: already holds different runs ({'; '.join(differing)});"
            " choose another directory, or replace the runs with --force"
        )


def check_rows(spec: TrainingSpec) -> None:
    """Check that training rows are left after the split into folds and dev. Raises ScicotError if
    no row is left. With --weights, also raises ScicotError if one of the files has no row left."""
    if not spec.lessons:
        raise ScicotError(
            f"{spec.run}: no training row is left after the split;"
            " use fewer folds or a smaller dev set"
        )
    for number in range(len(spec.settings.weights)):
        if not any(lesson.file == number for lesson in spec.lessons):
            file = spec.data[number]["file"]
            raise ScicotError(
                f"{file}: no training row is left after the split, and --weights needs one in each"
                " file; leave out the file and its weight"
            )


def train(spec: TrainingSpec, prepared: Prepared, reporter: Reporter) -> Manifest:
    """Train the student, write the finished run directory, and return its manifest."""
    from scicot.training.fitting.compute import compute_settings
    from scicot.training.fitting.trainer import fit

    settings, schedule, manifest = spec.settings, prepared.schedule, spec.manifest()
    _tell_cuts(spec, schedule, reporter)
    _tell_warmup(settings, schedule.steps, reporter)
    manifest.prompt_format = prepared.form.name
    manifest.replacements = prepared.form.alphabet.replacements
    manifest.packages, manifest.compute = _versions(), compute_settings(prepared.model, settings)
    processes.on_rank_zero(lambda: _begin(spec, manifest, schedule))
    # Deferred: a student that is trained but not saved would have to be trained again.
    with reporter.stops_deferred():
        student, metrics, log = fit(prepared.model, prepared.form, schedule, spec, reporter)
        prepared = replace(prepared, model=student)
        manifest = processes.on_rank_zero(lambda: _save(spec, prepared, manifest, metrics, log))
    release_memory()
    return manifest


def _begin(spec: TrainingSpec, manifest: Manifest, schedule: Schedule) -> None:
    """Create the run directory with the manifest, the batch layout, and the list of training and
    dev questions."""
    spec.run.mkdir(parents=True, exist_ok=True)
    # written first, because the next call recognises a run of scicot by it
    manifest.write(spec.run)
    schedule.layout.write(spec.run / CHECKPOINTS)
    write_seen(
        spec.run,
        (lesson.question for lesson in spec.lessons),
        (lesson.question for lesson in spec.dev),
    )


def _save(
    spec: TrainingSpec, prepared: Prepared, manifest: Manifest, metrics: dict[str, Any], log: Log
) -> Manifest:
    """Write the finished run: weights, tokenizer, loss plot, model card and, last, the manifest
    marked as finished. Then delete the checkpoints and return the manifest."""
    schedule = prepared.schedule
    _set_ends(prepared)
    with hidden_bars():
        prepared.model.save_pretrained(spec.run)
    prepared.form.tokenizer.save_pretrained(spec.run)
    for file in spec.run.glob("*.safetensors"):
        file.chmod(0o666 & ~jsonl.umask())  # safetensors makes files that only the owner can read
    cuts = {
        f"cut_{part}": count
        for part, count in schedule.cuts.items()
        if count and not characters.is_character_problem(part)
    }
    if schedule.cuts[characters.LACKING]:
        cuts["lacking_characters"] = schedule.cuts[characters.LACKING]
    manifest.metrics = {
        "rows": len(spec.lessons),
        "dev_rows": len(spec.dev),
        **metrics,
        **cuts,
        "cut_targets": schedule.cut_targets,
    }
    manifest.weights_sha256 = weights_sha256(spec.run)
    jsonl.write_text(
        spec.run / "loss.svg", loss_plot(log, f"{spec.run.name}: {spec.stage} student")
    )
    write_card(manifest, spec.run)
    manifest.finished = True
    manifest.write(spec.run)
    shutil.rmtree(spec.run / CHECKPOINTS, ignore_errors=True)
    return manifest


def _set_ends(prepared: Prepared) -> None:
    """Give a causal model a new generation config. It has the end tokens with which the student was
    trained, and no sampling settings of the base model. Encoder-decoders are not changed."""
    from transformers import GenerationConfig

    if family_of(prepared.model.config).joined:
        ends, pad = sorted(prepared.form.ends), prepared.model.config.pad_token_id
        prepared.model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
            eos_token_id=ends[0] if len(ends) == 1 else ends,
            pad_token_id=ends[0] if pad is None else pad,
            bos_token_id=prepared.model.config.bos_token_id,
        )


_TRIAL = 20  # a run with fewer steps is only a trial, and gets no warning about its warm-up


def _tell_warmup(settings: TrainSettings, steps: int, reporter: Reporter) -> None:
    warmup = settings.warmup(steps)
    if warmup > steps // 2 and steps >= _TRIAL:
        peak = "is never reached" if warmup >= steps else "is reached late"
        reporter.warn(
            f"the warm-up takes {warmup} of {steps} steps, so the peak learning rate {peak};"
            " give --warmup-share 0.06"
        )


def _instead(spec: TrainingSpec) -> str:
    if spec.fold is not None:
        return f"or delete {spec.run.parent} to retrain all fold students"
    return "or replace the run with --force"


def _tell_cuts(spec: TrainingSpec, schedule: Schedule, reporter: Reporter) -> None:
    descriptions = describe_cuts(schedule.cuts, spec.settings.max_source_tokens)
    for part, sentence in descriptions.items():
        reporter.warn(f"{sentence} (--max-source-tokens)" if part in PARTS else sentence)
    if schedule.cut_targets:
        reporter.warn(
            f"{schedule.cut_targets} of {len(spec.lessons)} targets are longer than"
            f" {spec.settings.max_target_tokens} tokens and were cut (--max-target-tokens)"
        )
    if spec.settings.shuffle_choices and schedule.in_fixed_order:
        reporter.note(
            f"{schedule.in_fixed_order} of {len(spec.lessons)} rows keep the order of their"
            " choices, because the rationale names labels or a choice refers to other choices"
        )


def determining(manifest: Manifest) -> dict[str, Any]:
    """Return the settings and the digests of data that determine the weights of a run. Settings in
    _IGNORED_SETTINGS, such as the device, are left out."""
    return {
        "stage": str(manifest.stage),
        "input template": manifest.template,
        "student": _student(manifest),
        "training rows": manifest.examples_sha256,
        "dev rows": manifest.dev_sha256,
        "equal to": manifest.equal_to,
        "reward": manifest.reward,
        **{
            name: value
            for name, value in manifest.settings.items()
            if name not in _IGNORED_SETTINGS
        },
    }


def _student(manifest: Manifest) -> str:
    # A model directory is identified by its contents, since it may be moved or changed.
    digest = manifest.student_sha256
    return manifest.student if digest is None else f"model {digest[:12]}"


def _versions() -> dict[str, str]:
    names = ("torch", "transformers", "tokenizers", "accelerate")
    return {name: importlib.metadata.version(name) for name in names}
