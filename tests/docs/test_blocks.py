"""What the pages show as code is code that works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # its types are not installed

from tests.docs import pages
from tests.notes import PATIENCE_SECONDS

LANGUAGES = {"", "console", "json", "python", "text", "yaml", "{eval-rst}", "{toctree}"}
WITH_PYTHON = [name for name in pages.names() if any(pages.blocks(name, "python"))]


def run(folder: Path, *arguments: str) -> None:
    """Run Python in a folder, every warning an error, and show what it says if it fails."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=folder,
        env={**os.environ, "NOTES_FILE": "notes.jsonl", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("name", WITH_PYTHON)
def test_every_python_block_runs(name: str, tmp_path: Path) -> None:
    """Each block runs as a file of its own, beside the README's sink; tests are run by pytest."""
    sink = tmp_path / "notes_sink.py"
    sink.write_text(pages.named(pages.README, sink.name), "utf-8")
    tests = []
    for number, block in enumerate(pages.blocks(name, "python")):
        file = tmp_path / (block.file or f"block_{number}.py")
        file.write_text(block.text, "utf-8")
        if file.name.startswith("test_"):
            tests.append(file.name)
        elif block.fragment is None:
            run(tmp_path, "-c", f"import runpy; runpy.run_path({file.name!r}, run_name='docs')")
    if tests:
        run(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", *tests)


@pytest.mark.parametrize("name", pages.names())
def test_every_block_says_what_it_is(name: str) -> None:
    """Each fenced block names a language that is looked at here, or none at all."""
    assert {block.language for block in pages.blocks(name)} <= LANGUAGES


@pytest.mark.parametrize("name", pages.names())
def test_every_data_block_can_be_read(name: str) -> None:
    """Each block of JSON or YAML is valid."""
    for block in pages.blocks(name, "json"):
        json.loads(block.text)
    for block in pages.blocks(name, "yaml"):
        yaml.safe_load(block.text)


def test_the_tutorial_begins_with_the_readmes_sink() -> None:
    """The sink of the README and the first one of the tutorial are the same text."""
    first = pages.named(pages.TUTORIAL, "notes_sink.py")

    assert first == pages.named(pages.README, "notes_sink.py")


def test_the_node_guide_shows_the_examples_system_and_pipe() -> None:
    """What the guide tells people to upload is the example's, but for what it says it changes."""
    example = pages.ROOT / "examples" / "azure_service_bus_sink"
    shown = [
        json.loads(block.text)
        for block in pages.blocks("docs/how-to/service-bus-on-a-node.md", "json")
    ]
    system = json.loads((example / "systems/azure-sb-sink.conf.json").read_text("utf-8"))
    pipe = json.loads((example / "pipes/azure-sb-sink-pipe.conf.json").read_text("utf-8"))
    system["docker"]["image"] = shown[0]["docker"]["image"]
    pipe["sink"]["batch_size"] = shown[1]["sink"]["batch_size"]
    pipe["pump"] = shown[1]["pump"] | pipe["pump"]

    assert shown == [system, pipe]
