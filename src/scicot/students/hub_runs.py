"""Find runs on the Hugging Face Hub that `--push-to-hub` uploaded. They are named as follows:

OWNER/NAME                  the run, on the repository's main branch
OWNER/NAME@REVISION         the run at a branch, tag or commit
OWNER/NAME/seed-0           the run of one seed, if the training had several
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scicot.errors import ScicotError
from scicot.models.weights import weights_in
from scicot.sources.hub import hub_answers
from scicot.text import error_line, one_line

_PART = r"[A-Za-z0-9_](?:[\w.-]*[A-Za-z0-9_])?"
_NAME = re.compile(rf"({_PART}/{_PART})((?:/{_PART})*)(?:@([\w][\w./-]*))?", re.ASCII)
_SMALL = ("*.json", "*.model", "*.txt", "*.jinja")  # patterns of the config and tokenizer files
_WEIGHTS = ("*.safetensors",)
# The message after an interrupted download.
_INCOMPLETE = (
    "its files in the local Hub cache are incomplete, and the Hub cannot be reached; run the"
    " command again with a network connection"
)


@dataclass(frozen=True)
class HubRun:
    """The location of a run on the Hub. `folder` is the folder of the repository that holds the
    run, or "" for its root. `revision` is a branch, tag or commit, or None for the main branch."""

    repository: str
    folder: str = ""
    revision: str | None = None

    @classmethod
    def parse(cls, name: str) -> HubRun | None:
        """Parse OWNER/NAME[/FOLDER][@REVISION]. Return None if the text does not have this form."""
        match = _NAME.fullmatch(name)
        if match is None or any(mark in match[1] for mark in ("--", "..")):
            return None
        return cls(match[1], match[2].lstrip("/"), match[3])

    def __str__(self) -> str:
        return self.named(self.folder)

    def named(self, folder: str) -> str:
        """Return the Hub name of `folder`, a folder of this run's repository, at this run's
        revision."""
        path = f"{self.repository}/{folder}" if folder else self.repository
        return f"{path}@{self.revision}" if self.revision else path

    def file(self, name: str, subject: str) -> Path:
        """Return the local path of a file of the run. The file is downloaded if the Hub can be
        reached, and otherwise taken from the cache. Raises ScicotError, whose message begins with
        `subject`, if the file is not available."""
        from huggingface_hub import hf_hub_download

        path = f"{self.folder}/{name}" if self.folder else name
        local_only = not hub_answers(self.repository)
        try:
            return Path(
                hf_hub_download(
                    self.repository, path, revision=self.revision, local_files_only=local_only
                )
            )
        except Exception as error:  # noqa: BLE001  (errors of the Hub client or its HTTP library)
            raise ScicotError(
                f"{subject}: {self._reason(error, name, local_only=local_only)}"
            ) from None

    def fetch(self, subject: str, *, weights: bool = True) -> Path:
        """Download the files needed to load a student, and return the run's directory in the local
        cache.

        Without `weights`, only the config and the tokenizer are downloaded. With `weights`, the
        caller must fetch the manifest with the method `file` first. If the Hub cannot be reached,
        the files in the cache are used. Raises ScicotError, whose message begins with `subject`, if
        files are missing.
        """
        from huggingface_hub import snapshot_download

        patterns = [*_SMALL, *(_WEIGHTS if weights else ())]
        # A star also matches "/". Other folders, such as those of other seeds, are not needed.
        selection: dict[str, Any] = (
            {"allow_patterns": [f"{self.folder}/{pattern}" for pattern in patterns]}
            if self.folder
            else {"allow_patterns": patterns, "ignore_patterns": ["*/*"]}
        )
        local_only = not hub_answers(self.repository)
        try:
            snapshot = snapshot_download(
                self.repository, revision=self.revision, local_files_only=local_only, **selection
            )
        except Exception as error:  # noqa: BLE001  (likewise)
            reason = self._reason(error, "such folder", local_only=local_only)
            # With `weights`, the manifest is in the cache already. So the run exists, and the
            # missing files mean that its download is incomplete.
            incomplete = local_only and weights
            raise ScicotError(f"{subject}: {_INCOMPLETE if incomplete else reason}") from None
        directory = Path(snapshot, self.folder)
        if local_only and weights and not weights_in(directory):
            raise ScicotError(f"{subject}: {_INCOMPLETE}")
        return directory

    def _reason(self, error: Exception, name: str, *, local_only: bool) -> str:
        """Return a message for an error of the Hub client, with advice for the user. `name` is the
        file that was requested, and `local_only` is True if the Hub could not be reached."""
        from huggingface_hub.errors import (
            EntryNotFoundError,
            GatedRepoError,
            LocalEntryNotFoundError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )

        if local_only or isinstance(error, LocalEntryNotFoundError):
            return (
                "no such directory, not in the local Hub cache, and the Hub cannot be reached;"
                " check the network (and that HF_HUB_OFFLINE is not set), or give a directory"
            )
        if isinstance(error, GatedRepoError):
            return "its repository is gated; ask for access on its page, and log in: hf auth login"
        if isinstance(error, RevisionNotFoundError):
            return (
                f"the repository {self.repository} has no revision {self.revision or 'main'}; give"
                " a branch, tag or commit that it has"
            )
        if isinstance(error, RepositoryNotFoundError):
            return (
                "no such directory, and no such repository on the Hub; give an existing directory,"
                " or OWNER/NAME (a private one needs HF_TOKEN)"
            )
        if isinstance(error, EntryNotFoundError):
            return (
                f"the repository {self.repository} has no {name}"
                + (f" in {self.folder}" if self.folder else "")
                + "; give a run uploaded with --push-to-hub, or, to use an untrained model,"
                f" --answer-model hf:{self.repository}"
            )
        message = one_line(getattr(error, "server_message", None) or "") or error_line(error)
        return f"cannot be downloaded from the Hub ({message[:200]})"
