"""Count the rationales that cleaning keeps and rejects (the figures of docs/generating.md).

    python -m benchmarks.cleaning FILE...

FILE holds question rows with a "reply", or with a "rationale" that is taken as the whole reply.
Each reply is accepted or rejected as by `generate-rationales --keep correct`. Each kept rationale
is cleaned a second time, to count those that would change again.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from scicot.annotation.judging import judge
from scicot.config import GenerateSettings
from scicot.jsonl import rows_from
from scicot.records import Question, Rationale
from scicot.replies import count_words, read_reply
from scicot.teachers import Reply

SHORT = 5  # words
_COLUMNS = ("rows", "kept", "read again: another text", "concludes", "marked", "under 5 words")


def counts(file: Path) -> Counter[str]:
    """Count the rows of a file for each column of the table. Rejected rows are also counted under
    "reason: REASON"."""
    found: Counter[str] = Counter()
    for located in rows_from(file, 0):
        row = located.row
        question = Question.from_row(row).without(("reply",)).without_rationale()
        row_of_teacher = Rationale(question, "", saw_answer=bool(row.get("saw_answer")))
        text = str(row.get("reply") or row["rationale"])
        judged, reason = judge(row_of_teacher, Reply(text), GenerateSettings())
        found["rows"] += 1
        if reason is not None:
            found[f"reason: {reason}"] += 1
            continue
        read_again = read_reply(judged.rationale, question)
        found["kept"] += 1
        found["read again: another text"] += read_again.rationale != judged.rationale
        found["concludes"] += read_again.conclusion is not None
        found["marked"] += judged.still_concludes is not None
        found["under 5 words"] += count_words(judged.rationale) < SHORT
    return found


def main(files: list[str]) -> None:
    print(f"| file | {' | '.join(_COLUMNS)} | rejected |\n|{' --- |' * (len(_COLUMNS) + 2)}")
    for name in files:
        found = counts(Path(name))
        rejected = ", ".join(
            f"{key.removeprefix('reason: ')} {number:,}"
            for key, number in found.most_common()
            if key.startswith("reason: ")
        )
        cells = " | ".join(f"{found[column]:,}" for column in _COLUMNS)
        print(f"| {Path(name).name.removesuffix('.jsonl')} | {cells} | {rejected} |")


if __name__ == "__main__":
    main(sys.argv[1:])
