"""Measure tokens per second of training, and the share of the device's bf16 peak."""

from __future__ import annotations

import statistics
import time
from typing import Any

from benchmarks.device.figures import MODELS, SMOKE, Figures, device, peak, random_ids, settle

SOURCE, TARGET = (16, 8) if SMOKE else (96, 64)  # tokens of a row's input and target
ROWS = (4,) if SMOKE else (32, 128)  # rows per step
STEPS = 3 if SMOKE else 12


def measure(figures: Figures) -> bool:
    """Measure both families, in bf16 if the device supports it: forward, backward and AdamW's
    step."""
    import torch

    from scicot.models.families import family_of
    from scicot.training.fitting.loss import TargetLoss

    bf16 = peak(torch.bfloat16)
    figures.add(peak_bf16_tflops=round(bf16 / 1e12, 2), source_tokens=SOURCE, target_tokens=TARGET)
    for name, build in MODELS.items():
        torch.manual_seed(0)
        model = build().to(device()).train()
        family, result = family_of(model.config), dict[str, Any]()
        model.set_attn_implementation("sdpa" if device().type == "cuda" else family.cpu_attention)
        weights = sum(
            parameter.numel() for name, parameter in model.named_parameters() if "embed" not in name
        )
        loss_of = TargetLoss(model, bf16=True)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=device().type == "cuda")
        for rows in ROWS:
            texts = [
                {"input_ids": ids[:SOURCE], "labels": ids[SOURCE:]}
                for ids in random_ids(rows, SOURCE + TARGET, model.config.vocab_size)
            ]
            batch = family.collate(texts, 0, 8)
            batch = {key: tensor.to(device()) for key, tensor in batch.items()}
            seconds = []
            for _ in range(STEPS):
                settle()
                start = time.perf_counter()
                loss = loss_of(model, dict(batch)) / rows / TARGET
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                optimizer.zero_grad()
                settle()
                seconds.append(time.perf_counter() - start)
            rate = rows * (SOURCE + TARGET) / statistics.median(seconds[2:])
            # 6 FLOP per weight and token (Kaplan et al. 2020). In an encoder-decoder, each weight
            # processes about half of the tokens.
            share = 6 * weights * rate / bf16 * (1 if family.joined else 0.5)
            result[f"{rows} rows a step"] = {
                "tokens_per_second": round(rate),
                "milliseconds_per_step": round(1000 * statistics.median(seconds[2:]), 2),
                "share_of_peak": round(share, 4),
                "loss": round(float(loss), 3),
            }
            figures.add(**{name: result})
        del model, optimizer, loss_of
    return True
