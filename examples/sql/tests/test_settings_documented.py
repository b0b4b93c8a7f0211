"""What people read and upload agrees with the code."""

import json
from pathlib import Path
from typing import Any

from sesam_connector_sdk import ServerSettings
from sesam_connector_sdk.nodeconfig import rendering
from sesam_connector_sdk.testing import settings_table

from sql_connectors import SqlSettings, SqlSink, SqlSource

PROJECT = Path(__file__).parents[1]
BEGIN, END = "<!-- settings -->\n", "<!-- end of settings -->\n"
IMAGE = "your-organisation/sql-connectors:0.1.0"


def document(path: str) -> dict[str, Any]:
    """A file of the node's configuration."""
    found: dict[str, Any] = json.loads((PROJECT / path).read_text("utf-8"))
    return found


def test_every_setting_is_described() -> None:
    """Every field of the settings has a text under it, which the table and errors show."""
    assert [each.field for each in SqlSettings.describe() if not each.description] == []


def test_the_readme_lists_every_setting() -> None:
    """The README's table is the one that the settings make; if not, paste the expected one in."""
    readme = (PROJECT / "README.md").read_text("utf-8")
    table = readme.partition(BEGIN)[2].partition(END)[0]
    expected = settings_table(SqlSettings, ServerSettings)

    assert table == expected, f"between the markers in README.md belongs\n{expected}"


def test_the_system_is_the_rendered_one() -> None:
    """One system for both connectors, with the retries that their statuses ask for."""
    rendered = rendering.system(SqlSink, SqlSource, system_id="sql", image=IMAGE)

    assert document("systems/sql.conf.json") == rendered
    assert IMAGE in (PROJECT / "Makefile").read_text("utf-8")


def test_the_pipes_are_the_rendered_ones() -> None:
    """A pipe into the table `notes`, and one out of it, each with what its connector declares."""
    into = rendering.pipe(SqlSink, pipe_id="notes-to-sql", system_id="sql", dataset="notes")
    into["sink"]["url"] = "notes"
    out = rendering.pipe(SqlSource, pipe_id="notes-from-sql", system_id="sql")
    out["source"]["url"] = "notes"

    assert document("pipes/notes-to-sql.conf.json") == into
    assert document("pipes/notes-from-sql.conf.json") == out
