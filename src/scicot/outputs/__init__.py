"""Write output files that can be resumed, each with a state file.

The state file out.state.json records how out.jsonl was made and whether it is finished:

    {"scicot": "0.1.0", "command": "predict", "settings": {...}, "inputs": {"q.jsonl": "<sha256>"},
     "students": [...], "counts": {"rows": 570}, "finished": true}

While a process writes the output, it holds out.lock. If the same command is run again, it skips the
rows that are already written. A command with other settings raises an error that lists the
differences, and changes nothing.
"""

from __future__ import annotations

from scicot.outputs.files import (
    STDOUT,
    beside,
    check_beside,
    check_not_read,
    check_suffix,
    locked,
    make_parent,
)
from scicot.outputs.output import (
    Output,
    check_continues,
    check_output_not_read,
    open_output,
    starts_over,
    write_finished,
)
from scicot.outputs.state import (
    differences,
    is_begun_with_force,
    missing_parts,
    own_state,
    read_state,
    state_path,
)

__all__ = [
    "STDOUT",
    "Output",
    "beside",
    "check_beside",
    "check_continues",
    "check_not_read",
    "check_output_not_read",
    "check_suffix",
    "differences",
    "is_begun_with_force",
    "locked",
    "make_parent",
    "missing_parts",
    "open_output",
    "own_state",
    "read_state",
    "starts_over",
    "state_path",
    "write_finished",
]
