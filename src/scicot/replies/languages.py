"""Find phrases that announce an answer in languages other than English.

    "ist die Antwort {}"     Metalle leiten, also ist die Antwort (B) Kupfer.

You can extend the table ANNOUNCEMENTS with another language, or with phrases that your teacher
often uses. `{}` stands for the choice, named by label or text. `{}` must be at the beginning or at
the end of a phrase. A space matches one to three white-space characters. Case is ignored.
"""

from __future__ import annotations

import re
from functools import lru_cache

ANNOUNCEMENTS: dict[str, list[str]] = {
    "German": [
        "Antwort: {}", "Lösung: {}", "Ergebnis: {}", "Antwort lautet {}", "Antwort lautet: {}",
        "Antwort ist {}", "Antwort ist: {}", "Antwort wäre {}", "Lösung ist {}", "Lösung lautet {}",
        "Option ist {}",
        "Auswahl ist {}", "Möglichkeit ist {}", "Wahl ist {}", "ist die Antwort {}",
        "lautet die Antwort {}", "ich wähle {}", "wähle ich {}", "ich nehme {}", "richtig ist {}",
        "korrekt ist {}", "am besten passt {}", "entscheide mich für {}", "muss die Antwort {}",
        "ist die richtige Antwort {}", "ist die korrekte Antwort {}",
        "{} ist richtig", "{} ist korrekt", "{} ist die richtige", "{} ist die korrekte",
        "{} ist die beste", "{} ist die Antwort", "{} trifft zu", "{} stimmt",
    ],
    "French": [
        "Réponse : {}", "Réponse: {}", "Reponse: {}", "réponse est {}", "réponse est : {}",
        "réponse est donc {}", "réponse correcte est {}", "bonne réponse est {}",
        "réponse exacte est {}", "réponse finale est {}", "option correcte est {}",
        "bonne option est {}", "bon choix est {}", "choix est {}", "Solution : {}",
        "solution est {}",
        "je choisis {}", "je choisirais {}", "j'opte pour {}", "il s'agit de {}", "c'est donc {}",
        "{} est correct", "{} est correcte", "{} est la bonne", "{} est la réponse",
        "{} est la meilleure", "{} est le bon choix", "{} est exacte",
    ],
    "Spanish": [
        "Respuesta: {}", "respuesta es {}", "respuesta es: {}", "respuesta correcta es {}",
        "respuesta correcta es: {}", "respuesta final es {}", "respuesta sería {}",
        "respuesta correcta: {}", "opción correcta es {}", "opción correcta: {}",
        "mejor opción es {}", "mejor respuesta es {}", "alternativa correcta es {}",
        "solución es {}", "Solución: {}", "elijo {}", "escojo {}", "elegiría {}", "yo elegiría {}",
        "me quedo con {}", "{} es correcta", "{} es correcto", "{} es la correcta",
        "{} es la respuesta", "{} es la opción correcta", "{} es la mejor",
    ],
}  # fmt: skip

# Words allowed between an announcement and the choice: articles and nouns like "option".
SKIPPED = (
    r"der|die|das|dem|den|ein(?:e[nmr]?)?|le|la|les|l['’]|une?|el|los|las|una|option|opción|opcion"
    r"|antwort|réponse|respuesta|lettre|buchstabe|letra|alternativa|möglichkeit|choix|donc|also"
    r"|somit|clairement|eindeutig|claramente|wohl|sein"
)


# Words that negate an announcement, before it or after it: "die falsche Antwort ist {}", "{} stimmt
# nicht".
DENIES_BEFORE = re.compile(
    r"\b(?:nicht|kein\w{0,2}|pas|jamais|nunca|no|non|falsch\w{0,2}|mauvais\w{0,2}|fauss?e?s?"
    r"|incorrect\w{0,2})\W{1,3}(?:\w{1,12}\W{1,3}){0,2}$",
    re.I,
)
DENIES_BEHIND = re.compile(r"\s{1,3}(?:\w{1,12}\s{1,3})?(?:nicht|pas|no)\b", re.I)
REACH = 40  # characters before an announcement in which DENIES_BEFORE is searched


@lru_cache(maxsize=8)
def _compiled(
    languages: tuple[tuple[str, ...], ...],
) -> tuple[re.Pattern[str] | None, re.Pattern[str] | None]:
    before_patterns, after_patterns = [], []
    for phrase in (phrase for phrases in languages for phrase in phrases):
        lead, _, tail = phrase.partition("{}")
        if bool(lead.strip()) == bool(tail.strip()):
            raise ValueError(f"{phrase!r}: {{}} must be at the beginning or at the end")
        if lead.strip():
            before_patterns.append(_words(lead))
        else:
            after_patterns.append(_words(tail))
    return _either(before_patterns, r"(?<!\w)(?:{})(?!\w)"), _either(
        after_patterns, r"(?<!\w)(?:{})(?!\w)"
    )


def _either(alternatives: list[str], around: str) -> re.Pattern[str] | None:
    if not alternatives:
        return None
    longest_first = "|".join(sorted(alternatives, key=len, reverse=True))
    return re.compile(around.replace("{}", longest_first), re.I)


def _words(phrase: str) -> str:
    """Return a regular expression that matches the words of a phrase. The words may be separated
    by one to three white-space characters. Marks for bold type may precede a colon."""
    words = [re.escape(word) for word in phrase.replace(":", " : ").split()]
    text = r"\s{1,3}".join(words)
    return text.replace(r"\s{1,3}:", r"[\s*_]{0,4}:").replace("'", "['’]")


def announcing() -> tuple[re.Pattern[str] | None, re.Pattern[str] | None]:
    """Return (pattern of the phrases that precede a choice, pattern of the phrases that follow
    one). A pattern is None if ANNOUNCEMENTS has no such phrases."""
    return _compiled(tuple(map(tuple, ANNOUNCEMENTS.values())))
