"""Settings that cannot work are refused before the process listens, without their values."""

from __future__ import annotations

import pytest
from sesam_connector_sdk import SettingsError

from sql_connectors import SqlSettings

from .support import CANARY, assert_silent

GOOD = {"DATABASE_URL": "sqlite:///x.sqlite", "SQL_TABLES": "notes,more_notes"}


@pytest.mark.parametrize(
    ("variable", "text", "problem"),
    [
        ("DATABASE_URL", "", "DATABASE_URL is not set"),
        ("DATABASE_URL", CANARY, "no address of a database"),
        ("DATABASE_URL", "postgresql://me:CANARY@host:many/x", "no address of a database"),
        ("DATABASE_URL", "mysql://me:CANARY@host/x", "not known"),
        ("DATABASE_URL", "sqlite://", "names no database"),
        ("DATABASE_URL", "sqlite:///:memory:", "names no database"),
        ("DATABASE_URL", "postgresql://me:CANARY@host", "names no database"),
        ("SQL_TABLES", "", "SQL_TABLES is not set"),
        ("SQL_TABLES", "[]", "names no table"),
        ("SQL_TABLES", "notes,Notes", "SQL_TABLES holds a name"),
        ("SQL_TABLES", "sesam_numbers", "SQL_TABLES holds a name"),
        ("SQL_TABLES", 'x"; DROP TABLE y', "SQL_TABLES holds a name"),
        ("SQL_TABLES", "x" * 41, "SQL_TABLES holds a name"),
        ("MAX_DELETION_SHARE", "1.1", "MAX_DELETION_SHARE is not"),
    ],
)
def test_what_cannot_work_is_refused(variable: str, text: str, problem: str) -> None:
    """The line says which variable, and shows nothing of it."""
    with pytest.raises(SettingsError) as refused:
        SqlSettings.from_env({**GOOD, variable: text})

    (line,) = refused.value.problems
    assert problem in line
    assert_silent(line, "the problem's line")


@pytest.mark.parametrize(
    ("text", "driver"),
    [
        ("postgresql://me:CANARY@host/x", "postgresql+psycopg"),
        ("postgresql+psycopg://me:CANARY@host/x", "postgresql+psycopg"),
        ("sqlite:///CANARY.sqlite", "sqlite"),
    ],
)
def test_the_driver_is_the_one_that_is_installed(text: str, driver: str) -> None:
    """Nobody has to know its name; and the settings show no password."""
    settings = SqlSettings.from_env({**GOOD, "DATABASE_URL": text})
    assert settings.url().drivername == driver
    assert CANARY in str(settings.url().password or settings.url().database)
    assert_silent(repr(settings), "their repr")
