"""Time generating rationales, compared with a bare client: 16 requests in flight, 100 ms each.

More figures: the throughput without latency and with a rate limit; for 100,000 questions with
recorded replies, the time, the memory use and the time to resume. `python -m benchmarks.generating
million` prints these last three for a million questions.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.evaluating import WORDS
from benchmarks.timing import Ratio, in_pairs
from scicot import GenerateSettings, generate_rationales

GOAL = "at most 1.05"
REQUESTS, IN_FLIGHT, LATENCY = 960, 16, 0.1
TESTS = Path(__file__).parents[1] / "tests"


def measure() -> Ratio:
    with tempfile.TemporaryDirectory() as folder, server("--latency", str(LATENCY)) as url:
        source = write_questions(Path(folder) / "q.jsonl", REQUESTS)
        return in_pairs(
            lambda: ask(source, url), lambda: asyncio.run(bare(source, url, IN_FLIGHT)), pairs=5
        )


def print_figures() -> None:
    """Print all figures except the ratio of `measure`."""
    with tempfile.TemporaryDirectory() as folder:
        source = write_questions(Path(folder) / "q.jsonl", REQUESTS)
        with server("--latency", str(LATENCY)) as url:
            rate = REQUESTS / statistics.median(_seconds(ask, source, url) for _ in range(5))
            ideal = IN_FLIGHT / LATENCY
            print(f"  {rate:.0f} requests/s of an ideal {ideal:.0f}: {rate / ideal:.0%}")
        source = write_questions(Path(folder) / "many.jsonl", 3000)
        with server() as url:
            asyncio.run(bare(source, url, IN_FLIGHT))
            pairs = [
                (_seconds(ask, source, url), _seconds(asyncio.run, bare(source, url, IN_FLIGHT)))
                for _ in range(3)
            ]
            scicot_rate, bare_rate = (
                3000 / statistics.median(seconds) for seconds in zip(*pairs, strict=True)
            )
            print(f"  at zero latency: {scicot_rate:.0f} requests/s, the bare loop {bare_rate:.0f}")
        limited(Path(folder), rate=50.0, seconds=40.0)
    million(100_000)


def limited(folder: Path, rate: float, seconds: float) -> None:
    """Measure the throughput with a server that rejects requests above `rate` per second."""
    source = write_questions(folder / "limited.jsonl", int(rate * seconds))
    with server("--latency", str(LATENCY), "--rate", str(rate)) as url:
        ask(source, url)
        with urllib.request.urlopen(f"{url}/stats") as reply:
            stats = json.load(reply)
    accepted, refusals = stats["accepted"], stats["refusals"]
    begin, end = accepted[0] + 5.0, accepted[-1] - 2.0
    answered = sum(begin <= moment <= end for moment in accepted)
    refused = sum(begin <= moment <= end for moment in refusals)
    print(
        f"  a server that allows {rate:.0f}/s: {answered / (end - begin):.1f}/s,"
        f" {refused / (answered + refused):.1%} of the requests refused (after 5 s;"
        f" {len(refusals) - refused} before)"
    )


def ask(source: Path, url: str) -> None:
    settings = GenerateSettings(concurrency=IN_FLIGHT, keep="all")
    with tempfile.TemporaryDirectory() as folder:
        generate_rationales(
            source, Path(folder) / "o.jsonl", teacher="anthropic:m", base_url=url, settings=settings
        )


async def bare(source: Path, url: str, in_flight: int) -> None:
    """Send the same requests with a bare client: `in_flight` concurrent workers, no retries."""
    import anthropic

    texts = iter([json.loads(line)["question"] for line in source.open()])
    client = anthropic.AsyncAnthropic(base_url=url, api_key="none", max_retries=0)

    async def work() -> None:
        for text in texts:
            await client.messages.create(
                model="m", max_tokens=1024, messages=[{"role": "user", "content": text}]
            )

    await asyncio.gather(*[work() for _ in range(in_flight)])
    await client.close()


@contextmanager
def server(*options: str) -> Iterator[str]:
    """Start the tests' teacher server in a separate process; yield its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fakes.teacher_server", *options],
        cwd=TESTS,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def write_questions(file: Path, rows: int, replies: Path | None = None) -> Path:
    """Write questions of about 400 bytes, and recorded replies of which three in four are right."""
    rng = random.Random(0)
    with file.open("w") as stream, (replies or Path("/dev/null")).open("w") as recorded:
        for number in range(rows):
            choices = [
                {"label": label, "text": f"{label} " + " ".join(rng.choices(WORDS, k=3))}
                for label in "ABCD"
            ]
            row: dict[str, Any] = {
                "id": f"q{number}",
                "question": f"{number} " + " ".join(rng.choices(WORDS, k=15)),
                "choices": choices,
                "answer": rng.choice("AAAB"),
            }
            stream.write(json.dumps(row) + "\n")
            reply = " ".join(rng.choices(WORDS, k=30)) + ".\nAnswer: A"
            recorded.write(json.dumps({"id": row["id"], "reply": reply}) + "\n")
    return file


def million(rows: int) -> None:
    """Generate rationales for `rows` questions. Then add 100 questions, and time how long it takes
    to resume."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, replies = folder / "q.jsonl", folder / "r.jsonl"
        write_questions(source, rows + 100, replies)
        out, part = folder / "o.jsonl", folder / "part.jsonl"
        with source.open() as questions, part.open("w") as part_file:
            part_file.writelines(line for _, line in zip(range(rows), questions, strict=False))
        command = [sys.executable, "-m", "scicot_cli", "generate-rationales"]
        options = ["-o", str(out), "--teacher", f"recorded:{replies}", "-q"]
        seconds, peaks = _followed([*command, str(part), *options])
        figures = ", ".join(f"{peak:.0f}" for peak in peaks)
        print(
            f"  {rows:,} recorded: {seconds:.0f} s; MiB at most, by tenths of the time: {figures}"
        )
        lines = _lines(out)
        shutil.copyfile(source, part)
        process = subprocess.Popen([*command, str(part), *options])
        start = time.perf_counter()
        while _lines(out) == lines and process.poll() is None:
            time.sleep(0.05)
        first_row = time.perf_counter() - start
        process.wait()
        print(f"  going on with 100 more: the first row after {first_row:.1f} s")


def _followed(command: list[str]) -> tuple[float, list[float]]:
    """Run a command; return its seconds, and its peak memory in MiB in each tenth of that time."""
    start, seen = time.perf_counter(), []
    process = subprocess.Popen(command)
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status")
        found = re.search(r"VmRSS:\s+(\d+)", status.read_text()) if status.exists() else None
        if found:
            seen.append((time.perf_counter() - start, int(found[1]) / 1024))
        time.sleep(0.2)
    seconds = time.perf_counter() - start
    tenths = [[mib for moment, mib in seen if int(10 * moment / seconds) == n] for n in range(10)]
    return seconds, [max(values, default=0.0) for values in tenths]


def _lines(file: Path) -> int:
    return sum(part.stat().st_size for part in file.parent.glob("o*.jsonl"))


def _seconds(work: Any, *arguments: Any) -> float:
    start = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - start


if __name__ == "__main__":
    if sys.argv[1:2] == ["million"]:
        million(int(sys.argv[2]) if sys.argv[2:] else 1_000_000)
    else:
        print_figures()
