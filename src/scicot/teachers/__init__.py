"""Teachers: whatever can explain a question. One file a kind, one row here."""

from __future__ import annotations

from scicot.errors import ScicotError
from scicot.teachers.base import Reply, Request, Teacher, TeacherBusy, TeacherError

__all__ = ["Reply", "Request", "Teacher", "TeacherBusy", "TeacherError", "load_teacher"]

KINDS = ("anthropic:MODEL", "recorded:FILE")


def load_teacher(spec: str, *, base_url: str | None = None, timeout: float = 120.0) -> Teacher:
    """The teacher a KIND:NAME stands for; raises ScicotError where there is no such kind."""
    kind, _, name = spec.partition(":")
    if name and kind == "anthropic":
        from scicot.teachers.messages import MessagesTeacher

        return MessagesTeacher(name, base_url=base_url, timeout=timeout)
    if name and kind == "recorded":
        from scicot.teachers.recorded import RecordedTeacher

        return RecordedTeacher(name)
    raise ScicotError(f"--teacher {spec}: not a teacher; give {' or '.join(KINDS)}")
