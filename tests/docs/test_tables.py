"""The tables in the pages are those that the code makes."""

from __future__ import annotations

import runpy
from typing import Any

import pytest

from tests.docs import pages

RENDER: dict[str, Any] = runpy.run_path(str(pages.DOCS / "render_tables.py"))


@pytest.mark.parametrize("name", RENDER["PAGES"])
def test_the_tables_are_those_of_the_code(name: str) -> None:
    """No table is out of date; if one is, run docs/render_tables.py."""
    assert pages.text(name) == RENDER["rendered"](pages.text(name))


def test_every_table_is_on_a_page_that_is_rendered() -> None:
    """Each table that can be made is shown once, on a page that the script knows."""
    shown = [
        (table, name)
        for name in pages.names()
        for table in RENDER["TABLES"]
        if f"<!-- table: {table} -->" in pages.text(name)
    ]

    assert sorted(table for table, _ in shown) == sorted(RENDER["TABLES"])
    assert {name for _, name in shown} == set(RENDER["PAGES"])


def test_a_stale_table_is_replaced_and_nothing_else() -> None:
    """What stands between the markers is made anew, and the rest of the page is left alone."""
    stale = "before\n<!-- table: commands -->\nold\n<!-- end of table -->\nafter\n"

    fresh = RENDER["rendered"](stale)

    assert "old" not in fresh
    assert "| `make test` |" in fresh
    assert fresh.startswith("before\n<!-- table: commands -->\n\n| command")
    assert fresh.endswith("|\n\n<!-- end of table -->\nafter\n")


def test_a_bar_in_a_cell_stays_in_its_cell() -> None:
    """A vertical bar in a text does not open a column."""
    assert RENDER["table"](("a",), [("x | y",)]).splitlines()[-1] == "| x \\| y |"
