"""Fused CPU kernels, which numba compiles for the processor on which they run.

Each kernel runs in the calling thread and releases the GIL. Where numba is not installed, the
callers use torch operations, which compute the same in several passes over memory.
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
