"""Parse and validate the rows of a source. Errors name the location FILE:LINE."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain, islice
from typing import Generic, TypeVar

from scicot.config import ReadingSettings
from scicot.errors import InvalidRow, ScicotError, UsageError
from scicot.formats import NotText, Reading, to_question_row
from scicot.reporting import Muted, Reporter, number_of
from scicot.row_fields import Row, RowProblem
from scicot.sources.converting import Converter
from scicot.sources.gold import GoldTally, NeedsGold
from scicot.sources.gold_conflicts import GoldConflict
from scicot.sources.locations import Source, display_name, is_rereadable, located_rows
from scicot.sources.prefix import Prefix
from scicot.sources.row_counts import IMAGE_FIELDS, Counts, NotAsked, holds_half_characters
from scicot.sources.stream_tracker import StreamTracker

T = TypeVar("T")

_INVALID_SHOWN = 5
_WINDOW = 20  # rows of a stream that are buffered to look for a gold answer
_SKIP_ADVICE = ", or read only the first one with --skip-invalid"
_PAUSE_SECONDS = 1.0  # if a stream delivers nothing for this time, the rows so far are checked


class Rows(Generic[T]):
    """The parsed records of one source. Each iteration reads the source again and resets `counts`.

    parse: makes one or more records from a row in scicot's schema.
    convert: converts a row to scicot's schema before `parse` is called.
    reading: the user's settings for the format of the source.
    optional_roles: roles of --columns, such as "id". If no row has the field of such a role, the
        role is ignored.
    limit: the maximum number of records.
    skip_invalid: True to skip an invalid row with a warning. False or None to raise InvalidRow.
        None is for commands without the option --skip-invalid.
    empty_pipe: True if a pipe without data only gives a warning. In any other case, a source
        without records raises ScicotError.
    resumable: True if the method `prefix` will be called. The bytes that are read are then hashed.
    gold: phrases for messages about missing gold answers. None if the command needs no gold
        answers. If `gold` is given and no row has a gold answer, ScicotError is raised at the end
        of the source. If only some rows lack a gold answer, a warning gives their number.
    check_record: called with the first record of each row. Raises GoldConflict if an earlier row
        has another gold answer for the same question.
    uses_gold: True if rows for which `check_record` raises GoldConflict are invalid. If False, they
        are kept, and a warning gives their number.
    """

    def __init__(
        self,
        source: Source,
        parse: Callable[[Row], Sequence[T]],
        *,
        convert: Callable[[Row, Reading], Row] = to_question_row,
        reading: ReadingSettings | None = None,
        optional_roles: Collection[str] = (),
        limit: int | None = None,
        skip_invalid: bool | None = None,
        empty_pipe: bool = False,
        resumable: bool = False,
        gold: NeedsGold | None = None,
        check_record: Callable[[T], None] | None = None,
        uses_gold: bool = True,
        reporter: Reporter,
    ) -> None:
        if limit is not None and not 1 <= limit <= sys.maxsize:
            raise UsageError(f"--limit is {limit}; it must be from 1 to {sys.maxsize}")
        self.source = os.fspath(source)
        self.counts = Counts()
        self._parse = parse
        self._convert = convert
        self._settings = reading or ReadingSettings()
        self._converter = Converter(
            self.source, convert, self._settings, optional_roles=optional_roles
        )
        self._limit = limit
        self._skip_invalid = bool(skip_invalid)
        # Messages name the option only if the user has it and has not given it.
        self._skip_advice = _SKIP_ADVICE if skip_invalid is False else ""
        self._empty_pipe = empty_pipe
        self._resumable = resumable
        self._gold = gold
        self._check_record = check_record
        self._uses_gold = uses_gold
        self._reporter = reporter
        self._reported = False  # True after the first pass, so that warnings are not repeated
        self._tracker = StreamTracker()
        self.skipped: Prefix | None = None  # the prefix to skip
        self._buffered: deque[T] = deque()  # records buffered by look_ahead
        self._remaining: Iterator[T] | None = None  # iterator of the later records

    @property
    def recognised(self) -> list[str]:
        """Lines that say which fields of the rows so far were read as question, choices and answer.
        See Converter.recognised."""
        return self._converter.recognised

    @property
    def likely_answer(self) -> str | None:
        """The name of an unused field that looks like the gold answer, or None. See
        Converter.likely_answer."""
        return self._converter.likely_answer

    @property
    def id_fields(self) -> list[str]:
        """The names of the fields that were read as the id. See Converter.id_fields."""
        return self._converter.id_fields

    @property
    def columns_warning(self) -> str:
        """A warning if no row so far has all the fields that --columns names, else "". See
        Converter.columns_warning."""
        return self._converter.columns_warning

    @property
    def notes(self) -> list[str]:
        """Notes for the user about the reading of the source. For example, a note says that a sheet
        of a workbook was left out, that a table has no header, or that questions have images, which
        students and teachers do not see."""
        return [*self._tracker.notes, *self.counts.image_notes]

    @property
    def rereadable(self) -> bool:
        return is_rereadable(self.source)

    def idle(self, seconds: float) -> bool:
        """Return True if the source is an open pipe that delivers no more data within `seconds`;
        False for anything else."""
        return self._tracker.idle(seconds)

    def skip(self, prefix: Prefix) -> bool:
        """Make later iterations skip `prefix`, and return True. Return False, and skip nothing, in
        any of these cases:

        - The source does not begin with `prefix`, or can be read only once.
        - The reading settings are not the defaults.
        - `prefix` has at least as many records as `limit`.
        """
        cannot_skip = self._limit is not None and self._limit <= prefix.rows
        cannot_skip = cannot_skip or self._settings != ReadingSettings()
        if cannot_skip or not self.rereadable or not prefix.begins(self.source):
            return False
        self.skipped = prefix
        return True

    def prefix(self) -> Prefix | None:
        """Return the part of the source that has been read so far. A later run can skip this part.

        Return None in any of these cases:

        - `resumable` is False, and no call of `skip` has returned True.
        - The source is not a single uncompressed text file.
        - The reading settings are not the defaults.
        - The iteration has not yet yielded all records that `look_ahead` read.
        """
        counter = self._tracker.counter
        skipped_rows = self.skipped.rows if self.skipped else 0
        if counter is None or self._buffered or self._settings != ReadingSettings():
            return None
        return counter.prefix(skipped_rows + self.counts.records)

    def check(self) -> int:
        """Read and validate the whole source, and return the number of records. Raises ValueError
        if the source can be read only once."""
        if not self.rereadable:
            raise ValueError(f"{display_name(self.source)} can be read only once")
        return sum(1 for _ in self)

    def look_ahead(self) -> None:
        """Check early that the source has a gold answer, if the command needs gold answers.

        Records are read until a record has a gold answer. The next iteration begins with these
        records. Nothing is read if the command needs no gold answers (the parameter `gold` of the
        class is None).

        Raises ScicotError in these cases:

        - The first _WINDOW records have no gold answer.
        - A pipe delivers no data for _PAUSE_SECONDS, and the records so far have no gold answer.
        - The source ends, and no record has a gold answer.
        """
        if self._gold is None:
            return
        records = self._remaining = self._read_all()
        for record in records:
            self._buffered.append(record)
            if self.counts.gold is None or self.counts.gold.labelled:
                return
            if len(self._buffered) >= _WINDOW or self.idle(_PAUSE_SECONDS):
                self.counts.gold.check(display_name(self.source), so_far=True)

    def has_records(self) -> bool:
        """Return True if the source has a record. No record is lost: the next iteration also yields
        the records that this method and `look_ahead` have read."""
        if self._buffered:
            return True
        if self._remaining is None:
            self._remaining = self._read_all()
        self._buffered.extend(islice(self._remaining, 1))
        return bool(self._buffered)

    def __iter__(self) -> Iterator[T]:
        if self._remaining is None:
            return self._read_all()
        remaining, self._remaining = self._remaining, None
        return chain(self._take_buffered(), remaining)

    def _take_buffered(self) -> Iterator[T]:
        while self._buffered:
            yield self._buffered.popleft()

    def _read_all(self) -> Iterator[T]:
        self.counts = counts = Counts(gold=GoldTally(self._gold) if self._gold else None)
        self._tracker = StreamTracker(self.skipped, hashed=self._resumable)
        limit = self._limit
        if limit is not None and self.skipped is not None:
            limit -= self.skipped.rows
        # islice reads nothing beyond the limit: the next line of a pipe may never arrive.
        for record in islice(self._records(counts), limit):
            counts.records += 1
            yield record
        if counts.gold is not None:
            self._check_gold(counts.gold)
        if not self._reported:
            self._report(counts)
            self._reported = True
        if counts.records == 0 and self.skipped is None:
            message = counts.why_empty(display_name(self.source))
            any_row = counts.invalid or counts.not_text or counts.not_asked
            nothing_read = not (any_row or self.rereadable)
            if not (nothing_read and self._empty_pipe):
                raise ScicotError(message)
            self._reporter.warn(message)

    def _check_gold(self, gold: GoldTally) -> None:
        """Raise ScicotError if no row of the source has a gold answer. Do nothing if no rows were
        read."""
        # `gold` has counted only the rows after the skipped prefix. If no gold answer is among
        # them, search the prefix for one.
        if self.skipped is not None and gold.unlabelled and not gold.labelled:
            prefix_rows = Rows(
                self.source,
                self._parse,
                convert=self._convert,
                reading=self._settings,
                limit=self.skipped.rows,
                skip_invalid=True,
                gold=gold.needs,
                reporter=Muted(self._reporter),
            )
            # The loop raises at its end if no row of the prefix has a gold answer either.
            for _ in prefix_rows:
                if prefix_rows.counts.gold is not None and prefix_rows.counts.gold.labelled:
                    return
        gold.check(display_name(self.source))

    def _records(self, counts: Counts) -> Iterator[T]:
        located = located_rows(self.source, self._tracker, self._settings)
        while True:
            try:
                where, row = next(located)
                records = self._read(where, row, counts)
            except StopIteration:
                return
            except InvalidRow as error:
                self._skip_or_raise(error, counts)
            else:
                yield from records

    def _read(self, where: str, row: Row, counts: Counts) -> Sequence[T]:
        try:
            question_row = self._converter.question_row(where, row)
            records = self._parse(question_row)
            choices = question_row["choices"]
            has_duplicates = len({choice["text"].strip() for choice in choices}) < len(choices)
            if self._check_record is not None and records:
                try:
                    self._check_record(records[0])
                except GoldConflict as conflict:
                    self._refuse_or_count(where, conflict, counts)
        except NotText:
            counts.not_text += 1
            return ()
        except NotAsked as error:
            counts.not_asked += 1
            counts.first_not_asked = counts.first_not_asked or str(error)
            counts.asked_id = counts.asked_id or error.asked_id
            return ()
        except RowProblem as problem:
            raise InvalidRow(where, str(problem)) from None
        if has_duplicates:
            counts.duplicates += 1
            counts.first_duplicates = counts.first_duplicates or where
        # Checked first because it is fast, and nearly all files of questions have neither field.
        has_rationale = "rationale" in question_row or "rationales" in question_row
        if has_rationale and holds_half_characters(question_row):
            counts.repaired += 1
            counts.first_repaired = counts.first_repaired or where
        if counts.gold is not None:
            counts.gold.add(where, question_row)
        if not IMAGE_FIELDS.isdisjoint(question_row):
            counts.add_images(question_row)
        return records

    def _refuse_or_count(self, where: str, conflict: GoldConflict, counts: Counts) -> None:
        if self._uses_gold:
            raise RowProblem(f"{conflict}{self._skip_advice}")
        counts.add_conflict(where, conflict)

    def _skip_or_raise(self, error: InvalidRow, counts: Counts) -> None:
        if not self._skip_invalid:
            raise error
        counts.invalid += 1
        counts.first_invalid = counts.first_invalid or str(error)
        if counts.invalid <= _INVALID_SHOWN and not self._reported:
            self._reporter.warn(f"{error}; skipped")

    def _report(self, counts: Counts) -> None:
        name = display_name(self.source)
        for line in self._converter.summary:
            self._reporter.note(f"{name}: {line}")
        if counts.records and self.columns_warning:
            self._reporter.warn(f"{name}: {self.columns_warning}")
        for note in self._tracker.notes:
            self._reporter.note(note)
        for note in counts.image_notes:
            self._reporter.note(f"{name}: {note}")
        for warning in counts.warnings(name, remaining=self.skipped is not None):
            self._reporter.warn(warning)
        if counts.not_text:
            self._reporter.note(f"{name}: {number_of(counts.not_text, 'image question')} skipped")
