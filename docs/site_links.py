"""A hook of mkdocs (mkdocs.yml): links of a page that leave docs/ become plain text on the site.

In the repository a page may link to `../examples/slurm`, which the site does not hold. Such a link
is shown as its text and the path. A link to a path that is not in the repository is an error.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
LINK = re.compile(r"\[([^\]]+)\]\(([^)#\s]+)(#[^)]*)?\)")
# Folders and files under docs/ that are no pages of the site (exclude_docs).
LEFT_OUT = ("evidence/",)


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return the text of a page as the site shows it; mkdocs calls this for every page."""
    return inside(markdown, DOCS / page.file.src_path)


def inside(markdown: str, page: Path) -> str:
    """Replace the links that leave docs/ by their text. Raises FileNotFoundError for a link to a
    path that does not exist."""

    def replaced(link: re.Match[str]) -> str:
        text, target = link[1], link[2]
        if "://" in target or not (target.startswith("../") or target in LEFT_OUT):
            return link[0]
        path = (page.parent / target).resolve()
        if path.is_relative_to(DOCS) and target not in LEFT_OUT:
            return link[0]
        if not path.exists():
            raise FileNotFoundError(f"{page.name}: {target} does not exist")
        name = path.relative_to(DOCS.parent)
        return text if text == f"`{name}`" or text == str(name) else f"{text} (`{name}`)"

    return LINK.sub(replaced, markdown)
