"""The command line explains itself, and says what it needs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from sesam_connector_sdk import __version__
from sesam_connector_sdk.cli import main
from tests.hub.targets import PATIENCE_SECONDS

ROOT = Path(__file__).resolve().parents[2]


def commands(group: click.Group, *names: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with the words that call it, groups included."""
    yield names, group
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, *names, name)
        else:
            yield (*names, name), command


COMMANDS = dict(commands(main))


def python(code: str) -> subprocess.CompletedProcess[str]:
    """Run some code in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def test_the_version_is_told() -> None:
    """The package's own."""
    done = CliRunner().invoke(main, ["--version"])

    assert (done.exit_code, done.stdout) == (0, f"sesam-connector {__version__}\n")


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words) or "main")
def test_every_command_has_a_complete_help(words: tuple[str, ...]) -> None:
    """A text of its own, one for each option, the exit codes."""
    done = CliRunner().invoke(main, [*words, "--help"])
    command = COMMANDS[words]

    assert done.exit_code == 0
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help
            assert parameter.opts[0] in done.stdout
        else:
            assert (parameter.metavar or parameter.name or "").rstrip(".").upper() in done.stdout
    if not isinstance(command, click.Group):
        assert "  Exit codes:\n    0  " in done.stdout


def test_the_reference_page_names_every_command_and_option() -> None:
    """What can be asked for is documented."""
    page = (ROOT / "docs" / "reference" / "cli.md").read_text()

    for words, command in COMMANDS.items():
        assert " ".join(("sesam-connector", *words)) in page
        for parameter in command.params:
            assert not isinstance(parameter, click.Option) or f"`{parameter.opts[0]}" in page


def test_the_hub_says_that_it_is_not_sesam() -> None:
    """Wherever a person meets it first."""
    for words in (["hub"], ["hub", "push"]):
        assert "not Sesam" in CliRunner().invoke(main, [*words, "--help"]).stdout


def test_the_commands_cost_nothing_until_they_are_used() -> None:
    """``run`` loads neither the hub's HTTP nor its schemas."""
    done = python(
        "import sys, sesam_connector_sdk.cli, sesam_connector_sdk.nodeconfig;"
        "print({'requests', 'jsonschema'} & {*sys.modules})"
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "set()\n", "")


@pytest.mark.parametrize("missing", ["click", "requests", "jsonschema"])
def test_without_the_extra_one_line_says_how_to_get_it(missing: str) -> None:
    """Instead of a traceback, with exit code 2."""
    done = python(
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from sesam_connector_sdk.cli import main\n"
        "main(['hub', 'push', 'p', '--url', 'http://127.0.0.1:1'])"
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "sesam-connector needs more libraries: pip install 'sesam-connector-sdk[cli]'\n"
    )
