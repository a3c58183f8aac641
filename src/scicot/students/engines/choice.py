"""Which engine runs a student: the one that is asked for, or the fastest of those that can."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass

from scicot.devices import LARGE, multiplies_bf16, multiplies_int8, resolve_device
from scicot.errors import ScicotError
from scicot.students.engines.t5 import kernels

# Engine -> what it can multiply matrices in. The last one knows every model.
ENGINES: Mapping[str, tuple[str, ...]] = {
    "torch": ("fp32", "bf16", "int8"),
    "ctranslate2": ("fp32", "int8"),
    "transformers": ("fp32", "bf16"),
}
_KNOWN = {"torch": ("t5", "mt5", "umt5"), "ctranslate2": ("t5", "mt5")}  # model types


@dataclass(frozen=True)
class Choice:
    """An engine, and what it multiplies matrices in."""

    engine: str
    precision: str

    def __str__(self) -> str:
        return f"{self.engine} in {self.precision}"

    @classmethod
    def parse(cls, text: str) -> Choice:
        """What str() made."""
        engine, _, precision = text.partition(" in ")
        return cls(engine, precision)


@dataclass(frozen=True)
class Wish:
    """What is asked of an engine; "auto" leaves it open. Texts may be drawn, or searched for with
    beams."""

    engine: str = "auto"
    precision: str = "auto"
    device: str = "auto"
    draws: bool = False
    beams: bool = False


def possible(model_type: str, weights: int, wish: Wish) -> list[Choice]:
    """What can run a student of so many weights; ScicotError where nothing can as asked for."""
    device = resolve_device(wish.device).type
    if wish.engine != "auto":
        why = _hindrance(wish.engine, model_type, device, wish)
        if not why and wish.precision not in ("auto", *ENGINES[wish.engine]):
            why = f"has no {wish.precision}; take {' or '.join(ENGINES[wish.engine])}"
        if why:
            raise ScicotError(f"--engine {wish.engine}: {why}")
        engine = wish.engine
    else:
        engine = "transformers" if _hindrance("torch", model_type, device, wish) else "torch"
        if wish.precision not in ("auto", *ENGINES[engine]):
            raise ScicotError(f"--precision {wish.precision}: no engine has it for this student")
    return [Choice(engine, kind) for kind in _kinds(engine, device, weights, wish)]


def _hindrance(engine: str, model_type: str, device: str, wish: Wish) -> str:
    """Why an engine cannot do what is asked for; "" where it can."""
    if model_type not in _KNOWN.get(engine, (model_type,)):
        return f"knows no {model_type} students; leave it out"
    if engine != "transformers" and wish.beams:
        return "searches with no --beams; leave one of both out"
    if engine == "torch" and wish.precision == "int8" and device != "cpu":
        return "has int8 on CPUs alone; take bf16"
    if engine == "ctranslate2":
        if importlib.util.find_spec("ctranslate2") is None:
            return "is not installed; pip install 'scicot[fast]'"
        if device != "cpu":
            return "is for CPUs; say --device cpu"
        if wish.draws:
            return "draws no --samples; leave one of both out"
    return ""


def _kinds(engine: str, device: str, weights: int, wish: Wish) -> list[str]:
    """The precisions of an engine that are worth a try."""
    if wish.precision != "auto":
        return [wish.precision]
    if engine == "ctranslate2":
        return ["int8"]
    if device != "cpu":
        return ["bf16" if multiplies_bf16(device) else "fp32"]
    if engine != "torch" or weights < LARGE:
        return ["fp32"]
    # Without its kernels, or its instructions, int8 is not worth what it changes.
    whole = kernels.HERE and multiplies_int8()
    tries = {"int8": whole, "bf16": multiplies_bf16(device), "fp32": True}
    return [kind for kind, worth in tries.items() if worth]
