"""Find the licence of a model. The model card of every student trained from the model has to name
this licence."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from scicot.sources.hub import hub_answers

_HEAD = re.compile(r"\A---\s*\n(.*?)\n---\s*$", re.S | re.M)


def licence_of(name: str) -> str | None:
    """Return the licence that a model's card names, such as "apache-2.0". `name` is a directory or
    a Hub id. Returns None if the model has no card, or the card names no licence."""
    card = Path(name) / "README.md"
    if not Path(name).is_dir():
        found = _card_from_hub(name)
        if found is None:
            return None
        card = found
    try:
        head = _HEAD.search(card.read_text("utf-8", errors="replace"))
        metadata = yaml.safe_load(head[1]) if head else None
    except (OSError, yaml.YAMLError):
        return None
    if not isinstance(metadata, dict):
        return None
    licence = metadata.get("license")
    if licence == "other":  # a custom licence, whose name is in another field
        licence = metadata.get("license_name") or licence
    return str(licence) if isinstance(licence, str) and licence else None


def _card_from_hub(name: str) -> Path | None:
    """Return the path of the model card of a Hub id. The card is downloaded, or found in the cache
    if the Hub cannot be reached. Returns None if there is no card."""
    from huggingface_hub import hf_hub_download

    try:
        local_only = not hub_answers(name)
        return Path(hf_hub_download(name, "README.md", local_files_only=local_only))
    except Exception:  # noqa: BLE001  (a missing card is no reason to fail)
        return None
