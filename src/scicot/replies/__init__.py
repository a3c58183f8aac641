"""How a teacher's reply is read: reader.py asks announcements.py for the sentences that announce an
answer, these mentions.py for the choices that a text names, by a label (labels.py) or by the words
of their text (words.py). conclusion.py says what a text concludes, cleaning.py cuts out the
sentences that tell it. The time is linear in the length of the reply, whatever it says."""

from scicot.replies.cleaning import SHORTEST, count_words
from scicot.replies.reader import (
    ParsedReply,
    announces_answer,
    is_refusal,
    only_choice_named,
    read_reply,
)

__all__ = [
    "SHORTEST",
    "ParsedReply",
    "announces_answer",
    "count_words",
    "is_refusal",
    "only_choice_named",
    "read_reply",
]
