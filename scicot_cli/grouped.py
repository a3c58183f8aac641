"""A class for commands whose help lists the options in groups and ends with an example."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Mapping
from typing import Any

from typer.core import TyperCommand

from scicot.errors import UsageError
from scicot_cli import console, usage

# Groups of options in the help, in their order, with the names of their parameters.
_GROUPS = {
    "Input": "file questions rationales predictions parts columns answer_index answer_texts"
    " encoding limit skip_invalid overlap dev dev_fraction fold_by fold_questions weights"
    " cluster_by by examples prompt clean config",
    "Teacher": "teacher base_url samples reveal_answer keep keep_replies max_tokens temperature"
    " top_p rationale_source",
    "Method": "student answer_model rationale_model method no_rationale equal_to"
    " reward rounds reward_weight sample_temperature leak_cap reward_above reward_confidence"
    " keep_best folds with_folds rationale_from rationale_dropout soft_labels answer_as"
    " shuffle_choices rationale_loss_weight max_rationale_tokens prompt_format seeds seed beams"
    " vote weigh mix_direct scoring length_normalisation calibration abstain_below shard"
    " max_new_tokens primary level bins resamples per_character",
    "Optimisation": "epochs max_steps batch_size accumulate learning_rate warmup_steps warmup_share"
    " weight_decay max_source_tokens max_target_tokens lora quantization gradient_checkpointing",
    "Cost and pace": "dry_run max_cost price concurrency batch cancel_batches max_wait timeout"
    " max_failures retry_rejected",
    "Checkpoints": "eval_steps patience select_by checkpoint_minutes force",
    "Hardware": "device precision engine attention compile batch_tokens window processes jobs",
    "Output": "folder output report as_json min_accuracy fail_if_worse_than report_to push_to_hub"
    " quiet verbose",
}
# Stands for "-" while lines are broken, so that no name such as train-answer is broken.
_UNBROKEN_HYPHEN = "\N{NON-BREAKING HYPHEN}"
# metavars of parameters that are names of files or of folders
_FILES = {
    "FILE", "RUN", "DIR", "OUT", "FOLDER", "QUESTIONS", "RATIONALES", "PREDICTIONS", "PARTS",
}  # fmt: skip
# Type hints of text options in Typer's help, which carry no information.
_TYPE = re.compile(r" <(?:list\[str\]|str|path)>")
_GROUP_OF = {name: group for group, names in _GROUPS.items() for name in names.split()}

EXAMPLES = {
    "demo": "scicot demo my-demo",
    "check": "scicot check questions.xlsx --columns question=Frage,choices=A-D,answer=Richtig",
    "generate-rationales": "scicot generate-rationales train.jsonl -o rationales.jsonl"
    " --teacher anthropic:claude-haiku-5-5 --max-cost 5",
    "train-rationale": "scicot train-rationale rationales.jsonl -o runs/rationale"
    " --student google/flan-t5-small --dev-fraction 0.1",
    "train-answer": "scicot train-answer rationales.jsonl -o runs/answer"
    " --student google/flan-t5-small --dev-fraction 0.1",
    "predict": "scicot predict test.jsonl -o predictions.jsonl --rationale-model runs/rationale"
    " --answer-model runs/answer",
    "merge": "scicot merge test.jsonl part-1.jsonl part-2.jsonl -o predictions.jsonl",
    "evaluate": "scicot evaluate two-stage=predictions.jsonl direct=direct.jsonl"
    " --report report.html",
}


# The command that usually comes next, as printed on a terminal.
NEXT = {
    "check": "scicot generate-rationales {file} -o rationales.jsonl --teacher KIND:MODEL --dry-run",
    "generate-rationales": "scicot train-rationale {output} -o runs/rationale"
    " --student google/flan-t5-small",
    "train-rationale": "scicot train-answer {rationales} -o runs/answer --student {student}",
    "train-answer": "scicot predict TEST -o predictions.jsonl --answer-model {output}"
    " [--rationale-model RUN]",
    "predict": "scicot evaluate {output} --report report.html",
    "merge": "scicot evaluate {output} --report report.html",
}
# options for reading a file, which the printed next command repeats
_READING = ("columns", "answer_index", "answer_texts", "encoding")
_HEAVY = ("train-rationale", "train-answer", "predict")  # commands that load torch and transformers


class GroupedCommand(TyperCommand):
    """A Typer command whose help lists its options in groups with headings, and ends with an
    example. After it has run, it prints the command that usually comes next."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments, and store them in the context for messages about invalid values."""
        ctx.meta[usage.ARGUMENTS] = list(args)
        if ctx.resilient_parsing:  # for the completion in a shell
            return super().parse_args(ctx, args)
        # Before the values are converted, since Path("") is the current directory.
        _refuse_empty_names(ctx, _unconverted(self, ctx, args))
        try:
            rest: list[str] = super().parse_args(ctx, args)
        except usage.ERRORS as error:
            error.ctx = error.ctx or ctx  # the message names the command of this context
            raise
        from_config = {
            name: value
            for name, value in (ctx.default_map or {}).items()
            if getattr(ctx.get_parameter_source(name), "name", "") == "DEFAULT_MAP"
        }
        _refuse_empty_names(ctx, from_config)
        return rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command, then print the command that usually comes next. If an invalid value came
        from the --config file, the error names this file."""
        try:
            heavy = ctx.info_name in _HEAVY and not ctx.params.get("quiet")
            with console.starting() if heavy else contextlib.nullcontext():
                done = super().invoke(ctx)
            self._hint(ctx)
        except UsageError as error:
            option = re.match(r"--([\w-]+)", str(error))
            source = ctx.get_parameter_source(option[1].replace("-", "_")) if option else None
            if source is not None and source.name == "DEFAULT_MAP":
                raise UsageError(f"{ctx.params['config']}: {error}") from None
            raise
        return done

    def _hint(self, ctx: Any) -> None:
        """Print the command that follows this one in the pipeline, with the files of this command
        filled in. Prints nothing with --quiet, --json or --dry-run. Also prints nothing if this
        command reads standard input or writes to standard output."""
        text = NEXT.get(ctx.info_name or "")
        values = ctx.params
        first = next(iter(values.get("rationales") or []), "")
        names = {**values, "rationales": first}
        read_or_written = [values.get(name) for name in ("file", "questions", "output")]
        silent = any(values.get(name) for name in ("quiet", "as_json", "dry_run", "cancel_batches"))
        if text is None or silent or "-" in [first, *map(str, read_or_written)]:
            return
        quoted = {name: shlex.quote(str(value)) for name, value in names.items()}
        options = [
            f"--{name.replace('_', '-')}" + ("" if values[name] is True else f" {quoted[name]}")
            for name in _READING
            if values.get(name)
        ]
        console.hint(" ".join([text.format_map(quoted), *(options if "{file}" in text else [])]))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options of this command to its help, in groups with headings."""
        found: dict[str, list[tuple[str, str]]] = {group: [] for group in [*_GROUPS, "Help"]}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                name, help_text = record
                group = "Help" if parameter.name == "help" else _GROUP_OF[parameter.name or ""]
                if group == "Teacher" and ctx.info_name != "generate-rationales":
                    group = "Method"
                if group == "Optimisation" and ctx.info_name == "predict":
                    group = "Hardware"  # --batch-size, beside --batch-tokens
                unbroken = help_text.replace("-", _UNBROKEN_HYPHEN)
                found[group].append((_TYPE.sub("", name), unbroken))
        for group, group_records in found.items():
            if group_records:
                with formatter.section(group):
                    formatter.write_dl(group_records)
        formatter.buffer = [text.replace(_UNBROKEN_HYPHEN, "-") for text in formatter.buffer]

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the command's example at the end of its help."""
        example = EXAMPLES.get(ctx.info_name or "")
        if example is not None:
            with formatter.section("Example"), formatter.indentation():
                formatter.write(_continued(example, formatter.width - 4, formatter.current_indent))


def _unconverted(command: Any, ctx: Any, args: list[str]) -> Mapping[str, Any]:
    """Return the values of a command line as they were typed, by parameter name. Return {} for an
    invalid command line, whose error the parser reports, and for one that asks for help."""
    try:
        values: dict[str, Any] = command.make_parser(ctx).parse_args(list(args))[0]
    except usage.ERRORS:
        return {}
    return {} if values.get("help") else values


def _refuse_empty_names(ctx: Any, values: Mapping[str, Any]) -> None:
    """Raise UsageError if an empty file or folder name was given. `values` maps the names of
    parameters to their values."""
    for parameter in ctx.command.params:
        value = values.get(parameter.name)
        names = value if isinstance(value, list | tuple) else [value]
        is_file = not _FILES.isdisjoint(re.split(r"[|.]", parameter.metavar or ""))
        if is_file and any(isinstance(name, str) and not name.strip() for name in names):
            raise UsageError(usage.empty_name(parameter, ctx))


def _continued(command: str, width: int, indent: int) -> str:
    """Break a command line into lines of at most about `width` characters, joined by backslashes
    and indented by `indent` spaces."""
    lines, words = [""], command.split(" ")
    for word in words:
        if lines[-1] and len(lines[-1]) + len(word) + 3 > width:
            lines[-1] += " \\"
            lines.append(" " * 4)
        lines[-1] += word if not lines[-1].strip() else f" {word}"
    return "".join(f"{' ' * indent}{line}\n" for line in lines)
