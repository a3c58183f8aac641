"""Print the notes of a version from CHANGELOG.md: python .github/release_notes.py 0.1.0

Ends with an error where the package has another version, or the changelog no notes of it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def notes_of(version: str, changelog: str) -> str:
    """Return the text under the heading of a version, without the heading; "" if there is none."""
    heading = rf"^## \[?{re.escape(version)}\]?(?: [^\n]*)?$"
    found = re.search(rf"{heading}\n(.*?)(?=^## |\Z)", changelog, re.M | re.S)
    return found[1].strip() if found else ""


def main() -> None:
    (version,) = sys.argv[1:]
    packaged = (ROOT / "src" / "scicot" / "version.py").read_text("utf-8")
    if f'"{version}"' not in packaged:
        sys.exit(f"the tag says {version}, src/scicot/version.py another version")
    notes = notes_of(version, (ROOT / "CHANGELOG.md").read_text("utf-8"))
    if not notes:
        sys.exit(f"CHANGELOG.md has no notes of {version}")
    print(notes)


if __name__ == "__main__":
    main()
