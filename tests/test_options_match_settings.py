"""The options of a command and the fields of its settings, which are defined separately, agree."""

import dataclasses
import importlib
import types
import typing
from typing import Any

import pytest
import typer

from scicot import (
    EvaluateSettings,
    GenerateSettings,
    PredictSettings,
    RewardSettings,
    TrainSettings,
)
from scicot_cli.app import app

COMMANDS = {
    "generate-rationales": GenerateSettings,
    "train-rationale": TrainSettings,
    "train-answer": TrainSettings,
    "predict": PredictSettings,
    "evaluate": EvaluateSettings,
}

# Settings without an option of the same name: they belong to the other training command, or their
# option has another name.
NO_OPTION = {
    "train-rationale": {
        *("weights", "rationale_dropout", "shuffle_choices", "rationale_loss_weight"),
        *("answer_as", "soft_labels"),
    },
    "predict": {"calibrate"},  # --calibration/--no-calibration
}

# Options that are arguments of the library's function, not settings.
ARGUMENTS = {
    *("questions", "rationales", "predictions", "output", "limit", "skip_invalid", "force"),
    *("teacher", "base_url", "prompt", "examples", "student", "method", "equal_to", "dev"),
    *("fold_questions", *(field.name for field in dataclasses.fields(RewardSettings))),
    *("report_to", "push_to_hub", "answer_model", "rationale_model", "report"),
    *("columns", "answer_index", "answer_texts", "encoding"),  # together the argument `reading`
    # options of the command line only
    *("config", "quiet", "verbose", "dry_run", "as_json", "processes", "calibration"),
    *("no_rationale", "min_accuracy", "fail_if_worse_than"),
}

# Option types that write a setting's value in another form.
SPELLED = {
    "batch_size": str,
    "weights": str,
    "mix_direct": str,
    "fold_by": str,
    "price": str,
    "shard": str,
}


def options_of(command: str) -> dict[str, Any]:
    group: Any = typer.main.get_command(app)
    return {option.name: option for option in group.commands[command].params}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_setting_is_an_option_with_its_default(command: str) -> None:
    settings, options = COMMANDS[command](), options_of(command)
    fields = {field.name for field in dataclasses.fields(settings)}
    assert fields - options.keys() == NO_OPTION.get(command, set())
    assert options.keys() - fields <= ARGUMENTS
    for name in fields & options.keys():
        option, default = options[name], getattr(settings, name)
        if isinstance(default, tuple):
            assert not option.default, name
        elif isinstance(option.default, str):
            assert option.default == str(default), name
        else:
            assert option.default == default, name


@pytest.mark.parametrize("command", COMMANDS)
def test_an_option_takes_the_type_of_its_setting(command: str) -> None:
    fields = typing.get_type_hints(COMMANDS[command])
    name = command.replace("-", "_")
    function = getattr(importlib.import_module(f"scicot_cli.{name}"), name)
    for name, hint in typing.get_type_hints(function).items():
        if name in fields and name not in SPELLED:
            assert _literals(hint) in (_literals(fields[name]), set()), name
            assert _plain(hint) is _plain(fields[name]), name


def _plain(hint: Any) -> Any:
    """Reduce a type hint to a plain type, for example `int | None` to int and a Literal to str."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        (given,) = [kind for kind in typing.get_args(hint) if kind is not types.NoneType]
        return _plain(given)
    if origin is typing.Literal:
        return str
    if origin in (tuple, list):
        return tuple
    return origin or hint


def _literals(hint: Any) -> set[Any]:
    if typing.get_origin(hint) is typing.Literal:
        return set(typing.get_args(hint))
    return set().union(*(_literals(kind) for kind in typing.get_args(hint)), set())
