"""Runs on the Hub: pushed to a server on the loopback interface, then used by their names there."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Online, Outcome, Recorder, Trained, read_rows, world_rows, write_rows
from fakes.hub_server import HubServer

from scicot import PredictSettings, ScicotError, TrainSettings, check, predict, train_answer
from scicot.stages import Stage
from scicot.students.hub_runs import HubRun
from scicot.students.runs import check_run
from scicot.training.hub_upload import push

CPU = PredictSettings(device="cpu", max_new_tokens=8)


@pytest.fixture
def hub(
    online: Online, trained: Trained, recorder: Recorder, tmp_path: Path
) -> Iterator[HubServer]:
    """A Hub that holds the rationale and answer runs of `trained`."""
    with HubServer(large=(".safetensors",)) as hub:
        online(hub.url)
        for run in (trained.rationale, trained.answer):
            shutil.copytree(run, tmp_path / "pushed" / run.name)
            push(tmp_path / "pushed" / run.name, f"owner/{run.name}", recorder)
        yield hub


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("owner/name", ("owner/name", "", None)),
        ("owner/na-me.1@v1.0", ("owner/na-me.1", "", "v1.0")),
        ("owner/name@refs/pr/1", ("owner/name", "", "refs/pr/1")),
        ("owner/name/seed-0@main", ("owner/name", "seed-0", "main")),
        *((name, None) for name in ("name", "/a/b", "./a/b", "../b", "~/a", "a/b/", "a//b", "a/b@",
                                    "hf:a/b", "a b/c", "a/b--c", "")),
    ],
)  # fmt: skip
def test_names_on_the_hub(name: str, parts: tuple[str, str, str | None] | None) -> None:
    run = HubRun.parse(name)
    assert run == (None if parts is None else HubRun(*parts))
    assert run is None or str(run) == name


def test_predicting_with_runs_on_the_hub_is_predicting_with_their_directories(
    hub: HubServer, trained: Trained, tmp_path: Path
) -> None:
    outs = []
    runs: list[tuple[str | Path, str | Path]] = [
        (trained.answer, trained.rationale),
        ("owner/answer", "owner/rationale@main"),
    ]
    for number, (answer, rationale) in enumerate(runs):
        out = tmp_path / f"{number}.jsonl"
        predict(trained.rows, out, answer_model=answer, rationale_model=rationale, settings=CPU)
        outs.append(read_rows(out))
    models = [row.pop("models") for rows in outs for row in rows][-1]
    assert outs[0] == outs[1]
    assert models["answer"].startswith("owner/answer@")
    assert models["rationale"].startswith("owner/rationale@")
    assert "README.md" not in hub.downloads, "only what a student is loaded from"


def test_a_revision_is_a_commit_or_tag_and_an_output_does_not_mix_two(
    hub: HubServer, trained: Trained, tmp_path: Path, recorder: Recorder
) -> None:
    hub.tags["v1"] = f"{2:040x}"
    other = tmp_path / "pushed" / "answer"
    shutil.copy(trained.direct / "model.safetensors", other / "model.safetensors")
    manifest = (other / "scicot.json").read_text()
    weights = re.search(r'"weights_sha256": "(\w+)"', manifest)
    assert weights is not None
    (other / "scicot.json").write_text(manifest.replace(weights[1], "f" * 64))
    push(other, "owner/answer", recorder)
    out, options = tmp_path / "o.jsonl", {"settings": CPU, "rationale_model": "owner/rationale"}
    named: Any = options
    predict(trained.rows, out, answer_model="owner/answer@v1", **named)
    assert read_rows(out)[0]["models"]["answer"] == f"owner/answer@{weights[1][:12]}"
    with pytest.raises(ScicotError, match=r"was made with other settings .*owner/answer@ffff"):
        predict(trained.rows, out, answer_model="owner/answer", **named)
    assert predict(trained.rows, out, answer_model=f"owner/answer@{2:040x}", **named).predicted == 0
    with pytest.raises(ScicotError, match="owner/answer@v9: the repository owner/answer has no re"):
        check_run("owner/answer@v9", "--answer-model", Stage.ANSWER)


def test_what_was_downloaded_is_there_without_a_network(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = check_run("owner/answer", "--answer-model", Stage.ANSWER)
    sent = len(hub.downloads)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    again = check_run("owner/answer", "--answer-model", Stage.ANSWER)
    assert again == first
    assert len(hub.downloads) == sent
    with pytest.raises(ScicotError, match=r"owner/rationale: no such directory, .*check the netw"):
        check_run("owner/rationale", "--rationale-model", Stage.RATIONALE)
    for file in first.directory.glob("*.safetensors"):
        file.unlink()
    with pytest.raises(ScicotError, match="its files in the local Hub cache are incomplete"):
        check_run("owner/answer", "--answer-model", Stage.ANSWER)


def test_a_local_folder_wins(
    hub: HubServer, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained.direct, tmp_path / "owner" / "answer")
    before = len(hub.downloads)
    assert check_run("owner/answer", "--answer-model", Stage.DIRECT).hub is None
    assert len(hub.downloads) == before


def test_what_is_no_run_is_one_line_before_any_weights_are_downloaded(
    hub: HubServer, trained: Trained, tmp_path: Path, recorder: Recorder,
    scicot: Callable[..., Outcome],
) -> None:  # fmt: skip
    bare = tmp_path / "bare"
    shutil.copytree(trained.answer, bare, ignore=shutil.ignore_patterns("scicot.json"))
    push(bare, "owner/bare", recorder)
    hub.downloads.clear()
    for name, said in (
        ("owner/nothing", "no such directory, and no such repository on the Hub"),
        ("owner/bare", "has no scicot.json; give a run .* --answer-model hf:owner/bare"),
        ("owner/answer/seed-0", "has no scicot.json in seed-0"),
        ("owner/rationale", "is a run of train-rationale"),
        ("./nothing", "no such directory; give a run that scicot trained, or its OWNER/NAME"),
    ):
        done = scicot("predict", trained.rows, "--answer-model", name, "-o", tmp_path / "o.jsonl")
        assert (done.code, done.stderr.count("\n")) == (1, 1), done.stderr
        assert re.search(f"--answer-model {re.escape(name)}: .*{said}", done.stderr), done.stderr
    assert not any(file.endswith(".safetensors") for file in hub.downloads)
    assert not (tmp_path / "o.jsonl").exists()
    folds = scicot(
        "predict", trained.rows, "--rationale-model", "owner/rationale", "--with-folds",
        "-o", tmp_path / "o.jsonl",
    )  # fmt: skip
    assert folds.code == 1
    assert "--with-folds" in folds.stderr


def test_one_of_several_seeds_has_a_name(
    hub: HubServer, trained: Trained, tmp_path: Path, recorder: Recorder
) -> None:
    several = tmp_path / "several"
    for seed in ("seed-0", "seed-1"):
        shutil.copytree(trained.answer, several / seed)
    manifest = (trained.answer / "scicot.json").read_text()
    (several / "scicot.json").write_text(
        manifest.replace('"seeds": []', '"seeds": ["seed-0", "seed-1"]')
    )
    push(several, "owner/several", recorder)
    with pytest.raises(ScicotError, match="give one of them, such as owner/several/seed-0, or"):
        check_run("owner/several", "--answer-model", Stage.ANSWER)
    hub.downloads.clear()
    run = check_run("owner/several/seed-1", "--answer-model", Stage.ANSWER)
    assert {file.partition("/")[0] for file in hub.downloads} == {"seed-1"}
    assert run.identity.startswith("owner/several/seed-1@")


def test_check_takes_a_student_on_the_hub_without_its_weights(
    hub: HubServer, tmp_path: Path
) -> None:
    file = write_rows(tmp_path / "q.jsonl", world_rows()[:3])
    found = check(file, student="owner/answer@main", reporter=Recorder())
    assert (found.unit, found.questions) == ("tokens", 3)
    assert not any(name.endswith(".safetensors") for name in hub.downloads)


def test_equal_to_takes_a_run_on_the_hub_without_its_weights(
    hub: HubServer, trained: Trained, tmp_path: Path
) -> None:
    settings = TrainSettings(batch_size=36, warmup_steps=0, device="cpu")
    manifest = train_answer(
        trained.rows, tmp_path / "run", student="scratch:tiny", method="direct",
        equal_to=["owner/answer"], settings=settings,
    )  # fmt: skip
    assert manifest.equal_to is not None
    assert manifest.equal_to["runs"][0].startswith("owner/answer@")
    assert not any(name.endswith(".safetensors") for name in hub.downloads)


def run_snippet(card: str, capsys: pytest.CaptureFixture[str]) -> str:
    (code,) = re.findall(r"```python\n(.*?)```", card, re.S)
    exec(code, {})
    return capsys.readouterr().out


def test_the_example_of_a_card_runs_here_and_from_the_hub(
    hub: HubServer, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(trained.answer.parent)
    for run in (trained.rationale, trained.answer, trained.direct):
        said = run_snippet((run / "README.md").read_text(), capsys)
        assert said if run is trained.rationale else re.match(r"[AB] \{'A': 0\.", said)
    monkeypatch.chdir(tmp_path)
    pushed = hub.files["owner/answer/README.md"].decode()
    assert 'answer_model="owner/answer", rationale_from="input"' in pushed
    assert "`scicot predict ... --answer-model owner/answer`" in pushed
    assert re.match(r"[AB] \{'A': 0\.", run_snippet(pushed, capsys))
    assert (tmp_path / "pushed/answer/README.md").read_text() == pushed


def test_a_push_that_fails_leaves_the_card(
    online: Online, trained: Trained, tmp_path: Path, recorder: Recorder
) -> None:
    run = tmp_path / "answer"
    shutil.copytree(trained.answer, run)
    with HubServer(failing={"/commit/": 403}) as hub:
        online(hub.url)
        with pytest.raises(ScicotError, match="run the same command again to upload it"):
            push(run, "owner/other", recorder)
    assert (run / "README.md").read_text() == (trained.answer / "README.md").read_text()
