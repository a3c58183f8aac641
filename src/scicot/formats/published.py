"""Define how gold answers are read in the layouts of public data sets.

A layout needs an entry in the first list if its gold field has a name, such as "label", that means
something else in other files. Each entry is taken from the data set's card or paper. It gives the
fields that identify the layout, the gold field and, if its answers are indices, the number of the
first choice, 0 or 1.

    SWAG             sent1, sent2, ending0..3, label from 0
    HellaSwag        ctx, endings, label from 0, a string
    PIQA             goal, sol1, sol2, label from 0
    SocialIQA        context, question, answerA..C, label from 1, a string
    CosmosQA         context, question, answer0..3, label from 0
    BBQ              context, question, ans0..2, label from 0
    ReClor           context, question, answers, label from 0
    QuAIL            context, question, answers, correct_answer_id from 0
    LogiQA           context, query, options, correct_option from 0
    AGIEval          passage, question, options, label: a letter
    HEAD-QA          qtext, answers (objects with an "aid"); the gold field "ra" counts from 1
    MedMCQA          opa..opd, cop: from 0 on the Hub, from 1 in the authors' files, so uncertain
    KMMLU            A..D, answer from 1; but other files have these fields too, so the rows of each
                     file must show whether they count from 0 or from 1
    ThoughtSource    choices, answer in a list of one, cot
    BIG-bench, Inspect   input, target
    PubMedQA         final_decision: yes, no or maybe
    BoolQ (SuperGLUE's)  passage, question, label: 1 is yes

In the layouts of the second list, the gold answer is always a label, never the text of a choice.
Some of these layouts are in the first list too.

    RACE             article, question, options, answer
    AGIEval          passage, question, options, label
    Inspect          input, choices, target
    AQuA-RAT         question, options, rationale, correct
    MathQA           Problem, options, correct
    ARC's own CSV    questionID, question, AnswerKey
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from functools import lru_cache

from scicot.formats.gold import GOLD, Gold
from scicot.formats.names import plain_name
from scicot.formats.reading import Base


@dataclass(frozen=True, slots=True)
class _Layout:
    """The field names that identify the rows of a published data set, in the form that `plain_name`
    returns.

    fields, gold: a row has this layout if it has all of `fields` and the gold field `gold`.
    base: the index of the first choice in gold answers, 0 or 1. None if gold answers are not
        indices, or if the data set does not define the first index.
    """

    fields: frozenset[str]
    gold: str
    base: Base | None = None


def _layout(names: str, gold: str, base: Base | None = None) -> _Layout:
    return _Layout(frozenset(names.split()), gold, base)


_LAYOUTS = (
    _layout("ending0 ending1", "label", 0),
    _layout("endings ctx", "label", 0),
    _layout("goal sol1 sol2", "label", 0),
    _layout("context question answera answerb answerc", "label", 1),
    _layout("context question answer0 answer1", "label", 0),
    _layout("context question ans0 ans1", "label", 0),
    _layout("context question answers", "label", 0),
    _layout("context question answers correctanswerid", "correctanswerid", 0),
    _layout("context query options correctoption", "correctoption", 0),
    _layout("qtext answers ra", "ra", 1),
    _layout("opa opb cop", "cop"),
    _layout("passage question options label", "label"),
    _layout("input target", "target"),
    _layout("question finaldecision", "finaldecision"),
)

# the fields of layouts whose gold answer is always a label, and the gold field
_LABELLED = (
    (frozenset({"article", "question", "options"}), "answer"),
    (frozenset({"passage", "question", "options"}), "label"),
    (frozenset({"input", "choices"}), "target"),
    (frozenset({"question", "options", "rationale"}), "correct"),
    (frozenset({"problem", "options"}), "correct"),
    (frozenset({"questionid", "question"}), "answerkey"),
)


@lru_cache(maxsize=256)  # cached because nearly all rows of a file have the same fields
def gold_of(names: tuple[str, ...]) -> Gold:
    """Return the gold fields of rows whose fields are `names`. They are the usual gold fields and
    the gold field of each published layout that `names` match."""
    plain_names = frozenset(map(plain_name, names))
    found = [layout for layout in _LAYOUTS if _fits(layout, plain_names)]
    labelled = {name for names, name in _LABELLED if {*names, name} <= plain_names}
    bases = {layout.gold: layout.base for layout in found if layout.base is not None}
    return Gold(
        names=(*GOLD.names, *(layout.gold for layout in found)),
        bases=bases,
        single=bool(plain_names & {"cot", "generatedcot"})
        or "target" in {layout.gold for layout in found},
        never_texts=GOLD.never_texts | labelled,
    )


def _fits(layout: _Layout, plain_names: Set[str]) -> bool:
    return layout.gold in plain_names and layout.fields <= plain_names
