"""Count the rationales that announce the answer ("so the answer is (B)") and, with --clean, remove
the announcements.

Training on announcements teaches a rationale student to guess the answer, and an answer student to
copy this guess.
"""

from __future__ import annotations

from msgspec import structs

from scicot.records import Rationale
from scicot.replies import SHORTEST, announces_answer, count_words, read_reply
from scicot.reporting import Reporter, number_of

# Without --clean, only this many rationales are checked: parsing one takes half a millisecond.
MAX_CHECKED = 5_000
_WORTH_A_WARNING = 0.01  # share of announcing rationales that causes a warning


class Announcements:
    """Counts the rationales that announce the answer ("so the answer is (B)"). With `clean`, it
    also removes the announcements."""

    def __init__(self, *, clean: bool) -> None:
        self._clean = clean
        self._seen = self._checked = 0
        self._announcing = self._cut = self._dropped = self._concluding = 0

    def checked(self, row: Rationale) -> Rationale | None:
        """Count a training row, and return the row to train on.

        If `clean` is False, or if the row has no rationale, the row is returned unchanged.
        Otherwise, announcements are removed from the rationale. The result is None if the remaining
        text is empty, too short or too long, or still announces the answer.
        """
        self._seen += 1
        if not row.rationale.strip():
            return row
        if self._clean:
            return self._cleaned(row)
        if self._checked < MAX_CHECKED:
            self._checked += 1
            self._announcing += announces_answer(row.rationale, row.question)
        return row

    def _cleaned(self, row: Rationale) -> Rationale | None:
        reply = read_reply(row.rationale, row.question)
        if reply.leaks or reply.too_long or count_words(reply.rationale) < SHORTEST:
            self._dropped += 1
            return None
        self._cut += reply.rationale.split() != row.rationale.split()
        self._concluding += reply.still_concludes is not None
        return structs.replace(row, rationale=reply.rationale)

    def report(self, reporter: Reporter, *, dev: bool) -> None:
        """Report these counts to the user:

        - With --clean: how many rationales were cut, and how many rows were left out.
        - Without --clean: how many rationales announce the answer. If no rationale does, nothing is
          reported.

        With `dev`, the message begins with "--dev: ".
        """
        prefix = "--dev: " if dev else ""
        if self._clean:
            reporter.note(
                f"{prefix}--clean: shortened {self._cut:,} of {self._seen:,} rationales;"
                f" left out {number_of(self._dropped, 'row')} (rationale too short, too long, or"
                f" still announcing the answer); {self._concluding:,} of the others still point to"
                " one choice by their reasoning"
            )
        elif self._announcing:
            share = self._announcing / self._checked
            of_first = "the first " if self._checked == MAX_CHECKED < self._seen else ""
            report = reporter.warn if share >= _WORTH_A_WARNING else reporter.note
            report(
                f"{prefix}{self._announcing:,} of {of_first}{self._checked:,} rationales"
                f" ({share:.1%}) announce the answer, which teaches students to guess it or to copy"
                " the guess; remove announcements with --clean"
            )
