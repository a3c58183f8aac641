"""Find lists of the options in a text. Items of such lists name choices but announce no answer."""

from __future__ import annotations

import re

from scicot.replies.mentions import Mention, Mentions

# A line that announces the answer, and so ends a list of options: "Therefore the answer is:"
_ANNOUNCES = re.compile(
    r"\b(?:answer|option|choice|solution)\b[^.!?:\n]{0,40}(?:\bis\b|:)[\s*_:]{0,6}$", re.I
)

_LOOK_BACK = 160  # characters before the colon that are searched for words that introduce a list

# A line that introduces a list of options: "Let us see each option:"
_LEADS_TO_LIST = re.compile(
    r"\b(?:(?:each|every|all|both|any|these|those|the (?:given|following|other|available|possible)"
    r"|given|following|possible|available|individual|the (?:two|three|four|five|six))\b"
    r"[^.!?:\n]{0,30}"
    r"\b(?:options?|choices?|answers?|alternatives?|possibilit(?:y|ies)|candidates?"
    r"|statements?|items?)"
    r"|(?:options|choices|answers|alternatives|possibilities|candidates)|one by one|in turn"
    r"|one at a time|optionen|antworten|möglichkeiten|réponses|opciones|alternativas)\b"
    r"[^.!?:\n]{0,60}:[\s*_]{0,4}$",
    re.I,
)


def leads_to_list(text: str) -> bool:
    """Return True if a text ends with words that introduce a list of options, like "Let us see each
    option:"."""
    return bool(_LEADS_TO_LIST.search(text[-_LOOK_BACK:]))


def listed_items(mentions: Mentions) -> set[int]:
    """Return the start positions of the lines that are items of a list of options.

    Successive lines that begin with different labels, such as "(B) spoon" and "(C) cork", are items
    of a list. There is one exception. If the first line holds only a choice ("(B) spoon") and the
    second line holds more ("(A) is wood, which insulates"), the first line is not an item, but the
    answer.
    """
    listed = _spaced_items(mentions)
    previous: tuple[Mention, bool] | None = None
    for line in mentions.lines:
        if line.item is None:
            previous = None
            continue
        item = mentions.item_of(line.item)
        pure = not mentions.text[item.end : line.end].strip(" .,*_)\"'")
        if previous and item.labels != previous[0].labels:
            listed.add(item.start)
            if pure or not previous[1]:
                listed.add(previous[0].start)
        previous = (item, pure)
    return listed


def _spaced_items(mentions: Mentions) -> set[int]:
    """Find lists of options, which may have other lines between their items:

        (A) wood
        Wood insulates.
        (B) copper

    The items must have the labels in the order of the question: A, B, ... Return the start
    positions of the items.
    """
    # If the line before the first item does not introduce the list, every item must hold nothing
    # but its label and text.
    items: list[Mention] = []
    lists: list[list[Mention]] = []
    leading = led = False
    for line in mentions.lines:
        if line.item is None:
            text = mentions.text[line.start : line.end]
            leading = leads_to_list(text)
            if not leading and _ANNOUNCES.search(text[-_LOOK_BACK:]):
                items, led = [], False
            continue
        item = mentions.item_of(line.item)
        pure = not mentions.text[item.end : line.end].strip(" .:,*_)\"'")
        position = mentions.labels.index(item.labels[0])
        if position == 0 or leading:
            items, led = [], leading
            lists.append(items)
        if position == len(items) and (led or pure):
            items.append(item)
        leading = False
    found: set[int] = set()
    for items_of_list in lists:
        if len(items_of_list) > 1:
            found.update(item.start for item in items_of_list)
    return found
