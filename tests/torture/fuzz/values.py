"""Values that have broken readers of JSON, and short pieces that make long runs."""

from __future__ import annotations

import re
from typing import Any

# Literals that json.dumps cannot write: each string "@N@" is replaced by the N-th of them.
LITERALS = (
    "9" * 400,
    "-" + "9" * 400,
    "9" * 5000,
    "1e999",
    "1e308",
    "-1e308",
    "NaN",
    "-Infinity",
    "[" * 200 + "]" * 200,
    '{"a":' * 200 + "1" + "}" * 200,
    "[" * 3000 + "]" * 3000,
    '"\\ud83d"',
    '"\\ude00x"',
    '"a\\u0000b"',
    "0.1",
    "-0.0",
    "1E5",
)
LITERAL = re.compile(r'"@(\d+)@"')
ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 25, 26, 27, 10**12, 2**63, -(2**63), 1.5, -0.5,
    "", " ", "A", "B", "a", "b", "1", "0", "2", "(B)", "copper", "\ud83d", "\ude00", "\u2028",
    "\x00", "\x1b[2J", "e\u0301", "\u0130", "\uff21", "null", "NaN", "true", "[]", "{}", "-", "É",
    [], {}, [[]], [None], ["a"], ["wood", "copper"], {"label": "A", "text": "wood"}, {"a": None},
    [{"label": "A", "text": "x"}, {"label": "B", "text": "y"}], {"A": "wood", "B": "copper"},
    {"text": ["wood", "copper"], "label": ["A", "B"]}, [["-1.0", "False"], ["-2.0", "True"]],
    [0.5, 0.5], {"A": 0.5, "B": 0.5}, {"A": 1}, ["A", "B"], [1, 2], "x" * 300,
    *(f"@{n}@" for n in range(len(LITERALS))),
)  # fmt: skip
PIECES = (
    "-", "—", "a\n", "(((", " ", "a", "word ", "\n", "(A) ", "Answer: B\n", ". ", "is ", "the ",
    "not ", "**", "A. x\n", "<think>", "</think>", '"', "é", "e\u0301", "[[", "{", ",", "\t", "'",
    "so ", "because ", "Q: ", "answer ", "the answer is ", "1", "\ufeff", "_", ":", "!?", "I ",
)  # fmt: skip
