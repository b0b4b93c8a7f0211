"""What people read and upload agrees with the code."""

import json
from pathlib import Path
from typing import Any

from sesam_connector_sdk import ServerSettings
from sesam_connector_sdk.nodeconfig import rendering
from sesam_connector_sdk.testing import settings_table

from schema_router import RouterSettings, SchemaRouter
from schema_router.transform import PROBLEMS

PROJECT = Path(__file__).parents[1]
BEGIN, END = "<!-- settings -->\n", "<!-- end of settings -->\n"


def test_every_setting_is_described() -> None:
    """Every field of the settings has a text under it, which the table and errors show."""
    assert [each.field for each in RouterSettings.describe() if not each.description] == []


def test_the_readme_lists_every_setting() -> None:
    """The README's table is the one that the settings make; if not, paste the expected one in."""
    readme = (PROJECT / "README.md").read_text("utf-8")
    table = readme.partition(BEGIN)[2].partition(END)[0]
    expected = settings_table(RouterSettings, ServerSettings)

    assert table == expected, f"between the markers in README.md belongs\n{expected}"


def test_the_system_is_the_rendered_one() -> None:
    """It passes the schema, and retries by status."""
    system = document("systems/schema-router")
    rendered = rendering.system(
        SchemaRouter, system_id=system["_id"], image=system["docker"]["image"]
    )

    assert system == rendered
    assert system["docker"]["image"] in (PROJECT / "Makefile").read_text("utf-8")


def test_the_pipe_is_the_rendered_one() -> None:
    """It suits the class, with embedded entities in the place of a dataset."""
    pipe = document("pipes/schema-router-pipe")
    rendered = rendering.pipe(
        SchemaRouter, pipe_id=pipe["_id"], system_id="schema-router", dataset="any"
    )

    assert pipe == rendered | {"source": pipe["source"]}
    assert pipe["source"]["type"] == "embedded"


def test_each_entity_is_taken_by_one_of_the_two_pipes_behind_it() -> None:
    """They read what the router's pipe writes, and tell the entities apart by its property."""
    rules = {}
    for which in ("good", "bad"):
        pipe = document(f"pipes/schema-router-{which}")
        assert pipe["source"] == {"type": "dataset", "dataset": "schema-router-pipe"}
        rules[which], copied = pipe["transform"]["rules"]["default"]
        assert copied == ["copy", "*"]

    assert rules == {
        "good": ["filter", ["is-null", f"_S.{PROBLEMS}"]],
        "bad": ["filter", ["is-not-null", f"_S.{PROBLEMS}"]],
    }


def document(path: str) -> dict[str, Any]:
    """A file of the node's configuration, which is named by what is in it."""
    file = PROJECT / f"{path}.conf.json"
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    assert file.name == f"{found['_id']}.conf.json"
    return found
