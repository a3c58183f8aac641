"""The runs of a prediction as students: on which engine each runs, and what it cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from scicot import processes
from scicot.config import PredictSettings
from scicot.devices import resolve_device
from scicot.stages import FORMS
from scicot.students.engines.choice import ENGINES, Choice, Wish
from scicot.students.loading import Rates, choices, choose
from scicot.students.runs import Run
from scicot.students.student import Student
from scicot.students.texts import told

# By type of device: sequences that are worked on together, and that are read ahead, which are more,
# so that others take the places of those that end.
_SIZES = {"cpu": (256, 512), "cuda": (1024, 4096)}

# Of each run what was cut (see Student): words of its inputs, and how many of its texts.
Tally = Mapping[Path, tuple[Counter[str], int]]


class Loaded:
    """Each run is loaded when a student is first asked for, or all of them at once."""

    def __init__(self, runs: Sequence[Run], settings: PredictSettings) -> None:
        """ScicotError for a device that is not there."""
        self._runs = runs
        self._settings = settings
        self._sizes = _SIZES.get(resolve_device(settings.device).type, _SIZES["cpu"])
        self._engines: dict[Path, tuple[Choice, Rates]] = {}
        self._students: dict[Path, tuple[Run, Student]] = {}

    @property
    def window(self) -> int:
        """Sequences that are read ahead."""
        return self._settings.window or self._sizes[1]

    def engines(self) -> dict[str, str]:
        """By the identity of a run; ScicotError for one that cannot do what is asked for."""
        return {run.identity: str(self._engine(run)) for run in self._runs}

    def recall(self, engines: Mapping[str, str]) -> None:
        """Take these, of an earlier run, where none is asked for: what was measured since is no
        reason to answer otherwise."""
        for run in self._runs:
            choice, wish = Choice.parse(engines.get(run.identity, "")), self._wish(run)
            asked = wish.engine, wish.precision
            same = all(
                own in ("auto", known)
                for own, known in zip(asked, (choice.engine, choice.precision), strict=True)
            )
            if same and choice.engine in ENGINES:
                wish = replace(wish, engine=choice.engine, precision=choice.precision)
                self._engines[run.directory] = choices(run.directory, wish)[0], {}

    def measured(self) -> Iterator[str]:
        """What was measured to find the engines, a sentence for each run that had a choice."""
        for run, (choice, rates) in self._engines.items():
            if rates:
                each = ", ".join(f"{name} {rate:,.0f}" for name, rate in rates.items())
                yield f"{run}: {choice}, the fastest here (tokens/s: {each})"

    def load_all(self) -> None:
        """Load what is not loaded yet; ScicotError where it cannot be."""
        for run in self._runs:
            self.student(run)

    def student(self, run: Run) -> Student:
        """Of a run; ScicotError where it cannot be loaded."""
        if run.directory not in self._students:
            choice = self._engine(run)
            student = run.load(
                batch_size=self._settings.batch_size or self._sizes[0],
                batch_tokens=self._settings.batch_tokens,
                engine=choice.engine,
                precision=choice.precision,
                device=self._settings.device,
            )
            self._students[run.directory] = run, student
        return self._students[run.directory][1]

    def cuts(self) -> Iterator[str]:
        """What was longer than allowed, one sentence each."""
        for run, student in self._students.values():
            yield from told(student.cuts, run.manifest.max_source_tokens)
            if student.cut_outputs:
                yield f"{student.cut_outputs} rationales ran into --max-new-tokens"

    def tally(self) -> Tally:
        """What was cut so far."""
        return {
            place: (student.cuts, student.cut_outputs)
            for place, (_, student) in self._students.items()
        }

    def count(self, tally: Tally) -> None:
        """Add what the same students have cut in another process, where they have done no more."""
        for place, (cuts, outputs) in tally.items():
            _, student = self._students[place]
            student.cuts += cuts
            student.cut_outputs += outputs

    def _engine(self, run: Run) -> Choice:
        if run.directory not in self._engines:
            writes = FORMS[run.stage].writes_rationale
            self._engines[run.directory] = choose(run.directory, self._wish(run), writes=writes)
        return self._engines[run.directory][0]

    def _wish(self, run: Run) -> Wish:
        settings, writes = self._settings, FORMS[run.stage].writes_rationale
        precision, on_cpu = settings.precision, resolve_device(settings.device).type == "cpu"
        elsewhere = processes.count() > 1 and not processes.on_one_machine()
        if (settings.shard or elsewhere) and on_cpu and precision == "auto":
            precision = "fp32"  # of whatever machines the other questions are on
        return Wish(
            settings.engine,
            precision,
            settings.device,
            draws=writes and settings.sampling is not None,
            beams=writes and settings.beams > 1,
        )
