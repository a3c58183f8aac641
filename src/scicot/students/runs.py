"""Run directories: Hugging Face model directories with a manifest, scicot.json (manifest.py).

RUN/trained_on.jsonl lists the questions on which the student was trained (overlap.py). Fold
students have their own runs: RUN/folds/0, RUN/folds/1, ... With several seeds, the runs are
RUN/seed-0, RUN/seed-1, ... In this case RUN itself has no weights, and RUN/scicot.json lists the
runs in "seeds".
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scicot.decoding.engine_spec import EngineRequest
from scicot.errors import ScicotError
from scicot.models.weights import is_whole, weights_in
from scicot.stages import FORMS, TEMPLATE_VERSION, Stage
from scicot.students.hub_runs import HubRun
from scicot.students.manifest import MANIFEST, Manifest, read_manifest
from scicot.students.student import Student

UNTRAINED = "hf:"  # prefix of the name of a model that is used without training


@dataclass(frozen=True)
class Run:
    """A finished run directory and its manifest.

    - `untrained`: True for a pretrained model (hf:...) that is used without training. The directory
      has no scicot.json, so `untrained_run` makes the manifest.
    - `hub`: the location of the run, if it was found on the Hub. In this case, `directory` is in
      the local cache.
    - `recorded_identity`: the run's former identity, if a command resumes an output that was begun
      before the run was renamed. Otherwise None.
    """

    directory: Path
    manifest: Manifest
    untrained: bool = False
    hub: HubRun | None = None
    recorded_identity: str | None = None

    @classmethod
    def at(cls, directory: Path) -> Run:
        """Read the run in a directory. Raises ScicotError if the directory has no manifest."""
        manifest = read_manifest(directory)
        if manifest is None:
            raise ScicotError(
                f"{directory}: has no {MANIFEST}, so it is no complete run; copy or train it again"
            )
        return cls(directory, manifest)

    @property
    def stage(self) -> Stage:
        return self.manifest.stage

    def load(self, request: EngineRequest) -> Student:
        """Load the run's student (see `loading.load_student`)."""
        from scicot.students.loading import load_student

        return load_student(
            self.directory,
            request,
            max_source_tokens=self.manifest.max_source_tokens,
            max_rationale_tokens=self.manifest.max_rationale_tokens,
            prompt_format=self.manifest.prompt_format,
            replacements=self.manifest.replacements,
        )

    @property
    def facts(self) -> dict[str, Any]:
        """The manifest entries that readers of the run's predictions need: stage, base model,
        prompt format, settings, training data and metrics."""
        names = ("stage", "student", "prompt_format", "settings", "data")
        # State files are strict JSON, which has no NaN.
        metrics = {
            name: value
            for name, value in self.manifest.metrics.items()
            if isinstance(value, int | float) and math.isfinite(value)
        }
        return {**{name: getattr(self.manifest, name) for name in names}, "metrics": metrics}

    @property
    def location(self) -> str:
        """The location of the run as the user named it: a directory, or a name on the Hub."""
        if self.untrained:
            return self.manifest.student
        return str(self.hub or self.directory)

    @property
    def identity(self) -> str:
        """A short name of the run's weights for output rows: FOLDER@HASH, or OWNER/NAME@HASH for a
        run on the Hub. HASH is the start of the SHA-256 of the weights."""
        if self.recorded_identity is not None:
            return self.recorded_identity
        name = self.manifest.student if self.untrained else self.directory.resolve().name
        if self.hub is not None:
            name = replace(self.hub, revision=None).named(self.hub.folder)
        return f"{name}@{(self.manifest.weights_sha256 or '')[:12]}"


def weights_of(run: Run) -> int:
    """Return the number of parameters of a run's student without loading it, or 0 if the number is
    unknown."""
    count = run.manifest.metrics.get("weights")
    return count if type(count) is int else weights_in(run.directory)


def _method_of(stage: Stage) -> str:
    """Return the value of --method that selects this stage in `train-answer`. For stage 1, which
    has no --method, return "rationale"."""
    return "two-stage" if stage is Stage.ANSWER else str(stage)


def _check_stage(stage: Stage, stages: Sequence[Stage], subject: str) -> None:
    """Raise ScicotError if the stage of a run is not in `stages`."""
    if stage in stages:
        return
    made_by, expected = FORMS[stage].command, FORMS[stages[0]].command
    wanted = f"made by {expected}"
    if made_by == expected:
        wanted = f"of --method {' or '.join(map(_method_of, stages))}"
    raise ScicotError(f"{subject}: is a run of {made_by} ({_method_of(stage)}); give one {wanted}")


def check_run(
    directory: str | os.PathLike[str], option: str, *stages: Stage, weights: bool = True
) -> Run:
    """Return the finished run in a directory. If there is no such directory, `directory` is taken
    as the name of a run on the Hub (OWNER/NAME[/FOLDER][@REVISION]), which is downloaded.

    Raises ScicotError if there is no such run, if the run is not finished, or if its stage is not
    in `stages`. The checks come before the download of weights. If `weights` is False, no weights
    are downloaded. `option` is the command line option that named the run, for the message.
    """
    subject, folder = f"{option} {os.fspath(directory)}", Path(directory)
    if not os.fspath(directory) or folder.is_file():
        problem = "is a file" if folder.is_file() else "the name is empty"
        raise ScicotError(f"{subject}: {problem}; give the directory of a run that scicot trained")
    hub = None if folder.is_dir() else HubRun.parse(os.fspath(directory))
    if hub is not None:
        folder = hub.file(MANIFEST, subject).parent
    elif not folder.is_dir():
        raise ScicotError(
            f"{subject}: no such directory; give a run that scicot trained, or its OWNER/NAME on"
            " the Hub"
        )
    manifest = read_manifest(folder)
    if manifest is None:
        raise ScicotError(f"{subject}: has no {MANIFEST}; give a run that scicot trained")
    _check_stage(manifest.stage, stages, subject)
    if manifest.seeds:
        example = hub.named(manifest.seeds[0]) if hub else folder / manifest.seeds[0]
        hint = f", or several by repeating {option}" if "model" in option else ""
        raise ScicotError(
            f"{subject}: has {len(manifest.seeds)} seeds; give one of them, such as {example}{hint}"
        )
    if not manifest.finished:
        raise ScicotError(
            f"{subject}: its training is not finished; run the same training command again first"
        )
    if manifest.template != TEMPLATE_VERSION:
        raise ScicotError(
            f"{subject}: was trained with input template {manifest.template}, but this scicot uses"
            f" {TEMPLATE_VERSION}; train it again, or predict with scicot {manifest.scicot}"
        )
    run = Run(folder if hub is None else hub.fetch(subject, weights=weights), manifest, hub=hub)
    if weights and not is_whole(run.directory):
        raise ScicotError(
            f"{subject}: its weights are missing or damaged; copy or download the run"
            " again, or retrain it"
        )
    return run


def untrained_run(name: str, option: str) -> Run:
    """Return a pretrained model as a run that answers without training. `name` is
    "hf:MODEL_OR_DIR". Raises ScicotError if the model cannot be found. The error message begins
    with `option`."""
    from scicot.models.pretrained import local_directory
    from scicot.models.weights import weights_sha256

    model = name.removeprefix(UNTRAINED)
    directory = local_directory(model, f"{option} {name}")
    settings = {"max_source_tokens": 512, "max_target_tokens": 256, "answer_as": "text"}
    manifest = Manifest(Stage.DIRECT, name, settings, (), finished=True, prompt_format="auto")
    manifest.weights_sha256 = weights_sha256(directory)
    return Run(directory, manifest, untrained=True)
