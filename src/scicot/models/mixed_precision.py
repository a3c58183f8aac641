"""Mixed precision: linear layers in bf16, everything else in fp32.

bf16 has an 8-bit mantissa. The residual stream (which in a T5 grows far beyond 1), norms, attention
and the LM head stay in fp32: bf16 logits between 16 and 32 are spaced 1/8 apart, so labels that
differ by less would tie. With all of it in bf16, several times as many answers of a small student
would change.
"""

from __future__ import annotations

from typing import Any

import torch


class Bf16Linear(torch.nn.Module):
    """A linear layer with its weights in bf16; fp32 in, fp32 out."""

    def __init__(self, layer: torch.nn.Linear) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(layer.weight.detach().bfloat16(), requires_grad=False)
        self.bias = layer.bias

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        outputs = torch.nn.functional.linear(inputs.bfloat16(), self.weight).float()
        return outputs if self.bias is None else outputs + self.bias


def to_mixed_bf16(model: Any) -> Any:
    """Convert a model's linear layers, except the LM head, to bf16 in place, and return it."""
    head = model.get_output_embeddings()
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) is torch.nn.Linear and child is not head:
                setattr(module, name, Bf16Linear(child))
    return model
