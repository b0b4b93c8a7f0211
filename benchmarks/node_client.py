"""The official Node client, installed once and kept outside of this repository."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

PACKAGE = "@azure/service-bus@7.9.5"
_CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "service-bus-emulator"
_SECONDS = 240


def installed(say: Callable[[str], None]) -> Path | None:
    """The folder that the client is in, installed there if it is not; None if it cannot be.

    The same folder as that of the emulator's own tests.

    Args:
        say: Told why there is none.
    """
    if not shutil.which("node") or not shutil.which("npm"):
        say("the rows against the official Node client were not run: there is no node or no npm")
        return None
    folder = _CACHE / PACKAGE.replace("/", "-")
    if (folder / "node_modules" / "@azure" / "service-bus" / "package.json").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    command = ["npm", "install", "--no-audit", "--no-fund", "--no-save", PACKAGE]
    try:
        subprocess.run(  # noqa: S603  # our own command
            command, cwd=folder, capture_output=True, timeout=_SECONDS, check=True
        )
    except (subprocess.SubprocessError, OSError):
        say(f"the rows against the official Node client were not run: npm cannot install {PACKAGE}")
        return None
    return folder
