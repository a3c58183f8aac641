"""Let functions accept settings as keywords: train_answer(..., epochs=3) instead of
train_answer(..., settings=TrainSettings(epochs=3)). The types of all keywords are checked."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from difflib import get_close_matches
from typing import Any, TypeVar, cast

from scicot.config import ReadingSettings, RewardSettings
from scicot.config.value_types import typed

_NAMES = tuple[str | os.PathLike[str], ...]
# Types of the keywords that are no fields of settings. Keywords that take rows are not among them.
TYPES: dict[str, Any] = {
    **{"limit": int | None, "skip_invalid": bool, "force": bool},
    **{"method": str, "equal_to": _NAMES},
    **{"answer_model": _NAMES | None, "rationale_model": _NAMES | None},
    **{"report_to": tuple[str, ...], "push_to_hub": str | None, "reward": RewardSettings | None},
    **{"base_url": str | None, "prompt": str | os.PathLike[str] | None},
    "reading": ReadingSettings | None,
}

Function = TypeVar("Function", bound=Callable[..., Any])


def takes(
    settings: type[Any] | None, extra_defaults: Mapping[str, Any] | None = None
) -> Callable[[Function], Function]:
    """Return a decorator for a function with a parameter `settings`, a parameter `reading` (of the
    class ReadingSettings), or both. The decorated function also accepts each field of these
    settings classes as a keyword.

    `settings` is the class of the function's parameter `settings`, or None if the function has no
    such parameter. `extra_defaults` names the further keywords that the function accepts in
    `**options`. It maps each name to the default that `help()` shows. An unknown keyword raises
    TypeError, whose message suggests the most similar name. A value of a wrong type raises
    UsageError. A keyword with the value None gets its default. `help()` and notebooks show all
    keywords.
    """
    extra_defaults = extra_defaults or {}

    def with_keywords(function: Function) -> Function:
        signature = inspect.signature(function).parameters
        parameters = {
            name: parameter
            for name, parameter in signature.items()
            if parameter.kind is not parameter.VAR_KEYWORD
        }
        groups = {"settings": settings, "reading": ReadingSettings}
        of_group = {
            field.name: group
            for group, settings_type in groups.items()
            if settings_type is not None and group in parameters
            for field in fields(settings_type)
        }
        accepted = [*parameters, *extra_defaults, *of_group]
        types = {**TYPES, **({} if settings is None else {"settings": settings | None})}

        signature_parameters = [
            *parameters.values(),
            *(_keyword(name, value) for name, value in extra_defaults.items()),
        ]
        for group, kind in groups.items():
            if kind is not None and group in parameters:
                defaults = kind()
                signature_parameters += [
                    _keyword(field.name, getattr(defaults, field.name)) for field in fields(kind)
                ]
        may_be_none = {each.name for each in signature_parameters if each.default is None}

        @functools.wraps(function)
        def called(*arguments: Any, **keywords: Any) -> Any:
            for name in keywords:
                if name not in accepted:
                    raise TypeError(_unknown(function.__name__, name, accepted))
            keywords = {n: v for n, v in keywords.items() if v is not None or n in may_be_none}
            for name in types.keys() & keywords.keys():
                keywords[name] = typed(name, keywords[name], types[name])
            for group, settings_type in groups.items():
                values = {n: keywords.pop(n) for n in list(keywords) if of_group.get(n) == group}
                if values and settings_type is not None:
                    current = keywords.get(group)
                    keywords[group] = (
                        settings_type(**values) if current is None else replace(current, **values)
                    )
            return function(*arguments, **keywords)

        vars(called)["__signature__"] = inspect.Signature(signature_parameters)
        return cast(Function, called)

    return with_keywords


def _keyword(name: str, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)


def _unknown(function: str, name: str, accepted: list[str]) -> str:
    similar = get_close_matches(name, accepted, n=1, cutoff=0.5)
    suggestion = f"; did you mean {similar[0]!r}?" if similar else ""
    return f"{function}() got an unexpected keyword argument {name!r}{suggestion}"
