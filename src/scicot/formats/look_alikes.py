"""Compare texts that look the same on the screen, but have different characters.

"é" may be one character, or "e" and an accent (Unicode's forms NFC and NFD). A keyboard or a scan
may give a Cyrillic "В" or a fullwidth "Ｂ" instead of a "B", or add an invisible character.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

# Cyrillic and Greek letters, written as escapes because they look like the Latin letters below.
_LATIN = str.maketrans(
    "\u0410\u0412\u0415\u0421\u041d\u0406\u0408\u041a\u041c\u041e\u0420\u0405\u0422\u0425"
    "\u0430\u0435\u0441\u0456\u0458\u043e\u0440\u0455\u0443\u0445"
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03bf",
    "ABECHIJKMOPSTXaecijopsyxABEZHIKMNOPTYXo",
)


def composed(text: str) -> str:
    """Return `text` in Unicode's form NFC (accented letters as single characters), without white
    space at both ends."""
    return text.strip() if text.isascii() else unicodedata.normalize("NFC", text).strip()


def difference(text: str, candidates: Iterable[str]) -> str:
    """If `text` looks like one of `candidates`, but consists of different characters (such as a
    Cyrillic A), return a clause for an error message that says so. Otherwise return ""."""
    look = _look(text)
    for candidate in candidates:
        # A difference between upper and lower case is not reported, because it is easily seen.
        same = composed(text).casefold() == composed(candidate).casefold()
        if look and not same and _look(candidate) == look:
            different = [c for c in text if c not in candidate and not c.isascii()]
            missing = [c for c in candidate if c not in text and not c.isascii()]
            names = ", ".join(dict.fromkeys(map(_name, (different or missing)[:3])))
            where = f" ({'it' if different else 'the choice'} has {names})" if names else ""
            look_alike = f"which looks like {candidate!r:.60}, but has other characters"
            return f"{look_alike}{where}; use the same characters in the answer and in the choice"
    return ""


def _name(character: str) -> str:
    return unicodedata.name(character, f"U+{ord(character):04X}")


def _look(text: str) -> str:
    """Normalise a text, so that texts that look the same become equal."""
    plain = unicodedata.normalize("NFKC", text).translate(_LATIN)
    visible = "".join(c for c in plain if unicodedata.category(c) != "Cf")
    return " ".join(visible.casefold().split())
