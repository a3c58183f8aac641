"""Render conversations as text with a tokenizer's own chat template, for students and teachers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scicot.errors import ScicotError

Turn = dict[str, str]  # "role" and "content"

MARK = "scicot"  # text of the test messages, which is searched for in a template's output


def render_chat(
    tokenizer: Any, turns: Sequence[Turn], *, begin: bool, thinking: bool | None = False
) -> str:
    """Render a conversation as text with the tokenizer's chat template.

    With `begin`, the text ends where the model's reply begins. `thinking` turns the reasoning of a
    reasoning model on or off; None leaves it to the template. Raises ScicotError if the template
    fails.
    """
    options = {} if thinking is None else {"enable_thinking": thinking}
    if thinking:
        # the option's name in templates of Granite and some DeepSeek models
        options["thinking"] = True
    try:
        text: str = tokenizer.apply_chat_template(
            list(turns), tokenize=False, add_generation_prompt=begin, **options
        )
    except Exception as error:  # noqa: BLE001  (whatever a template raises)
        message = " ".join(str(error).split())[:200]
        raise ScicotError(
            f"{tokenizer.name_or_path}: its chat template fails ({message})"
        ) from None
    return text


def encode_conversation(
    tokenizer: Any, system: str, turns: Sequence[Turn], *, thinking: bool | None
) -> list[int]:
    """Encode a conversation as token ids, up to the start of the model's reply.

    `system` is the text of the system turn, "" for none. If the template rejects a system turn,
    `system` is put at the beginning of the first turn instead. If the tokenizer has no template,
    `system` and the texts of the turns are joined as paragraphs. `thinking` is as in `render_chat`.
    Raises ScicotError if the template fails both with a system turn and without one.
    """
    if not tokenizer.chat_template:
        text = "\n\n".join([system, *(turn["content"] for turn in turns), ""])
        return list(tokenizer(text.lstrip())["input_ids"])
    opening = [{"role": "system", "content": system}] if system else []
    try:
        text = render_chat(tokenizer, [*opening, *turns], begin=True, thinking=thinking)
    except ScicotError:
        first_turn = {**turns[0], "content": f"{system}\n\n{turns[0]['content']}".lstrip()}
        text = render_chat(tokenizer, [first_turn, *turns[1:]], begin=True, thinking=thinking)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def end_of_turn(tokenizer: Any) -> int | None:
    """Return the id of the special token that the chat template puts after a reply. If there is no
    such token, return the id of the tokenizer's end token, or None if that is missing too."""
    turns = [{"role": "user", "content": MARK}, {"role": "assistant", "content": MARK}]
    _, _, suffix = render_chat(tokenizer, turns, begin=False).rpartition(MARK)
    special = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    for token in tokenizer(suffix, add_special_tokens=False)["input_ids"]:
        if token in special:
            return int(token)
    end: int | None = tokenizer.eos_token_id
    return end
