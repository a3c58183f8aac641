"""Estimate the work and the duration of a training run with --reward."""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean

from scicot.decoding.engine import Decoding
from scicot.decoding.sampling import sample_seed
from scicot.models.library_bars import hidden_bars
from scicot.reporting import Muted, Reporter
from scicot.row_fields import Row
from scicot.stages import Stage
from scicot.students.answering import write_rationales
from scicot.students.runs import Run
from scicot.training.folds import load_alike
from scicot.training.rewards.rounds import Rounds
from scicot.training.rewards.samples import Sampler
from scicot.training.rewards.scoring import score
from scicot.training.setup import Prepared, prepare

_TIMED_QUESTIONS = 16  # questions explained and scored to measure the time


@dataclass(frozen=True)
class RewardEstimate:
    """The work of a training run with --reward, and its duration in seconds on this machine. All
    rounds are counted, including finished rounds. The duration applies if students are trained one
    after another.

    With --epochs instead of --max-steps, training takes more steps if a round adds rationales to
    the training rows. These additional steps are not counted.
    """

    rounds: int
    questions: int
    students: int  # number of students trained: in all rounds, with fold students
    steps: int  # optimizer steps of all these students
    samples: int  # rationales to generate and score
    training_seconds: float
    sampling_seconds: float
    scoring_seconds: float

    @property
    def seconds(self) -> float:
        return self.training_seconds + self.sampling_seconds + self.scoring_seconds

    def to_row(self) -> Row:
        return {**asdict(self), "seconds": self.seconds}


def estimate(rounds: Rounds, reporter: Reporter) -> RewardEstimate:
    """Estimate the work and the duration of all rounds. To measure the time, a student with its
    initial weights is run on a few batches and writes a few rationales. An answer student scores
    these rationales. Nothing is written to the run directory."""
    from scicot.training.fitting.eta import expected_seconds

    main, reward = rounds.main, rounds.reward
    sampler = Sampler.of(rounds.judges, rounds.folds, main.settings, reward)
    for warning in rounds.warnings(sampler):
        reporter.warn(warning)
    prepared = prepare(main, Muted(reporter))
    seconds_per_training = expected_seconds(
        prepared.model, prepared.form, prepared.schedule, main.dev_set(), main.settings
    )
    specs = [main, *rounds.folds.fold_specs(main)]
    max_steps = main.settings.max_steps
    shares = [1.0 if max_steps else len(spec.lessons) / len(main.lessons) for spec in specs]
    trainings = (reward.rounds + 1) * sum(shares)
    # The last round generates the greedy rationales twice: to score them, and for
    # out_of_fold.jsonl.
    samples = len(sampler.questions) * (reward.rounds * reward.samples + 1)
    written = samples + len(rounds.folds.lessons)
    writing, scoring = _measured(sampler, prepared)
    return RewardEstimate(
        rounds=reward.rounds,
        questions=len(sampler.questions),
        students=(reward.rounds + 1) * len(specs),
        steps=round(trainings * prepared.schedule.steps),
        samples=samples,
        training_seconds=seconds_per_training * trainings,
        sampling_seconds=writing * written,
        scoring_seconds=scoring * (samples + 4 * (reward.rounds + 1) * len(sampler.questions)),
    )


def _measured(sampler: Sampler, prepared: Prepared) -> tuple[float, float]:
    """Return (seconds to write a rationale, seconds to score a rationale), as measured.

    The student in `prepared`, with its initial weights, writes rationales for the first questions
    of `sampler`. The length of these rationales is limited to the mean length of the teacher's
    rationales. An answer student scores the rationales.
    """
    questions, settings = sampler.questions[:_TIMED_QUESTIONS], sampler.settings
    longest = settings.rationale_target_tokens
    mean_length = round(min(longest, fmean(prepared.schedule.lengths[:, 1].tolist())))
    seeds = [[sample_seed(0, q.id, n) for n in range(sampler.reward.samples)] for q in questions]
    decoding = Decoding(max(1, mean_length), sampler.reward.sample_temperature, 1.0, 1)
    with tempfile.TemporaryDirectory() as folder:
        with hidden_bars():
            prepared.model.save_pretrained(folder)
        prepared.form.tokenizer.save_pretrained(folder)
        manifest = replace(
            sampler.judges.run.manifest,
            stage=Stage.RATIONALE,
            settings={**asdict(settings)},
            prompt_format=prepared.form.name,
            replacements=prepared.form.alphabet.replacements,
        )
        writer = load_alike(Run(Path(folder), manifest), settings)
        write_rationales(writer, Stage.RATIONALE, questions[:1], Decoding(2), [[0]])  # warm-up
        start = time.perf_counter()
        texts = write_rationales(writer, Stage.RATIONALE, questions, decoding, seeds)
        writing = (time.perf_counter() - start) / sum(map(len, texts))
    judge = sampler.judges.folds[0]
    scorer = load_alike(judge, settings)
    score(scorer, judge.manifest.answer_as, questions[:1], texts[:1])
    start = time.perf_counter()
    score(scorer, judge.manifest.answer_as, questions, texts)
    scorings = sum(len(dict.fromkeys(rationales)) + 3 for rationales in texts)
    return writing, (time.perf_counter() - start) / scorings
