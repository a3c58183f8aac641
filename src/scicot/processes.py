"""Coordinate a command that runs in several processes (`accelerate launch`, `torchrun`).

Rank 0 makes the decisions, writes the files and prints the messages. Rank 0 also broadcasts its
decisions and errors to the other ranks, which only compute.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from scicot.devices import resolve_device

Result = TypeVar("Result")

# Timeout of collectives. It is long because the other ranks wait while rank 0 tokenises or
# generates rationales. If a process crashes, the launcher ends the others.
_PATIENCE = timedelta(days=7)


class RankZeroFailed(SystemExit):
    """Raised on the other ranks if rank 0 failed. The exception ends these processes without a
    message, since rank 0 has printed its error."""


class StoppedByAnother(KeyboardInterrupt):
    """Raised in a process when another process of the same command has received a signal to
    stop."""


def count() -> int:
    """Return the number of processes that run this command together (WORLD_SIZE)."""
    return _environment_number("WORLD_SIZE", 1)


def on_one_machine() -> bool:
    """Return True if all processes of this command run on this machine, according to the launcher's
    variable LOCAL_WORLD_SIZE."""
    return count() == _environment_number("LOCAL_WORLD_SIZE", 0)


def rank() -> int:
    """Return the rank of this process among the processes of the command, from 0."""
    return _environment_number("RANK", 0) if count() > 1 else 0


def _environment_number(name: str, default: int) -> int:
    """Return the value of an integer environment variable that a launcher sets. If it is unset, or
    not a number of up to 9 digits, return the default."""
    value = os.environ.get(name, "")
    return int(value) if value.isdecimal() and len(value) < 10 else default


def join_process_group(device: str) -> bool:
    """Initialise the process group if this command runs in several processes. Does nothing if the
    group exists already. Returns True if this call created the group. `device` is the value of
    --device."""
    new = False
    if count() > 1:
        import torch.distributed as dist
        from accelerate import PartialState

        new = not dist.is_initialized()
        PartialState(cpu=resolve_device(device).type == "cpu", timeout=_PATIENCE)
    return new


def leave_process_group() -> None:
    """Destroy the process group; a later `join_process_group` may create a new one."""
    import accelerate
    import torch.distributed as dist

    dist.destroy_process_group()
    accelerate.state.AcceleratorState._reset_state(reset_partial_state=True)


@contextmanager
def process_group(device: str) -> Iterator[None]:
    """Initialise the process group for a block. If the group exists already, it is used and never
    destroyed here.

    A group that was created here is destroyed when the block ends normally or by KeyboardInterrupt.
    After any other exception it is not destroyed, and the launcher ends the processes. `device` is
    the value of --device.
    """
    new = join_process_group(device)
    try:
        yield
    except KeyboardInterrupt:
        # Otherwise the group's background threads may crash the process at exit.
        if new:
            leave_process_group()
        raise
    if new:
        leave_process_group()


def gloo_group() -> Any:
    """Create a Gloo group of all processes. Its collectives run on the CPU and do not block a
    GPU."""
    import torch.distributed as dist

    return dist.new_group(backend="gloo", timeout=_PATIENCE)


def on_rank_zero(work: Callable[[], Result]) -> Result:
    """Run work() on rank 0 only, and return its result on all ranks. If work() raises an exception,
    rank 0 raises this exception. The other ranks raise RankZeroFailed with the exit code of this
    exception."""
    if count() == 1:
        return work()
    import torch.distributed as dist

    outcome: list[Any] = [None]
    if rank() == 0:
        try:
            outcome = [(True, work())]
        except BaseException as error:
            dist.broadcast_object_list([(False, getattr(error, "exit_code", 1))])
            raise
    dist.broadcast_object_list(outcome)
    good, result = outcome[0]
    if not good:
        raise RankZeroFailed(result)
    return result  # type: ignore[no-any-return]


def rank_zero_first(work: Callable[[], Result]) -> Result:
    """Run work() on rank 0, and after that on the other ranks. Return its result on this rank."""
    # The other ranks read from a cache what rank 0 has computed.
    if rank() == 0:
        result = work()
        wait()
        return result
    wait()
    return work()


def wait() -> None:
    """Block until all processes have called this function (a barrier)."""
    if count() > 1:
        import torch.distributed as dist

        dist.barrier()


class StopVote:
    """Combines flags of all processes, such as a request to stop. A combined flag is True if it is
    True in any process."""

    def __init__(self) -> None:
        self._group: Any = None
        if count() > 1:
            self._group = gloo_group()

    def any(self, *flags: bool) -> list[bool]:
        """Return each flag combined by OR over all processes. All processes must call this at the
        same step, with the same number of flags."""
        if self._group is None:
            return list(flags)
        import torch
        import torch.distributed as dist

        votes = torch.tensor([*flags, False], dtype=torch.int32)
        dist.all_reduce(votes, op=dist.ReduceOp.MAX, group=self._group)
        return [bool(vote) for vote in votes[:-1]]
