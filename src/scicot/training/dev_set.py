"""Measure the metrics of a student on the dev set. Checkpoints are selected by these metrics."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from scicot.config import TrainSettings
from scicot.decoding.transformers_engine import TransformersEngine
from scicot.devices import resolve_precision
from scicot.models.prompt_format import PromptFormat
from scicot.records import Question
from scicot.rouge import rouge_l
from scicot.stages import FORMS, Stage
from scicot.students.answering import answer_of, choice_scores, softmax, write_rationale
from scicot.students.student import Student
from scicot.temperature_scaling import fit_temperature
from scicot.training.confidence_power import fit_confidence_power
from scicot.training.examples import Lesson, examples_of, target_within
from scicot.training.mixture_weight import fit_mixture_weight

Metrics = Mapping[str, float]

# ROUGE-L is measured on at most this many rows, since generating rationales is far slower than
# scoring.
ROUGE_ROWS = 100
_BATCH = 32  # sequences measured together
_TIMED_ROWS = 32  # rows used to estimate the total time


class DevSet:
    """The rows of a dev set, on which students are measured during training."""

    def __init__(self, lessons: Sequence[Lesson], stage: Stage, settings: TrainSettings) -> None:
        self._lessons = lessons
        self._stage = stage
        self._settings = settings

    def measure(self, model: Any, form: PromptFormat) -> dict[str, float]:
        """Return the metrics of a student on the dev set, and the parameters that are fitted on
        dev.

        Stage 1 has two metrics:

        - dev_loss: the loss on all rows, in nats per target token.
        - dev_rouge_l: ROUGE-L (F1, from 0 to 1) on the first ROUGE_ROWS rows.

        Stage 2 and the baselines have two metrics. Their dev_loss is defined in another way:

        - dev_accuracy: the share of right answers, from 0 to 1.
        - dev_loss: the mean of -log p(gold choice), in nats. The probabilities p of the choices of
          a question add up to 1.

        For stage 2 and the baselines, the result also has parameters. They are fitted on the
        calibration rows (see `_calibrates`). Without such rows, no parameter is fitted.

        - dev_temperature: the temperature that calibrates the scores.
        - dev_mix_direct: the weight w of the answer without a rationale (mixture_weight.py). It is
          fitted only with rationale dropout.
        - dev_confidence_power: the exponent k for --weigh confidence (confidence_power.py). It is
          fitted only if a question has several rationales.
        """
        import torch

        training, device = model.training, model.device
        bf16 = resolve_precision(self._settings.precision, device) is torch.bfloat16
        engine = TransformersEngine(model.eval(), batch_size=_BATCH, ends=form.ends)
        limits = self._settings.max_source_tokens, self._settings.max_rationale_tokens
        student = Student(engine, form, *limits)
        try:
            with _bf16_autocast(model, enabled=bf16):
                answers = FORMS[self._stage].answers
                return self._answers(student) if answers else self._rationales(student)
        finally:
            model.train(training)

    def expected_seconds(self, model: Any, form: PromptFormat) -> float:
        """Estimate the duration of `measure` in seconds, by timing it on a few rows."""
        sample = DevSet(self._lessons[:_TIMED_ROWS], self._stage, self._settings)
        start = time.perf_counter()
        sample.measure(model, form)
        return (time.perf_counter() - start) * len(self._lessons) / len(sample._lessons)

    def better(self, candidate: Metrics, best: Metrics) -> bool:
        """Return True if the metrics `candidate` are better than `best` by the criterion of
        --select-by. On a tie, return False, so that the earlier checkpoint is kept."""
        return self._merit(candidate) > self._merit(best)

    def _merit(self, metrics: Metrics) -> tuple[float, ...]:
        select_by = self._settings.select_by
        if select_by == "rouge-l":
            return metrics["dev_rouge_l"], -metrics["dev_loss"]
        if select_by == "accuracy" or (select_by == "auto" and "dev_accuracy" in metrics):
            return metrics["dev_accuracy"], -metrics["dev_loss"]
        return (-metrics["dev_loss"],)

    def _rationales(self, student: Student) -> dict[str, float]:
        limit = self._settings.rationale_target_tokens
        examples = [examples_of(lesson, self._stage)[0] for lesson in self._lessons]
        targets = [target_within(example, student.form, limit) for example in examples]
        scores = student.score([e.source for e in examples], [[target] for target in targets])
        tokens = sum(map(len, student.form.targets(targets, examples[0].source.asks)))
        rouge_lessons = self._lessons[:ROUGE_ROWS]
        generated = write_rationale(
            student, self._stage, [lesson.question for lesson in rouge_lessons], limit
        )
        overlaps = [
            rouge_l(text, lesson.rationale)
            for text, lesson in zip(generated, rouge_lessons, strict=True)
        ]
        return {
            "dev_loss": -sum(score for (score,) in scores) / tokens,
            "dev_rouge_l": sum(overlaps) / len(overlaps),
        }

    def _answers(self, student: Student) -> dict[str, float]:
        questions = [lesson.question for lesson in self._lessons]
        rationales: Sequence[str | None] = [lesson.rationale or None for lesson in self._lessons]
        if FORMS[self._stage].writes_rationale:
            limit = self._settings.rationale_target_tokens
            rationales = write_rationale(student, self._stage, questions, limit)
        scoring = self._settings.answer_form
        scores = choice_scores(student, self._stage, questions, rationales, scoring)
        right, loss = 0, 0.0
        for question, log_p in zip(questions, scores, strict=True):
            answer = answer_of(question, softmax(log_p))
            gold = question.answer or ""
            right += answer.label == gold
            loss -= math.log(max(answer.scores.get(gold, 0.0), 1e-300))
        metrics = {"dev_accuracy": right / len(questions), "dev_loss": loss / len(questions)}
        gold_indices = [question.labels.index(question.answer or "") for question in questions]
        calibration_rows = [
            row for row, lesson in enumerate(self._lessons) if self._calibrates(lesson)
        ]
        if calibration_rows:
            calibration_gold = [gold_indices[row] for row in calibration_rows]
            temperature = fit_temperature(
                [scores[row] for row in calibration_rows], calibration_gold
            )
            metrics["dev_temperature"] = temperature
            power = _confidence_power(
                [(questions[row], scores[row]) for row in calibration_rows], temperature
            )
            if power is not None:
                metrics["dev_confidence_power"] = power
            if self._settings.rationale_dropout:
                calibration_questions = [questions[row] for row in calibration_rows]
                direct_scores = choice_scores(
                    student,
                    self._stage,
                    calibration_questions,
                    [None] * len(calibration_rows),
                    scoring,
                )
                metrics["dev_mix_direct"] = fit_mixture_weight(
                    _gold_probabilities(
                        [scores[row] for row in calibration_rows], calibration_gold, temperature
                    ),
                    _gold_probabilities(direct_scores, calibration_gold, temperature),
                )
        return metrics

    def _calibrates(self, lesson: Lesson) -> bool:
        """Return True if `lesson` is used for calibration. In stage 2, only the rows whose
        rationale a student wrote are used. For a baseline, every row is used."""
        form = FORMS[self._stage]
        # In `predict`, a stage-2 student reads rationales that a student wrote. If it reads a
        # teacher's rationale, it is more confident and more often right.
        return lesson.by_student or form.writes_rationale or not form.reads_rationale


def _confidence_power(
    scored: Sequence[tuple[Question, Sequence[float]]], temperature: float
) -> float | None:
    """Fit the exponent for --weigh confidence, or return None if no question has several
    rationales. `scored` has an entry for each rationale: its question, and the log-likelihoods of
    the question's choices."""
    by_question: dict[str, list[list[float]]] = defaultdict(list)
    gold: dict[str, int] = {}
    for question, log_p in scored:
        probabilities = softmax(log_p, temperature)
        if probabilities is not None:
            by_question[question.id].append(probabilities)
            gold[question.id] = question.labels.index(question.answer or "")
    return fit_confidence_power(list(by_question.values()), [gold[name] for name in by_question])


def _gold_probabilities(
    scores: Sequence[Sequence[float]], gold: Sequence[int], temperature: float
) -> list[float]:
    return [
        (softmax(log_p, temperature) or [0.0] * len(log_p))[gold_index]
        for log_p, gold_index in zip(scores, gold, strict=True)
    ]


@contextmanager
def _bf16_autocast(model: Any, *, enabled: bool) -> Iterator[None]:
    """Run the model in bf16 within this context if `enabled` is True. The output layer of the model
    runs in fp32 in any case."""
    import torch

    # With an output layer in bf16, labels would often have equal scores.
    head, device_type = model.get_output_embeddings(), model.device.type
    forward = head.forward

    def exact(states: Any) -> Any:
        with torch.autocast(device_type, enabled=False):
            return forward(states.float())

    head.forward = exact
    try:
        with torch.autocast(device_type, torch.bfloat16, enabled=enabled):
            yield
    finally:
        del head.forward
