"""Format the summary that `scicot generate-rationales` prints after a run or a dry run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from scicot.config import GenerateSettings
from scicot.reporting import number_of, some_of
from scicot.text import one_line

if TYPE_CHECKING:
    from scicot.annotation import Estimate, GenerateSummary
    from scicot.teachers.stop_reasons import Stop

# Advice is given if at least the share _MANY of the replies was rejected for the same reason. With
# fewer than _JUDGED replies there is none, since the share may be chance.
_MANY, _JUDGED = 0.2, 10
_ERROR_SHOWN = 300  # characters of an error message


def summary_lines(summary: GenerateSummary, output: str) -> list[str]:
    """Return the lines to print after a run.

    They show the rows kept and rejected, the tokens and the cost in dollars. If any kept rationale
    names the right choice and no other, they also show the share of such rationales.
    """
    reasons = ", ".join(f"{count} {reason}" for reason, count in summary.rejected.most_common())
    done = f", {summary.already_done} done before" if summary.already_done else ""
    tokens = ", ".join(f"{count:,} {name}" for name, count in summary.tokens.items() if count)
    lines = [
        f"{output}: {summary.kept} kept, {summary.rejected.total()} rejected"
        + (f" ({reasons})" if reasons else "")
        + done
        + (f"; {tokens}" if tokens else "")
    ]
    if summary.cost is not None and summary.spent is not None:
        earlier = summary.spent - summary.cost > 1e-9
        with_earlier = f", ${summary.spent:.4f} with earlier runs" if earlier else ""
        saved = f"; prompt caching saved ${summary.saved:.4f}" if summary.saved > 0 else ""
        lines.append(f"cost: ${summary.cost:.4f}{with_earlier}{saved}")
    if summary.named:
        share = summary.named / summary.all_kept
        lines.append(
            f"{share:.0%} of {number_of(summary.all_kept, 'kept rationale')} name the right choice"
            " and no other, so a student can copy the answer from them"
        )
    return lines


def errors_line(summary: GenerateSummary, output: str) -> str:
    """Return the message about requests that got an error instead of a reply. The message quotes
    the first error of this run, and names the file with all errors."""
    from scicot.annotation.ledger import REJECTED
    from scicot.outputs.files import STDOUT, beside

    them = "it" if summary.errors == 1 else "them"
    line = (
        f"{number_of(summary.errors, 'row')} failed with an error; use --retry-rejected to request"
        f" {them} again"
    )
    first = one_line(summary.first_error, _ERROR_SHOWN)
    facts = [f"first error: {first}"] if first else []
    if output != STDOUT:
        facts.append(f"all are in {beside(Path(output), REJECTED)}")
    return f"{line} ({'; '.join(facts)})" if facts else line


def advice(summary: GenerateSummary, settings: GenerateSettings) -> list[str]:
    """Return one hint for each option that would reduce the rejections. The list is empty if few
    replies of this run were rejected, or if no option would help."""
    rejected = summary.rejected
    replies = summary.kept + rejected.total()
    often = {reason for reason, count in rejected.items() if count >= _MANY * replies}
    if replies < _JUDGED:
        return []
    again = [reason for reason in ("refusal", "empty") if reason in often]
    retry = _stopped_by_server(summary)
    if again:
        retry += [
            f"hint: {sum(rejected[reason] for reason in again) / replies:.0%} of the replies were"
            f" rejected as {' or '.join(again)}; try --retry-rejected, which sends these"
            " requests again, or use another teacher or another --prompt"
        ]
    hints = []
    if "wrong-conclusion" in often:
        hint = (
            "--reveal-answer on-failure repeats the requests of rejected replies, with the right"
            " answer in the prompt"
        )
        hints += [hint] if settings.reveal_answer == "never" else []
        hints += ["--keep all keeps wrong conclusions as well"]
    if "too-long" in often:
        hints += ["--max-rationale-tokens N shortens long rationales to whole sentences"]
    hints += _room_for_replies(summary, settings)
    if "leaks-answer" in often and settings.reveal_answer != "never":
        hints += ["--reveal-answer never hides the answer, so that a reply cannot refer to it"]
    if "duplicate" in often:
        hints += ["fewer --samples, or a higher --temperature, brings fewer duplicates"]
    if not hints:
        return retry
    return [
        *retry,
        f"hint: {rejected.total() / replies:.0%} of the replies were rejected;"
        f" {'; '.join(hints)} (use a new -o, or --force)",
    ]


def _truncated(summary: GenerateSummary, *kinds: Stop) -> Counter[str]:
    """Count the replies that were truncated for a reason of one of these `kinds`. Return the number
    for each reason, for example {"length": 12}. If the share of these replies in all replies is
    below _MANY, return an empty Counter."""
    from scicot.teachers.stop_reasons import kind_of

    found = {reason: n for reason, n in summary.truncated.items() if kind_of(reason) in kinds}
    replies = summary.kept + summary.rejected.total()
    return Counter(found if sum(found.values()) >= _MANY * replies else {})


def _room_for_replies(summary: GenerateSummary, settings: GenerateSettings) -> list[str]:
    """Return hints for replies that reached the token limit or filled the context window."""
    from scicot.teachers.stop_reasons import Stop

    hints = []
    if _truncated(summary, Stop.TOKEN_LIMIT):
        hints += [f"a --max-tokens above {settings.reply_tokens} leaves room for whole replies"]
    if _truncated(summary, Stop.CONTEXT_WINDOW):
        hints += [
            "a shorter --prompt, fewer --examples or a model with a larger context window leaves"
            " room for replies"
        ]
    return hints


def _stopped_by_server(summary: GenerateSummary) -> list[str]:
    """Return a hint, in a list, if the server ended many replies early: it failed, or gave a stop
    reason that scicot does not know. Otherwise return []."""
    from scicot.teachers.stop_reasons import Stop

    stopped = _truncated(summary, Stop.OTHER, Stop.BROKEN_OFF)
    if not stopped:
        return []
    share = stopped.total() / (summary.kept + summary.rejected.total())
    reasons = some_of([one_line(reason) for reason, _ in stopped.most_common()])
    return [  # the hint names no option, since no option prevents these stops
        f"hint: the server cut off {share:.0%} of the replies with the stop reason {reasons}; see"
        " the server's documentation, or use another teacher"
    ]


def estimated(estimate: Estimate) -> str:
    """Format the result of --dry-run: the requests and tokens that are left, and their cost in
    dollars."""
    source = "counted by the server" if estimate.input_counted else "estimated"
    done = f"{estimate.already_done:,} done before"
    if estimate.under_way:
        done += f", {estimate.under_way:,} under way in batches"
    if estimate.followed_up:
        done += f"; up to {estimate.followed_up:,} more if replies are rejected"
    lines = [
        f"teacher          {estimate.teacher}",
        f"requests         {estimate.requests:,} ({done})",
        f"input tokens     {estimate.input_tokens:,} ({source})",
        f"output tokens    {estimate.output_tokens:,} expected,"
        f" {estimate.most_output_tokens:,} at most",
    ]
    for name, cost, highest in (
        ("cost", estimate.cost, estimate.most_cost),
        ("cost, --batch", estimate.batched_cost, estimate.batched_most_cost),
    ):
        price = "price not known (--price IN,OUT)"
        if estimate.teacher.startswith("recorded:"):
            price = "none, since the replies are recorded"
        if cost is not None and highest is not None:
            price = f"${cost:,.4f} expected, ${highest:,.4f} at most"
        lines.append(f"{name:<17}{price}")
    return "\n".join(lines)
