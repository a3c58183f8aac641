"""Mutate inputs: JSON by its structure, any other text by tokens, lines and bytes.

    Mutator(seeds, Random(0)).make()          a mutated input, as bytes

values.py holds the values to insert. forms.py turns a mutated input into gzip or a table.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from torture.fuzz.values import LITERAL, LITERALS, ODD, PIECES

MOST_BYTES = 65_536
_KEPT = 400  # maximum number of inputs in the corpus of a target
_LARGE = 500  # one input in 500 is enlarged to tens of kilobytes


def words_of(seeds: Sequence[bytes]) -> list[str]:
    """Return the keys and short words of the seeds, which mutations insert."""
    found = re.findall(
        r'"[^"\n]{1,24}"|[A-Za-z_]{2,16}|[^\w\s]+', b"\n".join(seeds).decode(errors="replace")
    )
    return sorted({word.strip('"') for word in found if word.strip('"')})


class Mutator:
    """Make inputs by mutating those of a corpus, which begins with `seeds`."""

    def __init__(
        self,
        seeds: Sequence[bytes],
        draw: Random,
        *,
        extra: Callable[[bytes, Random], bytes] | None = None,
        structured: float = 0.75,
    ) -> None:
        self.draw = draw
        self.corpus = list(seeds)
        self._seeds = len(seeds)
        self._words = words_of(seeds)
        self._extra = extra
        self._structured = structured
        self._before = b""  # the last input, before `extra` was added
        self.large = True  # whether to make inputs of tens of kilobytes too

    def keep(self) -> None:
        """Add the last input to the corpus."""
        data = self._before
        if len(data) > 20_000:
            return
        if len(self.corpus) < _KEPT:
            self.corpus.append(data)
        else:
            self.corpus[self.draw.randrange(self._seeds, _KEPT)] = data

    def make(self) -> bytes:
        draw = self.draw
        data = draw.choice(self.corpus)
        if draw.random() < self._structured:
            data = self._by_line(data)
        if draw.random() < 0.4:
            data = self._raw(data)
        if self.large and draw.randrange(_LARGE) == 0:
            data = self._blown_up(data)
        self._before = data
        if self._extra is not None:
            data = self._extra(data, draw)
        return data[:MOST_BYTES]

    def _by_line(self, data: bytes) -> bytes:
        """Mutate the JSON of some lines, or of the whole input if it is one JSON value on many
        lines."""
        lines = data.split(b"\n")
        for _ in range(self.draw.choice((1, 1, 1, 2, 3))):
            number = self.draw.randrange(len(lines))
            changed = self._json(lines[number])
            if changed is None and len(lines) > 1:
                whole = self._json(data)
                if whole is not None:
                    return whole
            if changed is not None:
                lines[number] = changed
        return b"\n".join(lines)

    def _json(self, text: bytes) -> bytes | None:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if not isinstance(value, dict | list):
            return None
        for _ in range(self.draw.choice((1, 1, 2, 3))):
            value = self._changed(value)
        try:
            out = json.dumps(value, ensure_ascii=self.draw.random() < 0.5)
        except (ValueError, RecursionError):
            return None
        if '"@' in out:
            # Modulo, because a mutation may have changed the number.
            out = LITERAL.sub(lambda found: LITERALS[int(found[1]) % len(LITERALS)], out)
        if self.draw.random() < 0.04:
            out = self._duplicate_key(out)
        return out.encode("utf-8", "surrogatepass")

    def _duplicate_key(self, text: str) -> str:
        keys = re.findall(r'"([^"\\]{1,24})":', text)
        if len(keys) < 2:
            return text
        first, second = self.draw.sample(keys, 2)
        return text.replace(f'"{first}":', f'"{second}":', 1)

    def _changed(self, value: Any) -> Any:
        """Change one place inside `value`, and return the value."""
        places: list[tuple[Any, Any]] = []
        _collect(value, places)
        if not places:
            return self._odd()
        holder, key = self.draw.choice(places)
        self._change(holder, key, places)
        return value

    def _change(self, holder: Any, key: Any, places: list[tuple[Any, Any]]) -> None:
        draw, old = self.draw, holder[key]
        match draw.randrange(10):
            case 0 | 1 | 2:
                holder[key] = self._odd()
            case 3:
                there, at = draw.choice(places)
                holder[key], there[at] = there[at], holder[key]
                if there is not holder and _holds(holder[key], holder):
                    holder[key] = old  # restored, to avoid a reference cycle
            case 4:
                del holder[key]
            case 5 if isinstance(holder, dict):
                holder[self._word()] = holder.pop(key)
            case 5:
                holder.insert(key, self._odd())
            case 6:
                holder[key] = [old] if draw.random() < 0.5 else {self._word(): old}
            case 7 if isinstance(holder, dict):
                holder[self._word()] = self._odd()
            case 8 if isinstance(old, int | float):
                holder[key] = draw.choice((-old, 0.5, 1e9, int(abs(old) < 2)))
            case _:
                holder[key] = self._text(old) if isinstance(old, str) else str(old)[:200]

    def _text(self, text: str) -> str:
        draw = self.draw
        at = draw.randrange(len(text) + 1)
        match draw.randrange(6):
            case 0:
                return text[:at]
            case 1:
                return text[:at] + self._word() + text[at:]
            case 2:
                return (
                    text[:at]
                    + draw.choice(("\ud83d", "\n", "\x00", "\u202e", "É", " "))
                    + text[at:]
                )
            case 3:
                return text + draw.choice(PIECES) * draw.choice((2, 7, 40))
            case 4:
                return text.upper() if draw.random() < 0.5 else f" {text} "
        return draw.choice(PIECES) + text

    def _odd(self) -> Any:
        odd = self.draw.choice(ODD)
        return json.loads(json.dumps(odd)) if isinstance(odd, dict | list) else odd

    def _word(self) -> str:
        return self.draw.choice(self._words) if self._words else "x"

    def _raw(self, data: bytes) -> bytes:
        """Mutate the bytes: flip, cut, splice, insert, repeat a line, or change the line
        endings."""
        draw, at = self.draw, self.draw.randrange(len(data) + 1)
        match draw.randrange(9):
            case 0:
                return data[:at] + bytes([draw.randrange(256)]) + data[at + 1 :]
            case 1:
                return data[:at]
            case 2:
                second_input = draw.choice(self.corpus)
                return data[:at] + second_input[draw.randrange(len(second_input) + 1) :]
            case 3:
                return data[:at] + self._word().encode("utf-8", "surrogatepass") + data[at:]
            case 4:
                end = min(len(data), at + draw.choice((1, 2, 8, 60)))
                return data[:at] + data[end:]
            case 5:
                lines = data.split(b"\n")
                number = draw.randrange(len(lines))
                return b"\n".join([*lines[: number + 1], *lines[number:]])
            case 6:
                return data.replace(b"\n", draw.choice((b"\r\n", b"\r", b"\n\n")))
            case 7:
                return (
                    draw.choice((b"\xef\xbb\xbf", b"\n", b" ", b"\xff\xfe", b"[", b"\x00")) + data
                )
        piece = draw.choice(
            (b'"', b"\\", b"\x00", b"\xff", b"\xed\xa0\xbd", b"{", b"]", b",", b"\t", b"''")
        )
        return data[:at] + piece + data[at:]

    def _blown_up(self, data: bytes) -> bytes:
        """Insert one short piece, repeated to 10 to 60 kB, into the input."""
        draw = self.draw
        piece = draw.choice(PIECES)
        length = draw.choice((10_000, 30_000, 60_000))
        run = (piece * length)[:length]
        try:
            value = json.loads(data.split(b"\n")[0])
            places: list[tuple[Any, Any]] = []
            _collect(value, places)
            texts = [(holder, key) for holder, key in places if isinstance(holder[key], str)]
            holder, key = draw.choice(texts)
            holder[key] = run if draw.random() < 0.5 else holder[key] + run + holder[key]
            return json.dumps(value).encode()
        except (ValueError, IndexError, RecursionError):
            at = draw.randrange(len(data) + 1)
            return data[:at] + run.encode() + data[at:]


def _collect(value: Any, places: list[tuple[Any, Any]], depth: int = 0) -> None:
    """Append (container, key) of each value inside a JSON value to `places`."""
    if depth > 12 or len(places) > 300:
        return
    pairs = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, own in pairs:
        places.append((value, key))
        if isinstance(own, dict | list):
            _collect(own, places, depth + 1)


def _holds(value: Any, wanted: Any) -> bool:
    places: list[tuple[Any, Any]] = []
    if value is wanted:
        return True
    _collect(value, places)
    return any(holder is wanted or holder[key] is wanted for holder, key in places)
