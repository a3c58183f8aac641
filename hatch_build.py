"""Set the package metadata that depends on the repository's address: URLs, and the README's links.

The address is that of the GitHub workflow that builds the package. Outside a workflow, it is that
of the git remote "origin". A package index cannot follow relative links, so the README's relative
links become absolute. If the address is not known, they become plain text.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

PAPER = "https://arxiv.org/abs/2308.04679"
_LINK = re.compile(r"\[([^\]]+)\]\((?![a-z]+:|#)([^)\s]+)\)")
_COMMENT = re.compile(r"<!-- .*? -->\n+", re.S)  # for the tests of its blocks


class CustomMetadataHook(MetadataHookInterface):
    """Sets `readme` and `urls`, which pyproject.toml calls dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        root = Path(self.root)
        repository = address(root)
        text = (root / "README.md").read_text("utf-8")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": long_description(text, repository),
        }
        metadata["urls"] = urls(repository)


def address(root: Path) -> str | None:
    """Return the web address of the repository; None if it is not known."""
    server, name = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_REPOSITORY")
    if server and name:
        return f"{server}/{name}"
    # Only a repository of its own counts, not one that the folder happens to lie in.
    if not (root / ".git").exists():
        return None
    ask = ["git", "-C", str(root), "remote", "get-url", "origin"]
    try:
        done = subprocess.run(ask, capture_output=True, text=True, check=False)
    except OSError:
        return None
    remote = done.stdout.strip().removesuffix(".git")
    found = re.fullmatch(r"(?:https://(?:[^@/]+@)?|git@|ssh://git@)([^/:]+)[/:](.+)", remote)
    return f"https://{found[1]}/{found[2]}" if found else None


def long_description(readme: str, repository: str | None) -> str:
    """Return the README with absolute links, or without links to files of the repository."""

    def absolute(link: re.Match[str]) -> str:
        if repository is None:
            return link[1]
        return f"[{link[1]}]({repository}/blob/main/{link[2]})"

    text = _LINK.sub(absolute, _COMMENT.sub("", readme))
    return text if repository is None else text.replace("<this repository>", repository)


def urls(repository: str | None) -> dict[str, str]:
    """Return the project URLs that a package index shows."""
    found = {"Paper": PAPER}
    if repository is not None:
        found |= {
            "Source": repository,
            "Documentation": f"{repository}/blob/main/docs/index.md",
            "Changelog": f"{repository}/blob/main/CHANGELOG.md",
            "Issues": f"{repository}/issues",
        }
    return found
