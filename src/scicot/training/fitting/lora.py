"""Train low-rank adapters (LoRA: Hu et al. 2022, arXiv 2106.09685) instead of all weights. With
4-bit weights this is QLoRA (Dettmers et al. 2023, arXiv 2305.14314)."""

from __future__ import annotations

import importlib.util
from typing import Any

from scicot.config import TrainSettings
from scicot.errors import ScicotError, UsageError
from scicot.models.families import family_of
from scicot.models.pretrained import is_quantized, load_pretrained
from scicot.training.scratch import PREFIX


def check(settings: TrainSettings, student: str) -> None:
    """Check the settings for adapters and quantised weights. Raises ScicotError if a package that
    these settings need is not installed. Raises UsageError if the settings request quantised
    weights for a student with random weights."""
    if settings.lora and importlib.util.find_spec("peft") is None:
        raise ScicotError("--lora: needs peft; pip install 'scicot[lora]'")
    if settings.quantization == "none":
        return
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ScicotError("--quantization nf4: needs bitsandbytes; pip install 'scicot[qlora]'")
    if student.startswith(PREFIX):
        raise UsageError(
            f"--quantization nf4: cannot be used with --student {student}, whose weights are"
            " random; leave --quantization out"
        )


def adapted(model: Any, rank: int) -> Any:
    """Return the model to train. If the LoRA `rank` is 0, this is the model itself, unchanged.

    Otherwise, adapters are added to all linear layers except the output layer, and all other
    weights are frozen. LoRA's alpha is 2 x `rank`, so adapter outputs are multiplied by
    alpha / rank = 2.
    """
    if not rank:
        return model
    from peft import get_peft_model, prepare_model_for_kbit_training

    if is_quantized(model):
        model = prepare_model_for_kbit_training(  # type: ignore[no-untyped-call]
            model, use_gradient_checkpointing=False
        )
    return get_peft_model(model, _config(model, rank))


def merged(learner: Any, model: Any, student: str, rank: int) -> Any:
    """Merge the trained adapters into the weights, and return a model without adapters.

    - `learner`: the model that `adapted` returned.
    - `model`: the model that was passed to `adapted`.
    - `student`: the value of --student. If `model` has quantised weights, the original weights are
      loaded from `student`, and the adapters are merged into the original weights.
    - `rank`: the LoRA rank. If it is 0, there are no adapters, and `model` is returned.
    """
    if not rank:
        return model
    if not is_quantized(model):
        learner.merge_and_unload()
        return model
    from peft import get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict

    # Merging into 4-bit weights would round the adapters away.
    adapter_weights = {
        name: weight.cpu() for name, weight in get_peft_model_state_dict(learner).items()
    }
    base_model, _ = load_pretrained(student)
    merged_model = get_peft_model(base_model, _config(base_model, rank))
    set_peft_model_state_dict(merged_model, adapter_weights)
    merged_model.merge_and_unload()
    return base_model


def _config(model: Any, rank: int) -> Any:
    from peft import LoraConfig, TaskType

    task = TaskType(family_of(model.config).lora_task)
    return LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type=task)
