"""Run directories as students that answer: which engine, and the engine made."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scicot.devices import resolve_device
from scicot.errors import ScicotError
from scicot.students.base import Engine
from scicot.students.engines.choice import Choice, Wish, possible
from scicot.students.pretrained import load_pretrained
from scicot.students.student import Student
from scicot.students.weights import weights_in

Rates = Mapping[str, float]  # tokens a second, by engine and precision


def load_student(
    directory: str | os.PathLike[str],
    *,
    max_source_tokens: int,
    batch_size: int,
    batch_tokens: int | None = None,
    engine: str = "auto",
    precision: str = "auto",
    device: str = "auto",
) -> Student:
    """Load a run directory for prediction; "auto" is an engine that can draw texts as well.
    ScicotError where its files cannot be read."""
    wish = Wish(engine, precision, device, draws=True)
    choice = Choice(engine, precision)
    if "auto" in (engine, precision):
        choice, _ = choose(directory, wish, writes=True)
    model, tokenizer = load_pretrained(os.fspath(directory))
    sizes = {"batch_size": batch_size, "batch_tokens": batch_tokens}
    made = _engine(choice, model, tokenizer, Path(directory), device, sizes)
    return Student(made, tokenizer, max_source_tokens)


def choose(directory: str | os.PathLike[str], wish: Wish, *, writes: bool) -> tuple[Choice, Rates]:
    """The engine for a run directory that is to write texts or to score them, and what was measured
    to find it: nothing where there was no choice. ScicotError where none can do what is asked."""
    place = Path(directory)
    able = choices(directory, wish)
    if len(able) == 1:
        return able[0], {}
    from scicot.students.engines.measuring import fastest

    def load(choice: Choice) -> Engine:
        model, tokenizer = load_pretrained(os.fspath(directory))
        return _engine(choice, model, tokenizer, place, wish.device, {"batch_size": 64})

    return fastest(able, load, _config(place), weights_in(place), writes=writes)


def choices(directory: str | os.PathLike[str], wish: Wish) -> list[Choice]:
    """The engines that can run a run directory as asked for; ScicotError where none can."""
    place = Path(directory)
    return possible(_config(place)["model_type"], weights_in(place), wish)


def _config(directory: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((directory / "config.json").read_text())
        config["model_type"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        load_pretrained(os.fspath(directory))  # says better what is wrong
        raise ScicotError(
            f"student {directory}: its config.json tells of no model ({error!r})"
        ) from None
    return config


def _engine(
    choice: Choice,
    model: Any,
    tokenizer: Any,
    directory: Path,
    device: str,
    sizes: Mapping[str, Any],
) -> Engine:
    import torch

    kinds = {"fp32": torch.float32, "bf16": torch.bfloat16, "int8": torch.int8}
    kind = kinds[choice.precision]
    if choice.engine == "ctranslate2":
        from scicot.students.engines.conversion import converted
        from scicot.students.engines.ctranslate2_engine import CTranslate2Engine

        folder = converted(model, tokenizer, directory)
        end = model.config.eos_token_id
        tokens = sizes.get("batch_tokens")
        return CTranslate2Engine(folder, end, kind=choice.precision, batch_tokens=tokens)
    if choice.engine == "torch":
        from scicot.students.engines.torch_engine import TorchEngine

        return TorchEngine(model.to(resolve_device(device)).eval(), kind, **sizes)
    from scicot.students.engines.transformers_engine import TransformersEngine

    if kind is torch.bfloat16:
        from scicot.students.halves import halve

        model = halve(model)  # before it goes to the device, which has to hold the half only
    return TransformersEngine(model.to(resolve_device(device)).eval(), **sizes)
