"""Reads the project's Markdown pages: their text, their fenced blocks, and what is said of each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
TUTORIAL = "docs/tutorial/first-sink.md"
README = "README.md"

_FENCE = re.compile(r"^(`{3,})([^\n]*)\n(.*?)^\1$", re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(r"<!-- (file|fragment): (.+?) -->\n\Z")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block.

    Attributes:
        language: What stands behind the fence.
        text: What stands between the fences.
        file: The name that the page gives the block, or None.
        fragment: Why the block cannot run alone, or None.
    """

    language: str
    text: str
    file: str | None = None
    fragment: str | None = None


def names() -> list[str]:
    """Every page of the project's own, by its path in the repository."""
    found = [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]
    return sorted(str(path.relative_to(ROOT)) for path in found)


@cache
def text(name: str) -> str:
    """A page's text."""
    return (ROOT / name).read_text("utf-8")


def prose(name: str) -> str:
    """A page's text without its fenced blocks."""
    return _FENCE.sub("", text(name))


def everything() -> str:
    """The text of all pages."""
    return "\n".join(text(name) for name in names())


def blocks(name: str, language: str | None = None) -> Iterator[Block]:
    """The fenced blocks of a page, in order, all or those of one language."""
    page = text(name)
    for found in _FENCE.finditer(page):
        if language in (None, found[2]):
            said = _COMMENT.search(page, 0, found.start())
            word, value = (said[1], said[2]) if said else ("", None)
            yield Block(
                found[2],
                found[3],
                file=value if word == "file" else None,
                fragment=value if word == "fragment" else None,
            )


def named(name: str, file: str) -> str:
    """The first block of a page that it gives this file name."""
    return next(block.text for block in blocks(name) if block.file == file)
