"""Select the engines and precisions that can run a student as the user requests."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scicot.devices import LARGE, multiplies_bf16, multiplies_int8, resolve_device
from scicot.errors import UsageError
from scicot.models.native import kernels
from scicot.models.native.support import unsupported

# The precisions of matrix products that each engine offers. The last engine runs every model.
ENGINES: Mapping[str, tuple[str, ...]] = {
    "torch": ("fp32", "bf16", "int8"),
    "ctranslate2": ("fp32", "int8"),
    "transformers": ("fp32", "bf16"),
}
_CTRANSLATE2 = ("t5", "mt5")  # model types
# Model types for which int8 is offered. Gemma is not among them: int8 changed 3 of 24 answers of
# Gemma 3 270M (untrained), bf16 none of 16. In each row a few very large values set the scale, so
# that all others lose precision.
_INT8 = ("t5", "mt5", "umt5")


@dataclass(frozen=True)
class EngineSpec:
    """An engine and the precision of its matrix products."""

    engine: str
    precision: str

    def __str__(self) -> str:
        return f"{self.engine} in {self.precision}"

    @classmethod
    def parse(cls, text: str) -> EngineSpec:
        """Make a spec from the text that its str() returns, such as "torch in bf16"."""
        engine, _, precision = text.partition(" in ")
        return cls(engine, precision)


@dataclass(frozen=True)
class EngineRequest:
    """The engine, precision and device that a user requests. "auto" leaves the choice of engine and
    precision to `candidate_engines`, and the choice of device to `resolve_device`.

    `samples` is True if the engine has to sample texts, and `beams` is True if it has to do beam
    search. A batch has at most `batch_size` sequences and `batch_tokens` padded tokens. If
    `batch_tokens` is None, the engine's default applies.
    """

    engine: str = "auto"
    precision: str = "auto"
    device: str = "auto"
    samples: bool = False
    beams: bool = False
    batch_size: int = 64
    batch_tokens: int | None = None


def candidate_engines(
    config: Mapping[str, Any], weights: int, request: EngineRequest
) -> list[EngineSpec]:
    """List the engines and precisions in which a student can run as requested. If there are
    several, only a measurement shows which one is the fastest (see speed.py).

    `config` is the content of the student's config.json, and `weights` its number of weights.
    Raises UsageError if no engine can run the student as requested.
    """
    device = resolve_device(request.device).type
    if request.engine != "auto":
        obstacle = _obstacle(request.engine, config, device, request)
        if not obstacle and request.precision not in ("auto", *ENGINES[request.engine]):
            offered = " or ".join(ENGINES[request.engine])
            obstacle = f"does not support --precision {request.precision}; use {offered}"
        if obstacle:
            raise UsageError(f"--engine {request.engine}: {obstacle}")
        engine = request.engine
    else:
        engine = "transformers" if _obstacle("torch", config, device, request) else "torch"
        if request.precision not in ("auto", *ENGINES[engine]):
            with_beams = " with --beams" if request.beams else ""
            raise UsageError(
                f"--precision {request.precision}: no engine supports it for this student on"
                f" {device}{with_beams}; leave it out"
            )
    precisions = _precisions(engine, device, weights, request)
    if len(precisions) > 1 and config["model_type"] not in _INT8:
        precisions = [precision for precision in precisions if precision != "int8"]
    return [EngineSpec(engine, precision) for precision in precisions]


def _obstacle(engine: str, config: Mapping[str, Any], device: str, request: EngineRequest) -> str:
    """Return the reason why an engine cannot run a student as requested, with advice for the user.
    Return "" if the engine can run the student.

    `config` is the content of the student's config.json, and `device` a device type.
    """
    if engine == "torch" and (unknown := unsupported(config)):
        return f"{unknown}; leave it out"
    if engine == "ctranslate2" and config["model_type"] not in _CTRANSLATE2:
        return f"does not support {config['model_type']} students; leave it out"
    if engine != "transformers" and request.beams:
        return "does not support --beams; leave out one of the two"
    if engine == "torch" and request.precision == "int8" and device != "cpu":
        return "supports int8 only on CPUs; use --precision bf16"
    if engine == "torch" and request.precision == "int8" and config["model_type"] not in _INT8:
        return (
            "supports int8 only for T5 students, since it changes the answers of others; use"
            " --precision bf16"
        )
    if engine == "ctranslate2":
        if importlib.util.find_spec("ctranslate2") is None:
            return "is not installed; pip install 'scicot[fast]'"
        if device != "cpu":
            return "runs only on CPUs; add --device cpu"
        if request.samples:
            return "does not support sampling; leave out --engine, or --samples and --temperature"
    return ""


def _precisions(engine: str, device: str, weights: int, request: EngineRequest) -> list[str]:
    """List the precisions to try with an engine. If a precision is requested, only this precision
    is listed. For "auto", each precision that could be the fastest is listed. `weights` is the
    student's number of weights."""
    if request.precision != "auto":
        return [request.precision]
    if engine == "ctranslate2":
        return ["int8"]
    if device != "cpu":
        return ["bf16" if multiplies_bf16(device) else "fp32"]
    if engine != "torch" or weights < LARGE:
        return ["fp32"]
    # int8 changes some answers, so it is tried only where numba and int8 instructions make it fast.
    int8 = kernels.HERE and multiplies_int8()
    tries = {"int8": int8, "bf16": multiplies_bf16(device), "fp32": True}
    return [precision for precision, worth in tries.items() if worth]
