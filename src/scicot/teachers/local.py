"""`hf:MODEL_OR_DIR`: a causal language model on this machine, prompted through its chat template.

Waiting requests are answered in batches. A batch consists of the request that has waited longest
and of others with prompts of similar length.
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
_OPENING = 8  # last prompt tokens that are searched for an opening thinking tag
_WAITING = 4  # batches' worth of requests that wait, so that prompts of similar length are found


@dataclass(slots=True)
class _Pending:
    request: Request
    ids: list[int]
    reply: asyncio.Future[Reply]


class LocalTeacher:
    """A teacher that runs a model of the transformers library. If `sampling` is empty, the first
    reply to each question is decoded greedily, and the other replies are sampled. If the
    temperature in `sampling` is 0, all replies are decoded greedily. With any other `sampling`, all
    replies are sampled."""

    def __init__(self, model: str, *, sampling: Mapping[str, float], device: str) -> None:
        directory = Path(model)
        self.name = f"hf:{directory.resolve().name if directory.is_dir() else model}"
        # distinguishes models in directories of the same name
        self.identity = _identity(directory) if directory.is_dir() else None
        self._sampling = dict(sampling)
        self._device = resolve_device(device)
        loaded, self._tokenizer = _loaded(model, self._device)
        self._max_tokens = getattr(loaded.config, "max_position_embeddings", None)
        self._tags = {
            token: str(added)
            for token, added in self._tokenizer.added_tokens_decoder.items()
            if added.special and is_tag(str(added))
        }
        # The model's end tokens; if it has none, those of its tokenizer.
        settings = (loaded.generation_config, loaded.config, self._tokenizer)
        self._ends = next(filter(None, map(end_tokens, settings)), frozenset[int]())
        if not self._ends:
            raise ScicotError(
                f"--teacher {self.name}: neither the model nor its tokenizer has an end-of-sequence"
                " token; use another model"
            )
        self._batch = BATCH.get(self._device.type, BATCH["cpu"])
        self._closed = False
        self._engine = self._make_engine(loaded)
        self.in_flight = _WAITING * self._batch
        self._waiting: list[_Pending] = []
        self._serving: asyncio.Task[None] | None = None

    def _make_engine(self, model: Any) -> Engine:
        """Make the engine that generates replies: NativeEngine, or TransformersEngine if the native
        code does not support the model."""
        import torch

        options: dict[str, Any] = {
            "batch_size": self._batch,
            "ends": self._ends,
            "stopped": lambda: self._closed,
        }
        bf16 = model.dtype is torch.bfloat16
        if unsupported(model.config.to_dict()):
            from scicot.decoding.transformers_engine import TransformersEngine

            return TransformersEngine(model, **options)
        from scicot.decoding.native_engine import NativeEngine

        return NativeEngine(model, torch.bfloat16 if bf16 else torch.float32, **options)

    async def ask(self, request: Request) -> Reply:
        ids = self._ids(request.prompt, request.thinking)
        if self._max_tokens and len(ids) + request.max_tokens > self._max_tokens:
            raise TeacherError(
                f"the prompt's {len(ids)} tokens and --max-tokens {request.max_tokens} exceed the"
                f" {self._max_tokens}-token context of {self.name}; lower --max-tokens, or use a"
                " model with a longer context"
            )
        pending = _Pending(request, ids, asyncio.get_running_loop().create_future())
        self._waiting.append(pending)
        if self._serving is None or self._serving.done():
            self._serving = asyncio.create_task(self._serve())
        return await pending.reply

    async def count_tokens(self, request: Request) -> int:
        return len(self._ids(request.prompt, request.thinking))

    async def close(self) -> None:
        self._closed = True
        if self._serving is not None:
            self._serving.cancel()

    async def _serve(self) -> None:
        await asyncio.sleep(0.01)  # give other tasks time to add their requests
        while self._waiting:
            batch = self._next_batch()
            try:
                replies = await asyncio.to_thread(self._answer, batch)
            except Exception as error:  # noqa: BLE001  (raised in the callers)
                for pending in batch:
                    if not pending.reply.done():
                        pending.reply.set_exception(error)
                continue
            for pending, reply in zip(batch, replies, strict=True):
                if not pending.reply.done():
                    pending.reply.set_result(reply)
            await asyncio.sleep(0)

    def _next_batch(self) -> list[_Pending]:
        """Remove the next batch from the waiting requests, and return the batch. It holds the
        oldest request, and others with similar prompt lengths and the same decoding (sampled or
        greedy)."""
        oldest = self._waiting[0]
        same_sampling = [
            pending for pending in self._waiting if self._samples(pending) == self._samples(oldest)
        ]
        same_sampling.sort(key=lambda pending: len(pending.ids))
        position = next(n for n, pending in enumerate(same_sampling) if pending is oldest)
        begin = max(0, min(position - self._batch // 2, len(same_sampling) - self._batch))
        chosen = same_sampling[begin : begin + self._batch]
        taken = set(map(id, chosen))
        self._waiting = [pending for pending in self._waiting if id(pending) not in taken]
        return chosen

    def _samples(self, pending: _Pending) -> bool:
        if self._sampling.get("temperature") == 0:
            return False  # greedy for every sample
        return bool(self._sampling) or pending.request.sample > 0

    def _answer(self, batch: Sequence[_Pending]) -> list[Reply]:
        """Generate the replies to a batch of requests, in their order."""
        decoding = Decoding(
            batch[0].request.max_tokens,
            self._sampling.get("temperature") or SAMPLING,
            self._sampling.get("top_p", 1.0),
        )
        # Without a fixed seed, so that a repeated request gets another sample.
        draws = [[secrets.randbits(63) if self._samples(pending) else None] for pending in batch]
        try:
            generated = self._engine.generate([pending.ids for pending in batch], draws, decoding)
        except Stopped:
            raise asyncio.CancelledError from None
        return [
            self._reply(pending, tokens)
            for pending, (tokens,) in zip(batch, generated, strict=True)
        ]

    def _reply(self, pending: _Pending, tokens: list[int]) -> Reply:
        ended = tokens[-1:] != [] and tokens[-1] in self._ends
        reply_tokens = tokens[:-1] if ended else tokens
        text = self._decoded(reply_tokens).strip()
        if self._opens_thinking(pending.ids):
            # The tag is in the prompt, so the reply lacks it. A reply that was cut off while
            # thinking would have no tag at all.
            text = f"<think>\n{text}"
        usage = {"input_tokens": len(pending.ids), "output_tokens": len(reply_tokens)}
        return Reply(text, "end_turn" if ended else "max_tokens", usage)

    def _decoded(self, tokens: Sequence[int]) -> str:
        """Decode token ids without special tokens. Tags around thinking are kept, although some
        tokenizers count them as special."""
        texts, current = [""], list[int]()
        for token in tokens:
            if token in self._tags:
                texts += [self._tokenizer.decode(current, skip_special_tokens=True)]
                texts += [self._tags[token]]
                current = []
            else:
                current.append(token)
        return "".join([*texts, self._tokenizer.decode(current, skip_special_tokens=True)])

    def _opens_thinking(self, ids: Sequence[int]) -> bool:
        """Return True if the prompt `ids` ends with an opening thinking tag, which some chat
        templates add."""
        return split_thinking(self._tokenizer.decode(ids[-_OPENING:])).unclosed

    def _ids(self, prompt: Prompt, thinking: bool = False) -> list[int]:
        turns = []
        for question, answer in prompt.examples:
            turns.append({"role": "user", "content": question})
            turns.append({"role": "assistant", "content": answer})
        turns.append({"role": "user", "content": prompt.user})
        # None leaves the choice to the template: models that think by default still do.
        enable_thinking = True if thinking else None
        return encode_conversation(self._tokenizer, prompt.system, turns, thinking=enable_thinking)


def _identity(directory: Path) -> str:
    """Return a fingerprint of a model directory: 16 hex digits of a SHA-256. The fingerprint covers
    the contents of the JSON files, and the names and sizes of all other files."""
    hashed = hashlib.sha256()
    for file in sorted(directory.iterdir()):
        if file.suffix == ".json":
            hashed.update(file.read_bytes())
        elif file.is_file():
            hashed.update(f"{file.name} {file.stat().st_size}".encode())
    return hashed.hexdigest()[:16]


def _loaded(name: str, device: Any) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM

    subject = f"--teacher hf:{name}"
    dtype = resolve_precision("auto", device)
    model, tokenizer = pretrained.load(AutoModelForCausalLM, name, subject=subject, dtype=dtype)
    return model.to(device).eval(), tokenizer
