"""Regular expressions that match the labels of one question as teachers write them: "(B)", "B)",
"**B**", "option B"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

# Nouns before a label: "option B", "the answer is ...".
NOUN = r"(?:answer|option|choice|solution|selection|letter)"


@dataclass(frozen=True, slots=True)
class LabelPatterns:
    """Regular expressions for the labels of one question. The label is in the group "label" of a
    match."""

    at: re.Pattern[str]  # a label where the match starts, with the bracket that closes it
    marked: re.Pattern[str]  # a label in a form that only labels have: "(B)", "option B", "**B**"
    opening: re.Pattern[str]  # a label at the start of a line: "B) ", "B.", "**B**"
    last: re.Pattern[str]  # a label at the end of a span
    in_brackets: re.Pattern[str]  # "(option B)" at the end of a text


@lru_cache(maxsize=256)
def label_patterns(labels: tuple[str, ...]) -> LabelPatterns:
    """Compile the patterns of a question's labels. The result is cached by `labels`, since most
    questions have the same labels."""
    one_of = "|".join(re.escape(label) for label in sorted(labels, key=len, reverse=True))
    label = rf"(?P<label>{one_of})(?!\w)"
    flags = re.I | re.M
    return LabelPatterns(
        re.compile(rf"{label}(?P<close>[\s*_\"'”’.]{{0,3}}[)\]}}:]|[*_`$\"”])?", flags),
        re.compile(
            rf"(?:(?P<open>[(\[][\s*_]{{0,3}})|(?P<bold>\*\*)|\b{NOUN}[\s*_(\[\"'“]{{1,5}}(?!(?-i:a)\s))"
            rf"{label}(?(open)[\s*_]{{0,3}}[)\]:])(?(bold)\*\*)",
            flags,
        ),
        re.compile(
            rf"[ \t>*#_\-(\[\"]{{0,8}}(?:{NOUN}\s)?[*(]{{0,3}}{label}"
            rf"(?:[*_\"]{{0,2}}[)\]:.]|[*_\"]{{0,3}}$)",
            flags,
        ),
        re.compile(rf"(?<!\w){label}[\s*_)\]\"'”’]{{0,6}}$", flags),
        re.compile(
            rf"[\s,*_]{{0,4}}[(\[][\s*_]{{0,3}}(?:{NOUN}\s)?{label}[\s*_]{{0,3}}[)\]][\s*_.!]{{0,6}}$",
            re.I,
        ),
    )
