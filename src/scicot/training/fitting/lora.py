"""Low-rank adapters (Hu et al. 2022, arXiv 2106.09685), trained in place of all weights."""

from __future__ import annotations

import importlib.util
from typing import Any

from scicot.errors import ScicotError
from scicot.models.families import family_of


def check(rank: int) -> None:
    """ScicotError where adapters are asked for and peft is not installed."""
    if rank and importlib.util.find_spec("peft") is None:
        raise ScicotError("--lora: needs peft; pip install 'scicot[lora]'")


def adapted(model: Any, rank: int) -> Any:
    """The model with adapters in all its linear layers but the output layer, which alone learn; the
    model itself for rank 0. Their updates are scaled by 2, whatever the rank."""
    if not rank:
        return model
    from peft import LoraConfig, TaskType, get_peft_model

    task = TaskType(family_of(model.config).lora_task)
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type=task)
    return get_peft_model(model, config)


def merge(learner: Any) -> None:
    """Put what the adapters have learnt into the weights of the model they were made for."""
    if hasattr(learner, "merge_and_unload"):
        learner.merge_and_unload()
