"""The check that every test is under: ``conftest.py`` of the repository sees what a test tells."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.wire import CANARY, CREDENTIALS, PASSWORD, assert_silent

ROOT = Path(__file__).parents[1]
SECRETS = {"plain": PASSWORD, "base64": CREDENTIALS["Authorization"]}
TALES = {
    ("call", "print(secret)"): "line 2 of Captured stdout call",
    ("call", "sys.stderr.write(secret)"): "line 1 of Captured stderr call",
    ("call", "os.write(1, secret.encode())"): "line 2 of Captured stdout call",
    ("call", "subprocess.run(['echo', secret])"): "line 2 of Captured stdout call",
    ("call", "logging.warning('x %s', secret)"): "line 1 of Captured log call",
    ("setup", "print(secret)"): "line 1 of Captured stdout setup",
    ("teardown", "print(secret)"): "line 1 of Captured stdout teardown",
}
"""When a test tells the secret and how, and the place that is named."""

PROGRAM = f"""
import logging, os, subprocess, sys
import pytest

TALES = {[*TALES]!r}
SECRETS = {SECRETS!r}

@pytest.fixture
def tell(number, form):
    def tell(now):
        when, statement = TALES[number]
        if now == when:
            exec(statement, globals(), {{"secret": SECRETS[form]}})

    tell("setup")
    yield tell
    tell("teardown")

@pytest.mark.parametrize("number", range({len(TALES)}))
@pytest.mark.parametrize("form", SECRETS)
def test_of(tell, number, form):
    print("first", flush=True)
    tell("call")

@pytest.mark.parametrize("word", [*SECRETS.values(), b"x" + SECRETS["plain"].encode()])
def test_that_tells_nothing(word):
    pass
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest says, and it says much, of tests that would all pass but for what they tell."""
    folder = tmp_path_factory.mktemp("tales")
    shutil.copy(ROOT / "conftest.py", folder)
    (folder / "test_tales.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "pytest", "-vrA", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("tale", TALES, ids=" ".join)
@pytest.mark.parametrize("form", SECRETS)
def test_a_test_that_tells_a_secret_fails_and_names_the_place(
    said: str, tale: tuple[str, str], form: str
) -> None:
    """Whichever stream it is, and whoever tells it: the test, a fixture, a process, the log."""
    test = rf"test_tales.py::test_of\[{form}-{[*TALES].index(tale)}\]"

    assert re.findall(rf"^{test}: a secret is in (.*)$", said, re.MULTILINE) == [TALES[tale]]


def test_what_was_told_is_not_told_again(said: str) -> None:
    """Neither by the failures nor by the names of tests; and one that tells nothing passes."""
    lines = [line for line in said.splitlines() if any(each in line for each in SECRETS.values())]

    assert lines == []
    assert CANARY not in said
    assert len(re.findall(r"^\S+::test_that_tells_nothing\[.*\] PASSED", said, re.MULTILINE)) == 3


@pytest.mark.parametrize("form", SECRETS)
def test_what_a_process_wrote_is_searched_in_the_same_way(form: str) -> None:
    """The text that a test has read itself is named by the test."""
    text = f"INFO x: ready\nINFO x: it is {SECRETS[form]}, yes\n"

    with pytest.raises(pytest.fail.Exception) as failure:
        assert_silent(text, "its log")

    assert str(failure.value) == "a secret is in line 2 of its log"
    assert_silent(text.replace(SECRETS[form], "***"), "its log")


def test_the_makefile_has_every_test_under_the_check() -> None:
    """The examples' tests see the file although it is not theirs, and no run turns capturing off.

    Seen to fail without ``--confcutdir``, and with ``-s``.
    """
    told = subprocess.run(
        ["make", "--dry-run", "test", "soak", "image-test"],  # noqa: S607  # the make that is there
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    runs = [line for line in told.stdout.splitlines() if "-m pytest" in line]

    assert len(runs) == 4
    assert [line for line in runs if " -s" in line] == []
    assert [f"--confcutdir={ROOT}" in line for line in runs if "cd $example" in line] == [True]
