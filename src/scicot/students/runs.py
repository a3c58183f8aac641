"""Run directories: Hugging Face model directories with a manifest, scicot.json, which looks like
this:

{"scicot": "0.1.0", "format": 1, "stage": "answer", "template": 1, "finished": true,
 "student": "scratch:tiny", "settings": {...}, "data": [{"file": ..., "sha256": ...}],
 "packages": {...}, "metrics": {...}, "weights_sha256": "..."}

RUN/trained_on.jsonl lists the questions on which the student was trained (overlap.py). Fold
students have their own runs: RUN/folds/0, RUN/folds/1, ... With several seeds, the runs are
RUN/seed-0, RUN/seed-1, ... In this case RUN itself has no weights, and RUN/scicot.json lists the
runs in "seeds".
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from scicot import jsonl
from scicot.config import AnswerAs
from scicot.decoding.engine_spec import EngineRequest
from scicot.errors import ScicotError
from scicot.models.weights import is_whole, weights_in
from scicot.stages import FORMS, TEMPLATE_VERSION, Stage
from scicot.students.hub_runs import HubRun
from scicot.students.student import Student
from scicot.version import __version__

MANIFEST = "scicot.json"
CHECKPOINTS = "checkpoints"  # exists while a run is being trained
FORMAT = 1
_COPY_AGAIN = "copy the run again, or choose another directory"
UNTRAINED = "hf:"  # prefix of the name of a model that is used without training


@dataclass
class Manifest:
    """The contents of a run's scicot.json: stage, settings, training data, metrics, provenance."""

    stage: Stage
    student: str
    settings: Mapping[str, Any]
    data: Sequence[Mapping[str, Any]]
    scicot: str = __version__
    format: int = FORMAT
    template: int = TEMPLATE_VERSION
    finished: bool = False
    packages: Mapping[str, str] = field(default_factory=dict)
    prompt_format: str = "seq2seq"  # see models/prompt_format.py
    # Replacements of characters that the tokenizer lacks (models/characters.py); absent before 0.2.
    replacements: Mapping[str, str] = field(default_factory=dict)
    compute: Mapping[str, str] = field(default_factory=dict)  # device, precision, attention
    metrics: Mapping[str, Any] = field(default_factory=dict)
    examples_sha256: str | None = None  # digest of the training texts
    dev_sha256: str | None = None  # digest of the dev texts
    weights_sha256: str | None = None
    student_sha256: str | None = None  # digest of the model directory that training began with
    # dev accuracy (0 to 1) of the forms "label" and "text" in the trial of --answer-as auto
    answer_trial: Mapping[str, float] | None = None
    fold: Mapping[str, Any] | None = None  # {"fold": 0, "folds": 4, "fold_by": "meta.block"}
    equal_to: Mapping[str, Any] | None = None  # {"runs": [...], "weights": 560000, "tokens": ...}
    # Origin of the rewarded rationales: {"answer": "answer@1f2e...", "round": 1, ...}
    reward: Mapping[str, Any] | None = None
    seeds: Sequence[str] = field(default_factory=list)  # run folders that differ only by their seed

    @property
    def max_source_tokens(self) -> int:
        return int(self.settings["max_source_tokens"])

    @property
    def max_target_tokens(self) -> int:
        return int(self.settings["max_target_tokens"])

    @property
    def max_rationale_tokens(self) -> int | None:
        """The maximum number of tokens of the rationales that the student was trained to read or
        write. It is None if there was no limit."""
        limit = self.settings.get("max_rationale_tokens")
        return None if limit is None else int(limit)

    @property
    def answer_as(self) -> AnswerAs:
        """The form of an answer that the student was trained to write: the "label" or the "text" of
        the choice."""
        return "text" if self.settings.get("answer_as") == "text" else "label"

    @property
    def temperature(self) -> float:
        """The temperature, fitted on dev, by which the log-likelihoods of the choices are divided
        to calibrate the answers. It is 1 if no temperature was fitted."""
        return float(self.metrics.get("dev_temperature", 1.0))

    @property
    def mix_direct(self) -> float | None:
        """The weight w for averaging two answers: w for the answer without a rationale, and 1 - w
        for the answer with a rationale. It was fitted on dev, and is None if no weight was
        fitted."""
        fitted = self.metrics.get("dev_mix_direct")
        return None if fitted is None else float(fitted)

    @property
    def confidence_power(self) -> float | None:
        """The exponent, fitted on dev, that gives confident answers more weight in the average over
        several rationales. It is None if no exponent was fitted."""
        fitted = self.metrics.get("dev_confidence_power")
        return None if fitted is None else float(fitted)

    def write(self, directory: Path) -> None:
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False, sort_keys=False)
        jsonl.write_text(directory / MANIFEST, text + "\n")


@dataclass(frozen=True)
class Run:
    """A finished run directory and its manifest.

    - `untrained`: True for a pretrained model (hf:...) that is used without training. The directory
      has no scicot.json, so `untrained_run` makes the manifest.
    - `hub`: the location of the run, if it was found on the Hub. In this case, `directory` is in
      the local cache.
    - `recorded_identity`: the identity of the run before it was renamed. It is set only when
      resuming an output that was begun before the renaming.
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


def read_manifest(directory: str | os.PathLike[str]) -> Manifest | None:
    """Read the manifest of a run directory. Return None if the directory has no manifest. Raises
    ScicotError if the manifest is not readable or was made by a newer version."""
    path = Path(directory) / MANIFEST
    try:
        row = jsonl.decode(path.read_bytes())
        if not isinstance(row, dict):
            raise ScicotError(
                f"{path}: not readable as a run's manifest (not a JSON object); {_COPY_AGAIN}"
            )
        if row["format"] > FORMAT:
            raise ScicotError(
                f"{path}: made by scicot {row['scicot']}, newer than {__version__}; upgrade scicot"
            )
        # Unknown fields are ignored: a later version of scicot may have added them to the same
        # format.
        fields = {name: row[name] for name in Manifest.__dataclass_fields__ if name in row}
        fields.setdefault("compute", row.get("ways", {}))  # the field's name before 0.2
        _check_types(fields)
        return Manifest(**{**fields, "stage": Stage(row["stage"])})
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ScicotError(
            f"{path}: not readable as a run's manifest ({error}); {_COPY_AGAIN}"
        ) from None


def _check_types(row: Mapping[str, Any]) -> None:
    """Raise ValueError if a field of a manifest has a type or value that training never writes."""
    types: dict[str, Any] = {
        **dict.fromkeys(("stage", "student", "scicot", "prompt_format"), str),
        **dict.fromkeys(("format", "template"), int),
        **dict.fromkeys(("settings", "packages", "compute", "metrics", "replacements"), dict),
        **dict.fromkeys(("data", "seeds"), list),
        **dict.fromkeys(("examples_sha256", "dev_sha256"), str | None),
        **dict.fromkeys(("weights_sha256", "student_sha256"), str | None),
        **dict.fromkeys(("fold", "equal_to", "reward", "answer_trial"), dict | None),
        "finished": bool,
    }
    for name, value in row.items():
        if not isinstance(value, types[name]):
            raise ValueError(f'"{name}" is of the wrong type')
    if not all(
        len(key) == 1 and isinstance(text, str) for key, text in row.get("replacements", {}).items()
    ):
        raise ValueError('"replacements" must map single characters to strings')
    if not all(isinstance(name, str) for name in row.get("seeds", ())):
        raise ValueError('"seeds" must be a list of strings')
    settings = row["settings"]
    numbers = {name: settings.get(name) for name in ("max_source_tokens", "max_target_tokens")}
    if settings.get("max_rationale_tokens") is not None:
        numbers["max_rationale_tokens"] = settings["max_rationale_tokens"]
    metrics = row.get("metrics", {})
    numbers["dev_temperature"] = metrics.get("dev_temperature", 1.0)
    power = metrics.get("dev_confidence_power", 0.0)
    if isinstance(power, bool) or not isinstance(power, int | float) or not 0 <= power < 1e3:
        raise ValueError('"dev_confidence_power" must be a number from 0 to 1000')
    weight = metrics.get("dev_mix_direct", 0.0)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight <= 1:
        raise ValueError('"dev_mix_direct" must be a number from 0 to 1')
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int | float) or not number > 0:
            raise ValueError(f'"{name}" must be a number above 0')


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
    """Return the pretrained model "hf:MODEL_OR_DIR" as a run that answers without training.

    Raises ScicotError, whose message begins with `option`, if the model cannot be found.
    """
    from scicot.models.pretrained import local_directory
    from scicot.models.weights import weights_sha256

    model = name.removeprefix(UNTRAINED)
    directory = local_directory(model, f"{option} {name}")
    settings = {"max_source_tokens": 512, "max_target_tokens": 256, "answer_as": "text"}
    manifest = Manifest(Stage.DIRECT, name, settings, (), finished=True, prompt_format="auto")
    manifest.weights_sha256 = weights_sha256(directory)
    return Run(directory, manifest, untrained=True)
