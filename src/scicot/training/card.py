"""Write the model card of a run: its README.md, in the format of the Hugging Face Hub."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scicot import jsonl
from scicot.models.licence import licence_of
from scicot.stages import FORMS
from scicot.students.manifest import Manifest
from scicot.training.card_usage import usage
from scicot.training.scratch import PREFIX

# Licences that the Hub knows; any other is given as "other" with its name.
_KNOWN_LICENCES = (
    *("apache-2.0", "mit", "gemma", "llama2", "llama3", "llama3.1", "llama3.2", "bsd-3-clause"),
    *("cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "openrail", "gpl-3.0", "cc0-1.0"),
)

_LIMITS = """\
It knows what its training rows taught it. A rationale it writes can be fluent and wrong, and says
nothing of how the answer was truly reached. Not for decisions about people."""


def write_card(manifest: Manifest, run: Path) -> None:
    """Write the model card, README.md, to the run directory `run`. The run may have one or several
    seeds."""
    form = FORMS[manifest.stage]
    seeds = f"{len(manifest.seeds)} students, one for each seed: {', '.join(manifest.seeds)}. "
    answer = "text of the choice" if manifest.answer_as == "text" else "label"
    reading = (
        f"Answers are read off the likelihood of each {answer}, never parsed from generated text;\n"
        "use `scicot predict`, which does that."
    )
    fold = manifest.fold or {}
    lack = f"It never saw fold {fold['fold']} of {fold['folds']} of the data. " if fold else ""
    dev = manifest.metrics.get("dev_rows")
    chosen = (
        f" The weights are those of the best checkpoint on {dev:.0f} dev rows, which were not"
        " trained on."
        if dev
        else ""
    )
    data = [
        f"- {row.get('split', 'train')}: `{row['file']}` (sha256 `{row['sha256'] or 'not kept'}`)"
        for row in manifest.data
    ]
    base, licence = None, None
    if not manifest.student.startswith(PREFIX):
        base, licence = manifest.student, licence_of(manifest.student)
    parts = [
        f"# {run.name}",
        f"{seeds if manifest.seeds else ''}A student of scicot {manifest.scicot} that"
        f" {form.does}.\n"
        f"{lack}It was trained from `{manifest.student}`"
        + (f", whose licence ({licence}) applies to it too." if licence else "."),
        f"Input and output: `{form.reads}` -> {form.writes.replace('label', answer)}.",
        reading if form.answers else "",
        usage(manifest, run.name),
        "## Data",
        "\n".join(data),
        "## Settings",
        _table("setting", manifest.settings),
        "## Metrics",
        _table("metric", manifest.metrics),
        "" if manifest.seeds else f"![loss](loss.svg){chosen}",
        "## Limits",
        _LIMITS,
    ]
    head = "\n".join(
        [
            "---",
            "library_name: transformers",
            # transformers 5 has no pipeline for encoder-decoders: text2text-generation was removed.
            *(["pipeline_tag: text-generation"] if manifest.prompt_format != "seq2seq" else []),
            *([f"base_model: {base}"] if base and not Path(base).exists() else []),
            *([f"license: {licence}"] if licence in _KNOWN_LICENCES else []),
            *(
                ["license: other", f"license_name: {json.dumps(licence)}"]
                if licence and licence not in _KNOWN_LICENCES
                else []
            ),
            "tags: [scicot, chain-of-thought, distillation]",
            "---",
            "",
            "",
        ]
    )
    jsonl.write_text(run / "README.md", head + "\n\n".join(filter(None, parts)) + "\n")


def _table(heading: str, values: Mapping[str, Any]) -> str:
    rows = [f"| {name} | {_formatted(value)} |" for name, value in values.items()]
    return "\n".join([f"| {heading} | value |", "| --- | --- |", *rows])


def _formatted(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
