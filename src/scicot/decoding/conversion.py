"""Convert students to CTranslate2's format.

A student is converted once. The scores of the converted model are compared with those of the
original model, and the converted model is then cached in the run directory.
"""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scicot import abandoned
from scicot.decoding.engine import Engine
from scicot.errors import ScicotError, no_room
from scicot.models.weights import weights_sha256

FOLDER = "ctranslate2"
_TOLERANCE = 1e-3  # nats


def converted(model: Any, tokenizer: Any, directory: Path) -> Path:
    """Convert a run's model to CTranslate2's format (fp32), unless an earlier call has done so.
    Returns the folder of the converted model.

    `directory` is the run directory. The folder is ctranslate2/HASH in `directory`, where HASH is
    the beginning of the hash of the weights. Raises ScicotError in three cases: the folder cannot
    be written, the model cannot be converted, or the converted model gives other scores than the
    original.
    """
    target = directory / FOLDER / weights_sha256(directory)[:12]
    if target.exists():
        return target
    prefix = f".{target.name}."
    try:
        target.parent.mkdir(exist_ok=True)
        abandoned.discard(target.parent, prefix)
        lock, temporary = abandoned.temporary_folder(target.parent, prefix)
    except OSError as error:
        if no_room(error):
            raise
        raise ScicotError(
            f"--engine ctranslate2: cannot write to {target.parent} ({error.strerror}); use"
            " --engine torch"
        ) from None
    try:
        _try(model, tokenizer, temporary, directory)
        _check(model, temporary, directory)
        temporary.chmod(0o755)
        try:
            temporary.rename(target)
        except OSError:  # another process has converted the model meanwhile
            if not target.exists():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        os.close(lock)
    return target


def _try(model: Any, tokenizer: Any, folder: Path, directory: Path) -> None:
    try:
        convert(model, tokenizer, folder)
    except (ValueError, RuntimeError, OSError) as error:
        if no_room(error):
            raise
        raise ScicotError(
            f"--engine ctranslate2: cannot convert {directory} ({error}); use --engine torch"
        ) from None


def convert(model: Any, tokenizer: Any, folder: Path) -> None:
    """Convert a model to CTranslate2's format with fp32 weights, and write it to `folder`."""
    from ctranslate2.converters import TransformersConverter

    class Converter(TransformersConverter):  # type: ignore[misc]
        """CTranslate2's converter, changed to use a model and a tokenizer that are in memory."""

        def load_model(self, *_: Any, **__: Any) -> Any:
            # a copy, because the converter changes the weights in place
            return copy.deepcopy(model)

        def load_tokenizer(self, *_: Any, **__: Any) -> Any:
            return tokenizer

        def _load(self) -> Any:
            spec = super()._load()
            # The converter scales outputs if the weights are tied, but transformers 5 reports
            # tied weights for every T5.
            spec.decoder.scale_outputs = np.float32(_scale(model.config))
            return spec

    Converter(model.name_or_path).convert(str(folder), force=True)


def _scale(config: Any) -> float:
    from scicot.models.native.t5 import scales_outputs

    return float(config.d_model**-0.5) if scales_outputs(config) else 1.0


def _check(model: Any, folder: Path, directory: Path) -> None:
    import torch

    from scicot.decoding.ctranslate2_engine import CTranslate2Engine
    from scicot.decoding.native_engine import NativeEngine

    end, words = model.config.eos_token_id, model.config.vocab_size
    rng = np.random.default_rng(0)
    lengths = (1, 5, 17, 40)
    sources = [[*rng.integers(2, words, length).tolist(), end] for length in lengths]
    targets = [[[*rng.integers(2, words, length).tolist(), end] for length in (1, 4)]] * 4
    engines: Sequence[Engine] = (
        NativeEngine(model.cpu(), torch.float32, batch_size=4),
        CTranslate2Engine(folder, end, precision="fp32", batch_tokens=None),
    )
    native_scores, converted_scores = (
        np.array(
            [
                value
                for source_scores in engine.score(sources, targets)
                for target_scores in source_scores
                for value in target_scores
            ]
        )
        for engine in engines
    )
    gap = float(np.abs(native_scores - converted_scores).max())
    if not gap < _TOLERANCE * max(1.0, float(np.abs(native_scores).max()) / 10):
        raise ScicotError(
            f"--engine ctranslate2: the converted {directory} gives different scores (by {gap:.3g}"
            " nats); use --engine torch"
        )
