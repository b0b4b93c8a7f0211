"""What people read and upload agrees with the settings in the code."""

import json
from pathlib import Path

from sesam_connector_sdk import ServerSettings
from sesam_connector_sdk.testing import settings_table

from {{ cookiecutter.package_name }}.sink import NotesSettings

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


def test_the_system_passes_every_setting() -> None:
    """The system sets the connector's own variables and no other, secrets as secrets."""
    (path,) = (PROJECT / "systems").glob("*.conf.json")
    system = json.loads(path.read_text("utf-8"))

    assert system["docker"]["environment"] == {
        each.variable: f"${'SECRET' if each.secret else 'ENV'}({each.field})"
        for each in NotesSettings.describe()
    }


def test_the_pipe_writes_to_the_system() -> None:
    """The example pipe names the system, and the files are named by what is in them."""
    (system_path,) = (PROJECT / "systems").glob("*.conf.json")
    (pipe_path,) = (PROJECT / "pipes").glob("*.conf.json")
    system = json.loads(system_path.read_text("utf-8"))
    pipe = json.loads(pipe_path.read_text("utf-8"))

    assert pipe["sink"]["system"] == system["_id"]
    assert system_path.name == f"{system['_id']}.conf.json"
    assert pipe_path.name == f"{pipe['_id']}.conf.json"
