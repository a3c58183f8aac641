"""`hf:MODEL_OR_DIR`: a causal language model on this machine, prompted through its chat template.

Waiting requests are answered in batches: the one that has waited longest, with others of similar
length.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scicot.config import SAMPLING
from scicot.decoding.engine import Decoding, Engine, Stopped
from scicot.devices import resolve_device, resolve_precision
from scicot.errors import ScicotError
from scicot.models import pretrained
from scicot.models.chat_template import encode_conversation
from scicot.models.families import end_tokens
from scicot.models.native.support import unsupported
from scicot.prompts import Prompt
from scicot.replies import is_tag, split_thinking
from scicot.teachers.base import Reply, Request, TeacherError

BATCH = {"cuda": 64, "cpu": 8}  # requests answered together
_OPENING = 8  # last tokens of a prompt in which a template may open the thinking
_WAITING = 4  # requests collected before a batch is chosen by length, in batches


@dataclass(slots=True)
class _Asked:
    request: Request
    ids: list[int]
    reply: asyncio.Future[Reply]


class LocalTeacher:
    """A model of the transformers library. Without sampling parameters, the first reply to a
    question is decoded greedily and further ones are sampled. With them, all are sampled, or all
    are greedy if the temperature is 0."""

    def __init__(self, model: str, *, sampling: Mapping[str, float], device: str) -> None:
        place = Path(model)
        self.name = f"hf:{place.resolve().name if place.is_dir() else model}"
        self.identity = _identity(place) if place.is_dir() else None
        self._sampling = dict(sampling)
        self._device = resolve_device(device)
        loaded, self._tokenizer = _loaded(model, self._device)
        self._most = getattr(loaded.config, "max_position_embeddings", None)
        self._tags = {
            token: str(added)
            for token, added in self._tokenizer.added_tokens_decoder.items()
            if added.special and is_tag(str(added))
        }
        # The model's end tokens; if it has none, those of its tokenizer.
        settings = (loaded.generation_config, loaded.config, self._tokenizer)
        self._ends = next(filter(None, map(end_tokens, settings)), frozenset[int]())
        if not self._ends:
            raise ScicotError(f"--teacher {self.name}: its tokenizer has no end token")
        self._batch = BATCH.get(self._device.type, BATCH["cpu"])
        self._closed = False
        self._engine = self._made(loaded)
        self.in_flight = _WAITING * self._batch
        self._waiting: list[_Asked] = []
        self._serving: asyncio.Task[None] | None = None

    def _made(self, model: Any) -> Engine:
        """Make the engine: NativeEngine if it supports the model, with smaller batches when memory
        is short."""
        import torch

        options: dict[str, Any] = {
            "batch_size": self._batch,
            "ends": self._ends,
            "stopped": lambda: self._closed,
        }
        half = model.dtype is torch.bfloat16
        if unsupported(model.config.to_dict()):
            from scicot.decoding.transformers_engine import TransformersEngine

            return TransformersEngine(model, **options)
        from scicot.decoding.native_engine import NativeEngine

        return NativeEngine(model, torch.bfloat16 if half else torch.float32, **options)

    async def ask(self, request: Request) -> Reply:
        ids = self._ids(request.prompt, request.thinking)
        if self._most and len(ids) + request.max_tokens > self._most:
            raise TeacherError(
                f"{len(ids)} tokens and --max-tokens {request.max_tokens} are more than the"
                f" {self._most} that {self.name} takes"
            )
        asked = _Asked(request, ids, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        if self._serving is None or self._serving.done():
            self._serving = asyncio.create_task(self._serve())
        return await asked.reply

    async def count_tokens(self, request: Request) -> int:
        return len(self._ids(request.prompt, request.thinking))

    async def close(self) -> None:
        self._closed = True
        if self._serving is not None:
            self._serving.cancel()

    async def _serve(self) -> None:
        await asyncio.sleep(0.01)  # give other tasks time to add their requests
        while self._waiting:
            chosen = self._chosen()
            try:
                replies = await asyncio.to_thread(self._answer, chosen)
            except Exception as error:  # noqa: BLE001  (raised in the callers)
                for asked in chosen:
                    if not asked.reply.done():
                        asked.reply.set_exception(error)
                continue
            for asked, reply in zip(chosen, replies, strict=True):
                if not asked.reply.done():
                    asked.reply.set_result(reply)
            await asyncio.sleep(0)

    def _chosen(self) -> list[_Asked]:
        """Select a batch: the request that has waited longest, and those closest to it in
        length."""
        oldest = self._waiting[0]
        alike = [asked for asked in self._waiting if self._draws(asked) == self._draws(oldest)]
        alike.sort(key=lambda asked: len(asked.ids))
        place = next(n for n, asked in enumerate(alike) if asked is oldest)
        begin = max(0, min(place - self._batch // 2, len(alike) - self._batch))
        chosen = alike[begin : begin + self._batch]
        taken = set(map(id, chosen))
        self._waiting = [asked for asked in self._waiting if id(asked) not in taken]
        return chosen

    def _draws(self, asked: _Asked) -> bool:
        if self._sampling.get("temperature") == 0:
            return False  # greedy for every sample
        return bool(self._sampling) or asked.request.sample > 0

    def _answer(self, asked: Sequence[_Asked]) -> list[Reply]:
        """Generate the replies to a batch of requests."""
        decoding = Decoding(
            asked[0].request.max_tokens,
            self._sampling.get("temperature") or SAMPLING,
            self._sampling.get("top_p", 1.0),
        )
        # Without a fixed seed, so that a repeated request gets another sample.
        draws = [[secrets.randbits(63) if self._draws(one) else None] for one in asked]
        try:
            written = self._engine.generate([one.ids for one in asked], draws, decoding)
        except Stopped:
            raise asyncio.CancelledError from None
        return [self._reply(one, tokens) for one, (tokens,) in zip(asked, written, strict=True)]

    def _reply(self, asked: _Asked, tokens: list[int]) -> Reply:
        ended = tokens[-1:] != [] and tokens[-1] in self._ends
        kept = tokens[:-1] if ended else tokens
        text = self._decoded(kept).strip()
        if self._opens_thinking(asked.ids):
            text = f"<think>\n{text}"
        usage = {"input_tokens": len(asked.ids), "output_tokens": len(kept)}
        return Reply(text, "end_turn" if ended else "max_tokens", usage)

    def _decoded(self, tokens: Sequence[int]) -> str:
        """Decode tokens without special tokens, but keep the tags around thinking, which some
        tokenizers count as special."""
        texts, begun = [""], list[int]()
        for token in tokens:
            if token in self._tags:
                texts += [self._tokenizer.decode(begun, skip_special_tokens=True)]
                texts += [self._tags[token]]
                begun = []
            else:
                begun.append(token)
        return "".join([*texts, self._tokenizer.decode(begun, skip_special_tokens=True)])

    def _opens_thinking(self, ids: Sequence[int]) -> bool:
        """Return whether the chat template ended the prompt with an opening thinking tag. A
        truncated reply then contains no tag at all."""
        return split_thinking(self._tokenizer.decode(ids[-_OPENING:])).unclosed

    def _ids(self, prompt: Prompt, thinking: bool = False) -> list[int]:
        turns = []
        for question, answer in prompt.examples:
            turns.append({"role": "user", "content": question})
            turns.append({"role": "assistant", "content": answer})
        turns.append({"role": "user", "content": prompt.user})
        # None leaves it to the template: models that think by default still do.
        asked = True if thinking else None
        return encode_conversation(self._tokenizer, prompt.system, turns, thinking=asked)


def _identity(place: Path) -> str:
    """Return a fingerprint that distinguishes models in directories of the same name: 16 hex digits
    of a SHA-256 over the JSON files and the other files' names and sizes."""
    hashed = hashlib.sha256()
    for file in sorted(place.iterdir()):
        if file.suffix == ".json":
            hashed.update(file.read_bytes())
        elif file.is_file():
            hashed.update(f"{file.name} {file.stat().st_size}".encode())
    return hashed.hexdigest()[:16]


def _loaded(name: str, device: Any) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM

    what = f"--teacher hf:{name}"
    dtype = resolve_precision("auto", device)
    model, tokenizer = pretrained.load(AutoModelForCausalLM, name, what=what, dtype=dtype)
    return model.to(device).eval(), tokenizer
