"""Low-rank adapters (Hu et al. 2022, arXiv 2106.09685), trained in place of all weights; beside
weights in four bits that is QLoRA (Dettmers et al. 2023, arXiv 2305.14314)."""

from __future__ import annotations

import importlib.util
from typing import Any

from scicot.config import TrainSettings
from scicot.errors import ScicotError, UsageError
from scicot.models.families import family_of
from scicot.models.pretrained import is_quantized, load_pretrained
from scicot.training.scratch import PREFIX


def check(settings: TrainSettings, student: str) -> None:
    """Raise ScicotError where adapters or quantised weights are asked for and cannot be had."""
    if settings.lora and importlib.util.find_spec("peft") is None:
        raise ScicotError("--lora: needs peft; pip install 'scicot[lora]'")
    if settings.quantization == "none":
        return
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ScicotError("--quantization nf4: needs bitsandbytes; pip install 'scicot[qlora]'")
    if student.startswith(PREFIX):
        raise UsageError(f"--quantization nf4: --student {student} has fresh weights; leave it out")


def adapted(model: Any, rank: int) -> Any:
    """Return the model with adapters in all its linear layers but the output layer, which alone
    learn; the model itself for rank 0. Their updates are scaled by 2, whatever the rank."""
    if not rank:
        return model
    from peft import get_peft_model, prepare_model_for_kbit_training

    if is_quantized(model):
        model = prepare_model_for_kbit_training(  # type: ignore[no-untyped-call]
            model, use_gradient_checkpointing=False
        )
    return get_peft_model(model, _config(model, rank))


def merged(learner: Any, model: Any, student: str, rank: int) -> Any:
    """Return the student with what the adapters have learnt in its weights.

    `model` is the one that `adapted` was given. Weights in four bits cannot take the adapters
    without rounding them away, so those are merged into the student's own weights, loaded anew.
    """
    if not rank:
        return model
    if not is_quantized(model):
        learner.merge_and_unload()
        return model
    from peft import get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict

    learnt = {name: weight.cpu() for name, weight in get_peft_model_state_dict(learner).items()}
    whole, _ = load_pretrained(student)
    beside = get_peft_model(whole, _config(whole, rank))
    set_peft_model_state_dict(beside, learnt)
    beside.merge_and_unload()
    return whole


def _config(model: Any, rank: int) -> Any:
    from peft import LoraConfig, TaskType

    task = TaskType(family_of(model.config).lora_task)
    return LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type=task)
