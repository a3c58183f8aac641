"""Count the rows of a source that are skipped, changed or doubtful, and report them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from scicot.formats.values import is_blank
from scicot.reporting import number_of
from scicot.row_fields import Row, RowProblem
from scicot.sources.gold import GoldTally
from scicot.text import whole_characters

_IMAGE_WORDS = (
    *("image", "images", "image_1", "image_path", "image_url", "image_file", "img", "picture"),
    *("photo", "bild", "bilder", "bilddatei", "imagen", "imagem", "immagine", "afbeelding"),
)
# Complete names, so that most rows need only one quick check.
IMAGE_FIELDS = frozenset(
    spelled for word in _IMAGE_WORDS for spelled in (word, word.capitalize(), word.upper())
)


class NotAsked(RowProblem):
    """Raised for a row that an evaluation must skip. Such rows are counted, not reported as errors.
    A row is skipped in two cases:

    - The question file (--questions) does not contain the row's question.
    - An earlier row has answered the same question.

    `row` is the row's id or the beginning of the row's question. `asked_id` is an example of an id
    in the question file, or "". Messages show both, so that the user can see whether the ids are
    only written differently, such as "1" and "001".
    """

    def __init__(self, row: str, asked_id: str = "") -> None:
        super().__init__(row)
        self.asked_id = asked_id


@dataclass(slots=True)
class Counts:
    """Counts of one pass over a source so far. `records` is the number of records that were
    yielded. One row of the source may give several records. The other numbers count rows."""

    records: int = 0
    invalid: int = 0  # rows skipped by skip_invalid
    not_text: int = 0  # questions about an image
    duplicates: int = 0  # rows with two choices of the same text
    not_asked: int = 0  # rows for which NotAsked was raised
    first_not_asked: str = ""  # id of the first such row, or the beginning of its question
    asked_id: str = ""  # example of an id in the question file
    first_invalid: str = ""  # error message of the first such row
    first_duplicates: str = ""  # location of the first such row
    repaired: int = 0  # rows with a rationale in which a lone surrogate was replaced
    first_repaired: str = ""  # location of the first such row
    conflicts: int = 0  # rows kept although an earlier row has another gold answer
    first_conflict: str = ""  # location and error message of the first such row
    gold: GoldTally | None = None  # None unless the command needs gold answers
    images: Counter[str] = field(default_factory=Counter)  # rows by the name of an image's field

    def add_conflict(self, where: str, problem: RowProblem) -> None:
        """Count a row that is kept although it contradicts the gold answer of an earlier row."""
        self.conflicts += 1
        self.first_conflict = self.first_conflict or f"{where}: {problem}"

    def add_images(self, row: Row) -> None:
        """Count the row if it has an image: a field in IMAGE_FIELDS that is not empty."""
        filled = (name for name in row if name in IMAGE_FIELDS and not is_blank(row[name]))
        name = next((name for name in filled if row[name]), None)
        if name is not None:
            self.images[name] += 1

    @property
    def image_notes(self) -> list[str]:
        """A note for each field with images. Students and teachers do not see images."""
        return [
            f'{number_of(count, "question")} {"has" if count == 1 else "have"} a field "{name}",'
            " which students and teachers do not see"
            for name, count in self.images.items()
        ]

    def warnings(self, name: str, *, remaining: bool) -> Iterator[str]:
        """Yield a warning for each kind of rows that were skipped, changed or doubtful. `name` is
        the source, and `remaining` is True if only the rows after a skipped prefix were counted."""
        if self.invalid:
            yield f"{name}: {number_of(self.invalid, 'invalid row')} skipped"
        if self.conflicts:
            count = number_of(self.conflicts, "row")
            contradict = "contradicts" if self.conflicts == 1 else "contradict"
            yield (
                f"{count} {contradict} the gold answer of an earlier row; the first row of each"
                f" question is read (first: {self.first_conflict})"
            )
        if self.duplicates:
            yield (
                f"{name}: {number_of(self.duplicates, 'row')} with two choices of the same text,"
                f" first at {self.first_duplicates}; kept, since their labels differ"
            )
        if self.repaired:
            yield (
                f"{name}: {number_of(self.repaired, 'row')} with a lone surrogate in the"
                f" rationale, first at {self.first_repaired}; replaced by U+FFFD"
            )
        unlabelled = self.gold and self.gold.warning(name, remaining=remaining)
        if unlabelled:
            yield unlabelled
        if self.not_asked:
            yield f"{name}: {self._not_asked_count}; left out"

    def why_empty(self, name: str) -> str:
        """Return an error message for a source without usable rows. The message gives the
        reasons."""
        reasons = []
        if self.invalid:
            invalid = number_of(self.invalid, "invalid row")
            reasons.append(f"{invalid} skipped (first: {self.first_invalid})")
        if self.not_asked:
            reasons.append(self._not_asked_count)
        if self.not_text:
            reasons.append(f"{number_of(self.not_text, 'image question')} skipped")
        usable = " that can be used: " if reasons else ""
        return f"{name}: holds no rows{usable}" + ", ".join(reasons)

    @property
    def _not_asked_count(self) -> str:
        # If no row has the id of a question, the ids may be written otherwise, as "1" and "001".
        asked = ""
        if self.asked_id and not self.records:
            asked = f"; ids in the question file look like {self.asked_id!r}"
        return (
            f"{number_of(self.not_asked, 'row')} whose question is not in the question file, or is"
            f" answered by an earlier row (first: {self.first_not_asked!r}{asked})"
        )


def holds_half_characters(row: Row) -> bool:
    """Return True if a rationale of a row has a lone surrogate (half a character). Call this
    function before `Rationale.from_row`, which replaces lone surrogates."""
    texts = row.get("rationales")
    if isinstance(texts, list):
        for text in texts:
            if _is_cut(text):
                return True
    return _is_cut(row.get("rationale"))


def _is_cut(text: object) -> bool:
    return isinstance(text, str) and not text.isascii() and whole_characters(text) != text
