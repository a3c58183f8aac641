"""The manifest of a run directory, scicot.json, which looks like this:

{"scicot": "0.1.0", "format": 1, "stage": "answer", "template": 1, "finished": true,
 "student": "scratch:tiny", "settings": {...}, "data": [{"file": ..., "sha256": ...}],
 "packages": {...}, "metrics": {...}, "weights_sha256": "..."}
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scicot import jsonl
from scicot.config import AnswerAs
from scicot.errors import ScicotError
from scicot.stages import TEMPLATE_VERSION, Stage
from scicot.version import __version__

MANIFEST = "scicot.json"
CHECKPOINTS = "checkpoints"  # exists while a run is being trained
FORMAT = 1
_COPY_AGAIN = "copy the run again, or choose another directory"


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
