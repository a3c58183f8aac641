"""Train a student: read rows, make examples, build, fit, and leave a run directory behind."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from scicot import sources
from scicot.config import TrainSettings
from scicot.errors import ScicotError
from scicot.outputs import differences, locked
from scicot.reporting import LogReporter, Reporter, counted
from scicot.stages import Stage
from scicot.students.devices import resolve_device
from scicot.students.runs import Manifest, read_manifest
from scicot.training import examples as making
from scicot.training.card import write_card
from scicot.training.examples import Example
from scicot.training.scratch import PREFIX, build_scratch

Item = TypeVar("Item")

Sources = Sequence[str | os.PathLike[str]]


def train_rationale(
    rationales: Sources,
    run: str | os.PathLike[str],
    *,
    student: str,
    settings: TrainSettings | None = None,
    limit: int | None = None,
    skip_invalid: bool = False,
    force: bool = False,
    reporter: Reporter | None = None,
) -> Manifest:
    """Stage 1: train `student` to write rationales, from files of rationale rows.

    `student` is a Hub id or directory that AutoModelForSeq2SeqLM loads, or "scratch:SIZE". `run`
    becomes its directory. A finished run of the same settings and data is returned as it is, an
    unfinished one goes on; another one in its place raises ScicotError.
    """
    job = _Job(Stage.RATIONALE, student, Path(run), settings, force, reporter)
    options: Any = {"limit": limit, "skip_invalid": skip_invalid, "reporter": job.reporter}
    rows = job.read(row for source in rationales for row in sources.rationales(source, **options))
    examples = making.rationale_examples(rows)
    job.left_out(len(rows) - len(examples), "an empty rationale")
    return job.train(examples, rationales)


def train_answer(
    rationales: Sources,
    run: str | os.PathLike[str],
    *,
    student: str,
    use_rationale: bool = True,
    settings: TrainSettings | None = None,
    limit: int | None = None,
    skip_invalid: bool = False,
    force: bool = False,
    reporter: Reporter | None = None,
) -> Manifest:
    """Stage 2: train `student` to answer from question, choices and rationale.

    With `use_rationale=False` the direct baseline: the questions of the same rows, each once,
    without a rationale; then plain questions will do. Everything else as in `train_rationale`.
    """
    stage = Stage.ANSWER if use_rationale else Stage.DIRECT
    job = _Job(stage, student, Path(run), settings, force, reporter)
    options: Any = {"limit": limit, "skip_invalid": skip_invalid, "reporter": job.reporter}
    if use_rationale:
        rows = job.read(r for source in rationales for r in sources.rationales(source, **options))
        count, examples = len(rows), making.answer_examples(rows)
    else:
        read = (q for source in rationales for q in sources.questions(source, **options))
        questions = job.read(sources.unique(read, job.reporter))
        count, examples = len(questions), making.direct_examples(questions)
    job.left_out(count - len(examples), "no gold answer")
    return job.train(examples, rationales)


class _Job:
    """The making of one run directory."""

    def __init__(
        self,
        stage: Stage,
        student: str,
        run: Path,
        settings: TrainSettings | None,
        force: bool,
        reporter: Reporter | None,
    ) -> None:
        self.reporter: Reporter = reporter or LogReporter()
        self._stage = stage
        self._student = student
        self._run = run
        self._settings = settings or TrainSettings()
        self._force = force
        resolve_device(self._settings.device)  # a device that is not there is said at once

    def read(self, rows: Iterable[Item]) -> list[Item]:
        with self.reporter.task("reading") as task:
            return list(counted(rows, task))

    def left_out(self, count: int, why: str) -> None:
        if count:
            self.reporter.warn(f"{count} rows left out: {why}")

    def train(self, examples: list[Example], files: Sources) -> Manifest:
        if not examples:
            raise ScicotError("no row is left to train on")
        data = [{"file": os.fspath(file), "sha256": sources.sha256_of(file)} for file in files]
        settings = {**asdict(self._settings), "examples_sha256": making.digest(examples)}
        manifest = Manifest(self._stage, self._student, settings, data)
        self._run.parent.mkdir(parents=True, exist_ok=True)
        with locked(self._run):
            finished = self._existing(manifest)
            if finished is not None:
                return finished
            self._run.mkdir(exist_ok=True)
            manifest.packages = _versions()
            manifest.write(self._run)
            manifest.metrics = {"rows": len(examples), **self._fit(examples)}
            manifest.weights_sha256 = _weights_sha256(self._run)
            write_card(manifest, self._run)
            manifest.finished = True
            manifest.write(self._run)
        return manifest

    def _fit(self, examples: list[Example]) -> dict[str, Any]:
        from transformers import set_seed

        from scicot.training.trainer import CHECKPOINTS, fit

        settings = self._settings
        set_seed(settings.seed)
        model, tokenizer = self._build(examples)
        with self.reporter.task("tokenising"):
            encoded = making.encode(
                examples, tokenizer, settings.max_source_tokens, settings.max_target_tokens
            )
        for cut, what in ((encoded.cut_sources, "source"), (encoded.cut_targets, "target")):
            if cut:
                self.reporter.warn(
                    f"{cut} of {len(examples)} {what}s are longer than --max-{what}-tokens"
                    " and were cut"
                )
        metrics = fit(model, tokenizer, encoded, self._run, settings, self.reporter)
        model.save_pretrained(self._run)
        tokenizer.save_pretrained(self._run)
        shutil.rmtree(self._run / CHECKPOINTS, ignore_errors=True)
        return dict(metrics)

    def _build(self, examples: list[Example]) -> tuple[Any, Any]:
        if self._student.startswith(PREFIX):
            return build_scratch(
                self._student, (text for e in examples for text in (e.source, e.target))
            )
        from scicot.students.encoder_decoder import load_pretrained

        return load_pretrained(self._student)

    def _existing(self, new: Manifest) -> Manifest | None:
        """A finished run of the same making; None where there is work to do; else ScicotError."""
        if not self._run.exists():
            return None
        old = read_manifest(self._run) if self._run.is_dir() else None
        if old is None:
            if self._run.is_dir() and not any(self._run.iterdir()):
                return None
            raise ScicotError(
                f"-o {self._run}: exists and is no run of scicot; name another directory"
            )
        if self._force:
            shutil.rmtree(self._run)
            return None
        changed = differences(_making(old), _making(new))
        if changed:
            raise ScicotError(
                f"-o {self._run}: holds another run ({'; '.join(changed)});"
                " name another directory, or train it over with --force"
            )
        return old if old.finished else None


def _making(manifest: Manifest) -> dict[str, Any]:
    """What decides the weights; where it ran does not."""
    settings = {k: v for k, v in manifest.settings.items() if k != "device"}
    return {"stage": str(manifest.stage), "student": manifest.student, **settings}


def _versions() -> dict[str, str]:
    names = ("torch", "transformers", "tokenizers", "accelerate")
    return {name: importlib.metadata.version(name) for name in names}


def _weights_sha256(run: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(run.glob("*.safetensors")):
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
