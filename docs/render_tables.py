"""Renders the tables of these pages that the code already knows, between markers in the pages.

``python docs/render_tables.py`` writes them; ``--check`` only says which pages are out of date, and
exits with 1 if one is.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from azure_service_bus_sink import ServiceBusSettings
from azure_service_bus_sink.failures import FAILURES

from sesam_connector_sdk import ConnectorError, ServerSettings, errors
from sesam_connector_sdk.errors import Retry
from sesam_connector_sdk.nodeconfig.rendering import POLICIES
from sesam_connector_sdk.testing import settings_table

ROOT = Path(__file__).resolve().parents[1]
PAGES = (
    "CONTRIBUTING.md",
    "docs/reference/settings.md",
    "docs/reference/statuses.md",
    "docs/reference/service-bus-failures.md",
)
_TABLE = re.compile(r"(<!-- table: ([a-z-]+) -->\n)(.*?)(<!-- end of table -->)", re.DOTALL)
_TARGET = re.compile(r"^([a-z-]+):.*?## (.+)$", re.MULTILINE)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table.

    Args:
        header: The columns' names.
        rows: The cells' texts; vertical bars in them are escaped.
    """
    lines = [header, ["---"] * len(header), *rows]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines
    )


def all_errors(root: type[ConnectorError] = ConnectorError) -> Iterator[type[ConnectorError]]:
    """Every class that an answer is made from, by status; the root stands for none of them."""
    found = [each for each in vars(errors).values() if isinstance(each, type)]
    classes = [each for each in found if issubclass(each, root) and each is not root]
    yield from sorted(classes, key=lambda each: each.status)


def errors_table() -> str:
    """One row for each class of error."""
    return table(
        ("status", "class", "code", "what happened", "policy", "what to do"),
        (
            (
                str(each.status),
                f"`{each.__name__}`",
                f'<a id="{each.code}"></a>`{each.code}`',
                each.title(),
                each.retry.value,
                each.advice,
            )
            for each in all_errors()
        ),
    )


_POLICY_MEANS = {
    Retry.NEVER: "The same batch fails again. Go straight to the fallback: one entity at a time."
    " What fails then becomes a dead letter.",
    Retry.WAIT: "Wait, and send the batch again. If that does not help, the run ends there, and the"
    " next one begins there: nothing becomes a dead letter.",
    Retry.LATER: "Somebody must mend something first. The run ends there, as above.",
    Retry.FEW: "It may pass, but do not insist: then the fallback, and dead letters.",
}


def policies_table() -> str:
    """What each policy means, and the properties of ``retry_strategy`` that say so to the hub."""
    return table(
        ("policy", "what it means", "in `retry_strategy`"),
        (
            (
                policy.value,
                _POLICY_MEANS[policy],
                ", ".join(f"`{name}` {value}" for name, value in sorted(properties.items())),
            )
            for policy, properties in POLICIES.items()
        ),
    )


def failures_table() -> str:
    """What each exception of the official Service Bus client is answered as."""
    return table(
        ("exception of the client", "answer", "detail"),
        (
            (
                f"`{exception.__module__.partition('.')[0]}` `{exception.__name__}`",
                f"{answer.status} `{answer.__name__}`",
                text,
            )
            for exception, (answer, text) in FAILURES.items()
        ),
    )


def commands_table() -> str:
    """The targets of the Makefile, with their own words."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    return table(
        ("command", "what it does"),
        ((f"`make {name}`", text) for name, text in _TARGET.findall(makefile)),
    )


TABLES: dict[str, Callable[[], str]] = {
    "server-settings": lambda: settings_table(ServerSettings),
    "service-bus-settings": lambda: settings_table(ServiceBusSettings),
    "errors": errors_table,
    "policies": policies_table,
    "service-bus-failures": failures_table,
    "commands": commands_table,
}


def rendered(page: str) -> str:
    """A page's text with its tables made anew.

    Args:
        page: The page's text, with markers around each table.

    Raises:
        KeyError: A marker names a table that does not exist.
    """
    return _TABLE.sub(lambda found: f"{found[1]}\n{TABLES[found[2]]()}\n{found[4]}", page)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the tables, or check them.

    Returns:
        The exit status: 1 if ``--check`` found a page that is out of date.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="only say which pages are stale")
    check = parser.parse_args(arguments).check
    stale = []
    for name in PAGES:
        page = ROOT / name
        before = page.read_text("utf-8")
        after = rendered(before)
        if after != before:
            stale.append(name)
            if not check:
                page.write_text(after, "utf-8")
    for name in stale:
        sys.stdout.write(f"{name}: {'out of date' if check else 'written'}\n")
    if stale and check:
        sys.stdout.write("Run: .venv/bin/python docs/render_tables.py\n")
    return 1 if stale and check else 0


if __name__ == "__main__":
    sys.exit(main())
