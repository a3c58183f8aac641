"""Check questions against a student's tokenizer: missing characters, and lengths in tokens. The
student's weights are not loaded."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from scicot import stages
from scicot.errors import ScicotError
from scicot.models import characters
from scicot.models.characters import replacements_for
from scicot.models.families import end_tokens
from scicot.models.pretrained import load_tokenizer, local_directory, read_config
from scicot.models.prompt_format import PromptFormat, format_of
from scicot.records import Question
from scicot.stages import FORMS, Stage
from scicot.students.hub_runs import HubRun
from scicot.students.manifest import read_manifest

_LIMIT = 512  # the default of --max-source-tokens
_OPTION = "--student"


class StudentAlphabet:
    """Checks questions against a student's tokenizer, and counts the questions with characters that
    the tokenizer lacks."""

    def __init__(self, form: PromptFormat, stage: Stage, max_source_tokens: int) -> None:
        self.max_source_tokens = max_source_tokens
        self.counts: Counter[str] = Counter()
        self._form = form
        self._stage = stage

    @classmethod
    def of(cls, student: str) -> StudentAlphabet:
        """Load the tokenizer of a run or of a pretrained model, without its weights.

        `student` is a directory, or OWNER/NAME[/FOLDER][@REVISION] on the Hub. The result formats
        questions as inputs of the run's stage. A pretrained model has no stage: stage 2 is used.
        Raises ScicotError if the student cannot be found.
        """
        if student.startswith("scratch:"):
            raise ScicotError(
                f"{_OPTION} {student}: has no tokenizer before it is trained; give a run, or a"
                " pretrained model"
            )
        hub = None if Path(student).is_dir() else HubRun.parse(student)
        if hub is not None:
            directory = hub.fetch(f"{_OPTION} {student}", weights=False)
        else:
            directory = local_directory(student, f"{_OPTION} {student}")
        tokenizer = load_tokenizer(Path(directory), f"{_OPTION} {student}")
        config = read_config(str(directory), f"{_OPTION} {student}")
        ends = end_tokens(config)
        manifest = read_manifest(Path(directory))
        if manifest is None:
            replacements = replacements_for(tokenizer)
            return cls(
                format_of("auto", config, ends, tokenizer, replacements), Stage.ANSWER, _LIMIT
            )
        name, recorded = manifest.prompt_format, manifest.replacements
        form = format_of(name, config, ends, tokenizer, recorded)
        return cls(form, manifest.stage, manifest.max_source_tokens)

    def add(self, question: Question) -> int:
        """Format a question as an input of the student, and return the number of tokens of the
        input. If the tokenizer lacks characters of the input, the question is added to the counts
        for `described`."""
        rationale_field = question.extra.get("rationale")
        if FORMS[self._stage].answers:
            rationale = rationale_field if isinstance(rationale_field, str) else None
            text = stages.answer_input(question, rationale, self._stage)
        else:
            text = stages.rationale_input(question)
        ids = self._form.sources([text])[0]
        characters.count(
            self.counts, text, ids, self._form.alphabet,
            lambda texts: self._form.targets(texts, text.asks),
        )  # fmt: skip
        return len(ids)

    @property
    def described(self) -> list[str]:
        """Up to two sentences about characters that the tokenizer lacks. The first gives the number
        of questions in which such characters become the unknown token. The second gives the number
        of questions in which such characters are replaced by other spellings. A sentence is left
        out if its number is 0."""
        descriptions = characters.describe(self.counts)
        return [sentence for kind, sentence in descriptions.items() if kind != characters.EQUAL]

    @property
    def problems(self) -> list[str]:
        """A list with one sentence, which gives the number of questions in which two choices have
        the same tokens. A student cannot tell such choices apart. The list is empty if there is no
        such question."""
        descriptions = characters.describe(self.counts)
        return [descriptions[characters.EQUAL]] if characters.EQUAL in descriptions else []
