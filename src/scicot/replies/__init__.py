"""Parse a teacher's reply into an explanation and the choice that the reply gives as the answer
(reader.py).

announcements.py finds the sentences that announce an answer. mentions.py finds the choices that a
text names, by a label (labels.py) or by the words of their text (words.py). conclusion.py derives
the choice that a text gives as the answer, and cleaning.py removes the parts that state it.
thinking.py separates the thinking in <think> tags from a text, and shortening.py truncates long
rationales. Parsing time is linear in the length of the reply.
"""

from scicot.replies.cleaning import SHORTEST, count_words
from scicot.replies.reader import (
    LONGEST,
    ParsedReply,
    announces_answer,
    is_refusal,
    only_choice_named,
    read_reply,
    read_thinking,
    shortened,
)
from scicot.replies.shortening import BYTES_A_TOKEN, shorten
from scicot.replies.thinking import is_tag, split_thinking

__all__ = [
    "BYTES_A_TOKEN",
    "LONGEST",
    "SHORTEST",
    "ParsedReply",
    "announces_answer",
    "count_words",
    "is_refusal",
    "is_tag",
    "only_choice_named",
    "read_reply",
    "read_thinking",
    "shorten",
    "shortened",
    "split_thinking",
]
