"""Convert training rows to (input, target) texts, then to token ids, and count truncations."""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from msgspec import structs

from scicot import stages
from scicot.config import AnswerAs
from scicot.models import characters
from scicot.models.prompt_format import PromptFormat
from scicot.models.truncation import cut_rationales, encode_inputs
from scicot.records import PREDICTED, STUDENT, Question, Rationale
from scicot.replies.labels import NOUN
from scicot.stages import Input, Stage

# A choice that refers to others by position: "All of the above".
_POINTS_AT_OTHERS = re.compile(r"\b(?:above|below)\b", re.I)


@dataclass(frozen=True, slots=True)
class Lesson:
    """A training row: a question with its rationale ("" for none). `file` is the index of the input
    file that contains the row."""

    question: Question
    rationale: str = ""
    file: int = 0
    by_student: bool = False  # a student wrote the rationale
    out_of_fold: bool = False  # and this student was not trained on the question
    votes: tuple[str, ...] = ()  # the answers in the teacher's replies (--soft-labels)

    @classmethod
    def of(cls, row: Rationale, file: int) -> Lesson:
        text = stages.rationale_target(row.rationale)
        by_student = (row.teacher or "").startswith((STUDENT, PREDICTED))
        return cls(row.question, text, file, by_student, row.fold is not None)

    def teaches(self, stage: Stage) -> bool:
        """Return True if the row can be used to train this stage. Stage.RATIONALE needs a
        rationale. The other stages need a gold answer."""
        if stage is Stage.RATIONALE:
            return bool(self.rationale)
        return self.question.answer is not None

    def with_voted_label(self, rng: random.Random, share: float) -> Lesson:
        """With probability `share`, return a copy of the row with an answer drawn at random from
        `votes`. Otherwise, or if `votes` is empty, return the row unchanged. If each epoch draws
        anew, this has the effect of training on a soft label."""
        if not self.votes or rng.random() >= share:
            return self
        return replace(self, question=structs.replace(self.question, answer=rng.choice(self.votes)))

    def shuffled(self, rng: random.Random) -> Lesson:
        """Return a copy of the row with the texts of its choices in random order. The labels keep
        their order, and the answer becomes the new label of the gold text. If `in_fixed_order` is
        True, return the row unchanged."""
        if self.in_fixed_order:
            return self
        choices = self.question.choices
        order = rng.sample(range(len(choices)), len(choices))
        permuted = tuple(
            structs.replace(choices[index], label=choice.label)
            for choice, index in zip(choices, order, strict=True)
        )
        gold = self.question.labels.index(self.question.answer or "")
        answer = choices[order.index(gold)].label
        return replace(
            self, question=structs.replace(self.question, choices=permuted, answer=answer)
        )

    @property
    def in_fixed_order(self) -> bool:
        """True if the choices must not be permuted, because the rationale names labels ("option A
        rusts") or a choice refers to others ("all of the above")."""
        named, joined = _naming(self.question.labels)
        return bool(
            named.search(self.rationale)
            or any(
                _POINTS_AT_OTHERS.search(choice.text) or joined.search(choice.text)
                for choice in self.question.choices
            )
        )


@lru_cache(maxsize=256)
def _naming(labels: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return two regular expressions for a question with these labels.

    The first is for a rationale. It finds a label: "B is right", "(a)", "A. Wood" or "option A",
    but not the article in "A metal". The second is for the text of a choice. It finds two labels
    joined by a conjunction, as in "neither A nor B". Both may also match other words, but should
    not miss what they look for.
    """
    one_of = "|".join(map(re.escape, labels))
    words = "|".join(re.escape(label) for label in labels if label not in ("A", "I"))
    bare_labels = rf"|(?<!\w)(?:{words})(?!\w)" if words else ""
    marked_labels = rf"(?<!\w)(?:{one_of})(?=\s*[).:,;\]*\"']|\s*$)|\({NOUN}?\s*(?i:{one_of})\)"
    noun_labels = rf"\b(?i:{NOUN})\s+(?:is\s+)?(?:{one_of})(?!\w)"
    joined = rf"(?<!\w)(?:{one_of})\W{{1,3}}(?:and|or|nor)\W{{1,3}}(?:{one_of})(?!\w)"
    return re.compile(f"{marked_labels}|{noun_labels}{bare_labels}"), re.compile(joined, re.I)


@dataclass(frozen=True, slots=True)
class Example:
    """The input of a student (`source`), and the text that the student is trained to write. The
    text to write consists of `head`, `target` and `tail`, joined by spaces. If this text is too
    long, only the end of `target` is cut."""

    source: Input
    target: str
    tail: str = ""
    head: str = ""

    @property
    def full_target(self) -> str:
        return " ".join(filter(None, (self.head, self.target, self.tail)))


def examples_of(
    lesson: Lesson, stage: Stage, *, answer_as: AnswerAs = "label", drop_rationale: bool = False
) -> tuple[Example, ...]:
    """Return the training examples of a row: two for multi-task and shared students (the answer and
    the rationale), one for all others.

    `answer_as` selects the label or the text of the gold choice as the target of an answer. With
    `drop_rationale`, the input of the answer has no rationale. Requires `lesson.teaches(stage)`.
    """
    question, rationale = lesson.question, lesson.rationale
    explanation = Example(
        stages.rationale_input(question, stage), stages.rationale_target(rationale)
    )
    if stage is Stage.RATIONALE:
        return (explanation,)
    target = stages.answer_target(
        question,
        question.answer or "",
        answer_as=answer_as,
        prefix=stages.answer_prefix(None, stage),
        suffix=stages.answer_suffix(stage),
    )
    if stage is Stage.ONE_SEQUENCE:
        return (replace(explanation, tail=target),)
    rationale_read = "" if drop_rationale else rationale
    answer = Example(stages.answer_input(question, rationale_read, stage), target)
    if stage is Stage.ANSWER_FIRST:
        return (replace(answer, target=explanation.target, head=target),)
    if stage in (Stage.MULTI_TASK, Stage.SHARED):
        return answer, explanation
    return (answer,)


def digest(lessons: Iterable[Lesson], stage: Stage, *, weighted: bool = False) -> str:
    """Return the SHA-256 of a training set, in hexadecimal. The hash covers the inputs, the targets
    and the teacher's answers for --soft-labels (`Lesson.votes`). With `weighted`, the hash also
    covers the file index of each row, because the weight of a row depends on its file."""
    seen = hashlib.sha256()
    for lesson in lessons:
        for example in examples_of(lesson, stage):
            text = f"{lesson.file if weighted else ''}\0{example.source}\0{example.full_target}\0"
            text += "".join(f"{vote}\0" for vote in lesson.votes)
            seen.update(text.encode("utf-8", "surrogatepass"))
    return seen.hexdigest()


@dataclass(frozen=True)
class Encoded:
    """Tokenised examples."""

    rows: list[dict[str, Any]]  # "input_ids" and "labels" of each example
    # The number of truncated inputs, and of texts with characters that the tokenizer lacks, by kind
    # (see encode_inputs).
    cuts: Counter[str]
    cut_targets: int  # number of truncated targets


def encode(
    examples: Sequence[Example], form: PromptFormat, max_source_tokens: int, max_target_tokens: int
) -> Encoded:
    """Convert examples to token ids.

    An input with more than `max_source_tokens` is truncated: first its context, then its rationale
    and then its question. Its choices are never truncated. If the text to learn (`head`, `target`
    and `tail` of an Example) has more than `max_target_tokens`, the end of `target` is cut off.
    """
    cuts: Counter[str] = Counter()
    sources = encode_inputs([e.source for e in examples], form, max_source_tokens, cuts)
    targets = _targets(examples, form)
    unknown, cut_targets = form.alphabet.unknown, 0
    for index, ids in enumerate(targets):
        if len(ids) > max_target_tokens:
            cut_targets += 1
            example = examples[index]
            shortened = target_within(example, form, max_target_tokens)
            targets[index] = form.targets([shortened], example.source.asks)[0]
    if unknown is not None:
        cuts[characters.LACKING_TARGETS] += sum(unknown in ids for ids in targets)
    rows = [
        {"input_ids": source, "labels": target}
        for source, target in zip(sources, targets, strict=True)
    ]
    return Encoded(rows, cuts, cut_targets)


def _targets(examples: Sequence[Example], form: PromptFormat) -> list[list[int]]:
    """Return the token ids of each example's target. There is one call of `form.targets` for the
    targets that begin with a rationale, and one for the targets that begin with an answer."""
    targets: list[list[int]] = [[] for _ in examples]
    for asks in dict.fromkeys(example.source.asks for example in examples):
        indices = [index for index, example in enumerate(examples) if example.source.asks == asks]
        encoded = form.targets([examples[index].full_target for index in indices], asks)
        for index, ids in zip(indices, encoded, strict=True):
            targets[index] = ids
    return targets


def target_within(example: Example, form: PromptFormat, limit: int) -> str:
    """Return the text that a student learns to write for an example (`head`, `target` and `tail`),
    shortened to at most `limit` tokens. Only the end of `target` is cut."""

    def tokens(text: str) -> int:
        return len(form.targets([text], example.source.asks)[0])

    if tokens(example.full_target) <= limit:
        return example.full_target

    def keeping(length: int) -> str:
        return replace(example, target=stages.beginning(example.target, length)).full_target

    def fits(length: int) -> bool:
        return tokens(keeping(length)) <= limit

    return keeping(stages.most_that_fit(len(example.target), fits))


def with_short_rationales(
    lessons: Sequence[Lesson], form: PromptFormat, limit: int | None
) -> Sequence[Lesson]:
    """Return the rows with each rationale truncated to `limit` tokens. If `limit` is None, return
    the rows unchanged."""
    if limit is None:
        return lessons
    shortened = cut_rationales([lesson.rationale for lesson in lessons], form, limit)
    return [
        replace(lesson, rationale=rationale)
        for lesson, rationale in zip(lessons, shortened, strict=True)
    ]
