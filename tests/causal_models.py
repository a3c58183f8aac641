"""Tiny causal models of the families that people use, with random weights, for tests."""

from typing import Any

COMMON = {"vocab_size": 96, "max_position_embeddings": 128}
LAYERS = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
}
GROUPED = {**COMMON, **LAYERS, "num_key_value_heads": 2}

# Config arguments by model type.
MODELS: dict[str, dict[str, Any]] = {
    "llama": GROUPED,
    "qwen2": GROUPED,
    "qwen3": {**GROUPED, "head_dim": 16},
    # The window is shorter than the sources, and applies to two layers of three.
    "gemma3_text": {**GROUPED, "head_dim": 16, "sliding_window": 8, "query_pre_attn_scalar": 16,
                    "layer_types": ["sliding_attention", "sliding_attention", "full_attention"]},
    "gpt2": {"vocab_size": 96, "n_positions": 128, "n_embd": 32, "n_layer": 3, "n_head": 4},
    "gpt_neox": {**COMMON, **LAYERS},
}  # fmt: skip


# These models scale their logits after the output layer.
SCALED = {"granite": {**GROUPED, "logits_scaling": 4.0}}


# The families that the native engine supports.
NATIVE = ("llama", "qwen2", "qwen3", "gemma3_text")


def tiny(
    kind: str, *, pad: int | None = 0, seed: int = 0, words: int | None = None, **more: Any
) -> Any:
    """Make a model whose end token is 1, with logits that differ clearly. `words` is the size of
    the vocabulary, `more` are further settings of the config."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(seed)
    config = AutoConfig.for_model(
        kind,
        **{
            **{**MODELS, **SCALED}[kind],
            **({"vocab_size": words} if words else {}),
            **{"eos_token_id": 1, "bos_token_id": 2, "pad_token_id": pad},
            **more,
        },
    )
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()  # type: ignore[no-untyped-call]
    head = model.get_output_embeddings()
    head.weight.data.normal_(0, 0.4)
    return model
