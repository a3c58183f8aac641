"""The teacher hf:DIR with a tiny causal language model."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from asked import questions
from conftest import read_rows

from scicot import GenerateSettings, ScicotError, generate_rationales
from scicot.prompts import Prompt
from scicot.teachers import Reply, Request, TeacherError, load_teacher
from scicot.teachers.local import LocalTeacher

WORDS = [
    "Question:",
    "Of",
    "what",
    "is",
    "part",
    "made?",
    "A.",
    "B.",
    "C.",
    "copper",
    "iron",
    "wax",
]
TEMPLATE = (
    "{% for turn in messages %}<{{ turn['role'] }}> {{ turn['content'] }} {% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
# Like models that think by default: without thinking, the prompt ends with an empty thinking block.
THINKS = TEMPLATE + "{% if enable_thinking is defined and not enable_thinking %} <end>{% endif %}"
REFUSES = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("teacher")
    names = ["<unk>", "<end>", "<system>", "<user>", "<assistant>", *WORDS]
    words = Tokenizer(models.WordLevel({name: n for n, name in enumerate(names)}, "<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=words, unk_token="<unk>", eos_token="<end>", chat_template=TEMPLATE
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(names), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=512,
        eos_token_id=1, bos_token_id=None, pad_token_id=None,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def replies(folder: Path, requests: list[Request], **options: Any) -> list[Reply]:
    async def all_at_once() -> list[Reply]:
        teacher = load_teacher(f"hf:{folder}", device="cpu", **options)
        assert isinstance(teacher, LocalTeacher)
        teacher._batch = 3
        try:
            return list(await asyncio.gather(*map(teacher.ask, requests)))
        finally:
            await teacher.close()

    return asyncio.run(all_at_once())


def request(number: int, sample: int = 0, tokens: int = 12) -> Request:
    text = " ".join(["Of", "what", "is", "part"] * (number + 1))
    return Request(f"q{number}", sample, Prompt("Question: A.", text), tokens)


def test_a_batch_answers_as_one_by_one(model: Path) -> None:
    requests = [request(number) for number in (5, 0, 3, 1, 4, 2, 6)]
    together = replies(model, requests)
    single = [replies(model, [single_request])[0] for single_request in requests]
    assert [reply.text for reply in together] == [reply.text for reply in single]
    assert [reply.usage for reply in together] == [reply.usage for reply in single]
    assert len({reply.text for reply in together}) > 1
    assert together[0].usage["input_tokens"] == 1 + 2 + 1 + 4 * 6 + 1


def test_a_reply_that_runs_out_of_tokens_says_so(model: Path) -> None:
    (reply,) = replies(model, [request(0, tokens=2)])
    assert (reply.stop_reason, reply.usage["output_tokens"]) == ("max_tokens", 2)


def test_further_samples_are_drawn(model: Path) -> None:
    drawn = replies(model, [request(1, sample) for sample in range(4)])
    assert drawn[0] == replies(model, [request(1)])[0]
    assert len({reply.text for reply in drawn}) > 1
    hot = replies(model, [request(1)] * 4, sampling={"temperature": 5.0, "top_p": 0.9})
    assert len({reply.text for reply in hot}) > 1


def test_a_template_without_a_system_turn_gets_it_with_the_first_one(model: Path) -> None:
    from transformers import AutoTokenizer

    teacher = load_teacher(f"hf:{model}", device="cpu")
    assert isinstance(teacher, LocalTeacher)
    teacher._tokenizer = AutoTokenizer.from_pretrained(model)
    shown = Prompt("Question:", "what", (("Of", "iron"),))
    with_system = teacher._tokenizer.decode(teacher._ids(shown))
    assert with_system == "<system> Question: <user> Of <assistant> iron <user> what <assistant>"
    teacher._tokenizer.chat_template = REFUSES + TEMPLATE
    without = teacher._tokenizer.decode(teacher._ids(shown))
    assert without == "<user> Question: Of <assistant> iron <user> what <assistant>"
    teacher._tokenizer.chat_template = THINKS
    assert teacher._tokenizer.decode(teacher._ids(shown)) == with_system, "it may think"
    teacher._tokenizer.chat_template = TEMPLATE + "{% if enable_thinking %} <end>{% endif %}"
    assert teacher._tokenizer.decode(teacher._ids(shown)) == with_system, "nobody asks for it"
    assert teacher._tokenizer.decode(teacher._ids(shown, thinking=True)).endswith("<end>")
    teacher._tokenizer.chat_template = None
    assert teacher._tokenizer.decode(teacher._ids(shown)) == "Question: Of iron what"


@pytest.mark.parametrize("special", [False, True])
def test_thinking_is_told_from_the_reply(model: Path, tmp_path: Path, special: bool) -> None:
    from tokenizers import AddedToken
    from transformers import AutoTokenizer

    from scicot.replies import split_thinking
    from scicot.teachers.local import _Pending

    shutil.copytree(model, tmp_path / "thinker")
    tokenizer = AutoTokenizer.from_pretrained(model)
    tags = [AddedToken(tag, special=special) for tag in ("<think>", "</think>")]
    tokenizer.add_tokens(tags, special_tokens=special)
    tokenizer.chat_template = TEMPLATE + " <think>"
    tokenizer.save_pretrained(tmp_path / "thinker")
    teacher = load_teacher(f"hf:{tmp_path / 'thinker'}", device="cpu")
    assert isinstance(teacher, LocalTeacher)

    def read(text: str, opening: bool) -> tuple[str, str, bool]:
        prompt = teacher._ids(Prompt("", "what"))
        asked: Any = _Pending(request(0), prompt if opening else prompt[:-1], None)  # type: ignore[arg-type]
        return split_thinking(teacher._reply(asked, tokenizer(text)["input_ids"]).text)

    assert read("<think> copper </think> A. <end>", opening=False) == ("A.", "copper", False)
    assert read("copper </think> A. <end>", opening=True) == ("A.", "copper", False)
    assert read("copper iron", opening=True) == ("", "copper iron", True)
    assert read("A. <end>", opening=False) == ("A.", "", False)


def test_our_own_loop_runs_what_it_knows_and_both_engines_stop(model: Path, tmp_path: Path) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    from scicot.decoding.native_engine import NativeEngine
    from scicot.decoding.transformers_engine import TransformersEngine
    from scicot.teachers.local import _Pending

    PreTrainedTokenizerFast.from_pretrained(model).save_pretrained(tmp_path)
    config = GPT2Config(vocab_size=20, n_embd=16, n_layer=1, n_head=2, eos_token_id=1)
    GPT2LMHeadModel(config).save_pretrained(tmp_path)
    for folder, engine in ((model, NativeEngine), (tmp_path, TransformersEngine)):
        teacher = load_teacher(f"hf:{folder}", device="cpu")
        assert isinstance(teacher, LocalTeacher)
        assert isinstance(teacher._engine, engine)
        asked = [_Pending(request(n, n), [5, 6, 7 + n], None) for n in range(2)]  # type: ignore[arg-type]
        assert len(teacher._answer(asked)) == 2
        asyncio.run(teacher.close())
        with pytest.raises(asyncio.CancelledError):
            teacher._answer(asked)


def test_what_does_not_fit_is_an_error_of_that_request(model: Path) -> None:
    with pytest.raises(TeacherError, match="exceed the 512-token context of hf:teacher"):
        replies(model, [request(200)])


def test_the_whole_command_runs_on_a_local_model(model: Path, tmp_path: Path) -> None:
    source, out = questions(tmp_path / "q.jsonl", 12), tmp_path / "o.jsonl"
    settings = GenerateSettings(keep="all", max_tokens=8, samples=2, max_failures=100)
    summary = generate_rationales(source, out, teacher=f"hf:{model}", settings=settings)
    assert summary.kept + summary.rejected.total() == 24
    assert summary.tokens["output_tokens"] > 0
    rows = read_rows(out) + read_rows(out.with_suffix(".rejected.jsonl"))
    assert {row["teacher"] for row in rows} == {f"hf:{model.name}"}
    again = generate_rationales(source, out, teacher=f"hf:{model}", settings=settings)
    assert (again.kept, again.already_done) == (0, 24)


def test_what_is_no_model_is_told_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(ScicotError, match=r"hf:.*nowhere: cannot be loaded \(there is no such"):
        load_teacher(f"hf:{tmp_path / 'nowhere'}")
    with pytest.raises(ScicotError, match="--base-url: --teacher hf:x uses no server"):
        load_teacher("hf:x", base_url="http://127.0.0.1:1")
