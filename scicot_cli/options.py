"""The options that several commands share: name, help and type; defaults are the settings'."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from scicot.errors import ScicotError


def _read_config(ctx: typer.Context, path: Path | None) -> Path | None:
    """Take a YAML file's values as the defaults of this command's options."""
    if path is None:
        return None
    import yaml

    try:
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ScicotError(f"--config {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ScicotError(f"--config {path}: not YAML ({' '.join(str(error).split())})") from None
    if values is None:
        return path
    if not isinstance(values, dict):
        raise ScicotError(f"--config {path}: must map option names to values")
    names = {
        _spelled(name): parameter.name
        for parameter in ctx.command.params
        for name in [*parameter.opts, parameter.name or ""]
    }
    lists = {p.name for p in ctx.command.params if p.nargs == -1 or getattr(p, "multiple", False)}
    defaults: dict[str, Any] = {}
    for key, value in values.items():
        name = names.get(_spelled(str(key)))
        if name is None or name == "config":
            raise ScicotError(f"--config {path}: {key!r} is no option of scicot {ctx.info_name}")
        if value is not None:
            defaults[name] = _as_option(name, value, several=name in lists)
    ctx.default_map = defaults
    return path


def _as_option(name: str, value: Any, *, several: bool) -> Any:
    """A value of YAML as an option has it."""
    if several:
        return value if isinstance(value, list) else [value]
    if isinstance(value, list):  # what a flag takes as "1,2"
        return ",".join(map(str, value))
    if name == "reveal_answer" and isinstance(value, bool):
        return "always" if value else "never"
    return value


def _spelled(name: str) -> str:
    return name.lstrip("-").replace("_", "-")


Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE.yaml",
        is_eager=True,
        callback=_read_config,
        help="Options by name from a YAML file; flags win.",
    ),
]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, help="Read only the first N rows of each file.")
]
SkipInvalid = Annotated[
    bool,
    typer.Option("--skip-invalid", help="Count rows that cannot be read and go on without them."),
]
Force = Annotated[
    bool, typer.Option("--force", help="Start over, replacing what an earlier command left.")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress, no notes; warnings and errors only.")
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Also what the underlying libraries have to say.")
]
Seed = Annotated[int, typer.Option("--seed", help="Seed of everything random.")]
Device = Annotated[
    str, typer.Option("--device", help="auto (CUDA when available, else the CPU), cpu, cuda.")
]
