"""Compiled kernels give the results of torch's operations; workers share work and stop together."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("numba")
import torch
from torch import Tensor

from scicot.decoding.engine import Stopped
from scicot.decoding.workers import Workers
from scicot.devices import multiplies_int8
from scicot.models.native import int8
from scicot.models.native.attention import attended, masked
from scicot.models.native.kernels import decode_attention, int8_kernels, logsumexp

NAN, INF = float("nan"), float("inf")


def worth(made: tuple[Tensor, Tensor]) -> Tensor:
    return made[0].float() * made[1][:, None]


@pytest.mark.parametrize("size", [1, 7, 64, 100, 512])
def test_whole_numbers(size: int) -> None:
    torch.manual_seed(size)
    x = torch.randn(9, size) * torch.logspace(-20, 10, 9)[:, None]
    x[3] = 0
    for eps in (None, 1e-6):
        # the rounding step: at a tie, either neighbour is right
        step = int8.rounded(x, eps)[1][:, None] * 1.01
        assert (
            (worth(int8_kernels.rounded(x, eps)) - worth(int8.rounded(x, eps))).abs() <= step
        ).all()
    product = torch.randint(-10_000, 10_000, (9, 2 * size), dtype=torch.int32)
    rows, columns = torch.rand(9) / 100, torch.rand(2 * size) / 100
    for act in ("gated_gelu_new", "gated_silu"):
        gated, wanted = (
            getattr(kernels, act)(product, rows, columns) for kernels in (int8_kernels, int8)
        )
        assert torch.allclose(gated[1], wanted[1], rtol=1e-5)
        assert ((worth(gated) - worth(wanted)).abs() <= wanted[1][:, None] * 1.01).all()
    for name in ("scaled", "added"):
        into = torch.randn(9, 2 * size)
        in_torch = into.clone()
        getattr(int8_kernels, name)(product, rows, columns, into)
        getattr(int8, name)(product, rows, columns, in_torch)
        assert torch.allclose(into, in_torch, atol=1e-4)


def test_halves_are_torchs() -> None:
    x = torch.randn(50, 96) * torch.logspace(-10, 10, 50)[:, None]
    normed = int8_kernels.normed_bf16(x, 1e-6).float()
    wanted = torch.nn.functional.rms_norm(x, (96,), eps=1e-6).bfloat16().float()
    assert torch.allclose(normed, wanted, rtol=2**-7)
    assert (normed == wanted).float().mean() > 0.99  # at a tie, the other neighbour may be chosen


def test_what_is_no_number_stays_none() -> None:
    x = torch.randn(4, 64)
    x[0, 3], x[1, 5], x[2, 7] = NAN, -NAN, INF
    bad = [True, True, True, False]
    for eps in (None, 1e-6):
        assert worth(int8_kernels.rounded(x, eps)).isnan().any(1).tolist() == bad
    assert int8_kernels.normed_bf16(x, 1e-6).isnan().any(1).tolist() == bad
    assert logsumexp.logsumexp(x).isnan().tolist() == bad
    q, keys = torch.randn(4, 1, 1, 64), torch.randn(4, 1, 9, 64)
    keys[1, 0, 4, 4] = NAN
    out = decode_attention.read(q, keys, keys, torch.full((4,), 9))
    assert out.isnan().any(-1)[:, 0].tolist() == [False, True, False, False]


@pytest.mark.parametrize("offset", [-1000.0, 0.0, 1000.0])
def test_logsumexp(offset: float) -> None:
    x = torch.randn(9, 1001) * 10 + offset
    x[:, 500:] = -INF
    assert torch.allclose(logsumexp.logsumexp(x), x.logsumexp(-1), atol=2e-4)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("places", "size"), [(1, 64), (7, 8), (33, 64), (40, 24)])
def test_attention_of_a_single_query(kind: torch.dtype, places: int, size: int) -> None:
    torch.manual_seed(places)
    q = torch.randn(5, 3, 1, size)
    keys, values = torch.randn(2, 5, 3, places, size).to(kind)
    lengths = torch.randint(1, places + 1, (5,))
    wanted = attended(q, keys.float(), values.float(), masked(lengths, places))
    assert torch.allclose(decode_attention.read(q, keys, values, lengths), wanted, atol=1e-5)
    bias = torch.randn(3, places)
    wanted = attended(q, keys.float(), values.float(), bias[:, None])
    by_step = [states.permute(2, 0, 1, 3).contiguous() for states in (keys, values)]
    found = decode_attention.attend_generated(q, by_step[0], by_step[1], bias)
    assert torch.allclose(found, wanted, atol=1e-5)


def test_what_is_compiled_is_kept(tmp_path: Path) -> None:
    lines = (
        "import torch",
        "from scicot.models.native.kernels.decode_attention import read",
        "x = torch.ones(1, 1, 1, 8)",
        "read(x, x, x, torch.ones(1, dtype=torch.int64))",
    )
    kept = []
    for _ in range(2):
        env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
        subprocess.run([sys.executable, "-c", "\n".join(lines)], env=env, check=True)
        kept.append(sorted(tmp_path.rglob("*.nbc")))
    assert kept[0] == kept[1] != []


def test_products_are_exact() -> None:
    if not multiplies_int8():
        pytest.skip("this CPU adds them up in 16 bits")
    for sign in (1, -1):
        ones, others = torch.full((20, 512), 127), torch.full((512, 32), 127 * sign)
        product = torch._int_mm(ones.to(torch.int8), others.to(torch.int8))
        assert (product == sign * 512 * 127 * 127).all()


def test_workers_share_cores_and_give_them_back() -> None:
    workers, cores = Workers(torch.device("cpu"), 2), torch.get_num_threads()
    seen = workers.map_parts(
        lambda part: (part, torch.get_num_threads()), list(range(workers.count))
    )
    assert [part for part, _ in seen] == list(range(workers.count))
    assert all(threads == max(1, cores // len(seen)) for _, threads in seen)
    assert torch.get_num_threads() == cores
    ours = []
    other = threading.Thread(target=lambda: ours.append(torch.get_num_threads()))
    other.start()
    other.join()
    assert ours == [cores]


def test_a_worker_that_fails_stops_the_others() -> None:
    workers, stopped = Workers(torch.device("cpu"), 2), []

    def work(part: int) -> None:
        if part == 1:
            raise ValueError("of the second")
        for _ in range(1000):
            time.sleep(0.01)
            try:
                workers.check()
            except Stopped:
                stopped.append(part)
                raise

    with pytest.raises(ValueError, match="of the second"):
        workers.map_parts(work, [0, 1, 2])
    assert sorted(stopped) == [0, 2]
    workers.check()  # the workers can be used again, also for a single part
    assert workers.map_parts(str, [1, 2]) == ["1", "2"]
