"""Everything that people can use, set or see is on a page."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest
from azure_service_bus_sink import ServiceBusSettings

import sesam_connector_sdk
from sesam_connector_sdk import ConnectorError, ServerSettings, errors, testing
from sesam_connector_sdk.cli import main
from sesam_connector_sdk.web.metrics import Metrics
from tests.docs import pages

SETTINGS = [*ServerSettings.describe(), *ServiceBusSettings.describe()]
ERRORS = [
    each
    for each in vars(errors).values()
    if isinstance(each, type) and issubclass(each, ConnectorError) and each is not ConnectorError
]
TARGETS = re.findall(r"^([a-z-]+):.*?##", (pages.ROOT / "Makefile").read_text("utf-8"), re.M)
API = pages.text("docs/reference/api.md")
DIRECTIVE = r"\.\. auto(?:class|function|exception|data):: {}(?:\(\))?$"


def commands(
    command: click.Command = main, path: tuple[str, ...] = ("sesam-connector",)
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command under a command, with its path."""
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from commands(each, (*path, name))
    else:
        yield path, command


COMMANDS = list(commands())
OPTIONS = [
    (" ".join(path), option)
    for path, command in COMMANDS
    for parameter in command.params
    if isinstance(parameter, click.Option)
    for option in parameter.opts
]


@pytest.mark.parametrize("variable", [each.variable for each in SETTINGS])
def test_every_variable_is_in_the_reference(variable: str) -> None:
    """Whoever sets a variable finds it on the settings page."""
    assert f"| `{variable}` |" in pages.text("docs/reference/settings.md")


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda each: each.variable)
def test_every_variable_is_described(setting: sesam_connector_sdk.settings.Setting) -> None:
    """No setting is without a sentence that says what it does."""
    assert setting.description.endswith(".")


@pytest.mark.parametrize("error", ERRORS, ids=lambda each: each.__name__)
def test_every_error_is_in_the_reference(error: type[ConnectorError]) -> None:
    """Whoever sees a code finds it as an anchor, with its class, what happened and what to do."""
    anchor = f'<a id="{error.code}"></a>`{error.code}`'
    row = f"| {error.status} | `{error.__name__}` | {anchor} | {error.title()} |"

    assert row in pages.text("docs/reference/statuses.md")


@pytest.mark.parametrize("error", ERRORS, ids=lambda each: each.__name__)
def test_every_error_is_in_the_api(error: type[ConnectorError]) -> None:
    """Each class has its docstring on the API page."""
    assert re.search(DIRECTIVE.format(error.__name__), API, re.M)


@pytest.mark.parametrize("name", sesam_connector_sdk.__all__)
def test_every_public_name_is_in_the_api(name: str) -> None:
    """What can be imported from the package is documented from its docstring."""
    assert re.search(DIRECTIVE.format(re.escape(name)), API, re.M)


def test_every_name_of_the_testing_module_is_in_the_api() -> None:
    """What the module for tests exports is documented from its docstring."""
    assert [
        name for name in testing.__all__ if not re.search(DIRECTIVE.format(name), API, re.M)
    ] == []


def test_every_metric_is_in_the_reference() -> None:
    """Whoever sees a metric finds it, its type and its labels on the page; none is left over."""
    shown = re.findall(r"^# TYPE (sesam_connector_\w+) (\w+)$", Metrics().page().decode(), re.M)
    rows = re.findall(
        r"^\| `(sesam_connector_\w+)` \| (\w+) \|",
        pages.text("docs/reference/health-and-metrics.md"),
        re.M,
    )

    assert sorted(shown) == sorted(rows)


@pytest.mark.parametrize("target", TARGETS)
def test_every_make_target_is_documented(target: str) -> None:
    """Each command of the Makefile is in the table of CONTRIBUTING.md."""
    assert f"| `make {target}` |" in pages.text("CONTRIBUTING.md")


def test_every_make_target_in_the_pages_exists() -> None:
    """No page tells anybody to run a command that the Makefile does not have."""
    example = pages.ROOT / "examples" / "azure_service_bus_sink" / "Makefile"
    known = {*TARGETS, *re.findall(r"^([a-z]+):", example.read_text("utf-8"), re.M)}

    assert set(re.findall(r"(?:`|^\$ )make ([a-z-]+)", pages.everything(), re.M)) <= known


@pytest.mark.parametrize("path", [" ".join(path) for path, _ in COMMANDS])
def test_every_command_is_in_the_reference(path: str) -> None:
    """Each command of sesam-connector is on its page."""
    assert path in pages.text("docs/reference/cli.md")


@pytest.mark.parametrize(("path", "option"), OPTIONS)
def test_every_option_is_in_the_reference(path: str, option: str) -> None:
    """Each option of each command is on its page."""
    assert re.search(
        rf"(?<![\w-]){re.escape(option)}(?![\w-])", pages.text("docs/reference/cli.md")
    )
