"""Fixtures that write configuration directories."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.nodeconfig.nodes import PIPE, SYSTEM, Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file of the directory; gives the directory."""

    def write(name: str, content: Any) -> Path:
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return tmp_path

    return write


@pytest.fixture
def node(write: Write) -> Write:
    """Write a system and a pipe that are right, but for what is changed; gives the directory."""

    def node(system: dict[str, Any] | None = None, pipe: dict[str, Any] | None = None) -> Path:
        write("systems/target.conf.json", {**SYSTEM, **(system or {})})
        return write("pipes/to-target.conf.json", {**PIPE, **(pipe or {})})

    return node
