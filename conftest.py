"""What every test of the repository obeys, an example's too: no output of a test tells a secret.

Imports nothing of the project. `make test` shows this file to the tests of the examples as well,
with ``--confcutdir``, for each is a project of its own; copied elsewhere, it goes without.
"""

from __future__ import annotations

import re
from collections.abc import Generator

import pytest

# What every secret of the tests holds, and every payload that nobody may see: as it is, and in
# Base64, as it stands in credentials whose user has two letters.
_SECRET = re.compile("CANARY|Q0FOQVJZ")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that has told a secret: on stdout or stderr, or in a line of the log.

    The failure names the place, and what was told there is not shown.
    """
    report = yield
    told = [(name, text) for name, text in report.sections if _SECRET.search(text)]
    hidden = [(name, f"[line {_line(text)} tells a secret]") for name, text in told]
    report.sections = [each for each in report.sections if each not in told] + hidden
    here = [f"line {_line(text)} of {name}" for name, text in told if name.endswith(report.when)]
    if here and report.passed:
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid}: a secret is in {', '.join(here)}"
    return report


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a case by its argument if its value is a secret: the names of tests are output, too."""
    # pytest itself names a case by no other value, and not every one has a text.
    return argname if isinstance(val, str | bytes) and _SECRET.search(str(val)) else None


def _line(text: str) -> int:
    """The number of the first line that tells a secret."""
    return next(n for n, line in enumerate(text.splitlines(), 1) if _SECRET.search(line))
