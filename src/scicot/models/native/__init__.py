"""Forward passes on plain tensors that use the weights of transformers' models."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from scicot.models.native.interface import NativeModel


def native_model(model: Any, dtype: torch.dtype, ends: Collection[int] = ()) -> NativeModel:
    """Wrap a transformers model in scicot's own forward pass, `Causal` or `T5`, on the model's
    device.

    `dtype` is the precision of matrix products: torch.float32, bfloat16 or, on CPUs, int8. `ends`
    are the ids of the tokens that end a text, by default the end tokens of the model's config.
    """
    from scicot.models.families import CAUSAL, family_of
    from scicot.models.native.causal import Causal
    from scicot.models.native.t5 import T5

    if family_of(model.config) is CAUSAL:
        return Causal(model, dtype, ends)
    return T5(model, dtype, ends)
