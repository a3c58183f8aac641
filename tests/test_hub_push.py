"""Pushing runs to the Hub, with the real client and a server on the loopback interface."""

import time
from pathlib import Path

import pytest
from conftest import Online, Recorder
from fakes.hub_server import TOKEN, HubServer

from scicot.errors import ScicotError
from scicot.training.hub_upload import check_push, push

KEPT = {
    "README.md": b"---\nlibrary_name: transformers\n---\n",
    "config.json": b"{}",
    "model.safetensors": bytes(range(256)) * 40,
    "seed-1/model.safetensors": b"other weights",
    "scicot.json": b'{"finished": true}',
}
LEFT_OUT = [
    "checkpoints/checkpoint-50/model.safetensors",
    "folds/0/model.safetensors",
    "folds/0/rationales.jsonl",
    "out_of_fold.jsonl",
    "out_of_fold.state.json",
    "trained_on.jsonl",
    "seed-1/checkpoints/best.pt",
    "seed-1/folds/0/trained_on.jsonl",
    "seed-1/out_of_fold.jsonl",
    "seed-1/trained_on.jsonl",
    "out.lock",
]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Make a run directory with all kinds of files that must not be uploaded."""
    run = tmp_path / "runs" / "answer"
    for name, content in [*KEPT.items(), *((name, b"secret") for name in LEFT_OUT)]:
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_bytes(content)
    return run


@pytest.mark.parametrize("large", [(), (".safetensors",)], ids=["regular", "lfs"])
def test_a_run_arrives_whole_and_nothing_else_does(
    online: Online, run: Path, recorder: Recorder, large: tuple[str, ...]
) -> None:
    with HubServer(large=large) as hub:
        online(hub.url)
        check_push("owner/student")
        assert push(run, "owner/student", recorder) == f"{hub.url}/owner/student"
        assert hub.files == {f"owner/student/{name}": content for name, content in KEPT.items()}
        assert hub.private == {"owner/student": True}
        assert len(hub.commits) == 1
        assert recorder.doing == "pushing to owner/student"


def test_a_run_is_uploaded_the_same_with_the_hubs_own_storage_at_hand(
    online: Online, run: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("hf_xet")
    with HubServer() as hub:
        online(hub.url)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", False)
        push(run, "owner/student", recorder)
        assert {*hub.files} == {f"owner/student/{name}" for name in KEPT}
        assert len(hub.commits) == 1


def test_a_repository_that_is_there_is_used_again(
    online: Online, run: Path, recorder: Recorder
) -> None:
    with HubServer() as hub:
        online(hub.url)
        first = push(run, "owner/student", recorder)
        (run / "config.json").write_bytes(b'{"new": 1}')
        assert push(run, "owner/student", recorder) == first
        assert hub.files["owner/student/config.json"] == b'{"new": 1}'


@pytest.mark.parametrize("repo", ["student", "", "a/b/c", "owner/", "owner/a b", "owner/a--b"])
def test_a_name_is_owner_and_name(online: Online, repo: str) -> None:
    online("http://127.0.0.1:9")
    with pytest.raises(ScicotError, match="write OWNER/NAME") as caught:
        check_push(repo)
    assert "\n" not in str(caught.value)


def test_a_token_must_be_set_and_be_one(online: Online, monkeypatch: pytest.MonkeyPatch) -> None:
    with HubServer() as hub:
        online(hub.url)
        monkeypatch.delenv("HF_TOKEN")
        with pytest.raises(ScicotError, match=r"owner/student: no Hub token .* HF_TOKEN, or run:"):
            check_push("owner/student")
        monkeypatch.setenv("HF_TOKEN", "hf_half\x01wrong")
        with pytest.raises(
            ScicotError, match="the Hub token contains invalid characters"
        ) as caught:
            check_push("owner/student")
        assert "half" not in str(caught.value)


def test_a_token_that_is_refused_is_said_before_training_and_not_shown(
    online: Online, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HubServer() as hub:
        online(hub.url)
        monkeypatch.setenv("HF_TOKEN", "hf_another")
        with pytest.raises(ScicotError, match="the Hub did not confirm the token") as caught:
            check_push("owner/student")
    assert "hf_another" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_token_that_may_only_read_is_said_before_training(online: Online) -> None:
    with HubServer(role="read") as hub:
        online(hub.url)
        with pytest.raises(ScicotError, match="the token is read-only"):
            check_push("owner/student")


def test_a_hub_out_of_reach_is_said_at_once(
    online: Online, run: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    online("http://127.0.0.1:9")  # no server listens on this port
    start = time.monotonic()
    with pytest.raises(ScicotError, match="owner/student: the Hub cannot be reached"):
        check_push("owner/student")
    with pytest.raises(
        ScicotError, match=r"cannot be reached.*is complete in .*again to upload it"
    ):
        push(run, "owner/student", recorder)
    assert time.monotonic() - start < 3
    with HubServer() as hub:
        online(hub.url)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        with pytest.raises(ScicotError, match="that HF_HUB_OFFLINE is not set"):
            check_push("owner/student")


@pytest.mark.parametrize("part", ["/repos/create", "/preupload/", "/objects/batch", "/commit/"])
def test_a_push_that_fails_leaves_the_run_and_says_so(
    online: Online, run: Path, recorder: Recorder, part: str
) -> None:
    with HubServer(large=(".safetensors",), failing={part: 403}) as hub:
        online(hub.url)
        with pytest.raises(
            ScicotError, match=r"owner/student: .*is complete in .*again to upload it$"
        ) as caught:
            push(run, "owner/student", recorder)
        assert hub.files == {}
    message = str(caught.value)
    assert part in message
    assert TOKEN not in message
    assert "\n" not in message
    assert all((run / name).read_bytes() == content for name, content in KEPT.items())
