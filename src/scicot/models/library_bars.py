"""Hide the progress bars of transformers, since scicot reports progress itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def hidden_bars() -> Iterator[None]:
    """Hide the progress bars of transformers ("Loading weights") during the block, and then restore
    the previous setting. Bars of downloads from the Hub are kept, since downloads take long."""
    from transformers.utils import logging

    # disable_progress_bar() would also change the settings of huggingface_hub.
    previous = logging.set_tqdm_hook(_no_bar)
    try:
        yield
    finally:
        logging.set_tqdm_hook(previous)


def _no_bar(_factory: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
    from transformers.utils import logging

    empty: Any = logging.EmptyTqdm
    return empty(*arguments, **options)
