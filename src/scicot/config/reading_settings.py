"""Settings for reading question files whose format cannot be detected from the file alone."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import Literal

from scicot.config.value_types import check_types
from scicot.errors import UsageError

AnswerIndex = Literal[0, 1]


@dataclass(frozen=True)
class ReadingSettings:
    """The format of a command's question files, as given by the user. Raises UsageError for invalid
    values.

    columns: maps the parts of a question to the fields of the file, in the form of --columns:
        "question=Frage,choices=A+B+C+D,answer=gold.label".
    answer_index: the number of the first choice, 0 or 1, in numeric gold answers and predictions.
    answer_texts: how gold answers and predictions are read.

        - True: all are read as texts of choices, never as labels or indices.
        - False: an answer that is the label of one choice and the text of another is read as the
          label.
        - None: the other rows decide how such an answer is read.

    encoding: the encoding of text files, such as "latin-1".
    """

    columns: str = ""
    answer_index: AnswerIndex | None = None
    encoding: str = ""
    answer_texts: bool | None = None

    def __post_init__(self) -> None:
        check_types(self)
        if self.answer_index not in (None, 0, 1):
            raise UsageError(f"--answer-index {self.answer_index}: give 0 or 1")
        if self.answer_texts and self.answer_index is not None:
            raise UsageError(
                f"--answer-texts and --answer-index {self.answer_index}: give only one;"
                " an answer is either the text of a choice or an index"
            )
        if self.encoding:
            _check_encoding(self.encoding)


def _check_encoding(name: str) -> None:
    try:
        # excludes base64 and other bytes-to-bytes codecs
        valid = codecs.lookup(name)._is_text_encoding
    except (LookupError, ValueError):
        valid = False
    if not valid:
        raise UsageError(
            f"--encoding {name}: no such encoding; common ones are utf-16, latin-1 and cp1252"
        )
