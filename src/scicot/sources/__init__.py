"""Where rows come from: files, standard input and the Hugging Face Hub, checked one by one.

    for question in questions("arc.csv", reporter=reporter): ...
    predictions("-", reporter=reporter)                         standard input
    rationales("hf://OWNER/NAME/SPLIT", reporter=reporter)

A source may be JSON lines, another JSON file or a table, in any format of scicot.formats.
locations.py opens it, files.py tells its kind, documents.py reads JSON, tables.py CSV and hub.py
the Hub. rows.py makes records of what these find, gold.py checks that they have gold answers where
a command needs them, and kinds.py makes questions, rationales or predictions of them.
"""

from scicot.sources.gold import NeedsGold, unused_fields
from scicot.sources.kinds import (
    Kind,
    count_unique,
    kind_of,
    predictions,
    questions,
    rationales,
    unique,
)
from scicot.sources.locations import Source, is_rereadable, located_rows, sha256_of
from scicot.sources.prefix import Prefix
from scicot.sources.rows import Counts, NotAsked, Rows

__all__ = [
    "Counts",
    "Kind",
    "NeedsGold",
    "NotAsked",
    "Prefix",
    "Rows",
    "Source",
    "count_unique",
    "is_rereadable",
    "kind_of",
    "located_rows",
    "predictions",
    "questions",
    "rationales",
    "sha256_of",
    "unique",
    "unused_fields",
]
