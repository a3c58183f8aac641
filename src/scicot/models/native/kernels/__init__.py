"""Loops over numbers that stay in a core's cache, compiled by numba for the processor at hand.

Each runs in the thread that calls it, without Python's lock. Where numba is not installed, torch's
own operations do the same in several passes.
"""

from __future__ import annotations

from importlib.util import find_spec


def _usable() -> bool:
    """Whether numba is installed, and goes with the numpy that is."""
    if find_spec("numba") is None:
        return False
    try:
        import numba  # noqa: F401
    except ImportError:
        return False
    return True


HERE = _usable()
