"""What differs between families of models."""

from __future__ import annotations

from typing import Any


def end_tokens(config: Any) -> frozenset[int]:
    """The ids of the tokens that end a text, of which a model may have several."""
    ends = config.eos_token_id
    return frozenset(ends if isinstance(ends, list | tuple) else [ends])
