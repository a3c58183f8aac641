"""Read rows from files, standard input or the Hugging Face Hub, and validate each row.

    for question in questions("arc.csv", reporter=reporter): ...
    predictions("-", reporter=reporter)                         standard input
    rationales("hf://OWNER/NAME/SPLIT", reporter=reporter)

A source may be JSON lines, another JSON file, a table or a folder of these, in any format of
scicot.formats.

- locations.py opens a source, with shards.py for folders and patterns, and hub.py for the Hub.
- files.py detects the format of a text file.
- documents.py and nested.py read JSON, tables.py reads CSV, and binary.py the binary formats.
- converting.py converts rows to scicot's schema, and rows.py parses the converted rows.
- gold.py checks that rows have gold answers, if a command needs them. gold_conflicts.py finds rows
  that give one question two gold answers.
- kinds.py returns the rows as questions, rationales or predictions.
"""

from scicot.sources.gold import NeedsGold, unused_fields
from scicot.sources.gold_conflicts import GoldConflict, GoldConflicts
from scicot.sources.kinds import (
    Kind,
    check_not_empty,
    count_unique,
    kind_of,
    predictions,
    questions,
    rationales,
    unique,
)
from scicot.sources.locations import Source, is_rereadable, listed, located_rows, sha256_of
from scicot.sources.prefix import Prefix
from scicot.sources.row_counts import Counts, NotAsked
from scicot.sources.rows import Rows

__all__ = [
    "Counts",
    "GoldConflict",
    "GoldConflicts",
    "Kind",
    "NeedsGold",
    "NotAsked",
    "Prefix",
    "Rows",
    "Source",
    "check_not_empty",
    "count_unique",
    "is_rereadable",
    "kind_of",
    "listed",
    "located_rows",
    "predictions",
    "questions",
    "rationales",
    "sha256_of",
    "unique",
    "unused_fields",
]
