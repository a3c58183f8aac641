"""Make reading exercises: questions that can be answered only by reading the rationale.

The choices are words, of which only the right one occurs in the rationale. The rationales are taken
from real questions and cut to any length, from one word to the whole. Short ones are a step towards
reading long ones.
"""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

from benchmarks.lab import rows

EACH = 4  # exercises per rationale
SHORTEST = 4  # minimum number of letters of a word that is asked for


def write_exercises(source: Path, out: Path, seed: int, *, one_word: bool = False) -> None:
    """Write to `out` some exercises for each rationale row of `source`, with as many choices as the
    row's question has. With `one_word`, the rationale is only the right choice."""
    rng = random.Random(seed)
    usable_rows = [row for row in rows(source) if _words(row["rationale"])]
    # Wrong choices are drawn by word frequency, so that a word's frequency does not reveal the
    # answer.
    every = [word for row in usable_rows for word in sorted(_words(row["rationale"]))]
    with out.open("w") as stream:
        for number, row in enumerate(usable_rows):
            for part in range(EACH):
                text = _cut(row["rationale"], rng)
                in_rationale = _words(row["rationale"])
                right = rng.choice(sorted(_words(text) or in_rationale))
                if one_word or right not in _words(text):
                    text = right
                candidates = dict.fromkeys(rng.sample(every, 400))
                wrong = [word for word in candidates if word not in in_rationale]
                labels = [choice["label"] for choice in row["choices"]]
                words = [right, *wrong[: len(labels) - 1]]
                rng.shuffle(words)
                exercise = {
                    "id": f"exercise-{number}-{part}",
                    "question": row["question"],
                    "choices": [
                        {"label": label, "text": word}
                        for label, word in zip(labels, words, strict=True)
                    ],
                    "answer": labels[words.index(right)],
                    "rationale": text,
                }
                stream.write(json.dumps(exercise) + "\n")


def _words(text: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[^\W\d_]+", text) if len(word) >= SHORTEST}


def _cut(text: str, rng: random.Random) -> str:
    """Return a random span of words; its length is uniform on a log scale."""
    words = text.split()
    length = min(len(words), round(len(words) ** rng.random()))
    start = rng.randrange(len(words) - length + 1)
    return " ".join(words[start : start + length])
