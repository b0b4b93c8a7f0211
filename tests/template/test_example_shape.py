"""The examples are baked projects plus their logic, and stay that."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True)
class Example:
    """A project that was baked once.

    Attributes:
        folder: Where it is.
        answers: What the template was answered.
        own: Files of a baked project that it has others for.
    """

    folder: str
    answers: dict[str, str] = field(repr=False)
    own: frozenset[str]

    @property
    def path(self) -> Path:
        """Its folder."""
        return EXAMPLES / self.folder


ALL = [
    Example(
        folder="azure_service_bus_sink",
        answers={
            "connector_name": "Azure Service Bus sink",
            "project_slug": "azure-service-bus-sink",
            "package_name": "azure_service_bus_sink",
            "system_id": "azure-sb-sink",
            "description": "Delivers the entities of a Sesam pipe to Azure Service Bus queues and"
            " topics.",
        },
        # Its tests are named by what they claim, and it claims more than one file holds.
        own=frozenset({"tests/test_sink.py"}),
    ),
    Example(
        folder="sql",
        answers={
            "connector_name": "SQL connectors",
            "project_slug": "sql-connectors",
            "package_name": "sql_connectors",
            "system_id": "sql",
            "description": "Keeps the entities of Sesam pipes in SQL tables, and gives them back.",
        },
        # It has two, each named for what it does.
        own=frozenset({"pipes/sql-pipe.conf.json"}),
    ),
    Example(
        folder="schema_router",
        answers={
            "kind": "transform",
            "connector_name": "Schema router",
            "project_slug": "schema-router",
            "package_name": "schema_router",
            "system_id": "schema-router",
            "description": "Tells the entities of a Sesam pipe that hold to a JSON Schema from"
            " those that do not.",
        },
        own=frozenset(),
    ),
]


@pytest.fixture(params=ALL, ids=lambda each: each.folder)
def example(request: pytest.FixtureRequest) -> Example:
    """Each of the examples."""
    found: Example = request.param
    return found


@pytest.fixture
def baked(bake: Callable[..., Path], example: Example) -> Path:
    """The template, baked with the example's names."""
    return bake(**example.answers)


def files(folder: Path) -> set[str]:
    """The files of a project, wheels and leftovers aside."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {name for name in found if not name.endswith(".whl") and "__pycache__" not in name}


def test_the_example_has_every_file_of_a_baked_project(example: Example, baked: Path) -> None:
    """Whoever knows a baked project finds everything in the same place."""
    assert files(baked) - files(example.path) == example.own


@pytest.mark.parametrize(
    "name", [".dockerignore", ".gitignore", "Dockerfile", "Makefile", "wheels/README.md"]
)
def test_what_is_not_logic_is_baked(example: Example, baked: Path, name: str) -> None:
    """A mended Dockerfile or Makefile is mended in the template and in the example alike."""
    assert (example.path / name).read_text("utf-8") == (baked / name).read_text("utf-8")


def test_the_tools_are_set_up_as_in_a_baked_project(example: Example, baked: Path) -> None:
    """From the wheel's contents on, pyproject.toml is the baked one."""
    begin = "[tool.hatch.build.targets.wheel]"
    texts = [(each / "pyproject.toml").read_text("utf-8") for each in (example.path, baked)]

    assert begin in texts[0]
    assert texts[0].partition(begin)[2] == texts[1].partition(begin)[2]
