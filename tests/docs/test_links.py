"""What the pages point at is there."""

from __future__ import annotations

import re

import pytest

from tests.docs import pages

KNOWN_HOSTS = {"127.0.0.1", "keepachangelog.com", "semver.org", "sesam.io", "www.w3.org"}
_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_PATH = re.compile(
    r"`((?:sesam_connector_sdk|examples|template|tests|docs|\.github)/[\w./-]*|[A-Z]+\.md)`"
)
_TEST = re.compile(r"`((?:tests|examples)/[\w/.-]+\.py)::(test_\w+)`")


def anchors(name: str) -> set[str]:
    """What can follow a # in a link to a page: its headings, as MyST and code hosts name them."""
    headings = re.findall(r"^#+ (.+)$", pages.prose(name), re.M)
    slugs = (re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings)
    return set(slugs)


def resolves(name: str, link: str) -> bool:
    """Whether a link on a page leads to a file, and to a heading in it."""
    path, _, anchor = link.partition("#")
    if not path:
        return anchor in anchors(name)
    file = ((pages.ROOT / name).parent / path).resolve()
    if not file.is_file():
        return False
    return not anchor or anchor in anchors(str(file.relative_to(pages.ROOT)))


@pytest.mark.parametrize("name", pages.names())
def test_every_link_resolves(name: str) -> None:
    """Each link inside the repository leads to a file, and to a heading in it."""
    links = [link for link in _LINK.findall(pages.prose(name)) if not link.startswith("https://")]

    assert [link for link in links if not resolves(name, link)] == []


@pytest.mark.parametrize("name", pages.names())
def test_no_link_is_without_words(name: str) -> None:
    """Sphinx would put the page's title there, and a code host nothing: see , it would say."""
    assert re.findall(r"\[\]\([^)]*\)", pages.prose(name)) == []


@pytest.mark.parametrize("folder", ["how-to", "reference", "explanation"])
def test_every_page_is_linked_from_the_first_of_its_folder(folder: str) -> None:
    """A table of contents that only Sphinx makes is a list of file names to everybody else."""
    index = f"docs/{folder}/index.md"
    others = {path.name for path in (pages.DOCS / folder).glob("*.md")} - {"index.md"}

    assert others
    assert set(_LINK.findall(pages.prose(index))) == others


@pytest.mark.parametrize("name", pages.names())
def test_every_host_is_known(name: str) -> None:
    """No page sends anybody to a host that nobody has looked at."""
    hosts = set(re.findall(r"https?://([\w.-]+)", pages.prose(name)))

    assert hosts <= KNOWN_HOSTS


@pytest.mark.parametrize("name", pages.names())
def test_every_path_of_the_repository_exists(name: str) -> None:
    """A file or folder that a page names is there."""
    missing = [
        path for path in _PATH.findall(pages.prose(name)) if not (pages.ROOT / path).exists()
    ]

    assert missing == []


def test_every_test_that_holds_a_promise_exists() -> None:
    """The promises name tests that are there, under that name, in that file."""
    named = _TEST.findall(pages.text("docs/explanation/promises.md"))
    missing = [
        f"{file}::{test}"
        for file, test in named
        if not (pages.ROOT / file).is_file()
        or f"def {test}(" not in (pages.ROOT / file).read_text("utf-8")
    ]

    assert len(named) > 20
    assert missing == []
