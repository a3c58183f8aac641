"""Check the first replies of a run, to detect early that most of its replies will be unusable."""

from __future__ import annotations

from scicot.annotation.judging import has_declined, has_thinking
from scicot.errors import ScicotError
from scicot.records import Rationale
from scicot.reporting import Reporter
from scicot.teachers import Reply
from scicot.text import one_line

_FIRST = 20  # replies that are examined
_SHOWN = 80  # characters shown from the end of a reply
_REMEDIES = {
    "anthropic": "use a model that thinks",
    "openai": "use a server that returns thinking (start vLLM and SGLang with --reasoning-parser;"
    " OpenAI's own API returns none)",
    "hf": "use a model that thinks in <think> tags before its reply",
    "recorded": 'add a "thinking" field to the recorded rows, or <think> tags to their "reply"',
}


def no_thinking(teacher: str) -> str:
    """Return the part of an error message that says what to do if the replies of `teacher`
    (KIND:NAME) contain no thinking."""
    remedy = _REMEDIES.get(teacher.partition(":")[0], "use a teacher that returns thinking")
    return f"{remedy}, or leave out --rationale-source"


class FirstReplies:
    """Checks the first 20 replies of a run, and counts the replies without a conclusion. `thinking`
    is True if rationales are made from the thinking. In this case, the replies without thinking are
    counted as well."""

    def __init__(self, teacher: str, reporter: Reporter, *, thinking: bool) -> None:
        self._teacher = teacher
        self._reporter = reporter
        self._looks_for_thinking = thinking
        self._read = 0
        self._unread = list[str]()  # replies without a conclusion
        self._without_thinking = 0

    def watch(self, reply: Reply, row: Rationale, *, batched: bool) -> None:
        """Check a reply whose row has been written. Replies after the 20th are ignored.

        At the 20th reply:
        - A warning is given if most of the 20 replies have no conclusion (the choice that a reply
          names as the answer).
        - ScicotError is raised if rationales are made from the thinking and no reply contains
          thinking. With `batched` this error is not raised, since all replies of the batch are
          already paid for.
        """
        if self._read == _FIRST:
            return
        self._read += 1
        # a refusal has no conclusion to read, whatever the prompt asks for
        if row.conclusion is None and reply.text.strip() and not has_declined(reply):
            self._unread.append(one_line(reply.text))
        self._without_thinking += self._looks_for_thinking and not has_thinking(reply)
        if self._read < _FIRST:
            return
        if len(self._unread) > _FIRST / 2:
            shown = "; ".join(f'"...{text[-_SHOWN:]}"' for text in self._unread[:3])
            self._reporter.warn(
                f"scicot found no answer in {len(self._unread)} of the first {_FIRST} replies:"
                f" {shown}. If they contain one, ask in --prompt for a last line of the form"
                ' "Answer: LABEL". If they are cut short, raise --max-tokens. To keep such replies'
                " anyway, use --keep all"
            )
        if self._without_thinking == _FIRST and not batched:
            raise ScicotError(
                f"--rationale-source thinking: none of the first {_FIRST} replies of"
                f" {self._teacher} contains thinking; {no_thinking(self._teacher)}. Then add"
                " --retry-rejected to the same command to send these requests again"
            )
