"""Names of fields in public data sets and tables, compared in the form that `plain_name` returns.

A name is listed only if it is unambiguous. Names such as "label", "target" or "key" hold the gold
answer in some files and something else in others. They are used only in the published layouts that
define them (published.py) and with --columns.
"""

from __future__ import annotations

import re
from functools import lru_cache

# In order of preference: the first field that is not blank is used.
QUESTIONS = (
    "question", "questionstem", "stem", "prompt", "questiontext", "query", "qtext", "problem",
    "frage", "fragetext", "fragestellung", "pregunta", "domanda", "pergunta", "vraag", "fråga",
    "item",
)  # fmt: skip
# Names of a question only if the row has choices too, and none of the names above.
QUESTIONS_BESIDE_CHOICES = (
    "input", "goal", "sent2", "ctx", "sentence", "text", "q", "aufgabe", "aufgabentext",
    "aufgabenstellung", "enunciado", "énoncé", "consegna", "opgave",
)  # fmt: skip
CONTEXTS = (
    "context", "passage", "article", "support", "premise", "paragraph", "story", "sent1", "sent2",
    "ctx", "kontext", "lesetext", "contexte", "contexto", "contesto",
)  # fmt: skip
IDS = ("id", "questionid", "qid", "idstring", "recordid", "exampleid")
# In the form that plain_name returns, so "answerKey" and "Answer Key" match.
ANSWERS = ("answer", "answerkey")
# Used in addition to ANSWERS if those are blank, or name no choice or several. If fields name
# different choices, the row is refused.
FURTHER_ANSWERS = (
    "correctanswer", "correctoption", "correctchoice", "correctlabel", "correctletter",
    "correctresponse", "rightanswer", "rightoption", "rightchoice", "goldanswer", "answerindex",
    "answeridx", "answerid", "answerlabel", "answerletter", "correctindex", "correctidx",
    "correctanswerindex", "correctansweridx", "correctanswerid", "correctoptionindex",
    "correctanswers", "qans", "correct", "richtigeantwort", "richtig", "antwort", "lösung",
    "loesung", "korrekteantwort", "richtigelösung", "richtigeoption",
    "respuestacorrecta", "respuesta", "correcta", "bonneréponse", "réponse", "rispostacorretta",
    "risposta", "respostacorreta", "resposta", "juisteantwoord", "antwoord",
)  # fmt: skip
# Of these, the names that can only mean a label or an index.
NEVER_TEXTS = frozenset({
    "correctlabel", "correctletter", "answerindex", "answeridx", "answerid", "answerlabel",
    "answerletter", "correctindex", "correctidx", "correctanswerindex", "correctansweridx",
    "correctanswerid", "correctoptionindex",
})  # fmt: skip
# Fields that hold all choices.
CHOICES = (
    "choices", "options", "choice", "alternatives", "candidates", "answerchoices", "answeroptions",
    "optionslist", "choiceslist", "endings", "possibleanswers", "antworten",
    "antwortmöglichkeiten", "opciones", "opzioni", "opcoes", "antwoorden", "answers",
)  # fmt: skip
# Prefixes before the letter or number of a choice's own column: "Option A", "opt1", "sol1".
CHOICE_PREFIXES = (
    "choice", "option", "opt", "op", "answer", "ans", "antwort", "alternative", "candidate",
    "ending", "solution", "sol", "response", "possibleanswer", "answeroption", "answerchoice",
    "optie", "opcion", "opción", "opzione", "risposta", "respuesta", "réponse", "qop",
)  # fmt: skip
# The two choices in layouts without a field for the question (story_gaps.py).
GAP_CHOICES = (
    ("hypothesis_1", "hypothesis_2"), ("hyp1", "hyp2"), ("sentence_quiz1", "sentence_quiz2"),
    ("RandomFifthSentenceQuiz1", "RandomFifthSentenceQuiz2"),
)  # fmt: skip
RIGHT = ("correctanswer", "correct", "rightanswer", "bestanswer", "richtigeantwort", "richtig",
         "correctchoice", "correctoption", "answer")  # fmt: skip
# These names may be followed by a number, as in "Incorrect Answer 1" and "distractor2".
WRONG = ("distractor", "distractors", "incorrectanswer", "incorrectanswers", "incorrect",
         "wronganswer", "wronganswers", "wrong", "falseanswer", "falseanswers", "incorrectoption",
         "wrongoption", "incorrectchoice", "falscheantwort", "falscheantworten", "falsch",
         "distraktor")  # fmt: skip


# Hints that quiz templates put after a name: "Answer 1 - max 75 characters".
_ADVICE = re.compile(r"\s{1,8}-\s{1,8}(?:max \d{1,6} characters|choose .*)$")


@lru_cache(maxsize=4096)
def plain_name(name: str) -> str:
    """Return a field's name in lower case, without spaces, underscores, hyphens and a final colon:
    "Answer Key:" and "answer_key" become "answerkey"."""
    short = _ADVICE.sub("", name.lower()).replace("(s)", "").strip(" :")
    return "".join(c for c in short if c not in " _-")
