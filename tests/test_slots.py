"""Continuous batching in slots (CUDA) gives the same texts as shrinking batches (CPU)."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
from causal_models import NATIVE, tiny
from test_engines import KINDS, sources, targets, values
from test_engines import model as t5

from scicot.decoding.engine import Decoding, Ids


def model(kind: str) -> Any:
    return t5(kind) if kind in KINDS else tiny(kind, words=300)


def texts_of(writes: str, reference: Any, asked: tuple[Any, ...], **sizes: int) -> list[list[Ids]]:
    import torch

    from scicot.decoding import native_engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native_engine, "_IN_SLOTS", ("cpu",) if writes == "slots" else ())
        limits: Any = {"batch_size": 64, **sizes}
        engine = native_engine.NativeEngine(reference, torch.float32, **limits)
    written: list[list[Ids]] = []
    for sources_, draws, decoding in asked:  # one call after another, with the same engine
        written += engine.generate(sources_, draws, decoding)
    return written


@pytest.mark.parametrize("kind", KINDS)
def test_slots_write_the_texts_of_groups(kind: str) -> None:
    reference = model(kind)
    endless = texts_of("groups", reference, ((sources(), [[None, 3]] * 40, Decoding(30)),))
    times = Counter(token for row in endless for text in row for token in set(text[1:]))
    # so that many texts end, at various lengths
    reference.config.eos_token_id = times.most_common(1)[0][0]
    greedy: list[list[int | None]] = [[None]] * 40
    several: list[list[int | None]] = [[None] if n % 3 else [None, 7 * n, 9] for n in range(40)]
    drawn = Decoding(70, temperature=0.7, top_p=0.9)
    longer = [[*row[:-1], *row] for row in sources()]
    asked: tuple[Any, ...] = (
        (sources()[:5], greedy[:5], Decoding(9)),
        (sources(), greedy, Decoding(70)),
        (longer, several, drawn),
        (sources(), greedy, Decoding(3)),
        (sources()[:1], greedy[:1], Decoding(70)),
        ([], [], Decoding(70)),
        (sources(), several, Decoding(70)),
    )
    wanted = texts_of("groups", reference, asked)
    lengths = {len(text) for row in wanted for text in row}
    assert {3, 9, 70} < lengths
    assert len(lengths) > 10
    for sizes in ({}, {"batch_size": 1}, {"batch_size": 20}, {"batch_tokens": 2000}):
        assert texts_of("slots", reference, asked, **sizes) == wanted


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("kind", [*KINDS, *NATIVE])
def test_a_step_asks_nothing_of_the_host_and_brings_nothing(kind: str, half: bool) -> None:
    """CUDA can only capture a step that reads no values on the host and uses no CPU tensors. Meta
    tensors, which have no values, take the place of GPU tensors."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    from scicot.decoding.continuous_batching import make_sampler
    from scicot.decoding.slots import Slots, Step
    from scicot.models.native import native_model

    class AllThere(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            made = func(*args, **(kwargs or {}))
            for leaf in tree_leaves((args, kwargs, made)):
                assert not isinstance(leaf, torch.Tensor) or leaf.device.type == "meta", func
            return made

    native = native_model(model(kind).to("meta"), torch.bfloat16 if half else torch.float32)
    with torch.inference_mode():
        ids = torch.zeros((6, 20), dtype=torch.long, device="meta")
        read = native.encoder(ids, torch.zeros(6, dtype=torch.long, device="meta"))
        assert read.states.dtype == (torch.bfloat16 if half else torch.float32)
        slots = Slots(read.states, 16, 32, 64, joint=native.joint)
        for drawn in (None, (0.7, 0.9)):
            step = Step(
                slots, native.decoder, make_sampler(native.decoder.output, drawn), [1], (12, 24, 48)
            )
            with AllThere():  # type: ignore[no-untyped-call]
                step()


@pytest.mark.cuda
@pytest.mark.skipif("not __import__('torch').cuda.is_available()", reason="no CUDA here")
@pytest.mark.parametrize("kind", [*KINDS, *NATIVE])
def test_cuda_writes_the_texts_of_transformers(kind: str) -> None:
    import torch
    import transformers
    from packaging.version import Version

    from scicot.decoding.native_engine import NativeEngine
    from scicot.decoding.transformers_engine import TransformersEngine

    if kind == "umt5" and Version(transformers.__version__) < Version("5.18"):
        pytest.skip("this transformers lets UMT5's decoder see later tokens")
    network = model(kind).cuda()
    engine = NativeEngine(network, torch.float32, batch_size=32)
    reference = TransformersEngine(network, batch_size=8)
    draws = [[None] if n % 3 else [None, 7 * n, 9] for n in range(40)]
    for most in (3, 70, 40):  # repeated steps are replayed from captured graphs
        decoding = Decoding(most, temperature=0.7, top_p=0.9)
        wanted = reference.generate(sources(), draws, decoding)
        assert engine.generate(sources(), draws, decoding) == wanted
    scores = values(reference.score(sources(), targets()))
    assert values(engine.score(sources(), targets())) == pytest.approx(scores, abs=2e-3)
    half = NativeEngine(network, torch.bfloat16, batch_size=32)
    assert len(half.generate(sources(), draws, Decoding(40))) == 40


def test_what_is_captured_is_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from scicot.decoding.slots import Graphs

    done: list[str] = []
    current = ["host"]

    class Graph:
        def replay(self) -> None:
            done.append("replayed")

    class Stream:
        device = torch.device("cuda", 0)

        def __init__(self, device: object = None) -> None:
            pass

        def wait_stream(self, other: object) -> None:
            pass

    @contextmanager
    def there(where: str) -> Iterator[None]:
        current.append(where)
        yield
        current.pop()

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "graph", lambda graph, pool, stream: there("captured"))
    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())
    monkeypatch.setattr(torch.cuda, "set_stream", lambda stream: None)
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: "pool")
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: there("aside"))
    for device in ("cpu", "cuda"):
        step = Graphs(torch.device(device)).of(lambda: done.append(current[-1]))
        for _ in range(5):
            step()
    assert done == [*["host"] * 5, *["aside"] * 3, "captured", *["replayed"] * 2]


def test_slots_go_on_with_less_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from scicot.decoding.slots import Slots

    reference = model("t5")
    asked = ((sources(), [[None]] * 40, Decoding(20)),)
    wanted = texts_of("groups", reference, asked)
    plain, counts = Slots.__init__, list[int]()

    def small(self: Any, like: Any, count: int, *more: int, joint: bool) -> None:
        counts.append(count)
        if count > 10:
            raise torch.OutOfMemoryError("CUDA out of memory")
        plain(self, like, count, *more, joint=joint)

    monkeypatch.setattr(Slots, "__init__", small)
    assert texts_of("slots", reference, asked) == wanted
    assert counts == [48, 32, 16, 8]
