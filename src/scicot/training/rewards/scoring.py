"""Compute the reward of rationales, and guard against rationales that only state the answer.

    reward = log p(gold | question, rationale) - log p(gold | question)
    leak   = log p(gold | question, text of the gold choice) - log p(gold | question)

Both are in nats. p is the answer student's probability, normalised over the choices (as in Rainier,
Liu et al. 2022). A rationale that only names the right choice may have as high a reward as a
rationale that explains the choice. So rationales that announce an answer are rejected. If the leak
is positive, rewards are also capped at --leak-cap times the leak, so that all rationales above the
cap count the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scicot.config import AnswerAs
from scicot.records import Question
from scicot.replies import SHORTEST, announces_answer, count_words, only_choice_named
from scicot.stages import Stage, rationale_target
from scicot.students.answering import answer_of, choice_scores, softmax
from scicot.students.student import Student


@dataclass(frozen=True)
class AnswerOutput:
    """The output of an answer student for a question, with or without a rationale. `label` is the
    label with the highest probability (None on a tie, or if a score is not finite).
    `gold_log_probability` is log p(gold) in nats (None if a score is not finite)."""

    label: str | None
    gold_log_probability: float | None


@dataclass(frozen=True)
class ScoredRationale:
    """A sampled rationale with its reward. `output` is the answer student's output with this
    rationale. `rejected` is one of the reasons in records.REASONS, or None."""

    rationale: str
    output: AnswerOutput
    reward: float | None  # nats; None if a score is not finite
    leak: float | None  # gain from the text of the gold choice as the rationale, in nats
    rejected: str | None
    names: str | None  # the only choice that the rationale names; None if it names none or several


@dataclass(frozen=True)
class ScoredQuestion:
    """The scored samples of a question, and four outputs of the answer student for comparison. The
    answer student read the following as the rationale:

    - `none`: nothing
    - `announced`: the text of the gold choice
    - `shuffled`: a sample of another question; None if there is no other question
    - `teacher`: the best of the teacher's rationales; None if the teacher has no rationale with a
      finite score
    """

    question: Question
    samples: Sequence[ScoredRationale]
    none: AnswerOutput
    announced: AnswerOutput
    shuffled: AnswerOutput | None = None
    teacher: AnswerOutput | None = None


def answer_outputs(
    student: Student,
    scoring: AnswerAs,
    pairs: Sequence[tuple[Question, str | None]],
) -> list[AnswerOutput]:
    """Score the choices of each (question, rationale) pair with an answer student. A rationale may
    be None. Returns the outputs in the order of the pairs. Every question must have a gold answer.
    `scoring` says whether labels or texts of choices are scored (see choice_scores)."""
    scores = choice_scores(
        student, Stage.ANSWER, [q for q, _ in pairs], [text for _, text in pairs], scoring
    )
    outputs = []
    for (question, _), log_p in zip(pairs, scores, strict=True):
        probabilities = softmax(log_p)
        gold_log_probability = None
        if probabilities is not None:
            gold_log_probability = math.log(
                max(probabilities[question.labels.index(question.answer or "")], 1e-300)
            )
        outputs.append(AnswerOutput(answer_of(question, probabilities).label, gold_log_probability))
    return outputs


def score(
    student: Student,
    scoring: AnswerAs,
    questions: Sequence[Question],
    samples: Sequence[Sequence[str]],
    teacher_texts: Mapping[str, Sequence[str]] | None = None,
) -> list[ScoredQuestion]:
    """Score the rationales `samples[i]` of each question `questions[i]` with an answer student.

    For comparison, each question is also scored without a rationale and with three other kinds of
    rationales (see ScoredQuestion):

    - the text of the gold choice
    - the teacher's rationales, which `teacher_texts` holds by question id
    - a shuffled rationale: the first sample of the question with the index
      (i + len(questions) // 2) % len(questions)

    `scoring` says whether labels or texts of choices are scored (see choice_scores).
    """
    count, teacher_texts = len(questions), teacher_texts or {}
    pairs: list[tuple[Question, str | None]] = []
    for index, (question, texts) in enumerate(zip(questions, samples, strict=True)):
        pairs += [(question, text) for text in teacher_texts.get(question.id, ())]
        announced_text = rationale_target(question.text_of(question.answer or ""))
        shuffled_text = samples[(index + count // 2) % count][0] if count > 1 else None
        pairs += [(question, None), (question, announced_text), (question, shuffled_text)]
        pairs += [(question, text) for text in dict.fromkeys(texts)]
    outputs = iter(answer_outputs(student, scoring, pairs))
    results = []
    for question, texts in zip(questions, samples, strict=True):
        by_teacher = [next(outputs) for _ in teacher_texts.get(question.id, ())]
        known = [output for output in by_teacher if output.gold_log_probability is not None]
        teacher = max(known, key=lambda output: output.gold_log_probability or 0.0, default=None)
        none, announced, shuffled = next(outputs), next(outputs), next(outputs)
        output_of = {text: next(outputs) for text in dict.fromkeys(texts)}
        leak = gain(announced, none)
        scored = [_scored(question, text, output_of[text], none, leak) for text in texts]
        results.append(
            ScoredQuestion(
                question, scored, none, announced, shuffled if count > 1 else None, teacher
            )
        )
    return results


def gain(output: AnswerOutput, baseline: AnswerOutput) -> float | None:
    """Return log p(gold) of `output` minus log p(gold) of `baseline`, in nats, rounded to four
    decimals. Return None if either log p(gold) is None."""
    if output.gold_log_probability is None or baseline.gold_log_probability is None:
        return None
    # Further decimals depend on the composition of the batch, and must not change which rationales
    # are kept.
    return round(output.gold_log_probability - baseline.gold_log_probability, 4)


def _scored(
    question: Question, text: str, output: AnswerOutput, none: AnswerOutput, leak: float | None
) -> ScoredRationale:
    rejected = None
    if count_words(text) < SHORTEST:
        rejected = "too-short"
    elif announces_answer(text, question):
        rejected = "leaks-answer"
    names = only_choice_named(text, question)
    return ScoredRationale(text, output, gain(output, none), leak, rejected, names)


def counted_reward(reward: float, leak: float | None, cap: float) -> float:
    """Return the smaller of the reward and `cap` times the leak. If the leak is None or not
    positive, return the reward unchanged. The leak is the reward of the bare answer."""
    return min(reward, cap * leak) if leak is not None and leak > 0 else reward


def best(
    samples: Sequence[ScoredRationale], keep: int, cap: float, at_least: float | None = None
) -> list[int]:
    """Return the indices of the rationales to train on, the best first and at most `keep`.

    A sample qualifies if all of these conditions hold:

    - Its reward is positive.
    - It is not rejected.
    - No earlier sample has the same text.
    - If `at_least` (the reward of the teacher's rationale) is given, the sample's reward is not
      lower. Both rewards are capped for this comparison (see counted_reward).

    Samples are ordered by their capped rewards. On a tie, samples that name exactly one choice come
    last, because an answer student could copy that choice. On a further tie, earlier samples come
    first.
    """
    candidates = []
    texts = [sample.rationale for sample in samples]
    for index, sample in enumerate(samples):
        if sample.rejected or sample.reward is None or sample.rationale in texts[:index]:
            continue
        counted = counted_reward(sample.reward, sample.leak, cap)
        least = None if at_least is None else counted_reward(at_least, sample.leak, cap)
        if sample.reward > 0 and (least is None or counted >= least):
            candidates.append((-counted, sample.names is not None, index))
    return [index for _, _, index in sorted(candidates)[:keep]]
