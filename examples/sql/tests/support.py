"""What the tests are made of: a database to look into, and a process that serves it."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
from sesam_connector_sdk import Secret
from sqlalchemy import Connection, TextClause, create_engine, text

from sql_connectors import SqlSettings

PATIENCE = 30.0
"""Seconds after which waiting for something that should have happened is a failure."""

CANARY = "CANARY"
"""What every secret of these tests holds, and every payload that nobody may see.

In the repository that this project is from, all output of each test is searched for it. Alone, the
tests search what the processes write, and what they answer to a request that has failed.
"""

PASSWORD = f"{CANARY}-password"
"""Of the database, and of the connectors themselves."""

GUARDED = {"AUTHENTICATION": "basic", "AUTH_USERNAME": "me", "AUTH_PASSWORD": PASSWORD}
"""Variables with which the connectors answer 401 to a request without the password."""

HEADERS = {
    "Content-Type": "application/json",
    "Authorization": "Basic " + base64.b64encode(f"me:{PASSWORD}".encode()).decode(),
}
"""What every request has."""

_SECRET = re.compile(f"{CANARY}|{base64.b64encode(CANARY.encode()).decode()}")


def assert_silent(text: str, where: str) -> None:
    """Fail if a text tells a secret, and show nothing but the place.

    Args:
        text: What somebody has written.
        where: What it was written to, for the failure's message.
    """
    if found := _SECRET.search(text):
        line = text.count("\n", 0, found.start()) + 1
        pytest.fail(f"a secret is in line {line} of {where}", pytrace=False)


def eventually(condition: Callable[[], Any], what: str) -> None:
    """Look until something is so, for as long as it is reasonable to wait.

    Args:
        condition: Says whether it is so.
        what: What was waited for, for the failure's message.
    """
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        threading.Event().wait(0.01)


@dataclass(frozen=True)
class Place:
    """A table of a database, which is not there yet.

    Attributes:
        url: Where the database is.
        table: The table's name.
    """

    url: str
    table: str

    @property
    def path(self) -> str:
        """The path that pipes use."""
        return f"/{self.table}"

    @property
    def is_postgresql(self) -> bool:
        """Whether it is there; otherwise in SQLite."""
        return self.url.startswith("postgresql")

    def settings(self, **more: Any) -> SqlSettings:  # noqa: ANN401  # whatever a setting is
        """The settings of connectors that use it."""
        return SqlSettings(database_url=Secret(self.url), sql_tables=(self.table,), **more)

    def variables(self, **more: str) -> dict[str, str]:
        """The same as environment variables; requests need a password."""
        return {"DATABASE_URL": self.url, "SQL_TABLES": self.table, **GUARDED, **more}

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection of somebody else's, in a transaction that is undone unless committed."""
        engine = create_engine(self.settings().url())
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()

    def sql(self, statement: str) -> TextClause:
        """A statement about the table, which it calls `{table}`."""
        return text(statement.replace("{table}", self.table))

    def rows(self) -> dict[str, dict[str, Any]]:
        """Every row, as somebody sees it who comes with a connection of their own, by id."""
        with self.connection() as connection:
            found = connection.execute(self.sql("SELECT * FROM {table} ORDER BY id"))
            return {row["id"]: dict(row) for row in found.mappings()}

    def living(self) -> list[str]:
        """The ids of the rows that are not deleted."""
        return [identity for identity, row in self.rows().items() if not row["deleted"]]


@dataclass(frozen=True)
class Answer:
    """What the hub would see. No error tells a secret."""

    status: int
    text: str

    def __post_init__(self) -> None:
        if self.status >= 400:
            assert_silent(self.text, "an answer")

    @property
    def document(self) -> list[dict[str, Any]]:
        """The entities in the body."""
        found: list[dict[str, Any]] = json.loads(self.text)
        return found


class Server:
    """`python -m sql_connectors` in development mode, as a process of its own.

    Args:
        environment: The variables a node would set; nothing else of the test's own gets through.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-X", "dev", "-m", "sql_connectors"],
            env=_inherited() | {"PORT": "0", "BIND_ADDRESS": "127.0.0.1"} | dict(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        self._lines: list[str] = []
        for line in self.process.stdout:
            self._lines.append(line)
            if found := re.search(r"listening on \S+:(\d+)$", line):
                self.port = int(found[1])
                break
        else:
            raise AssertionError("".join(self._lines))
        self._reader = threading.Thread(target=self._lines.extend, args=(self.process.stdout,))
        self._reader.start()

    @property
    def log(self) -> str:
        """All that it has written; whole once it has ended."""
        return "".join(self._lines)

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def post(self, path: str, entities: object, query: Mapping[str, str] | None = None) -> Answer:
        """Send a batch as the hub does."""
        return self._ask("POST", path, query, json.dumps(entities).encode())

    def get(self, path: str, **query: object) -> Answer:
        """Ask for entities as the hub does."""
        return self._ask("GET", path, {name: str(value) for name, value in query.items()}, None)

    def _ask(
        self, method: str, path: str, query: Mapping[str, str] | None, body: bytes | None
    ) -> Answer:
        target = f"{path}?{urlencode(query)}" if query else path
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request(method, target, body, HEADERS)
            response = connection.getresponse()
            return Answer(response.status, response.read().decode())

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.wait()

    def wait(self) -> int:
        """Wait for its end and return its exit code."""
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def close(self) -> None:
        """End it, whatever it does, let go of its pipe, and see that it has told no secret."""
        self.kill()
        assert self.process.stdout is not None
        self.process.stdout.close()
        assert_silent(self.log, "the connectors' output")


@contextlib.contextmanager
def serving(environment: Mapping[str, str]) -> Iterator[Server]:
    """A process that listens, and that ends well when it is told to, unless it was killed.

    Args:
        environment: Its variables; the port is a free one.
    """
    made = Server(environment)
    try:
        yield made
        if made.process.poll() is None:
            made.process.terminate()
            assert (made.wait(), "Warning" in made.log) == (0, False), made.log
    finally:
        made.close()


def _inherited() -> dict[str, str]:
    """What a process needs to start at all, and to have its coverage measured."""
    kept = ("PATH", "PYTHONPATH", "HOME", "LANG", "TMPDIR")
    return {
        name: value
        for name, value in os.environ.items()
        if name in kept or name.startswith("COVERAGE")
    }
