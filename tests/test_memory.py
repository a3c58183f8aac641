"""Memory that an engine on a CPU gives back: pages of weights in a file, and copies that nothing
reads."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from causal_models import tiny

from scicot.decoding.native_engine import NativeEngine
from scicot.devices import release_pages
from scicot.models.pretrained import load

STATUS = Path("/proc/self/status")


def resident_file_pages() -> int:
    """The memory of this process that is mapped from files, in KiB."""
    (line,) = [line for line in STATUS.read_text().splitlines() if line.startswith("RssFile")]
    return int(line.split()[1])


@pytest.mark.skipif(not STATUS.exists(), reason="Linux tells a process its memory here")
def test_pages_of_a_mapped_file_are_released_and_read_again(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    np.arange(2**22, dtype=np.float32).tofile(file)  # 16 MiB
    weights = torch.from_numpy(np.memmap(file, np.float32, mode="c"))
    total = float(weights.double().sum())
    before = resident_file_pages()
    release_pages([weights[10:-10]])
    after = resident_file_pages()
    assert float(weights.double().sum()) == total
    if after >= before:
        pytest.skip("this file system keeps its pages, as one in memory does")
    assert after < before - 6 * 1024


def test_changed_pages_keep_their_values(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    np.zeros(2**16, np.float32).tofile(file)
    weights = torch.from_numpy(np.memmap(file, np.float32, mode="c"))
    weights += 1
    release_pages([weights])
    assert float(weights.sum()) == 2**16


def test_scoring_makes_no_second_copy_of_the_output_layer() -> None:
    engine = NativeEngine(tiny("gemma3_text"), torch.bfloat16, batch_size=4)
    engine.score([[5, 6, 7]], [[[8], [9]]])
    output: Any = engine._model.decoder.output
    assert output._layers == []


def test_a_tokenizer_keeps_no_copies_of_its_vocabulary(trained: Any) -> None:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    run = str(trained.rationale)
    _, tokenizer = load(AutoModelForSeq2SeqLM, run, subject="student", dtype=torch.float32)
    whole = AutoTokenizer.from_pretrained(run)
    assert not any(getattr(tokenizer, name, None) for name in ("_vocab", "_merges"))
    assert tokenizer.get_vocab() == whole.get_vocab()
    assert tokenizer("metal conducts")["input_ids"] == whole("metal conducts")["input_ids"]
