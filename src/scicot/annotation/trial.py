"""Test whether a lower request rate made a server refuse fewer requests, with the sequential
probability ratio test (Wald 1945)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Generic, TypeVar

Undone = TypeVar("Undone")

_FEWER = 0.25  # below a real limit, the share of refusals is expected to fall to this fraction
_SURE = 5.0  # log-odds at which the trial ends, with an error rate of about 1 in 150
_MOST = 0.98  # largest share of refusals that the trial assumes


@dataclass
class Trial(Generic[Undone]):
    """A trial that tests whether a lower request rate reduces the share of refusals. The caller
    counts only the outcomes of requests that were sent at or after the time `starts_at`.

    `share_before` is the share of refusals before the trial. `undone` is the state to restore if
    the lower rate does not help. The trial compares two hypotheses:

    - The share of refusals is still `share_before`, so the lower rate did not help.
    - The share of refusals fell to a quarter of `share_before` (_FEWER), so the lower rate helped.
    """

    starts_at: float
    share_before: float
    undone: Undone
    answers: int = 0
    refusals: int = 0
    _odds: float = 0.0  # log-odds that the decrease did not change the share

    @property
    def share(self) -> float:
        """The share (0 to 1) of refusals among the outcomes counted so far."""
        return self.refusals / max(1, self.answers + self.refusals)

    def helped(self, answered: bool) -> bool | None:
        """Count the outcome of one request, and return the result of the trial.

        `answered` is True if the server answered the request, and False if the server refused the
        request. The result is True if the lower rate helped, False if the lower rate did not help,
        and None if the trial is still undecided.
        """
        unchanged_share = min(self.share_before, _MOST)
        reduced_share = _FEWER * unchanged_share
        if answered:
            self.answers += 1
            self._odds += math.log((1 - unchanged_share) / (1 - reduced_share))
        else:
            self.refusals += 1
            self._odds += math.log(unchanged_share / reduced_share)
        if self._odds >= _SURE:
            return False
        return True if self._odds <= -_SURE else None
