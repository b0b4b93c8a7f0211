"""What people read and upload agrees with the settings in the code."""

import json
from pathlib import Path

from sesam_connector_sdk import ServerSettings
from sesam_connector_sdk.testing import settings_table

from azure_service_bus_sink import ServiceBusSettings

PROJECT = Path(__file__).parents[1]
BEGIN, END = "<!-- settings -->\n", "<!-- end of settings -->\n"


def test_every_setting_is_described() -> None:
    """Every field of the settings has a text under it, which the table and errors show."""
    assert [each.field for each in ServiceBusSettings.describe() if not each.description] == []


def test_the_readme_lists_every_setting() -> None:
    """The README's table is the one that the settings make; if not, paste the expected one in."""
    readme = (PROJECT / "README.md").read_text("utf-8")
    table = readme.partition(BEGIN)[2].partition(END)[0]
    expected = settings_table(ServiceBusSettings, ServerSettings)

    assert table == expected, f"between the markers in README.md belongs\n{expected}"


def test_the_system_passes_the_published_secrets() -> None:
    """The system sets what the published example sets, and every one of them from a secret."""
    (path,) = (PROJECT / "systems").glob("*.conf.json")
    system = json.loads(path.read_text("utf-8"))
    names = ["SERVICE_NAMESPACE", "SERVICE_SAS_TOKEN_NAME", "SERVICE_SAS_TOKEN_VALUE"]

    assert system["docker"]["environment"] == {name: f"$SECRET({name})" for name in names}
    assert system["docker"]["port"] == 5000
    assert system["verify_ssl"] is True


def test_the_pipe_writes_to_the_system() -> None:
    """The pipe is the published one: it names the system, and has two entities for my_queue."""
    (system_path,) = (PROJECT / "systems").glob("*.conf.json")
    (pipe_path,) = (PROJECT / "pipes").glob("*.conf.json")
    system = json.loads(system_path.read_text("utf-8"))
    pipe = json.loads(pipe_path.read_text("utf-8"))

    assert pipe["sink"] == {"type": "json", "system": system["_id"], "url": "my_queue"}
    assert pipe["source"]["entities"] == [
        {"_id": "1", "payload": "foo"},
        {"_id": "2", "payload": "bar"},
    ]
    assert pipe["pump"] == {"schedule_interval": 60}
    assert system_path.name == f"{system['_id']}.conf.json"
    assert pipe_path.name == f"{pipe['_id']}.conf.json"
