"""The question sets of benchmarks.evidence, and the training settings for each."""

from __future__ import annotations

from dataclasses import dataclass, replace

from scicot.config import AnswerAs, Keep


@dataclass(frozen=True)
class Set:
    """Questions with a teacher's rationales, and the training settings of their students."""

    seeds: tuple[int, ...]
    steps: tuple[int, int]  # of stage 1, of stage 2
    longest: int  # tokens of a rationale
    folds: int = 0  # 0: only the default recipe and the direct rival
    train: str = ""  # a file of DATA; a world of examples/make_world.py without
    test: str = ""
    world: tuple[str, ...] = ()
    student: str = "scratch:tiny"
    real: bool = False
    shuffle: bool = False  # choices in a new order each time
    keep: Keep = "correct"  # of the teacher's replies
    answer_as: AnswerAs = "label"
    told: bool = False  # in place of each rationale the words of the right choice
    # Steps of reading exercises before, the last of all lengths, earlier ones of one word; and as
    # many rows of exercises beside the questions.
    exercises: tuple[int, ...] = ()


SCIENCEQA = Set(
    (0, 1, 2),
    (1000, 800),
    96,
    train="scienceqa_text_llama2chat13b.train.jsonl",
    test="scienceqa_text_llama2chat13b.dev.jsonl",
    real=True,
    shuffle=True,
)
OPENBOOKQA = replace(
    SCIENCEQA,
    longest=48,
    train="openbookqa_flant5xl.train.jsonl",
    test="openbookqa_flant5xl.dev.jsonl",
)
ONCE = replace(SCIENCEQA, seeds=(0,))
SETS = {
    "shipped": Set((3, 4, 5), (1000, 600), 96, folds=3),
    "harder": Set((3, 4, 5), (1000, 600), 96, world=("--train", "700")),
    "scienceqa": SCIENCEQA,
    "openbookqa": OPENBOOKQA,
    "scienceqa_grid": replace(ONCE, folds=2),
    # What was tried where two stages gain nothing.
    "scienceqa_unfiltered": replace(ONCE, keep="all"),
    "scienceqa_text": replace(SCIENCEQA, answer_as="text"),
    "scienceqa_small": replace(ONCE, student="scratch:small", steps=(600, 600)),
    "scienceqa_exercises": replace(ONCE, exercises=(2400,)),
    "scienceqa_curriculum": replace(ONCE, exercises=(2000, 1200)),
    "openbookqa_words": replace(OPENBOOKQA, seeds=(0,), told=True, steps=(600, 1600)),
}
