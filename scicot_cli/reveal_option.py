"""The option --reveal-answer of generate-rationales, which may be given without a value."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from scicot_cli.grouped import GroupedCommand

_REVEAL = "--reveal-answer"
_WHEN = ("never", "always", "on-failure")


class GenerateRationales(GroupedCommand):
    """The command generate-rationales. Its option --reveal-answer may be given without a value;
    this means --reveal-answer=always."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, _with_values(args, lambda word: word in _WHEN))
        except Exception as error:
            meant = _with_values(args, _may_be_value)
            if _REVEAL in meant and "unexpected extra argument" in str(error):
                # The extra argument is probably a misspelt value. Parsed as one, it raises an error
                # that names the valid values.
                super().parse_args(ctx, meant)
            raise


def _may_be_value(word: str) -> bool:
    return word != "" and not word.startswith(("-", "hf://")) and not Path(word).exists()


def _with_values(args: list[str], is_value: Callable[[str], bool]) -> list[str]:
    """Return a copy of `args` in which --reveal-answer=always replaces each --reveal-answer that
    has no value.

    `is_value(word)` returns True if the word after --reveal-answer is its value. If no word
    follows, `word` is "".
    """
    return [
        f"{_REVEAL}=always" if arg == _REVEAL and not is_value(following) else arg
        for arg, following in zip(args, [*args[1:], ""], strict=False)
    ]
