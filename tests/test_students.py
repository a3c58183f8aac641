import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import SHARED, Trained, needs_shared_data

from scicot import ScicotError
from scicot.decoding.engine import Decoding
from scicot.decoding.engine_spec import EngineRequest
from scicot.devices import resolve_device, resolve_precision
from scicot.models.pretrained import load_pretrained
from scicot.stages import Input, Stage
from scicot.students.loading import load_student
from scicot.students.runs import check_run
from scicot.students.student import Student

INPUTS = [
    Input("Which conducts electricity?", ("(A) wood", "(B) copper")),
    Input("Which?", ("(A) iron", "(B) wax")),
    Input("Which conducts electricity?", ("(A) iron", "(B) wax"), "iron is a metal."),
]


def student_of(run: Path, batch_size: int = 8, engine: str = "auto") -> Student:
    return load_student(
        run, EngineRequest(engine, device="cpu", batch_size=batch_size), max_source_tokens=64
    )


def reference_score(run: Path, text: Input, target: str) -> float:
    """Teacher-forced log-probability of one target, token by token, nothing batched or shared."""
    import torch

    model, tokenizer = load_pretrained(str(run))
    source = tokenizer(str(text), return_tensors="pt")
    labels = tokenizer(text_target=target)["input_ids"]
    fed = [model.config.decoder_start_token_id, *labels[:-1]]
    with torch.no_grad():
        logits = model(input_ids=source["input_ids"], decoder_input_ids=torch.tensor([fed])).logits[
            0
        ]
    return float(sum(logits[i].log_softmax(-1)[label] for i, label in enumerate(labels)))


@pytest.mark.parametrize("engine", ["torch", "transformers"])
@pytest.mark.parametrize("batch_size", [1, 2, 8])
def test_scores_are_the_teacher_forced_likelihoods(
    trained: Trained, batch_size: int, engine: str
) -> None:
    student = student_of(trained.answer, batch_size, engine)
    candidates = [["A", "B"], ["1", "10", "copper wire"], [chr(65 + n) for n in range(26)]]
    scores = student.score(INPUTS, candidates)
    for text, targets, found in zip(INPUTS, candidates, scores, strict=True):
        expected = [reference_score(trained.answer, text, target) for target in targets]
        assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("engine", ["torch", "transformers"])
def test_results_do_not_depend_on_the_batch(trained: Trained, engine: str) -> None:
    alone, together = (student_of(trained.rationale, size, engine) for size in (1, 8))
    assert alone.generate(INPUTS, Decoding(12)) == together.generate(INPUTS, Decoding(12))
    assert together.generate([], Decoding(12)) == []
    assert together.score([], []) == []


def test_bf16_scores_do_not_tie_for_want_of_digits(trained: Trained) -> None:
    exact = student_of(trained.answer)
    rounded = load_student(
        trained.answer,
        EngineRequest(precision="bf16", device="cpu", batch_size=8),
        max_source_tokens=64,
    )
    labels = [[chr(65 + n) for n in range(26)]] * 3
    for found, wanted in zip(
        rounded.score(INPUTS, labels), exact.score(INPUTS, labels), strict=True
    ):
        assert found == pytest.approx(wanted, abs=0.3)
        assert len(set(found)) == 26


def test_what_is_cut_is_counted(trained: Trained) -> None:
    student = load_student(
        trained.rationale, EngineRequest(device="cpu", batch_size=2), max_source_tokens=9
    )
    student.generate(INPUTS, Decoding(1))
    assert student.cuts == {"rationale": 1, "question": 3, "choices": 3}
    assert student.cut_outputs == 3


@needs_shared_data
def test_a_t5_on_the_real_vocabulary_scores_alike(tmp_path: Path) -> None:
    """flan-t5's layout: an untied head, outputs not scaled, a SentencePiece vocabulary."""
    student = real_t5(tmp_path)
    scores = student.score(INPUTS, [["A", "B"]] * 3)
    expected = [[reference_score(tmp_path, text, label) for label in "AB"] for text in INPUTS]
    for found, wanted in zip(scores, expected, strict=True):
        assert found == pytest.approx(wanted, rel=1e-6, abs=1e-5)


def real_t5(folder: Path) -> Student:
    import torch
    from transformers import T5Config, T5ForConditionalGeneration, T5Tokenizer

    shutil.copy(SHARED / "t5_tokenizer" / "spiece.model", folder)
    tokenizer = T5Tokenizer.from_pretrained(folder)
    config = T5Config.from_json_file(SHARED / "t5_tokenizer" / "flan-t5-base.config.json")
    config.update(
        {
            "d_model": 32,
            "d_ff": 64,
            "num_layers": 2,
            "num_decoder_layers": 2,
            "num_heads": 2,
            "d_kv": 8,
        }
    )
    torch.manual_seed(0)
    T5ForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return student_of(folder)


@pytest.mark.parametrize("name", ["cuda:7", "cuda", "tpu"])
def test_a_device_that_is_not_there(name: str) -> None:
    with pytest.raises(ScicotError, match=f"--device {name}: not available here; try auto or cpu"):
        resolve_device(name)


def test_the_cpu_takes_fp32_unless_asked() -> None:
    import torch

    cpu = resolve_device("auto")
    assert cpu.type == "cpu"
    assert resolve_precision("auto", cpu) is torch.float32
    assert resolve_precision("bf16", cpu) is torch.bfloat16


def test_a_run_is_taken_only_for_its_stage(trained: Trained, tmp_path: Path) -> None:
    assert check_run(trained.answer, "--answer-model", Stage.ANSWER).stage is Stage.ANSWER
    with pytest.raises(
        ScicotError, match=r"is a run of train-rationale .* give one made by train-answer"
    ):
        check_run(trained.rationale, "--answer-model", Stage.ANSWER, Stage.DIRECT)
    with pytest.raises(
        ScicotError, match=r"is a run of train-answer .direct.; give one made by train-rationale"
    ):
        check_run(trained.direct, "--rationale-model", Stage.RATIONALE)
    with pytest.raises(ScicotError, match=r"has no scicot\.json"):
        check_run(tmp_path, "--answer-model", Stage.ANSWER)
    with pytest.raises(ScicotError, match="no such directory"):
        check_run(tmp_path / "none", "--answer-model", Stage.ANSWER)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ('"finished": true', "not finished"),
        ('"template": 1', "input template 0"),
        ('"format": 1', "newer than"),
        ('"stage": "answer"', "not readable as a run's manifest"),
    ],
)
def test_a_run_that_cannot_be_used_says_why(
    trained: Trained, tmp_path: Path, change: str, said: str
) -> None:
    instead = {"finished": "false", "template": "0", "format": "2", "stage": '"no stage"'}
    name = change.split('"')[1]
    text = (trained.answer / "scicot.json").read_text()
    assert change in text
    (tmp_path / "scicot.json").write_text(text.replace(change, f'"{name}": {instead[name]}'))
    with pytest.raises(ScicotError, match=said):
        check_run(tmp_path, "--answer-model", Stage.ANSWER)


def test_a_run_without_its_weights_says_so(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "scicot.json").write_text((trained.answer / "scicot.json").read_text())
    with pytest.raises(ScicotError, match="cannot be loaded") as caught:
        student_of(tmp_path)
    assert "\n" not in str(caught.value)


def test_generation_settings_of_the_model_do_not_meddle(trained: Trained, tmp_path: Path) -> None:
    """Sampling or beams in the model's generation_config.json do not change greedy decoding."""
    run = tmp_path / "run"
    shutil.copytree(trained.rationale, run)
    plain = student_of(run).generate(INPUTS, Decoding(12))
    meddling: dict[str, Any] = {"do_sample": True, "num_beams": 4, "max_length": 3, "min_length": 9}
    settings = json.loads((run / "generation_config.json").read_text())
    (run / "generation_config.json").write_text(json.dumps({**settings, **meddling}))
    assert student_of(run).generate(INPUTS, Decoding(12)) == plain


@needs_shared_data
def test_flan_t5s_layout_survives_training_and_saving(trained: Trained, tmp_path: Path) -> None:
    """flan-t5 has an untied head and unscaled outputs. Its T5Config does not differ from T5's in
    this."""
    import torch
    from safetensors.torch import load_file, save_file

    from scicot import TrainSettings, train_answer
    from scicot.models.pretrained import load_pretrained

    folder = tmp_path / "flan"
    folder.mkdir()
    real_t5(folder)
    weights = load_file(folder / "model.safetensors")
    head = torch.randn(weights["shared.weight"].shape, generator=torch.Generator().manual_seed(1))
    save_file({**weights, "lm_head.weight": head}, folder / "model.safetensors", {"format": "pt"})

    def logits(model: Any) -> torch.Tensor:
        ids = torch.arange(3, 60)[None]
        with torch.no_grad():
            result: torch.Tensor = model.eval()(input_ids=ids, decoder_input_ids=ids[:, :9]).logits
        return result

    model, tokenizer = load_pretrained(str(folder))
    assert model.config.scale_decoder_outputs is False
    assert torch.equal(model.lm_head.weight, head)
    assert not torch.equal(model.shared.weight, head)
    model.save_pretrained(tmp_path / "again")
    tokenizer.save_pretrained(tmp_path / "again")
    again, _ = load_pretrained(str(tmp_path / "again"))
    assert torch.allclose(logits(model), logits(again), atol=1e-6, rtol=0)

    # Saved as a run and loaded again; the learning rate is so small that the weights hardly change.
    settings = TrainSettings(
        max_steps=2, learning_rate=1e-12, warmup_steps=0, eval_steps=1, batch_size=4, device="cpu"
    )
    train_answer(
        trained.rows, tmp_path / "run", student=str(folder), settings=settings, dev=[trained.rows],
        limit=8,
    )  # fmt: skip
    run, _ = load_pretrained(str(tmp_path / "run"))
    assert torch.allclose(logits(model), logits(run), atol=1e-6, rtol=0)


def test_draws_follow_the_student_and_not_the_batch(trained: Trained) -> None:
    import torch

    from scicot.decoding.sampling import sample_tokens, uniforms

    logits = torch.tensor([2.0, 1.0, 0.0, -1.0, float("-inf")])
    count = 20_000
    uniform = torch.from_numpy(uniforms(3, count))

    def shares(temperature: float, top_p: float) -> list[float]:
        drawn = sample_tokens(logits.repeat(count, 1), uniform, temperature, top_p)
        counts: list[float] = (torch.bincount(drawn, minlength=5) / count).tolist()
        return counts

    assert shares(0.7, 1.0) == pytest.approx((logits / 0.7).softmax(-1).tolist(), abs=0.01)
    p = logits.softmax(-1)  # 0.64, 0.24, 0.09, 0.03
    nucleus = [float(p[0] / p[:2].sum()), float(p[1] / p[:2].sum()), 0, 0, 0]
    assert shares(1.0, 0.8) == pytest.approx(nucleus, abs=0.01), "the second crosses 0.8"
    assert shares(1.0, 0.6) == [1, 0, 0, 0, 0], "the first alone has 0.6"
    nothing = sample_tokens(torch.full((2, 5), float("nan")), uniform[:2], 1.0, 1.0)
    assert nothing.tolist() == [0, 0], "a broken student draws something, and does not crash"

    student = student_of(trained.rationale)
    seeds: list[list[int | None]] = [[None], [5, 7], [6]]
    together = student.generate(INPUTS, Decoding(12), seeds)
    alone = [
        [student.generate([text], Decoding(12), [[seed]])[0][0] for seed in drawn]
        for text, drawn in zip(INPUTS, seeds, strict=True)
    ]
    assert together == alone
    assert together[0] == student.generate(INPUTS[:1], Decoding(12))[0]
    (many,) = student.generate(INPUTS[:1], Decoding(12), [list(range(40))])
    assert len(set(many)) > 1
