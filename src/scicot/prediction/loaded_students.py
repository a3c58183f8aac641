"""Load each run of a prediction once, with the inference engine that is requested or chosen for it
(torch, ctranslate2 or transformers)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from scicot import processes
from scicot.config import PredictSettings
from scicot.decoding.engine_spec import ENGINES, EngineRequest, EngineSpec
from scicot.devices import resolve_device
from scicot.models.truncation import describe_cuts
from scicot.stages import FORMS
from scicot.students.loading import Rates, candidates, choose_engine
from scicot.students.runs import Run
from scicot.students.student import Student

# By device type: sequences per batch, and sequences per window. A window is larger than a batch, so
# that waiting sequences can take the place of finished ones.
_SIZES = {"cpu": (256, 512), "cuda": (1024, 4096)}

# The truncation counts (see Student) by run directory: of inputs by part, and of generated texts.
CutCounts = Mapping[Path, tuple[Counter[str], int]]


class LoadedStudents:
    """The students of a prediction. A student is loaded when it is first needed, or by
    `load_all`."""

    def __init__(self, runs: Sequence[Run], settings: PredictSettings) -> None:
        """Prepare to load these runs. Raises ScicotError if the device is not available."""
        self._runs = runs
        self._settings = settings
        self._sizes = _SIZES.get(resolve_device(settings.device).type, _SIZES["cpu"])
        self._engines: dict[Path, tuple[EngineSpec, Rates]] = {}
        self._students: dict[Path, tuple[Run, Student]] = {}

    @property
    def window(self) -> int:
        """The size of a window in sequences. A window is a group of questions that are predicted
        together. If students write n rationales for each question, a question counts as n
        sequences."""
        return self._settings.window or self._sizes[1]

    def engines(self) -> dict[str, str]:
        """Return the engine and precision of each run, as a dict with `Run.identity` as the key. If
        no engine has been chosen for a run yet, one is chosen now. Raises ScicotError if no engine
        supports what was requested."""
        return {run.identity: str(self._engine(run)) for run in self._runs}

    def restore(self, recorded: Mapping[str, str]) -> None:
        """Give each run the engine and precision that it had in an earlier prediction. `recorded`
        is what the method `engines` returned in that prediction. The entry of a run is ignored if
        the user requests another engine or precision."""
        # A new measurement of speeds must not change the answers of a resumed output.
        for run in self._runs:
            spec, request = EngineSpec.parse(recorded.get(run.identity, "")), self._request(run)
            same_engine = request.engine in ("auto", spec.engine)
            same_precision = request.precision in ("auto", spec.precision)
            if same_engine and same_precision and spec.engine in ENGINES:
                restored = replace(request, engine=spec.engine, precision=spec.precision)
                self._engines[run.directory] = candidates(run.directory, restored)[0], {}

    def measured(self) -> Iterator[str]:
        """Yield a sentence for each run whose engine was chosen by measurement. The sentence gives
        the measured speeds of the engines."""
        for run, (spec, rates) in self._engines.items():
            if rates:
                speeds = ", ".join(f"{name} {rate:,.0f}" for name, rate in rates.items())
                yield f"{run}: {spec}, the fastest here (tokens/s: {speeds})"

    def load_all(self) -> None:
        """Load the students of all runs. Raises ScicotError if one cannot be loaded."""
        for run in self._runs:
            self.student(run)

    def student(self, run: Run) -> Student:
        """Return the student of a run. The first call for a run loads the student. Raises
        ScicotError if the student cannot be loaded."""
        if run.directory not in self._students:
            spec = self._engine(run)
            request = replace(self._request(run), engine=spec.engine, precision=spec.precision)
            self._students[run.directory] = run, run.load(request)
        return self._students[run.directory][1]

    def cuts(self) -> Iterator[str]:
        """Yield a sentence for each kind of truncation that occurred, in the students' inputs or in
        the rationales that they wrote. Also yield sentences about characters that a tokenizer
        lacks, if the inputs had such characters."""
        for run, student in self._students.values():
            yield from describe_cuts(student.cuts, run.manifest.max_source_tokens).values()
            if student.cut_outputs:
                yield f"{student.cut_outputs} rationales were truncated at --max-new-tokens"

    def cut_counts(self) -> CutCounts:
        """Return the truncation counts so far, by run directory. Another process can add them to
        its own counts with `add_cuts`."""
        return {
            directory: (student.cuts, student.cut_outputs)
            for directory, (_, student) in self._students.items()
        }

    def add_cuts(self, counts: CutCounts) -> None:
        """Add the truncation counts that another process returned from `cut_counts` to those of
        this process."""
        for directory, (cuts, outputs) in counts.items():
            _, student = self._students[directory]
            student.cuts += cuts
            student.cut_outputs += outputs

    def _engine(self, run: Run) -> EngineSpec:
        if run.directory not in self._engines:
            writes = FORMS[run.stage].writes_rationale
            self._engines[run.directory] = choose_engine(
                run.directory, self._request(run), writes=writes
            )
        return self._engines[run.directory][0]

    def _request(self, run: Run) -> EngineRequest:
        settings, writes = self._settings, FORMS[run.stage].writes_rationale
        precision, on_cpu = settings.precision, resolve_device(settings.device).type == "cpu"
        other_machines = processes.count() > 1 and not processes.on_one_machine()
        if (settings.shard or other_machines) and on_cpu and precision == "auto":
            precision = (
                "fp32"  # supported by every machine, so that all shards give the same answers
            )
        return EngineRequest(
            settings.engine,
            precision,
            settings.device,
            samples=writes and settings.sampling is not None,
            beams=writes and settings.beams > 1,
            batch_size=settings.batch_size or self._sizes[0],
            batch_tokens=settings.batch_tokens,
        )
