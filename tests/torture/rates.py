"""Speed when a server refuses requests at random, as a share of the undisturbed speed.

The server runs in a process of its own and answers after 0.1 s; 16 requests are in flight. Each
request gets a 529 with a fixed probability, however many requests arrive. The long form also runs a
server with a limit of 50 requests a second: the requests must stay close to this limit.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from asked import questions

from torture.commands import command, environment, start
from torture.results import Options, Result

# share of overload responses -> minimum rate, relative to the undisturbed one
GOALS = {0.05: 0.70, 0.15: 0.50}
LIMIT = 50.0  # allowed requests per second of the server with a rate limit
_SETTLING = 2.0  # seconds before the rate is measured


@dataclass
class Served:
    """What a run measured: rows a second, and the share of requests that was refused."""

    rate: float
    refused: float


def run(options: Options) -> Result:
    result = Result("rates")
    folder = options.folder / "rates"
    folder.mkdir(parents=True, exist_ok=True)
    seconds = 3.0 if options.short else 60.0
    goals = {0.15: 0.3} if options.short else GOALS  # a short run is too noisy for the real goals
    source = questions(folder / "q.jsonl", 1500 if options.short else 12_000)
    alone = 2.0 if options.short else 15.0
    before = measured(source, folder, alone)
    served = {share: measured(source, folder, seconds, "--overload", share) for share in goals}
    after = before if options.short else measured(source, folder, alone)
    undisturbed = (before.rate + after.rate) / 2
    figures: dict[str, float] = {"requests/s without refusals": round(undisturbed, 1)}
    for share, goal in goals.items():
        ratio = served[share].rate / undisturbed
        figures[f"{share:.0%} refused with 529: share of the speed without refusals"] = round(
            ratio, 2
        )
        result.expect(
            ratio >= goal, f"{ratio:.2f} of the undisturbed rate at {share:.0%} 529s, not {goal}"
        )
    if not options.short:
        limited = measured(source, folder, 60.0, "--rate", LIMIT)
        figures["limit of 50 requests/s: share of the limit that is reached"] = round(
            limited.rate / LIMIT, 2
        )
        figures["limit of 50 requests/s: share of requests refused"] = round(limited.refused, 3)
        kept = limited.rate >= 0.9 * LIMIT and limited.refused < 0.05
        result.expect(kept, f"{limited.rate:.1f}/s of {LIMIT}, {limited.refused:.1%} refused")
    result.figures = figures
    return result


def measured(source: Path, folder: Path, seconds: float, *behaviour: object) -> Served:
    """Run generate-rationales for `seconds` against a server with the options `behaviour`."""
    out = folder / "o.jsonl"
    for path in folder.glob("o.*"):
        path.unlink()
    arguments = [sys.executable, "-m", "torture.server", *map(str, behaviour)]
    tests = Path(__file__).parents[1]
    with (folder / "server.stderr").open("wb") as errors:  # the server is killed while working
        server = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, cwd=tests,
            env=environment(), text=True,
        )  # fmt: skip
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    asking = command(
        "generate-rationales", source, "-o", out, "--teacher", "anthropic:m", "--base-url", url,
        "--keep", "all",
    )  # fmt: skip
    process = start(asking, folder / "stderr")
    try:
        while not _rows(out) and process.poll() is None:
            time.sleep(0.05)
        time.sleep(_SETTLING)
        before, earlier, began = _rows(out), _requests(url), time.monotonic()
        time.sleep(seconds)
        rate = (_rows(out) - before) / (time.monotonic() - began)
        later = _requests(url)
    finally:
        process.kill()
        process.wait()
        server.communicate()
    refused, requests = (new - old for new, old in zip(later, earlier, strict=True))
    return Served(rate, refused / max(1, requests))


def _requests(url: str) -> tuple[int, int]:
    """Return the number of requests refused for the rate limit, and the number of all requests."""
    with urllib.request.urlopen(f"{url}/stats") as answer:
        counts = json.load(answer)
    return len(counts["refusals"]), int(counts["counts"].get("requests", 0))


def _rows(out: Path) -> int:
    return out.read_bytes().count(b"\n") if out.exists() else 0
