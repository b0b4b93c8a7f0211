"""A PostgreSQL server of the tests' own, from Debian's package, on a socket that only they know."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg

from .support import PASSWORD, PATIENCE, eventually

INSTALL = "PostgreSQL is not installed: run `make postgres` in the repository's root, or `apt-get \
install postgresql`"


def programs() -> Path | None:
    """The folder of the newest server that is installed; Debian has none of them on the path."""
    found = [
        path.parent
        for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")
        if path.parent.parent.name.isdecimal()
    ]
    on_path = shutil.which("initdb")
    if not found and on_path:
        return Path(on_path).resolve().parent
    return max(found, key=lambda path: int(path.parent.name), default=None)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[str]:
    """A server with an empty database; gives its URL.

    Args:
        folder: Where the programs are.
    """
    with tempfile.TemporaryDirectory(prefix="postgres") as home:
        user = _user()
        if user is not None:
            os.chown(home, user, -1)
        data = f"{home}/data"
        word = Path(home) / "password"
        word.write_text(PASSWORD)
        access = ["--auth=scram-sha-256", "--username=tests", f"--pwfile={word}"]
        subprocess.run(
            [folder / "initdb", "--no-sync", *access, data],
            user=user,
            cwd=home,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        # No address but the socket, and no waiting for a disk: nothing here outlives the tests.
        options = [f"unix_socket_directories={home}", "listen_addresses=", "fsync=off"]
        command: list[str | Path] = [
            folder / "postgres",
            "-D",
            data,
            *(f"--{option}" for option in options),
        ]
        log_file = Path(home) / "log"
        with log_file.open("wb") as log:
            server = subprocess.Popen(command, user=user, cwd=home, stdout=log, stderr=log)
        try:
            url = f"postgresql://tests:{PASSWORD}@/postgres?host={home}"
            eventually(lambda: _answers(url, server), "PostgreSQL takes connections")
            yield url
        finally:
            server.send_signal(signal.SIGINT)  # which means: end now, but orderly
            server.wait(PATIENCE)
        # What is stored it may quote there, for that is its own.
        told = PASSWORD in log_file.read_text()
        assert not told, "the password is in PostgreSQL's log"


def _user() -> int | None:
    """PostgreSQL refuses to run as root: who runs it then."""
    if os.geteuid() != 0:
        return None
    names = {each.pw_name: each.pw_uid for each in pwd.getpwall()}
    return names.get("postgres", names["nobody"])


def _answers(url: str, server: subprocess.Popen[bytes]) -> bool:
    assert server.poll() is None, "PostgreSQL did not start"
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True
