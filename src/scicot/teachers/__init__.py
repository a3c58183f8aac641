"""Teachers: the sources of replies that explain questions. There is one module for each kind, and
`load_teacher` chooses among them."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from scicot.errors import ScicotError, UsageError
from scicot.teachers.base import (
    Allowance,
    BatchNotFound,
    Reply,
    Request,
    Teacher,
    TeacherBusy,
    TeacherError,
)
from scicot.teachers.prices import Price, price_of

__all__ = [
    "Allowance",
    "BatchNotFound",
    "Price",
    "Reply",
    "Request",
    "Teacher",
    "TeacherBusy",
    "TeacherError",
    "load_teacher",
    "price_of",
]

KINDS = ("anthropic:MODEL", "openai:MODEL", "hf:MODEL_OR_DIR", "recorded:FILE")


def load_teacher(
    spec: str,
    *,
    base_url: str | None = None,
    timeout: float = 120.0,
    sampling: Mapping[str, float] | None = None,
    device: str = "auto",
    only_counts: bool = False,
    columns: str = "",
) -> Teacher:
    """Make the teacher that `spec` names as KIND:NAME, such as "anthropic:claude-haiku-4-5".

    `timeout` is the time limit of a request in seconds. `sampling` may have the keys
    "temperature" and "top_p". `only_counts` is True if the teacher is only used to estimate the
    cost. No API key is needed then. For the teacher recorded:FILE, `columns` (the value of
    --columns) names the id and rationale fields of FILE.

    Raises ScicotError if the kind does not exist or does not support an argument.
    """
    kind, _, name = spec.partition(":")
    if name and kind == "anthropic":
        from scicot.teachers.messages import MessagesTeacher

        return MessagesTeacher(
            name, base_url=base_url, timeout=timeout, sampling=sampling, only_counts=only_counts
        )
    if name and kind == "openai":
        try:
            from scicot.teachers.chat_completions import ChatTeacher
        except ImportError as error:
            if error.name != "openai":
                raise
            raise ScicotError(
                f"--teacher {spec}: needs a package: pip install 'scicot[openai]'"
            ) from None

        return ChatTeacher(
            name, base_url=base_url, timeout=timeout, sampling=sampling, only_counts=only_counts
        )
    if base_url is not None:
        raise UsageError(f"--base-url: --teacher {spec} uses no server; leave --base-url out")
    if name and kind == "hf":
        from scicot.teachers.local import LocalTeacher

        return LocalTeacher(name, sampling=sampling or {}, device=device)
    if sampling:
        options = " and ".join(f"--{option.replace('_', '-')}" for option in sampling)
        raise ScicotError(f"{options}: --teacher {spec} does not sample; leave {options} out")
    if name and kind == "recorded":
        from scicot.teachers.recorded import RecordedTeacher

        return RecordedTeacher(name, columns)
    similar = get_close_matches(kind, [known_kind.partition(":")[0] for known_kind in KINDS], n=1)
    suggestion = f"; did you mean {similar[0]}:{name or 'MODEL'}?" if similar else ""
    raise UsageError(f"--teacher {spec}: not a teacher; give {' or '.join(KINDS)}{suggestion}")
