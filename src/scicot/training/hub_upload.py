"""Upload a finished run to the Hugging Face Hub (`--push-to-hub OWNER/NAME`)."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from scicot import jsonl
from scicot.errors import ScicotError
from scicot.reporting import Reporter
from scicot.sources.hub import hub_answers
from scicot.text import error_line, one_line
from scicot.training.card_usage import with_hub_name
from scicot.version import __version__

if TYPE_CHECKING:
    from huggingface_hub import HfApi

# Files that are not uploaded: work in progress, and the training questions and rationales. The
# patterns begin with a star, which also matches "/", since with several seeds these files are one
# folder deeper.
IGNORED = (
    "*checkpoints/*",
    "*folds/*",
    "*tensorboard/*",
    "*out_of_fold*",
    "*trained_on*",
    "*.lock",
    "*ctranslate2/*",
)

# A token in HF_TOKEN takes precedence over the one that `hf auth login` stores.
_NEW_TOKEN = "set HF_TOKEN to another token, or unset it and run: hf auth login"


def check_push(repo: str) -> None:
    """Check before training that the run can later be pushed to the repository `repo`, OWNER/NAME.

    Raises ScicotError if `repo` is not a valid name, no token is set, the Hub is unreachable, or
    the token is rejected or read-only. Whether the token may write to OWNER is found out only at
    the upload.
    """
    from huggingface_hub.utils import (  # type: ignore[attr-defined, unused-ignore]
        validate_repo_id,  # the documented place to import it from
    )

    subject = f"--push-to-hub {repo}"
    try:
        validate_repo_id(repo)
    except ValueError as error:
        raise ScicotError(f"{subject}: write OWNER/NAME ({_message(error)})") from None
    if "/" not in repo:
        raise ScicotError(f"{subject}: write OWNER/NAME")
    api = _api(repo)
    try:
        access = (api.whoami().get("auth") or {}).get("accessToken") or {}
    except Exception as error:  # noqa: BLE001 (errors of the Hub client or its HTTP library)
        problem = _message(error, api.token)
        raise ScicotError(
            f"{subject}: the Hub did not confirm the token ({problem}); if the token is not valid,"
            f" {_NEW_TOKEN}"
        ) from None
    if access.get("role") == "read":
        raise ScicotError(f"{subject}: the token is read-only; use one with write access")


def push(run: Path, repo: str, reporter: Reporter) -> str:
    """Upload a run directory as one commit, without the files in IGNORED, and return the
    repository's URL.

    A new repository is created as private. An existing repository keeps its visibility and its
    other files. In the model card, the usage example is changed to load the run from the
    repository. The change is made both in the run directory and in the repository. If the upload
    fails, raises ScicotError and leaves the run directory unchanged.
    """
    ending = f"; the run is complete in {run}; run the same command again to upload it"
    with reporter.task(f"pushing to {repo}"):
        api = _api(repo, ending)
        card = run / "README.md"
        card_text = None
        try:
            card_text = card.read_text("utf-8") if card.is_file() else None
            if card_text is not None and (renamed := with_hub_name(card_text, repo)) != card_text:
                jsonl.write_text(card, renamed)
            url = api.create_repo(repo, private=True, exist_ok=True)
            api.upload_folder(
                repo_id=repo,
                folder_path=run,
                commit_message=f"A run of scicot {__version__}",
                ignore_patterns=list(IGNORED),
            )
        except BaseException as error:  # errors of HTTP, of the disk or of the card, and Ctrl-C
            if card_text is not None:
                with contextlib.suppress(OSError):  # a full disk must not hide the first error
                    jsonl.write_text(card, card_text)
            if not isinstance(error, Exception):
                raise
            problem = _message(error, api.token)
            raise ScicotError(f"--push-to-hub {repo}: {problem}{ending}") from None
    return str(url)


def _api(repo: str, ending: str = "") -> HfApi:
    """Return a Hub client, after checking that a token is set and that the Hub is reachable. Raises
    ScicotError otherwise, with `ending` at the end of the message."""
    from huggingface_hub import HfApi, get_token

    subject = f"--push-to-hub {repo}"
    token = get_token()
    if token is None:
        raise ScicotError(
            f"{subject}: no Hub token is set; set HF_TOKEN, or run: hf auth login{ending}"
        )
    if not (token.isascii() and token.isprintable()):
        # The HTTP client would reject the header and print the token in its error message.
        raise ScicotError(
            f"{subject}: the Hub token contains invalid characters; {_NEW_TOKEN}{ending}"
        )
    # Checked first, because an upload without a network retries for a long time.
    if not hub_answers(repo):
        raise ScicotError(
            f"{subject}: the Hub cannot be reached; check the network and that HF_HUB_OFFLINE is"
            f" not set, or leave --push-to-hub out{ending}"
        )
    return HfApi(token=token)


def _message(error: Exception, token: str | bool | None = None) -> str:
    """Return a one-line message for an error of the Hub client, with the token masked. The Hub's
    own message is used or, if there is none, the exception's."""
    text = one_line(getattr(error, "server_message", None) or "") or error_line(error)
    return text.replace(token, "...") if isinstance(token, str) else text
