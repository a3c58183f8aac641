"""Memory on a CPU: pages of weight files are released, nothing is copied needlessly, and the KV
cache is limited."""

import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from causal_models import tiny

from scicot.decoding.batch_limits import BatchLimits
from scicot.decoding.native_engine import NativeEngine
from scicot.devices import release_pages
from scicot.models.pretrained import load_tokenizer

STATUS = Path("/proc/self/status")


def resident_file_pages() -> int:
    """The memory of this process that is mapped from files, in KiB."""
    (line,) = [line for line in STATUS.read_text().splitlines() if line.startswith("RssFile")]
    return int(line.split()[1])


def pages_can_be_released(file: Path) -> bool:
    """Return True if the system releases pages of `file` when Python's `mmap` requests it."""
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        assert mapped[:].count(0)  # reads all pages
        before = resident_file_pages()
        mapped.madvise(21)  # MADV_PAGEOUT
        return resident_file_pages() < before - 6 * 1024


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
    if not pages_can_be_released(file):
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


def test_the_kv_cache_of_a_large_model_is_smaller_in_fp32() -> None:
    """For the sizes of Gemma 3 270M, the KV cache may take 0.2 times the weights' memory if matrix
    products are in fp32, and 0.3 times if they are in bf16."""
    weights, token_bytes = 268_098_176, 18_432
    sizes: Any = {"weights": weights, "weight_bytes": 4 * weights, "token_bytes": token_bytes}
    cached = [
        BatchLimits.of("cpu", 262_144, 256, None, dtype=dtype, **sizes).tokens * token_bytes
        for dtype in (torch.float32, torch.bfloat16)
    ]
    assert cached == pytest.approx([0.2 * 4 * weights, 0.3 * 4 * weights], rel=1e-3)


def test_a_tokenizer_keeps_no_copies_of_its_vocabulary(tmp_path: Path) -> None:
    from transformers import AutoTokenizer, GemmaTokenizer

    pieces = ("<pad>", "<eos>", "<bos>", "<unk>", "\u2581", "a", "b", "ab", "\u2581ab")
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    merges: Any = [("a", "b"), ("\u2581", "ab")]
    GemmaTokenizer(vocab=vocabulary, merges=merges).save_pretrained(tmp_path)
    whole = AutoTokenizer.from_pretrained(tmp_path)
    assert whole._vocab, "transformers keeps a copy, which the next line loads without"
    tokenizer = load_tokenizer(tmp_path, "student")
    assert not any(getattr(tokenizer, name, None) for name in ("_vocab", "_merges"))
    assert tokenizer.get_vocab() == whole.get_vocab()
    assert tokenizer("ab ab")["input_ids"] == whole("ab ab")["input_ids"] == [7, 8]
