"""``sesam-connector``: the commands, their options, their exit codes.

Nothing imports it. What a command does is done elsewhere; the local hub, with the libraries it
needs, is imported by the commands that use it.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

from . import __version__, serve
from .connector import Connector

if TYPE_CHECKING:
    from .hub import Plan, Run

EXIT_UNDELIVERED = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3

_NEEDS_EXTRA = "sesam-connector needs more libraries: pip install 'sesam-connector-sdk[cli]'"

try:
    import click
except ImportError:
    sys.stderr.write(f"{_NEEDS_EXTRA}\n")
    raise SystemExit(EXIT_USAGE) from None


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sesam-connector", message="%(prog)s %(version)s")
def main() -> None:
    """Run Sesam connectors, and try them out."""


@main.command()
@click.argument("connectors", metavar="MODULE:CLASS...", nargs=-1, required=True)
def run(connectors: tuple[str, ...]) -> None:
    """Run connectors as one service, until SIGTERM or SIGINT.

    MODULE is imported as Python does, also from the current directory; CLASS is a connector in it.
    Several connectors each need a route of their own. Settings are read from the environment.

    \b
    Exit codes:
      0  stopped by a signal, every request answered
      1  could not start, or ended with requests unfinished
      2  a connector cannot be found, or settings are missing or wrong
    """  # noqa: D301  # click's own mark for lines that it must leave as they are
    classes = _connectors(connectors)
    pathless = [each.__name__ for each in classes if each.route is None]
    if len(classes) > 1 and pathless:
        _refuse([f"{name} has no route, and needs one beside others" for name in pathless])
    serve(*classes)


@main.group()
def render() -> None:
    """Print a node's configuration for a connector, made from its code."""


@render.command()
@click.argument("connectors", metavar="MODULE:CLASS...", nargs=-1, required=True)
@click.option("--id", "system_id", required=True, metavar="ID", help="The system's _id.")
@click.option("--image", required=True, metavar="IMAGE", help="The Docker image, with its tag.")
@click.option("--port", default=5000, metavar="PORT", help="Where it listens. Default: 5000.")
def system(connectors: tuple[str, ...], system_id: str, image: str, port: int) -> None:
    """Print systems/ID.conf.json: the image, its variables, and retry_strategy.

    \b
    Exit codes:
      0  the file is printed
      2  the connector cannot be found, or the command line is wrong
    """  # noqa: D301  # as above
    from .nodeconfig import rendering

    classes = _connectors(connectors)
    _document(rendering.system(*classes, system_id=system_id, image=image, port=port))


@render.command()
@click.argument("connector", metavar="MODULE:CLASS")
@click.option("--id", "pipe_id", required=True, metavar="ID", help="The pipe's _id.")
@click.option("--system", "system_id", required=True, metavar="ID", help="The system's _id.")
@click.option("--dataset", metavar="ID", help="The dataset it reads; not for a source.")
def pipe(connector: str, pipe_id: str, system_id: str, dataset: str | None) -> None:
    """Print pipes/ID.conf.json: what suits the connector, and where dead letters go.

    \b
    Exit codes:
      0  the file is printed
      2  the connector cannot be found, or the command line is wrong
    """  # noqa: D301  # as above
    from .nodeconfig import rendering

    (found,) = _connectors([connector])
    try:
        _document(rendering.pipe(found, pipe_id=pipe_id, system_id=system_id, dataset=dataset))
    except (TypeError, ValueError) as error:
        _refuse([f"{connector}: {error}"])


@main.group()
def hub() -> None:
    """Do to a running connector what a Sesam node would do.

    The local hub is a development tool. It is not Sesam: it models what Sesam documents.
    """


@hub.command()
@click.argument("pipe")
@click.option(
    "--url",
    required=True,
    metavar="URL",
    help="Where the connector listens, such as http://127.0.0.1:5000. The pipe's own url is added.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=Path(),
    metavar="DIR",
    help="Holds systems/, pipes/ and test-env.json. Default: the current directory.",
)
@click.option(
    "--secrets",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A JSON object with a value for each $SECRET(name). What it does not hold is read from"
    " the environment variable of that name.",
)
@click.option(
    "--incremental",
    is_flag=True,
    help="Send an incremental sync. A node runs an embedded source as a full sync.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of lines.")
def push(
    pipe: str,
    url: str,
    config: Path,
    secrets: Path | None,
    incremental: bool,  # noqa: FBT001  # click passes its options by name
    as_json: bool,  # noqa: FBT001
) -> None:
    """Run PIPE once against a running connector.

    Sends the entities of the pipe's embedded source in batches, then the empty batch that ends
    every run, with the pipe's own retries; then tells what became of each entity. This is a
    development tool, not Sesam.

    \b
    Exit codes:
      0  every entity was delivered, and the final empty batch accepted
      1  entities were not delivered, or the run did not complete
      2  the configuration or the command line is wrong
      3  the connector did not answer
    """  # noqa: D301  # as above
    _require("jsonschema", "requests")
    plan = _plan(pipe, url, config, secrets)
    told = (_report if as_json else _show)(pipe, plan, incremental=incremental)
    if told.answered:
        raise SystemExit(0 if told.ok else EXIT_UNDELIVERED)
    raise SystemExit(EXIT_UNREACHABLE)


def _plan(pipe: str, url: str, directory: Path, secrets: Path | None) -> Plan:
    from . import nodeconfig
    from .hub import NotPushable, Plan

    try:
        config = nodeconfig.load(directory, pipe=pipe, secrets=secrets)
        return Plan.of(config.pipes[pipe], config.systems, url)
    except nodeconfig.ConfigError as error:
        _refuse(error.problems)
    except NotPushable as error:
        _refuse([str(error)])


def _report(pipe: str, plan: Plan, *, incremental: bool) -> Run:
    """Push, then print one document."""
    from .hub import engine, report

    run = engine.push(plan, incremental=incremental)
    click.echo(json.dumps(report.document(pipe, plan, run), indent=2))
    return run


def _show(pipe: str, plan: Plan, *, incremental: bool) -> Run:
    """Push, and print a line for each request as it is answered."""
    from .hub import engine, report

    _print(report.heading(pipe, plan, incremental=incremental))
    run = engine.push(
        plan, incremental=incremental, watch=lambda record: click.echo(report.line(record))
    )
    _print(["", *report.summary(plan, run)])
    return run


def _print(lines: Iterable[str]) -> None:
    for text in lines:
        click.echo(text)


def _document(document: dict[str, Any]) -> None:
    click.echo(json.dumps(document, indent=2))


def _connectors(named: Iterable[str]) -> list[type[Connector[Any]]]:
    sys.path.insert(0, str(Path.cwd()))
    return [_connector(each) for each in named]


def _connector(named: str) -> type[Connector[Any]]:
    """The class that ``MODULE:CLASS`` names."""
    module, _, name = named.partition(":")
    if not module or not name:
        _refuse([f"{named}: write it as MODULE:CLASS"])
    found = getattr(_module(module), name, None)
    if found is None:
        _refuse([f"{named}: the module {module} has no {name}"])
    if not isinstance(found, type) or not issubclass(found, Connector):
        _refuse([f"{named}: is no sink, source or transform"])
    if inspect.isabstract(found):
        missing = ", ".join(sorted(found.__abstractmethods__))
        _refuse([f"{named}: has no method {missing}"])
    return found


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        if f"{name}.".startswith(f"{missing}."):
            _refuse([f"there is no module {missing}; it is looked for in {Path.cwd()} too"])
        _refuse([f"{name} cannot be imported: it needs the module {missing}"])
    except Exception as error:  # noqa: BLE001  # an author's module may raise anything
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{last.filename}, line {last.lineno}"
        _refuse([f"{name} cannot be imported: {type(error).__name__}: {error} ({place})"])


def _require(*libraries: str) -> None:
    for name in libraries:
        try:
            importlib.import_module(name)
        except ImportError:
            _refuse([_NEEDS_EXTRA])


def _refuse(problems: Iterable[str]) -> NoReturn:
    for problem in problems:
        click.echo(problem, err=True)
    raise SystemExit(EXIT_USAGE)
