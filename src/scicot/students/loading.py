"""Load the student of a run directory: choose an inference engine and build it."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from scicot.decoding.engine import Engine
from scicot.decoding.engine_spec import EngineRequest, EngineSpec, candidate_engines
from scicot.devices import resolve_device
from scicot.errors import ScicotError
from scicot.models.pretrained import load_pretrained
from scicot.models.prompt_format import make_format
from scicot.models.weights import weights_in
from scicot.students.student import Student

Rates = Mapping[str, float]  # tokens per second, by engine and precision


def load_student(
    directory: str | os.PathLike[str],
    request: EngineRequest,
    *,
    max_source_tokens: int,
    max_rationale_tokens: int | None = None,
    prompt_format: str = "auto",
    replacements: Mapping[str, str] | None = None,
) -> Student:
    """Load the student of a run directory for prediction. If the engine or the precision in
    `request` is "auto", `choose_engine` chooses among the engines that support sampling.
    `replacements` maps characters that the tokenizer lacks to other spellings
    (models/characters.py).

    Raises ScicotError if the files cannot be read, or if no engine supports the request.
    """
    spec = EngineSpec(request.engine, request.precision)
    if "auto" in (request.engine, request.precision):
        spec, _ = choose_engine(directory, replace(request, samples=True), writes=True)
    model, tokenizer = load_pretrained(os.fspath(directory))
    form = make_format(prompt_format, model, tokenizer, replacements)
    engine = _engine(spec, model, tokenizer, Path(directory), request, form.ends)
    return Student(engine, form, max_source_tokens, max_rationale_tokens)


def choose_engine(
    directory: str | os.PathLike[str], request: EngineRequest, *, writes: bool
) -> tuple[EngineSpec, Rates]:
    """Choose the engine for a run directory. If several engines are possible, their speeds are
    measured, and the fastest is chosen. If `writes` is True, the speed of writing texts is
    measured, otherwise the speed of scoring texts.

    Returns (engine, measured speeds). If only one engine is possible, no speed is measured, and the
    speeds are {}. Raises ScicotError if no engine supports the request.
    """
    folder = Path(directory)
    engines = candidates(directory, request)
    if len(engines) == 1:
        return engines[0], {}
    from scicot.decoding.speed import fastest

    def load(spec: EngineSpec) -> Engine:
        model, tokenizer = load_pretrained(os.fspath(directory))
        return _engine(spec, model, tokenizer, folder, EngineRequest(device=request.device))

    return fastest(engines, load, _config(folder), weights_in(folder), writes=writes)


def candidates(directory: str | os.PathLike[str], request: EngineRequest) -> list[EngineSpec]:
    """List the engines that can run the model in a directory as requested. Raises ScicotError if
    there is none."""
    folder = Path(directory)
    return candidate_engines(_config(folder), weights_in(folder), request)


def _config(directory: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((directory / "config.json").read_text("utf-8"))
        config["model_type"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        load_pretrained(os.fspath(directory))  # raises a more precise error
        raise ScicotError(
            f"student {directory}: its config.json cannot be read or has no model_type"
            f" ({error!r}); copy the model again"
        ) from None
    return config


def _engine(
    spec: EngineSpec,
    model: Any,
    tokenizer: Any,
    directory: Path,
    request: EngineRequest,
    ends: Collection[int] = (),
) -> Engine:
    import torch

    device = resolve_device(request.device)
    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16, "int8": torch.int8}
    dtype = dtypes[spec.precision]
    sizes: dict[str, Any] = {"batch_size": request.batch_size, "batch_tokens": request.batch_tokens}
    if spec.engine == "ctranslate2":
        from scicot.decoding.conversion import converted
        from scicot.decoding.ctranslate2_engine import CTranslate2Engine

        folder, tokens = converted(model, tokenizer, directory), request.batch_tokens
        end = model.config.eos_token_id
        return CTranslate2Engine(folder, end, precision=spec.precision, batch_tokens=tokens)
    if spec.engine == "torch":
        from scicot.decoding.native_engine import NativeEngine

        return NativeEngine(model.to(device).eval(), dtype, ends=ends, **sizes)
    from scicot.decoding.transformers_engine import TransformersEngine

    if dtype is torch.bfloat16:
        from scicot.models.mixed_precision import to_mixed_bf16

        model = to_mixed_bf16(model)  # converted on the CPU, to need half the memory on the device
    return TransformersEngine(model.to(device).eval(), ends=ends, **sizes)
