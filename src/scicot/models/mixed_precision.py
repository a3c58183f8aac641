"""Mixed precision: linear layers other than the LM head in bf16, everything else in fp32.

bf16 has only 8 significant bits. Between 16 and 32, bf16 numbers are 1/8 apart, so two labels whose
logits differ by less could tie. Values in the residual stream of a T5 also grow far beyond 1, and
bf16 would round them just as coarsely. With everything in bf16, a small student's answers would
differ from its fp32 answers several times as often as with mixed precision.
"""

from __future__ import annotations

from typing import Any

import torch


class Bf16Linear(torch.nn.Module):
    """A linear layer with bf16 weights that takes fp32 inputs and returns fp32 outputs."""

    def __init__(self, layer: torch.nn.Linear) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(layer.weight.detach().bfloat16(), requires_grad=False)
        self.bias = layer.bias

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        outputs = torch.nn.functional.linear(inputs.bfloat16(), self.weight).float()
        return outputs if self.bias is None else outputs + self.bias


def to_mixed_bf16(model: Any) -> Any:
    """Replace all linear layers of a model, except the LM head, by bf16 layers. Changes the model
    in place, and returns it."""
    head = model.get_output_embeddings()
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) is torch.nn.Linear and child is not head:
                setattr(module, name, Bf16Linear(child))
    return model
