"""The loss, the batch size for a device, and errors of insufficient memory."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Recorder, Trained

from scicot import ScicotError, TrainSettings, train_rationale
from scicot.students.manifest import read_manifest

IGNORED = -100


def batch(vocabulary: int) -> dict[str, Any]:
    import torch

    dice = torch.Generator().manual_seed(0)
    source = torch.randint(3, vocabulary, (5, 9), generator=dice)
    labels = torch.randint(3, vocabulary, (5, 700), generator=dice)  # more rows than a chunk has
    for row, length in enumerate((700, 400, 3, 1, 650)):
        labels[row, length:] = IGNORED
    return {"input_ids": source, "attention_mask": torch.ones_like(source), "labels": labels}


def model(kind: str) -> Any:
    import torch
    from transformers import (
        BartConfig,
        BartForConditionalGeneration,
        T5Config,
        T5ForConditionalGeneration,
    )

    torch.manual_seed(0)
    if kind == "bart":
        bart = BartConfig(
            vocab_size=50, d_model=16, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=16,
            decoder_ffn_dim=16, encoder_attention_heads=2, decoder_attention_heads=2, dropout=0.0,
        )  # fmt: skip
        return BartForConditionalGeneration(bart)
    common: dict[str, Any] = {"decoder_start_token_id": 0, "tie_word_embeddings": kind == "tied"}
    config = T5Config(
        vocab_size=50, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, dropout_rate=0.0,
        **common,
    )  # fmt: skip
    return T5ForConditionalGeneration(config)


@pytest.mark.parametrize("kind", ["tied", "untied", "bart"])
@pytest.mark.parametrize("half", [False, True])
def test_the_loss_and_its_gradient_are_those_of_all_logits(kind: str, half: bool) -> None:
    import torch

    from scicot.training.fitting.loss import TargetLoss

    trained, reference = model(kind), model(kind)
    read = batch(50)
    count = int((read["labels"] != IGNORED).sum())
    loss = TargetLoss(trained, bf16=half)(trained, dict(read)) / count
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        wanted = reference(**read).loss
    loss.backward()  # type: ignore[no-untyped-call]
    wanted.backward()
    close: dict[str, Any] = {"rtol": 2e-2, "atol": 2e-3} if half else {"rtol": 1e-4, "atol": 1e-6}
    torch.testing.assert_close(loss.float(), wanted.float(), **close)
    for (name, weight), reference_weight in zip(
        trained.named_parameters(), reference.parameters(), strict=True
    ):
        if weight.grad is not None:
            far = (weight.grad - reference_weight.grad).norm() / reference_weight.grad.norm().clamp(
                min=1e-8
            )
            assert far < (0.05 if half else 1e-4), name
    with torch.no_grad():  # the estimate must not change the weights
        torch.testing.assert_close(trained(**read).loss, reference(**read).loss)


def test_steps_in_more_batches_learn_the_same(trained: Trained, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    found = []
    for accumulate in (4, 2, 1):
        settings = TrainSettings(
            max_steps=4, warmup_steps=1, batch_size=16, device="cpu", precision="fp32",
            accumulate=accumulate,
        )  # fmt: skip
        run = tmp_path / str(accumulate)
        train_rationale(trained.rows, run, student="scratch:tiny", settings=settings)
        found.append(load_file(run / "model.safetensors"))
    for weights in found[1:]:
        assert all((found[0][name] - weights[name]).abs().max() < 1e-4 for name in weights)


def test_a_batch_size_is_found_that_fits(
    trained: Trained, tmp_path: Path, recorder: Recorder
) -> None:
    settings = TrainSettings(batch_size="auto", max_steps=2, warmup_steps=1, device="cpu")
    manifest = train_rationale(
        trained.rows, tmp_path / "run", student="scratch:tiny", settings=settings, reporter=recorder
    )
    (said,) = [note for note in recorder.notes if "--batch-size auto" in note]
    assert "tokens a step" in said
    assert manifest.metrics["steps"] == 2
    assert 0 <= manifest.metrics["padding"] < 1


def test_the_manifest_tells_what_auto_came_to(trained: Trained) -> None:
    manifest = read_manifest(trained.answer)
    assert manifest is not None
    assert manifest.compute["device"] == "cpu"
    assert manifest.compute["precision"] in ("bf16", "fp32")
    assert manifest.compute["attention"] == "eager"


@pytest.mark.parametrize(
    ("megabytes", "said"),
    [
        (40, "error: not enough memory; use a smaller model, smaller batches, or a machine"),
        (400, "error: out of memory on cpu, --batch-size 36; try --accumulate 2,"),
    ],
)
def test_a_lack_of_memory_is_one_line(
    trained: Trained, tmp_path: Path, megabytes: int, said: str
) -> None:
    limited = (
        "import resource, sys; import torch, transformers, datasets, transformers.models.t5;"
        "from scicot_cli.main import main; import scicot.training.job;"
        "import scicot.training.fitting.trainer; transformers.T5ForConditionalGeneration;"
        "used = int(open('/proc/self/statm').read().split()[0]) * 4096;"
        f"resource.setrlimit(resource.RLIMIT_AS, (used + {megabytes} * 2**20,) * 2); main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, "train-rationale", trained.rows, "-o", tmp_path / "run",
         "--student", "scratch:base", "--batch-size", "36", "--accumulate", "1",
         "--max-steps", "1", "--device", "cpu"],
        capture_output=True, text=True, env=os.environ, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"batch_size": "many"}, "--batch-size is many; it must be a number of rows"),
        ({"batch_size": 0}, "--batch-size is 0"),
        ({"accumulate": 0}, "--accumulate is 0"),
        ({"attention": "flash"}, "--attention is flash; it must be auto or eager or sdpa"),
        ({"lora": -1}, "--lora is -1"),
        ({"checkpoint_minutes": 0}, "--checkpoint-minutes is 0"),
        ({"jobs": 0}, "--jobs is 0"),
    ],
)
def test_settings_that_make_no_sense(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(ScicotError, match=said):
        TrainSettings(**asked)


def test_batch_sizes_as_a_shell_has_them() -> None:
    assert TrainSettings(batch_size="16").batch_rows == 16
    assert TrainSettings(batch_size="8192tokens").batch_tokens == 8192


def test_gradient_checkpointing_and_sdpa_learn_the_same(trained: Trained, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    plain: dict[str, Any] = {"max_steps": 3, "warmup_steps": 1, "batch_size": 8, "device": "cpu"}
    found = []
    changes: list[dict[str, Any]] = [{}, {"gradient_checkpointing": True}, {"attention": "sdpa"}]
    for number, more in enumerate(changes):
        settings = TrainSettings(**plain, precision="fp32", **more)
        run = tmp_path / str(number)
        train_rationale(trained.rows, run, student="scratch:tiny", settings=settings)
        found.append(load_file(run / "model.safetensors"))
    for weights in found[1:]:
        assert all((found[0][name] - weights[name]).abs().max() < 1e-4 for name in weights)


def test_adapters_are_merged_into_an_ordinary_run(trained: Trained, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    from safetensors.torch import load_file

    settings = TrainSettings(
        lora=4, max_steps=3, warmup_steps=1, batch_size=8, device="cpu", learning_rate=1e-2,
        dev_fraction=0.2, fold_by="id", eval_steps=1,
    )  # fmt: skip
    run, start = tmp_path / "run", str(trained.rationale)
    train_rationale(trained.rows, run, student=start, settings=settings)
    before, after = (load_file(folder / "model.safetensors") for folder in (trained.rationale, run))
    assert before.keys() == after.keys()
    changed = {name for name in before if not before[name].equal(after[name])}
    assert changed
    assert not any("shared" in name or "norm" in name for name in changed)


def test_adapters_need_peft(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ScicotError, match=r"--lora: needs peft; pip install 'scicot\[lora\]'"):
        train_rationale(
            trained.rows, tmp_path / "run", student="scratch:tiny", settings=TrainSettings(lora=4)
        )
