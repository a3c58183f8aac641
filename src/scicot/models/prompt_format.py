"""Encode a student's inputs and targets as token ids, in the prompt format of its model.

    seq2seq   encoder-decoders      question: ... choices: (A) wood (B) copper rationale: ...
    plain     causal base models    several lines that end in "Rationale:" or "Answer:"
    chat      causal chat models    a user turn in the tokenizer's own chat template

A run records its prompt format (scicot.json), and is always used with this format.

For a causal model, the sequence is the token ids of the prompt, followed by those of the target.

- The prompt is encoded without the target.
- The target is encoded together with the last line of the prompt. The token ids of this line are
  then removed. For the target "(B)", for example, "Answer: (B)" is encoded, and the token ids of
  "Answer:" are removed.

Encoding the whole prompt and the target together would give the same token ids, unless the
tokenizer merges the end of the prompt with the beginning of the target. Tokenizers that split texts
at spaces and line breaks never do this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

from scicot.errors import ScicotError, UsageError
from scicot.models.characters import Alphabet
from scicot.models.chat_template import MARK, end_of_turn, render_chat
from scicot.models.families import CAUSAL, end_tokens, family_of
from scicot.stages import Input
from scicot.text import one_line

Ids = list[int]

_INSTRUCTIONS = {
    "rationale": "Explain the reasoning that leads to the answer.",
    "answer": "Give the answer.",
}
_LAST_LINES = {"rationale": "Rationale:", "answer": "Answer:"}


class PromptFormat(Protocol):
    """Encodes inputs and targets with a tokenizer, in one of the prompt formats, and decodes
    outputs."""

    name: str
    tokenizer: Any
    alphabet: Alphabet  # the characters it lacks and their replacements
    ends: frozenset[int]  # tokens that end a generated text; targets end with `end`

    def prompt(self, text: Input) -> str:
        """Return the prompt of an input: the text that the model reads."""

    def sources(self, texts: Sequence[Input]) -> list[Ids]:
        """Encode the prompts of inputs as token ids."""

    def targets(self, texts: Sequence[str], asks: str) -> list[Ids]:
        """Encode target texts as token ids, each with an end token. `asks` says what the targets
        begin with: "rationale" or "answer" (see `Input.asks`)."""

    def decode(self, rows: Sequence[Ids]) -> list[str]:
        """Decode rows of generated token ids to texts, without special tokens."""


class Seq2Seq:
    """The prompt format of encoder-decoders: a single line of text. Their tokenizers append the end
    token themselves."""

    name = "seq2seq"

    def __init__(self, tokenizer: Any, ends: frozenset[int]) -> None:
        self.tokenizer = tokenizer
        self.alphabet = Alphabet(tokenizer)
        self.ends = ends

    def prompt(self, text: Input) -> str:
        return str(self.alphabet.plain_input(text))

    def sources(self, texts: Sequence[Input]) -> list[Ids]:
        rows: list[Ids] = self.tokenizer([self.prompt(text) for text in texts])["input_ids"]
        return rows

    def targets(self, texts: Sequence[str], asks: str) -> list[Ids]:  # noqa: ARG002
        rows: list[Ids] = self.tokenizer(text_target=list(map(self.alphabet.plain, texts)))[
            "input_ids"
        ]
        return rows

    def decode(self, rows: Sequence[Ids]) -> list[str]:
        return _decoded(self.tokenizer, rows)


class Plain:
    """The prompt format of causal base models: several lines. The last line is "Rationale:" or
    "Answer:", and the target continues this line."""

    name = "plain"
    _separator = " "  # separator of prompt and target

    def __init__(self, tokenizer: Any, ends: frozenset[int]) -> None:
        self.tokenizer = tokenizer
        self.alphabet = Alphabet(tokenizer)
        self.ends = ends | ({self._end} if self._end is not None else set())
        if not self.ends:
            raise ScicotError(f"student {tokenizer.name_or_path}: its tokenizer has no end token")
        self._target_ids: dict[tuple[str, str], Ids] = {}

    @cached_property
    def _end(self) -> int | None:
        """The id of the token that is appended to targets; None if the tokenizer defines none."""
        end: int | None = self.tokenizer.eos_token_id
        return end

    def prompt(self, text: Input) -> str:
        return plain_prompt(self.alphabet.plain_input(text))

    def sources(self, texts: Sequence[Input]) -> list[Ids]:
        rows: list[Ids] = self._encoded([self.prompt(text) for text in texts])
        # Some tokenizers append the end token themselves.
        return [row[:-1] if row and row[-1] in self.ends else row for row in rows]

    def targets(self, texts: Sequence[str], asks: str) -> list[Ids]:
        last_line, texts = self._last_line(asks), list(map(self.alphabet.plain, texts))
        new = [text for text in dict.fromkeys(texts) if (last_line, text) not in self._target_ids]
        if len(self._target_ids) > 100_000:
            self._target_ids.clear()
            new = list(dict.fromkeys(texts))
        self._target_ids |= {
            (last_line, text): ids
            for text, ids in zip(new, self._continuations(last_line, new), strict=True)
        }
        return [self._target_ids[last_line, text] for text in texts]

    def decode(self, rows: Sequence[Ids]) -> list[str]:
        return _decoded(self.tokenizer, rows)

    def _continuations(self, last_line: str, texts: Sequence[str]) -> list[Ids]:
        """Encode each text as the continuation of `last_line`, the last line of the prompt, and
        append the end token. The token ids of `last_line` are left out."""
        if not texts:
            return []
        end = self._end if self._end is not None else min(self.ends)
        prefix = self._raw_ids([last_line])[0]
        full_rows = self._raw_ids([f"{last_line}{self._separator}{text}" for text in texts])
        merged = [row[: len(prefix)] != prefix for row in full_rows]
        # the tokenizer merged text across the boundary, so the target is encoded by itself
        if any(merged):
            full_rows = [
                [*prefix, *self._raw_ids([f"{self._separator}{text}"])[0]] if was_merged else row
                for row, text, was_merged in zip(full_rows, texts, merged, strict=True)
            ]
        return [
            [*(row[len(prefix) :] if text else []), end]
            for row, text in zip(full_rows, texts, strict=True)
        ]

    def _encoded(self, texts: Sequence[str]) -> list[Ids]:
        rows: list[Ids] = self.tokenizer(list(texts), truncation=False)["input_ids"]
        return rows

    def _raw_ids(self, texts: Sequence[str]) -> list[Ids]:
        """Encode texts as token ids, without the special tokens that the tokenizer would add."""
        rows: list[Ids] = self.tokenizer(list(texts), truncation=False, add_special_tokens=False)[
            "input_ids"
        ]
        return rows

    def _last_line(self, asks: str) -> str:
        return _LAST_LINES[asks]


class Chat(Plain):
    """The prompt format of causal chat models, which uses the tokenizer's chat template. The user
    turn holds the lines of an input, followed by an instruction. The target is the assistant's
    reply."""

    name = "chat"
    _separator = ""

    def __init__(self, tokenizer: Any, ends: frozenset[int]) -> None:
        if not tokenizer.chat_template:
            raise ScicotError(
                f"student {tokenizer.name_or_path}: its tokenizer has no chat template; use"
                " --prompt-format plain"
            )
        user_turn = self._render(tokenizer, MARK, begin=False)
        self._reply_start = self._render(tokenizer, MARK, begin=True)[len(user_turn) :]
        super().__init__(tokenizer, ends)

    @cached_property
    def _end(self) -> int | None:
        return end_of_turn(self.tokenizer)

    def prompt(self, text: Input) -> str:
        content = chat_content(self.alphabet.plain_input(text))
        return self._render(self.tokenizer, content, begin=True)

    def sources(self, texts: Sequence[Input]) -> list[Ids]:
        return self._raw_ids([self.prompt(text) for text in texts])

    def _last_line(self, asks: str) -> str:  # noqa: ARG002
        return self._reply_start

    @staticmethod
    def _render(tokenizer: Any, content: str, *, begin: bool) -> str:
        return render_chat(tokenizer, [{"role": "user", "content": content}], begin=begin)


FORMATS: dict[str, type[Seq2Seq | Plain]] = {"seq2seq": Seq2Seq, "plain": Plain, "chat": Chat}


def make_format(
    name: str, model: Any, tokenizer: Any, replacements: Mapping[str, str] | None = None
) -> PromptFormat:
    """Make the prompt format called `name` for a model. `replacements` maps characters to their
    spellings (see characters.py).

    The name "auto" selects "seq2seq" for an encoder-decoder, "chat" for a causal chat model, and
    "plain" for any other causal model. A chat model is a model whose tokenizer has a chat template
    that ends a turn with one of the model's end tokens. (Base models often have a template too, but
    another end token.) Raises UsageError if the format does not fit the model's family.
    """
    ends = end_tokens(model.config) | end_tokens(model.generation_config)
    return format_of(name, model.config, ends, tokenizer, replacements)


def format_of(
    name: str,
    config: Any,
    ends: frozenset[int],
    tokenizer: Any,
    replacements: Mapping[str, str] | None = None,
) -> PromptFormat:
    """Make a prompt format as `make_format` does, but without the model. `config` is the model's
    config, and `ends` are the ids of its end tokens."""
    family = family_of(config)
    if name == "auto":
        name = family.formats[0]
        if family is CAUSAL and tokenizer.chat_template and end_of_turn(tokenizer) in ends:
            name = "chat"
    if name not in family.formats:
        names = " or ".join(family.formats)
        raise UsageError(
            f"--prompt-format {name}: not supported for {family.name} students"
            f" ({config.model_type}); use {names}"
        )
    form = FORMATS[name](tokenizer, ends)
    form.alphabet = Alphabet(tokenizer, replacements)
    return form


def plain_prompt(text: Input) -> str:
    """Return the prompt of a causal base model: the lines of an input, then "Rationale:" or
    "Answer:"."""
    return f"{_lines(text)}\n{_LAST_LINES[text.asks]}"


def chat_content(text: Input) -> str:
    """Return the user turn of a chat model's prompt, without the template's markup: the lines of an
    input, then an instruction to explain or to answer."""
    return f"{_lines(text)}\n\n{_INSTRUCTIONS[text.asks]}"


# Functions from an input to its prompt text, by format; for chat models only the user turn.
PROMPT_TEXTS: dict[str, Callable[[Input], str]] = {
    "seq2seq": str,
    "plain": plain_prompt,
    "chat": chat_content,
}


def _lines(text: Input) -> str:
    context = [f"Context: {text.context}"] if text.context else []
    rationale = [f"Rationale: {text.rationale}"] if text.rationale else []
    lines = [*context, f"Question: {text.question}", *text.choices, *rationale]
    return "\n".join(map(one_line, lines))


def _decoded(tokenizer: Any, rows: Sequence[Ids]) -> list[str]:
    if not rows:
        return []
    texts: list[str] = tokenizer.batch_decode(rows, skip_special_tokens=True)
    return [text.strip() for text in texts]
