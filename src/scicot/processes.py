"""One command in several processes, as `accelerate launch` or `torchrun` starts them.

The first process, rank 0, decides, writes and speaks; the others compute. What it decides, and what
goes wrong with it, all others hear of.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from scicot.devices import resolve_device

Result = TypeVar("Result")

# Of whoever waits while another tokenises or writes rationales; one that dies ends all others
# anyway, by the launcher.
_PATIENCE = timedelta(days=7)


class RankZeroFailed(SystemExit):
    """Rank 0 has met an error, and told it."""


class StoppedByAnother(KeyboardInterrupt):
    """The wish to stop has come to another process."""


def count() -> int:
    """Return the number of processes that run this command together (WORLD_SIZE)."""
    return _told("WORLD_SIZE", 1)


def on_one_machine() -> bool:
    """Return True if all processes of this command run on this machine, by the launcher's
    LOCAL_WORLD_SIZE."""
    return count() == _told("LOCAL_WORLD_SIZE", 0)


def rank() -> int:
    """Return the rank of this process, from 0."""
    return _told("RANK", 0) if count() > 1 else 0


def _told(name: str, default: int) -> int:
    """Return an integer environment variable of a launcher; the default if it is unset or not a
    number of up to 9 digits."""
    value = os.environ.get(name, "")
    return int(value) if value.isdecimal() and len(value) < 10 else default


def join_process_group(device: str) -> bool:
    """Meet the other processes, where there are any; whether they had not met before."""
    new = False
    if count() > 1:
        import torch.distributed as dist
        from accelerate import PartialState

        new = not dist.is_initialized()
        PartialState(cpu=resolve_device(device).type == "cpu", timeout=_PATIENCE)
    return new


def leave_process_group() -> None:
    """Let the others go; nothing is left to say. Who comes later may join again."""
    import accelerate
    import torch.distributed as dist

    dist.destroy_process_group()
    accelerate.state.AcceleratorState._reset_state(reset_partial_state=True)


@contextmanager
def process_group(device: str) -> Iterator[None]:
    """Among the others, and no more at the end, be it reached or stopped at by all: a process that
    just ends may be aborted, for its threads that listen to the others."""
    new = join_process_group(device)
    try:
        yield
    except KeyboardInterrupt:
        if new:
            leave_process_group()
        raise
    if new:
        leave_process_group()


def gloo_group() -> Any:
    """A group of all processes that talk on the CPU: no GPU waits for it."""
    import torch.distributed as dist

    return dist.new_group(backend="gloo", timeout=_PATIENCE)


def on_rank_zero(work: Callable[[], Result]) -> Result:
    """Have rank 0 do it; all get what it gives, and end where it fails."""
    if count() == 1:
        return work()
    import torch.distributed as dist

    told: list[Any] = [None]
    if rank() == 0:
        try:
            told = [(True, work())]
        except BaseException as error:
            dist.broadcast_object_list([(False, getattr(error, "exit_code", 1))])
            raise
    dist.broadcast_object_list(told)
    good, result = told[0]
    if not good:
        raise RankZeroFailed(result)
    return result  # type: ignore[no-any-return]


def rank_zero_first(work: Callable[[], Result]) -> Result:
    """All do it, the others when rank 0 is done: they find in a cache what it has made."""
    if rank() == 0:
        result = work()
        wait()
        return result
    wait()
    return work()


def wait() -> None:
    """Until all processes are here."""
    if count() > 1:
        import torch.distributed as dist

        dist.barrier()


class StopVote:
    """Wishes that hold for all as soon as one process has them."""

    def __init__(self) -> None:
        self._group: Any = None
        if count() > 1:
            self._group = gloo_group()

    def any(self, *wishes: bool) -> list[bool]:
        """For each of the wishes whether any process has it; all must ask, at the same step."""
        if self._group is None:
            return list(wishes)
        import torch
        import torch.distributed as dist

        votes = torch.tensor([*wishes, False], dtype=torch.int32)
        dist.all_reduce(votes, op=dist.ReduceOp.MAX, group=self._group)
        return [bool(vote) for vote in votes[:-1]]
