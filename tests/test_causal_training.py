"""Training decoder-only students: the inputs of the model, and its loss."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from causal_models import MODELS, tiny
from conftest import Trained, read_rows, world_rows, write_rows

from scicot import (
    PredictSettings,
    ScicotError,
    TrainSettings,
    predict,
    train_answer,
    train_rationale,
)
from scicot.models.families import CAUSAL, IGNORED
from scicot.models.prompt_format import Plain, make_format
from scicot.stages import Stage
from scicot.students.manifest import read_manifest
from scicot.training.fitting.loss import TargetLoss
from scicot.training.scratch import build_scratch

TINY = TrainSettings(max_steps=4, warmup_steps=1, batch_size=12, device="cpu", learning_rate=1e-3)
CPU = PredictSettings(device="cpu", max_new_tokens=12)
ROWS = [
    {"input_ids": [5, 6, 7, 8, 9], "labels": [10, 11, 1]},
    {"input_ids": [12], "labels": [13, 14, 15, 16, 1]},
    {"input_ids": [17, 18, 19], "labels": [1]},
]


def plain_loss(model: Any, row: dict[str, list[int]]) -> torch.Tensor:
    """-log p of the target in nats, by transformers' own loss on one row."""
    ids = torch.tensor([[*row["input_ids"], *row["labels"]]])
    labels = ids.clone()
    labels[:, : len(row["input_ids"])] = IGNORED
    loss: torch.Tensor = model(ids, labels=labels).loss * len(row["labels"])
    return loss


@pytest.mark.parametrize("kind", [*MODELS, "granite"])
def test_the_loss_is_that_of_the_targets_alone(kind: str) -> None:
    """The loss does not depend on the other rows of a batch, also for models that scale their
    logits (Granite)."""
    model = tiny(kind)
    batch = CAUSAL.collate(ROWS, 0, 8)
    loss = TargetLoss(model)(model, dict(batch))
    loss.backward()  # type: ignore[no-untyped-call]
    found = [weight.grad.clone() for weight in model.parameters()]
    model.zero_grad()
    wanted = torch.stack([plain_loss(model, row) for row in ROWS]).sum()
    wanted.backward()  # type: ignore[no-untyped-call]
    assert float(loss.detach()) == pytest.approx(float(wanted.detach()), rel=1e-5)
    for gradient, weight in zip(found, model.parameters(), strict=True):
        assert weight.grad is not None
        # relative to the whole gradient: a sum of large terms differs in more digits
        apart = (gradient - weight.grad).norm() / weight.grad.norm().clamp(min=1e-3)
        assert float(apart) < 1e-5


def test_no_logits_of_sources_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny("llama")
    target_loss = TargetLoss(model)
    seen = []
    plain = torch.nn.functional.linear

    def linear(x: torch.Tensor, weight: torch.Tensor, *more: Any) -> torch.Tensor:
        seen.append((x.shape, weight.shape))
        return plain(x, weight, *more)

    monkeypatch.setattr(torch.nn.functional, "linear", linear)
    target_loss(model, dict(CAUSAL.collate(ROWS, 0, 1)))
    assert not any(weight[0] == 96 for _, weight in seen), "the output layer is given targets alone"


def test_a_batch_is_one_sequence_a_row() -> None:
    batch = CAUSAL.collate(ROWS, 7, 4)
    assert batch["input_ids"].shape == (3, 8)
    assert batch["input_ids"][0].tolist() == [5, 6, 7, 8, 9, 10, 11, 7]
    assert batch["labels"][0].tolist() == [*[IGNORED] * 4, 10, 11, 1, IGNORED]
    assert batch["attention_mask"].sum(1).tolist() == [7, 5, 3]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Train three decoder-only students from scratch: rationale, answer and direct."""
    folder = tmp_path_factory.mktemp("causal")
    rows = write_rows(folder / "rows.jsonl", world_rows())
    common: dict[str, Any] = {"student": "scratch:tiny-causal", "settings": TINY}
    train_rationale(rows, folder / "rationale", **common)
    train_answer(rows, folder / "answer", **common)
    train_answer(rows, folder / "direct", method="direct", **common)
    return Trained(rows, folder / "rationale", folder / "answer", folder / "direct")


def test_two_stages_end_to_end(runs: Trained, tmp_path: Path) -> None:
    manifest = read_manifest(runs.answer)
    assert manifest is not None
    assert manifest.prompt_format == "plain"
    out = tmp_path / "p.jsonl"
    settings = replace(CPU, samples=2, temperature=0.8)
    models: Any = {"answer_model": runs.answer, "rationale_model": runs.rationale}
    predict(runs.rows, out, settings=settings, **models)
    rows = read_rows(out)
    assert len(rows) == 36
    assert all(sum(row["scores"].values()) == pytest.approx(1) for row in rows)
    again = tmp_path / "again.jsonl"
    predict(runs.rows, again, settings=replace(settings, batch_size=3, window=36), **models)
    assert [row["rationales"] for row in read_rows(again)] == [row["rationales"] for row in rows]


@pytest.mark.parametrize("method", ["one-sequence", "answer-first", "multi-task", "shared"])
def test_baselines(runs: Trained, tmp_path: Path, method: str) -> None:
    run, out = tmp_path / "run", tmp_path / "out.jsonl"
    settings = replace(TINY, dev_fraction=0.2, fold_by="meta.metal", shuffle_choices=True)
    manifest = train_answer(
        runs.rows, run, student="scratch:tiny-causal", method=method, settings=settings
    )
    assert manifest.stage is Stage(method)
    predict(runs.rows, out, answer_model=run, settings=CPU)
    assert all(row["prediction"] for row in read_rows(out))


def test_a_run_is_an_ordinary_model_directory(runs: Trained, tmp_path: Path) -> None:
    """Loaded with transformers alone, the model gives the same scores and texts as `predict`."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(runs.direct)
    tokenizer = AutoTokenizer.from_pretrained(runs.direct)
    out = tmp_path / "p.jsonl"
    predict(runs.rows, out, answer_model=runs.direct, settings=CPU, limit=4)
    for row in read_rows(out):
        lines = "\n".join(f"({choice['label']}) {choice['text']}" for choice in row["choices"])
        ids = tokenizer(f"Question: {row['question']}\n{lines}\nAnswer:")["input_ids"]
        scores = []
        for choice in row["choices"]:
            target = [*tokenizer(f" {choice['label']}")["input_ids"], tokenizer.eos_token_id]
            with torch.no_grad():
                log_p = model(torch.tensor([[*ids, *target]])).logits[0].log_softmax(-1)
            scores.append(sum(log_p[len(ids) - 1 + n, t] for n, t in enumerate(target)))
        wanted = torch.stack(scores).softmax(-1).tolist()
        assert list(row["scores"].values()) == pytest.approx(wanted, abs=1e-5)
    (file,) = runs.rationale.glob("generation_config.json")
    assert '"eos_token_id"' in file.read_text()


def test_seeds_folds_adapters_and_equal_budgets(runs: Trained, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    settings = replace(
        TINY, folds=2, fold_by="meta.metal", lora=2, gradient_checkpointing=True, seeds=2
    )
    manifest = train_rationale(
        runs.rows, tmp_path / "run", student="scratch:tiny-causal", settings=settings
    )
    assert manifest.metrics["out_of_fold_rows"] == 36
    equal = train_answer(
        runs.rows,
        tmp_path / "equal",
        student="scratch:tiny-causal",
        method="direct",
        equal_to=[runs.rationale, runs.answer],
        settings=replace(TINY, max_steps=None),
    )
    both = [read_manifest(run) for run in (runs.rationale, runs.answer)]
    wanted = sum(run_manifest.metrics["weights"] for run_manifest in both if run_manifest)
    assert equal.metrics["weights"] == pytest.approx(wanted, rel=0.1)


def test_the_boundary_between_prompt_and_target(runs: Trained) -> None:
    """The ids of the prompt, followed by those of the target, are the ids of prompt and target
    tokenized together (byte-level BPE)."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(runs.direct)
    tokenizer = AutoTokenizer.from_pretrained(runs.direct)
    form = make_format("auto", model, tokenizer)
    assert isinstance(form, Plain)
    prompt = "Question: Which?\n(A) wood\n(B) copper\nAnswer:"
    source = tokenizer(prompt)["input_ids"]
    for text in ("A", "copper", "it conducts (well)", "  odd", "é-1", ""):
        (target,) = form.targets([text], "answer")
        whole = tokenizer(f"{prompt} {text}" if text else prompt)["input_ids"]
        assert [*source, *target[:-1]] == whole
        assert target[-1] == tokenizer.eos_token_id


def test_defaults_suit_the_student(runs: Trained, tmp_path: Path) -> None:
    from scicot.training.answer_form import fill

    fresh = fill(TrainSettings(), "scratch:tiny", Stage.ANSWER)
    assert (fresh.learning_rate, fresh.epochs, fresh.warmup(50)) == (3e-4, 10.0, 100)
    assert fresh.answer_as == "label"
    causal = fill(TrainSettings(), "scratch:tiny-causal", Stage.DIRECT)
    assert (causal.learning_rate, causal.answer_as, causal.warmup(50)) == (1e-3, "label", 100)
    model = tiny("llama")
    model.save_pretrained(tmp_path / "llama")
    pretrained = fill(TrainSettings(warmup_share=0.1), str(tmp_path / "llama"), Stage.DIRECT)
    assert (pretrained.learning_rate, pretrained.answer_as) == (1e-4, "text")
    assert pretrained.warmup(50) == 5
    assert fill(TrainSettings(), str(runs.answer), Stage.ANSWER) == causal, "goes on from scratch"
    assert fill(TrainSettings(), str(tmp_path / "llama"), Stage.RATIONALE).answer_as == "label"


def test_the_form_of_the_answer_is_tried_on_dev_once(runs: Trained, tmp_path: Path) -> None:
    from conftest import Recorder

    settings = replace(TINY, answer_as="auto", dev_fraction=0.2, fold_by="meta.metal")
    options: Any = {"student": "scratch:tiny-causal", "method": "direct", "settings": settings}
    first, second = Recorder(), Recorder()
    manifest = train_answer(runs.rows, tmp_path / "run", reporter=first, **options)
    (note_of_trial,) = [note for note in first.notes if note.startswith("--answer-as auto: ")]
    assert manifest.settings["answer_as"] in note_of_trial
    assert not list(tmp_path.glob(".run*"))
    again = train_answer(runs.rows, tmp_path / "run", reporter=second, **options)
    assert again == manifest
    assert not [note for note in second.notes if note.startswith("--answer-as auto: ")]
    with pytest.raises(ScicotError, match="--answer-as auto: compares both forms on dev"):
        train_answer(
            runs.rows,
            tmp_path / "other",
            **{**options, "settings": replace(TINY, answer_as="auto")},
        )


def test_a_warm_up_longer_than_the_training_is_told(runs: Trained, tmp_path: Path) -> None:
    from conftest import Recorder

    recorder = Recorder()
    settings = replace(TINY, warmup_steps=None, max_steps=24)
    train_answer(
        runs.rows, tmp_path / "run", student="scratch:tiny-causal", method="direct",
        settings=settings, reporter=recorder,
    )  # fmt: skip
    assert any("warm-up takes 100 of 24 steps" in warning for warning in recorder.warnings)


def test_a_model_answers_without_training(runs: Trained, tmp_path: Path, scicot: Any) -> None:
    """Prediction rows and the output of `evaluate` say that the model was not trained."""
    zero, out = tmp_path / "zero.jsonl", tmp_path / "run.jsonl"
    outcome = scicot(
        "predict", runs.rows, "--answer-model", f"hf:{runs.direct}", "-o", zero, "--device", "cpu",
        "--length-normalisation", "character",
    )  # fmt: skip
    assert outcome.code == 0, outcome.stderr
    row = read_rows(zero)[0]
    assert row["models"]["zero_shot"] is True
    assert row["models"]["answer"].startswith(f"hf:{runs.direct}@")
    assert row["models"]["scoring"] == "text"
    assert row["models"]["length_normalisation"] == "character"
    predict(runs.rows, out, answer_model=runs.direct, settings=CPU)
    assert "zero_shot" not in read_rows(out)[0]["models"]
    verdict = scicot("evaluate", zero, out)
    assert "zero: zero-shot; scicot did not train its answer model" in verdict.stdout
    missing = scicot("predict", runs.rows, "--answer-model", "hf:./nowhere", "-o", tmp_path / "x")
    assert (missing.code, missing.stderr.count("\n")) == (1, 1)
    assert "hf:./nowhere: there is no such directory" in missing.stderr
    nameless = scicot("predict", runs.rows, "--answer-model", "hf:", "-o", tmp_path / "x")
    assert (nameless.code, nameless.stderr.count("\n")) == (1, 1)


def test_the_card_names_a_pipeline_that_runs(runs: Trained, trained: Trained) -> None:
    from transformers import pipeline

    for causal, run in ((True, runs.rationale), (True, runs.answer), (False, trained.answer)):
        head = (run / "README.md").read_text().split("---")[1]
        assert ("pipeline_tag: text-generation" in head) is causal
        if causal:
            write = pipeline("text-generation", model=str(run))
            (written,) = write("question: Which conducts?", max_new_tokens=2)
            assert written["generated_text"].startswith("question: Which conducts?")


def test_the_licence_of_the_base_model_is_in_the_card(runs: Trained, tmp_path: Path) -> None:
    import shutil

    base = tmp_path / "base"
    shutil.copytree(runs.direct, base)
    for licence, wanted in (
        ("license: apache-2.0", "license: apache-2.0"),
        ("license: other\nlicense_name: my-terms", 'license: other\nlicense_name: "my-terms"'),
        ("tags: [x]", ""),
    ):
        (base / "README.md").write_text(f"---\n{licence}\n---\n\n# A model\n")
        settings = replace(TINY, max_steps=1)
        run = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        train_answer(runs.rows, run, student=str(base), method="direct", settings=settings)
        head = (run / "README.md").read_text().split("---")[1]
        assert wanted in head
        assert ("license" in head) == bool(wanted)


def test_adapters_beside_weights_in_four_bits(runs: Trained, tmp_path: Path, scicot: Any) -> None:
    """A run trained with 4-bit weights and LoRA adapters has ordinary weights, with the adapters
    merged into them."""
    pytest.importorskip("bitsandbytes")
    from safetensors.torch import load_file
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    base, tokenizer = tmp_path / "base", AutoTokenizer.from_pretrained(runs.direct)
    config = LlamaConfig(  # multiples of 64, bitsandbytes' block size on a CPU
        hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=2,
        vocab_size=len(tokenizer), eos_token_id=tokenizer.eos_token_id, bos_token_id=None,
    )  # fmt: skip
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(base)
    tokenizer.save_pretrained(base)

    settings = replace(
        TINY, lora=4, quantization="nf4", dev_fraction=0.2, fold_by="meta.metal", max_steps=12,
        learning_rate=1e-2, eval_steps=4,
    )  # fmt: skip
    run = tmp_path / "run"
    manifest = train_answer(runs.rows, run, student=str(base), method="direct", settings=settings)
    before, after = (load_file(folder / "model.safetensors") for folder in (base, run))
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    if manifest.metrics["best_step"]:
        assert any("q_proj" in name for name in changed)
    assert all("proj" in name for name in changed)
    assert manifest.metrics["weights"] == sum(weight.numel() for weight in after.values())
    predict(runs.rows, tmp_path / "p.jsonl", answer_model=run, settings=CPU)
    fresh = scicot(
        "train-answer", runs.rows, "-o", tmp_path / "x", "--student", "scratch:tiny-causal",
        "--quantization", "nf4", "--lora", 4,
    )  # fmt: skip
    assert (fresh.code, fresh.stderr.count("\n")) == (1, 1)
    bare = scicot(
        "train-answer", runs.rows, "-o", tmp_path / "x", "--student", base,
        "--quantization", "nf4",
    )  # fmt: skip
    assert "--quantization: quantised weights cannot be trained; add --lora" in bare.stderr


def test_a_fresh_causal_student_starts_with_weights_that_suit_its_width() -> None:
    """With weights of standard deviation 0.02, the default of transformers, the quickstart's answer
    student stayed at chance."""
    torch.manual_seed(0)
    model, _ = build_scratch("scratch:tiny-causal", ["one text", "another text"])
    width = model.config.hidden_size
    projection = model.model.layers[0].self_attn.q_proj.weight
    assert float(projection.detach().std()) == pytest.approx(width**-0.5, rel=0.05)
