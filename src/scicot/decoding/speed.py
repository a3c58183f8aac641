"""Measure the speed of the candidate engines, once for each model shape and machine, and cache the
result."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from scicot import jsonl
from scicot.decoding.engine import Decoding, Engine
from scicot.decoding.engine_spec import EngineSpec
from scicot.devices import cores

_WORK = 3e11  # weights x tokens in one measurement, so that it takes about a second
_SOURCE, _GENERATED = 64, 24  # tokens read and generated in a measurement
_NO_SHAPE = ("_name_or_path", "transformers_version", "dtype", "dropout_rate")
_FORMAT = 3  # part of the cache key; increased when engines become faster, to measure again


def fastest(
    candidates: Sequence[EngineSpec],
    load: Callable[[EngineSpec], Engine],
    shape: Mapping[str, Any],
    weights: int,
    *,
    writes: bool,
) -> tuple[EngineSpec, dict[str, float]]:
    """Return the fastest of the candidates, and the tokens per second of each, keyed by str(spec).

    `load` loads an engine to be measured. `shape` is the content of the student's config.json, and
    `weights` its number of weights. With `writes` the speed of generating texts is compared,
    otherwise that of scoring. An engine is measured only if no measurement of it is cached.
    """
    key = _key(shape, writes=writes)
    cache = _remembered()
    rates: dict[str, float] = cache.get(key, {})
    missing = [spec for spec in candidates if str(spec) not in rates]
    for spec in missing:
        rates[str(spec)] = _rate(load(spec), shape, weights, writes=writes)
    if missing:
        _remember({**cache, key: rates})
    candidate_rates = {str(spec): rates[str(spec)] for spec in candidates}
    return max(candidates, key=lambda spec: candidate_rates[str(spec)]), candidate_rates


def _rate(engine: Engine, shape: Mapping[str, Any], weights: int, *, writes: bool) -> float:
    """Measure the tokens per second of an engine on inputs of random tokens.

    With `writes`, the engine generates texts, and the tokens of inputs and texts are counted.
    Without `writes`, the engine scores short targets, and only the tokens of inputs are counted.
    """
    rng = np.random.default_rng(0)
    tokens = _SOURCE + (_GENERATED if writes else 0)
    count = int(min(64, max(4, _WORK / max(1, weights) / tokens)))
    sources = rng.integers(2, shape["vocab_size"], (count, _SOURCE)).tolist()
    ends = shape.get("eos_token_id")
    end = ends[0] if isinstance(ends, list) and ends else ends
    targets = [[[token, *([] if end is None else [end])] for token in row[:4]] for row in sources]

    def work(rows: int) -> int:
        if not writes:
            engine.score(sources[:rows], targets[:rows])
            return rows * _SOURCE
        texts = engine.generate(sources[:rows], [[None]] * rows, Decoding(_GENERATED))
        return rows * _SOURCE + sum(len(text) for samples in texts for text in samples)

    work(2)
    start = time.perf_counter()
    return work(count) / (time.perf_counter() - start)


def _key(shape: Mapping[str, Any], *, writes: bool) -> str:
    """Return the key under which a measurement is cached. It names the task (generating or
    scoring), the shape of the model, the processor, the number of cores that may be used, and the
    versions of packages."""
    fields = {name: value for name, value in shape.items() if name not in _NO_SHAPE}
    packages = [f"{name} {_version(name)}" for name in ("torch", "numba", "ctranslate2")]
    shape_hash = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:12]
    task = "writes" if writes else "scores"
    parts = [task, str(shape["model_type"]), shape_hash, _processor(), f"{cores()} cores"]
    return " / ".join([*parts, *packages, str(_FORMAT)])


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def _file() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "scicot" / "engines.json"


def _remembered() -> dict[str, dict[str, float]]:
    try:
        cache: dict[str, dict[str, float]] = json.loads(_file().read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    good = isinstance(cache, dict) and all(isinstance(rates, dict) for rates in cache.values())
    return cache if good else {}


def _remember(cache: Mapping[str, Mapping[str, float]]) -> None:
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        jsonl.write_text(_file(), json.dumps(cache, indent=1) + "\n")
    except OSError:
        pass  # the home directory is not writable, so the next run measures again
