"""Loops over numbers that stay in a core's cache, compiled by numba for the processor at hand.

Each runs in the thread that calls it, without Python's lock. Where numba is not installed, torch's
own operations do the same in several passes.
"""

from importlib.util import find_spec

HERE = find_spec("numba") is not None
