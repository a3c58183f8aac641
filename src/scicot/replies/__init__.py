"""How a teacher's reply is read: reader.py asks announcements.py for the sentences that announce an
answer, these mentions.py for the choices that a text names, these labels.py for how labels look."""

from scicot.replies.reader import (
    ParsedReply,
    announces_answer,
    is_refusal,
    only_choice_named,
    read_reply,
)

__all__ = ["ParsedReply", "announces_answer", "is_refusal", "only_choice_named", "read_reply"]
