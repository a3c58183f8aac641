"""Estimate the costs of the recipes: `python examples/recipes/costs.py` prints README.md's table.

A token of a prompt is taken to be four characters. SETS gives the length of the questions. A reply
has 200 tokens. Flan-T5 has 80, 250 and 780 million weights. A training step takes 6 FLOPs per
weight and token, and a GPU sustains 100 TFLOP/s (a third of an A100's peak in bf16). All figures
are estimated, none is measured.
"""

from __future__ import annotations

from scicot.prompts import build_prompt
from scicot.records import Choice, Question

# (name, training questions, test questions, characters of a question with its choices)
SETS = (
    ("ARC-Easy", 2251, 2376, 222),
    ("ARC-Challenge", 1119, 1172, 260),
    ("OpenBookQA", 4957, 500, 138),
    ("ScienceQA (text)", 6508, 2224, 227),
    ("CommonsenseQA", 9741, 1221, 158),
)
DOLLARS = (0.10, 0.50)  # per million tokens of input and output: claude-haiku-5-5 in November 2026
REPLY = 200
WEIGHTS = {"small": 80e6, "base": 250e6, "large": 780e6}
EPOCHS, ROW = 10, 250  # epochs, and tokens of a row's input and target
# Passes over the rows, in total: stage 1 with four fold students, two answer students, and the
# baselines.
TRAININGS = 1 + 4 * 0.75 + 2 + 0.6 + 2 + 1 + 1.5
WRITTEN = 1 + 5 + 5 + 1 + 1  # rationales generated per test question
SPEED = 1e14  # operations per second


def main() -> None:
    bare = build_prompt(Question("q", "?", (Choice("A", "a"), Choice("B", "b"))))
    around = len(bare.system) + len(bare.user)
    titles = " | ".join(f"GPU hours, {size}" for size in WEIGHTS)
    print(f"| set | requests | tokens in | tokens out | dollars | {titles} |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, train, test, characters in SETS:
        prompt, reply = train * (around + characters) / 4, train * REPLY
        dollars = (prompt * DOLLARS[0] + reply * DOLLARS[1]) / 1e6
        tokens = TRAININGS * train * EPOCHS * ROW
        hours = []
        for weights in WEIGHTS.values():
            # Generating takes 2 operations per weight and token, at a tenth of the speed.
            seconds = (6 * tokens + 2 * 10 * WRITTEN * test * REPLY) * weights / SPEED
            hours.append(f"{seconds / 3600:.1g}")
        print(
            f"| {name} | {train:,} | {prompt / 1e6:.1f} M | {reply / 1e6:.1f} M | {dollars:.2f} |"
            f" {' | '.join(hours)} |"
        )


if __name__ == "__main__":
    main()
