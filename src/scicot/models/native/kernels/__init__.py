"""Fused CPU kernels, compiled by numba for the processor at hand.

Each runs in the calling thread and releases the GIL. Where numba is not installed, torch operations
do the same in several passes over memory.
"""

from __future__ import annotations

from importlib.util import find_spec


def _usable() -> bool:
    """Return True if numba is installed and compatible with the installed numpy."""
    if find_spec("numba") is None:
        return False
    try:
        import numba  # noqa: F401
    except ImportError:
        return False
    return True


HERE = _usable()
