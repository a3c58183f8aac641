"""Plan a prediction: which runs write rationales, which runs answer, and with which settings. The
plan also makes the provenance that is stored in the output."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from scicot.config import SAMPLING, AnswerAs, PredictSettings
from scicot.decoding.engine import Decoding
from scicot.decoding.sampling import sample_seed
from scicot.overlap import SeenQuestions
from scicot.prediction import compatibility, identities
from scicot.records import Question
from scicot.stages import FORMS
from scicot.students.runs import Run, weights_of


@dataclass(frozen=True)
class Plan:
    """The runs and settings of a prediction. The probabilities of all `answers` runs are averaged,
    and each of these runs reads the rationales of all `rationales` runs. Either list may be
    empty."""

    answers: Sequence[Run]
    rationales: Sequence[Run]
    settings: PredictSettings

    @classmethod
    def check(
        cls,
        answer_models: Sequence[compatibility.Name],
        rationale_models: Sequence[compatibility.Name],
        settings: PredictSettings,
        recorded: Collection[str] = (),
    ) -> Plan:
        """Make a plan from the names of runs, without loading models. If an output is resumed,
        `recorded` are the identities of the runs in this output. Raises ScicotError if runs or
        settings are incompatible."""
        answers, rationales = compatibility.check_runs(answer_models, rationale_models, settings)
        answers = [identities.with_recorded_name(run, recorded) for run in answers]
        rationales = [identities.with_recorded_name(run, recorded) for run in rationales]
        plan = cls(answers, rationales, settings)
        compatibility.check_settings(answers, plan.writers, plan.source, settings)
        return plan

    @property
    def runs(self) -> list[Run]:
        return [*self.answers, *self.rationales]

    @cached_property
    def writers(self) -> list[Run]:
        """The runs that write rationales. Empty if rationales are taken from the input or not used.
        If the command has rationale runs (`rationales`), these are the writers. Otherwise the
        writers are the answer runs that can also write rationales."""
        if self.source in ("input", "none"):
            return []
        writing = [run for run in self.answers if FORMS[run.stage].writes_rationale]
        return list(self.rationales) or writing

    @property
    def source(self) -> str:
        """Where the rationales come from: "student", "input", "shuffled" or "none"."""
        forms = [FORMS[run.stage] for run in self.answers]
        if any(form.reads_rationale for form in forms):
            return self.settings.rationale_from
        writes = any(form.writes_rationale for form in forms)
        return "student" if writes or not forms else "none"

    @property
    def shuffles(self) -> bool:
        """True if each question is answered from another question's rationales."""
        return self.source == "shuffled"

    @property
    def reads_given(self) -> bool:
        """True if the rationales are taken from the input rows, which must then contain them."""
        return self.source == "input" or (self.source == "shuffled" and not self.writers)

    @property
    def rationales_each(self) -> int:
        """The number of rationales that all writers together write for each question."""
        return self.settings.samples * len(self.writers)

    @property
    def rows_each(self) -> int:
        """The number of output rows for each question. With answer runs, there is one row, the
        prediction. Without answer runs, there is one row for each rationale."""
        return 1 if self.answers else self.rationales_each

    def decoding(self, writer: Run) -> Decoding:
        settings = self.settings
        trained = writer.manifest
        limit = settings.max_new_tokens or trained.max_target_tokens
        if trained.max_rationale_tokens is not None and settings.max_new_tokens is None:
            limit = min(limit, trained.max_rationale_tokens + 1)  # plus the end token
        return Decoding(limit, settings.sampling or SAMPLING, settings.top_p, settings.beams)

    def draws(self, question: Question, writer: int) -> list[int | None]:
        """Return the random seeds with which one writer samples rationales for a question, or
        [None] if it does not sample. `writer` is its index in `writers`."""
        settings = self.settings
        if settings.sampling is None:
            return [None]
        samples = range(settings.samples)
        return [sample_seed(settings.seed, question.id, sample, writer) for sample in samples]

    def scoring(self, run: Run) -> AnswerAs:
        scoring = self.settings.scoring
        return run.manifest.answer_as if scoring == "auto" else scoring

    def temperature(self, run: Run) -> float:
        """Return the temperature by which a run's scores are divided to calibrate them. It is 1
        without calibration, or if the choices are scored in another way than the run was trained
        for."""
        fits = (
            self.settings.calibrate
            and self.scoring(run) == run.manifest.answer_as
            and self.settings.length_normalisation == "auto"
        )
        return run.manifest.temperature if fits else 1.0

    @cached_property
    def mix_direct(self) -> float:
        """The weight that the probabilities without a rationale have in the combined answer. It is
        the number given as --mix-direct. For "auto" it is the mean of the weights fitted for the
        answer runs."""
        weight = self.settings.mix_direct
        if isinstance(weight, str):
            fitted = [run.manifest.mix_direct or 0.0 for run in self.answers]
            return sum(fitted) / len(fitted)
        return weight

    @cached_property
    def confidence_power(self) -> float:
        """The exponent that gives confident answers more weight in the average over several
        rationales: the mean of the exponents fitted for the answer runs. It is 0 (equal weights)
        without --weigh confidence."""
        if self.settings.weigh != "confidence":
            return 0.0
        fitted = [run.manifest.confidence_power or 0.0 for run in self.answers]
        return sum(fitted) / len(fitted)

    @property
    def students(self) -> list[dict[str, Any]]:
        """A description of each run for the output's state file: the run's name ("run"), its
        `Run.facts`, and two flags. "writes" is True if the run writes rationales, and "answers" is
        True if the run answers questions."""
        distinct = {run.identity: run for run in [*self.writers, *self.answers]}
        writing = {run.identity for run in self.writers}
        answering = {run.identity for run in self.answers}
        return [
            {"run": name, "writes": name in writing, "answers": name in answering, **run.facts}
            for name, run in distinct.items()
        ]

    @cached_property
    def _weights(self) -> dict[str, dict[str, int]]:
        """The number of parameters of each run, as {"weights": {run: count}}, or {} if the number
        is unknown for one of the runs."""
        counts = {run.identity: weights_of(run) for run in self.runs}
        return {"weights": counts} if all(counts.values()) else {}

    @cached_property
    def models(self) -> dict[str, Any]:
        """The provenance stored in every output row: runs, scoring, source of rationales,
        sampling."""
        settings = self.settings
        names = [run.identity for run in self.rationales]
        # a shared student writes rationales itself; a one-sequence student is named in "answer"
        if not names:
            names = [run.identity for run in self.writers if FORMS[run.stage].reads_rationale]
        models: dict[str, Any] = {
            "answer": " + ".join(run.identity for run in self.answers) or None,
            "rationale": one_or_all(names),
            "rationale_from": self.source,
            **self._weights,
        }
        if self.answers:
            models["scoring"] = one_or_all(dict.fromkeys(map(self.scoring, self.answers)))
            if settings.length_normalisation != "auto":
                models["length_normalisation"] = settings.length_normalisation
            if all(run.untrained for run in self.answers):
                models["zero_shot"] = True
            calibrations = [self.temperature(run) for run in self.answers]
            if set(calibrations) != {1.0}:
                models["calibration"] = one_or_all(calibrations)
        if settings.sampling is not None:
            models |= {"samples": settings.samples, "temperature": settings.sampling}
            models |= {"top_p": settings.top_p, "seed": settings.seed}
        models |= self._weighing
        if settings.beams > 1:
            models["beams"] = settings.beams
        if self.mix_direct:
            models["mix_direct"] = self.mix_direct
        return models

    @property
    def _weighing(self) -> dict[str, Any]:
        """The entries of the field "models" that record how the answers for several rationales are
        combined: {"vote": True}, {"confidence_power": 0.5} or, for the plain mean, {}."""
        if self.settings.vote:
            return {"vote": True}
        if self.settings.weigh == "confidence":
            return {"confidence_power": self.confidence_power}
        return {}

    def description(self, engines: dict[str, str]) -> dict[str, Any]:
        """Return all settings that determine the answers. They are stored in the output's state
        file, and a resumed command checks that its own settings are equal to the stored ones.
        `engines` maps the identity of each run to its engine."""
        limits = [self.decoding(run).max_new_tokens for run in self.writers]
        abstain_below = self.settings.abstain_below
        models = {name: value for name, value in self.models.items() if name != "weights"}
        return {
            **models,
            "max_new_tokens": limits[0] if len(set(limits)) == 1 else limits or None,
            "engines": engines,
            **({"abstain_below": abstain_below} if abstain_below else {}),
        }

    def seen_questions(self) -> SeenQuestions:
        """Return the training questions of all students, and the dev questions used to select their
        checkpoints."""
        seen = SeenQuestions()
        for run in self.runs:
            seen.read(run.directory)
        return seen


def one_or_all(values: Iterable[Any]) -> Any:
    """Return None if there are no values, the value itself if there is one, and a list if there are
    several."""
    found = list(values)
    return found if len(found) > 1 else next(iter(found), None)
