"""Compute the loss of target tokens without holding all logits in memory at once.

The logits of 1,000 tokens over T5's vocabulary take 128 MB in fp32, and their gradient as much
again. So padding is removed, and the output layer is applied to one chunk of target tokens at a
time. The gradient of the logits is computed in the same pass.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from scicot.models.families import IGNORED, family_of

_LEAST = -60.0  # lower bound of the log-probabilities whose gradient is computed
_CHUNK = 512  # target tokens per chunk; smaller chunks are slower


class TargetLoss:
    """Computes the sum, in nats, of the negative log-likelihoods of all target tokens in a batch.
    With `bf16`, matrix products run in bf16, while the weights keep their dtype."""

    def __init__(self, model: Any, *, bf16: bool = False) -> None:
        self._model = model
        self._bf16 = bf16
        self._head = model.get_output_embeddings()
        self._family = family_of(model.config)
        is_linear = isinstance(self._head, torch.nn.Linear) and self._head.bias is None
        self._in_chunks = is_linear and _ends_in_head(model, self._head)

    def __call__(self, wrapped: Any, inputs: dict[str, Tensor]) -> Tensor:
        """Return the loss of a batch {"input_ids", "attention_mask", "labels"}. `wrapped` is the
        model itself or its data-parallel wrapper."""
        # Not by the Trainer's bf16 option: with it, accelerate would wrap the model's forward
        # permanently.
        device_type = inputs["labels"].device.type
        with torch.autocast(device_type, torch.bfloat16, enabled=self._bf16):
            return self._summed(wrapped, inputs)

    def _summed(self, wrapped: Any, inputs: dict[str, Tensor]) -> Tensor:
        labels = inputs.pop("labels")
        inputs = {**inputs, **self._family.decoder_inputs(self._model, labels)}
        if not self._in_chunks:
            logits = wrapped(**inputs, use_cache=False).logits.flatten(0, 1).float()
            return cross_entropy(logits, labels.flatten(), reduction="sum", ignore_index=IGNORED)

        def summed(hidden: Tensor) -> Tensor:
            real = labels != IGNORED
            weight = self._head.weight
            if self._bf16:
                hidden, weight = hidden.bfloat16(), weight.bfloat16()
            loss: Tensor = _Summed.apply(hidden[real], weight, labels[real])  # type: ignore[no-untyped-call]
            return loss

        self._head.forward = summed  # called within the model's own forward, as DDP requires
        try:
            return torch.as_tensor(wrapped(**inputs, use_cache=False).logits)
        finally:
            del self._head.forward


def _ends_in_head(model: Any, head: Any) -> bool:
    """Return True if the model's logits are exactly the result of its output layer `head`, with no
    scaling, capping or bias after it.

    To test this, three tokens are run through the model while the output layer returns a constant.
    The logits must then equal this constant.
    """
    number = torch.tensor(0.7321, device=model.device)
    training = model.training
    model.eval()
    head.forward = lambda hidden: number  # noqa: ARG005
    try:
        ids = torch.arange(1, 4, device=model.device)[None]
        with torch.no_grad():
            extra = family_of(model.config).decoder_inputs(model, ids)
            logits = model(input_ids=ids, **extra, use_cache=False).logits
    # the layers after the output layer do not accept a single number
    except (RuntimeError, IndexError, TypeError):
        return False
    finally:
        del head.forward
        model.train(training)
    return logits.shape == number.shape and bool(logits == number)


class _Summed(torch.autograd.Function):
    """Autograd function that computes the sum over tokens of -log softmax(hidden @
    weight.T)[target], and its gradient in the same pass. Shapes: hidden (tokens, width), weight
    (vocabulary, width), targets (tokens,)."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
        learning = ctx.needs_input_grad[1]
        of_hidden = torch.empty_like(hidden)
        of_weight = torch.zeros_like(weight, dtype=torch.float32) if learning else None
        loss = hidden.new_zeros((), dtype=torch.float32)
        for start in range(0, len(hidden), _CHUNK):
            chunk, gold = hidden[start : start + _CHUNK], targets[start : start + _CHUNK, None]
            logits = (chunk @ weight.t()).float()
            norms = logits.logsumexp(dim=1, keepdim=True)
            loss += (norms - logits.gather(1, gold)).sum()
            # Negligible probabilities are dropped: they would be subnormal numbers, which are slow
            # on CPUs.
            gradient = logits.sub_(norms).clamp_(min=_LEAST).exp_()
            gradient.scatter_add_(1, gold, -torch.ones_like(gold, dtype=gradient.dtype))
            gradient = gradient.to(hidden.dtype)
            of_hidden[start : start + _CHUNK] = gradient @ weight
            if of_weight is not None:
                of_weight += gradient.t() @ chunk
        ctx.save_for_backward(of_hidden, of_weight)
        ctx.dtype = weight.dtype
        return loss

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        of_hidden, of_weight = ctx.saved_tensors
        gradient = slopes[0]
        by_weight = None if of_weight is None else (of_weight * gradient).to(ctx.dtype)
        return of_hidden * gradient.to(of_hidden.dtype), by_weight, None
