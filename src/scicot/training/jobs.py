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

from scicot import jsonl, sources
from scicot.config import TrainSettings
from scicot.errors import ScicotError
from scicot.outputs import differences, locked, make_parent
from scicot.reporting import LogReporter, Reporter, counted
from scicot.stages import Stage
from scicot.students.devices import resolve_device
from scicot.students.runs import Manifest, read_manifest
from scicot.training import examples as making
from scicot.training.card import write_card
from scicot.training.examples import Example
from scicot.training.scratch import PREFIX, build_scratch

Item = TypeVar("Item")

Sources = sources.Source | Sequence[sources.Source]

CHECKPOINTS = "checkpoints"


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
    """Stage 1: train `student` to write rationales, from a file of rationale rows or several.

    `student` is a Hub id or directory that AutoModelForSeq2SeqLM loads, or "scratch:SIZE". `run`
    becomes its directory. A finished run of the same settings and data is returned as it is, an
    unfinished one goes on; another one in its place raises ScicotError.
    """
    job = _Job(Stage.RATIONALE, student, Path(run), settings, force, reporter)
    options: Any = {"limit": limit, "skip_invalid": skip_invalid, "reporter": job.reporter}
    files = _listed(rationales)
    rows = job.read(row for file in files for row in sources.rationales(file, **options))
    examples = making.rationale_examples(rows)
    job.left_out(len(rows) - len(examples), "an empty rationale")
    return job.train(examples, files)


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
    files = _listed(rationales)
    if use_rationale:
        rows = job.read(row for file in files for row in sources.rationales(file, **options))
        count, examples = len(rows), making.answer_examples(rows)
    else:
        read = (row for file in files for row in sources.questions(file, **options))
        questions = job.read(sources.unique(read, job.reporter))
        count, examples = len(questions), making.direct_examples(questions)
    job.left_out(count - len(examples), "no gold answer")
    return job.train(examples, files)


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
        self._run = Path(os.path.abspath(run))  # noqa: PTH100  (links stay as the user named them)
        if not self._run.name:
            raise ScicotError(f"-o {run}: name a directory for the run")
        self._settings = settings or TrainSettings()
        self._force = force
        self._replaced = self._run.with_name(f".{self._run.name}.replaced")
        device = resolve_device(self._settings.device)  # one that is not there is said at once
        if device.index:  # the Trainer takes the first GPU it sees, whatever it is told
            raise ScicotError(
                f"--device {self._settings.device}: to train there, say --device cuda and set"
                f" CUDA_VISIBLE_DEVICES={device.index}"
            )

    def read(self, rows: Iterable[Item]) -> list[Item]:
        with self.reporter.task("reading") as task:
            return list(counted(rows, task))

    def left_out(self, count: int, why: str) -> None:
        if count:
            self.reporter.warn(f"{count} rows left out: {why}")

    def train(self, examples: list[Example], files: Sequence[sources.Source]) -> Manifest:
        if not examples:
            raise ScicotError("no row is left to train on")
        data = [{"file": os.fspath(file), "sha256": sources.sha256_of(file)} for file in files]
        manifest = Manifest(self._stage, self._student, asdict(self._settings), data)
        manifest.examples_sha256 = making.digest(examples)
        make_parent(self._run)
        with locked(self._run):
            finished = self._existing(manifest)
            if finished is None:
                self._train(manifest, examples)
            else:
                self.reporter.note(f"{self._run} is finished already and not trained again")
            shutil.rmtree(self._run / CHECKPOINTS, ignore_errors=True)
            shutil.rmtree(self._replaced, ignore_errors=True)
        return finished or manifest

    def _train(self, manifest: Manifest, examples: list[Example]) -> None:
        from transformers import set_seed

        from scicot.training.trainer import fit

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
        if self._force:
            self._set_aside()
        self._run.mkdir(exist_ok=True)
        manifest.packages = _versions()
        manifest.write(self._run)
        metrics = fit(model, tokenizer, encoded, self._run / CHECKPOINTS, settings, self.reporter)
        model.save_pretrained(self._run)
        tokenizer.save_pretrained(self._run)
        for file in self._run.glob("*.safetensors"):
            file.chmod(0o666 & ~jsonl.umask())  # safetensors lets nobody else read
        manifest.metrics = {"rows": len(examples), **metrics}
        manifest.weights_sha256 = _weights_sha256(self._run)
        write_card(manifest, self._run)
        manifest.finished = True
        manifest.write(self._run)

    def _set_aside(self) -> None:
        """With --force: the run that was there waits beside its place until the new one is done."""
        if self._replaced.exists():  # of an earlier --force that was stopped
            shutil.rmtree(self._run, ignore_errors=True)
        elif self._run.exists():
            self._run.rename(self._replaced)
            self.reporter.note(f"the former {self._run} is kept as {self._replaced} until the end")

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
            return None
        if not old.finished and not any((self._run / CHECKPOINTS).glob("checkpoint-*")):
            return None  # nothing was learnt yet, so nothing can be mixed up
        changed = differences(_making(old), _making(new), defaults=asdict(TrainSettings()))
        if changed:
            raise ScicotError(
                f"-o {self._run}: holds another run ({'; '.join(changed)});"
                " name another directory, or train it over with --force"
            )
        return old if old.finished else None


def _listed(files: Sources) -> Sequence[sources.Source]:
    return [files] if isinstance(files, str | os.PathLike) else files


def _making(manifest: Manifest) -> dict[str, Any]:
    """What decides the weights; where it ran does not."""
    return {
        "stage": str(manifest.stage),
        "student": manifest.student,
        "training rows": manifest.examples_sha256,
        **{name: value for name, value in manifest.settings.items() if name != "device"},
    }


def _versions() -> dict[str, str]:
    names = ("torch", "transformers", "tokenizers", "accelerate")
    return {name: importlib.metadata.version(name) for name in names}


def _weights_sha256(run: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(run.glob("*.safetensors")):
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
