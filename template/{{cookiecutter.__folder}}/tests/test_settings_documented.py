"""What people read and upload agrees with the code."""

import json
import shlex
from pathlib import Path
from typing import Any

from sesam_connector_sdk import ServerSettings, Source
from sesam_connector_sdk.nodeconfig import rendering
from sesam_connector_sdk.testing import settings_table

from {{ cookiecutter.package_name }}.{{ cookiecutter.kind }} import NotesSettings, Notes{{ cookiecutter.kind|capitalize }}

CONNECTOR = Notes{{ cookiecutter.kind|capitalize }}
PROJECT = Path(__file__).parents[1]
BEGIN, END = "<!-- settings -->\n", "<!-- end of settings -->\n"


def test_every_setting_is_described() -> None:
    """Every field of the settings has a text under it, which the table and errors show."""
    assert [each.field for each in NotesSettings.describe() if not each.description] == []


def test_the_readme_lists_every_setting() -> None:
    """The README's table is the one that the settings make; if not, paste the expected one in."""
    readme = (PROJECT / "README.md").read_text("utf-8")
    table = readme.partition(BEGIN)[2].partition(END)[0]
    expected = settings_table(NotesSettings, ServerSettings)

    assert table == expected, f"between the markers in README.md belongs\n{expected}"


def test_the_system_is_what_the_code_says() -> None:
    """It passes every required setting, secrets as secrets, and retries by status; more may be."""
    system = document("systems")
    image, port = system["docker"]["image"], system["docker"]["port"]
    rendered = rendering.system(CONNECTOR, system_id=system["_id"], image=image, port=port)

    options = ["--id", system["_id"], "--image", image, "--port", str(port)]
    assert system == merged(system, rendered), print_anew("system", *options)


def test_the_pipe_is_what_the_code_says() -> None:
    """It suits the connector's class, and names the system; more may be."""
    pipe, system = document("pipes"), document("systems")
    dataset = None if issubclass(CONNECTOR, Source) else pipe["source"].get("dataset", "none")
    rendered = rendering.pipe(
        CONNECTOR, pipe_id=pipe["_id"], system_id=system["_id"], dataset=dataset
    )
    if pipe["source"]["type"] == "embedded":  # as in the example, in the place of a dataset
        del rendered["source"]

    options = ["--id", pipe["_id"], "--system", system["_id"]]
    options += ["--dataset", dataset] if dataset else []
    assert pipe == merged(pipe, rendered), print_anew("pipe", *options)


def print_anew(kind: str, *options: str) -> str:
    """What to do about a file in which something is missing; its own additions may stay."""
    connector = f"{CONNECTOR.__module__}:{CONNECTOR.__name__}"
    command = [".venv/bin/sesam-connector", "render", kind, connector, *options]
    keep = ", but keep an embedded source" if kind == "pipe" else ""
    return f"put in what it lacks of what this prints{keep}:\n{shlex.join(command)}"


def document(folder: str) -> dict[str, Any]:
    """The one file of a folder, which is named by what is in it."""
    (path,) = (PROJECT / folder).glob("*.conf.json")
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    assert path.name == f"{found['_id']}.conf.json"
    return found


def merged(found: dict[str, Any], rendered: dict[str, Any]) -> dict[str, Any]:
    """What is found, with all that is rendered in it, in every depth."""
    inner = {
        name: merged(found[name], value)
        for name, value in rendered.items()
        if isinstance(value, dict) and name in found
    }
    return found | rendered | inner
