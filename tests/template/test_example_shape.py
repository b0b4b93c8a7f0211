"""The Service Bus sink is a baked project plus its logic, and stays one."""

from collections.abc import Callable
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "azure_service_bus_sink"
ANSWERS = {
    "connector_name": "Azure Service Bus sink",
    "project_slug": "azure-service-bus-sink",
    "package_name": "azure_service_bus_sink",
    "system_id": "azure-sb-sink",
    "description": "Delivers the entities of a Sesam pipe to Azure Service Bus queues and topics.",
}
# The tests of a sink are named by what they claim, and this sink claims more than one file holds.
OWN = {"tests/test_sink.py"}


@pytest.fixture
def baked(bake: Callable[..., Path]) -> Path:
    """The template, baked with the example's names."""
    return bake(**ANSWERS)


def files(folder: Path) -> set[str]:
    """The files of a project, wheels and leftovers aside."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {name for name in found if not name.endswith(".whl") and "__pycache__" not in name}


def test_the_example_has_every_file_of_a_baked_project(baked: Path) -> None:
    """Whoever knows a baked project finds everything in the same place."""
    assert files(baked) - files(EXAMPLE) == OWN


@pytest.mark.parametrize(
    "name", [".dockerignore", ".gitignore", "Dockerfile", "Makefile", "wheels/README.md"]
)
def test_what_is_not_logic_is_baked(baked: Path, name: str) -> None:
    """A mended Dockerfile or Makefile is mended in the template and in the example alike."""
    assert (EXAMPLE / name).read_text("utf-8") == (baked / name).read_text("utf-8")


def test_the_tools_are_set_up_as_in_a_baked_project(baked: Path) -> None:
    """From the wheel's contents on, pyproject.toml is the baked one."""
    begin = "[tool.hatch.build.targets.wheel]"
    texts = [(each / "pyproject.toml").read_text("utf-8") for each in (EXAMPLE, baked)]

    assert begin in texts[0]
    assert texts[0].partition(begin)[2] == texts[1].partition(begin)[2]
