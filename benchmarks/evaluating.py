"""Evaluate prediction rows, compared with `json.loads` on the same lines.

python -m benchmarks.evaluating ROWS        time and memory of `scicot evaluate`
python -m benchmarks.evaluating page ROWS   time that a browser needs for the HTML report
"""

from __future__ import annotations

import html
import json
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.timing import Ratio, in_pairs
from scicot import evaluate

GOAL = "at most 4; a million rows within 30 s and 1 GB"
ROWS = 100_000
WORDS = (
    "force",
    "heat",
    "cell",
    "moon",
    "acid",
    "rock",
    "wave",
    "light",
    "plant",
    "energy",
    "star",
)
# User actions on the page, each timed in milliseconds, including layout.
CLICKS = """
const state = {};
function set(id, value) {
  const start = performance.now(), field = document.getElementById(id);
  field.value = value;
  field.dispatchEvent(new Event("input", {bubbles: true}));
  document.body.offsetHeight;
  state[`${id} = "${value}"`] = performance.now() - start;
}
set("answer", "wrong"); set("answer", ""); set("agreement", "differ"); set("agreement", "");
set("search", "moon"); set("search", "moon acid"); set("search", ""); set("low", "80");
addEventListener("load", () => {
  for (const entry of performance.getEntriesByType("paint")) state[entry.name] = entry.startTime;
  state.loaded = performance.now();
  const shown = document.createElement("pre");
  shown.id = "state";
  shown.textContent = JSON.stringify(state);
  document.body.append(shown);
});
"""


def measure() -> Ratio:
    with tempfile.TemporaryDirectory() as folder:
        file = write_predictions(Path(folder) / "predictions.jsonl", ROWS)
        return in_pairs(
            lambda: evaluate(file),
            lambda: _parse(file),
        )


def _parse(file: Path) -> None:
    with file.open("rb") as lines:
        for line in lines:
            json.loads(line)


def write_predictions(file: Path, rows: int, seed: int = 0) -> Path:
    """Write `rows` predictions, of about 700 bytes each, of a student that is right three times in
    four. `seed` selects the student; the questions do not depend on it."""
    question_rng, student_rng = random.Random(0), random.Random(seed + 1)
    with file.open("w") as stream:
        for number in range(rows):
            predicted, gold = student_rng.choice("AAAB"), "A"
            confidence = student_rng.uniform(0.4, 1)
            row = {
                "id": f"q{number}",
                "question": " ".join(question_rng.choices(WORDS, k=15)),
                "choices": [
                    {
                        "label": label,
                        "text": f"{label} " + " ".join(question_rng.choices(WORDS, k=4)),
                    }
                    for label in "ABCD"
                ],
                "answer": gold,
                "meta": {"subject": question_rng.choice(WORDS)},
                "rationales": [" ".join(student_rng.choices(WORDS, k=25))],
                "prediction": predicted,
                "scores": {
                    label: confidence if label == predicted else (1 - confidence) / 3
                    for label in "ABCD"
                },
                "confidence": confidence,
                "models": {"answer": "answer@1", "rationale_from": "student"},
            }
            stream.write(json.dumps(row) + "\n")
    return file


def command(rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = write_predictions(Path(folder) / "predictions.jsonl", rows)
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "scicot_cli", "evaluate", file, "--by", "meta.subject", "-q"],
            stdout=subprocess.DEVNULL,
            check=True,
        )
        seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{rows:,} predictions: {seconds:.1f} s, {peak:.0f} MiB at most")


def page(rows: int, browser: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = [write_predictions(Path(folder) / f"{n}.jsonl", rows, seed=n) for n in (0, 1)]
        report = Path(folder) / "report.html"
        subprocess.run(
            [sys.executable, "-m", "scicot_cli", "evaluate", *files, "-q", "--report", report],
            stdout=subprocess.DEVNULL,
            check=True,
        )
        print(f"{rows:,} questions of two systems: {report.stat().st_size / 1e6:.1f} MB")
        text = report.read_text().replace("</body>", f"<script>{CLICKS}</script></body>")
        report.write_text(text)
        dom = subprocess.run(
            [
                browser,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--dump-dom",
                f"--user-data-dir={folder}/profile",
                report.as_uri(),
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    (state,) = re.findall(r'<pre id="state">(.*?)</pre>', dom, re.S)
    for name, milliseconds in json.loads(html.unescape(state)).items():
        print(f"  {name}: {milliseconds:.0f} ms")


if __name__ == "__main__":
    if sys.argv[1:2] == ["page"]:
        found = shutil.which("chromium") or shutil.which("google-chrome")
        page(int(sys.argv[2]), found or sys.exit("no chromium here"))
    else:
        command(int(sys.argv[1]) if sys.argv[1:] else 1_000_000)
