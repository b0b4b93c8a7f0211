"""The demo: what `make demo` shows is what happened, and it fails when anything is amiss."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import ModuleType

import pytest

DEMO = Path(__file__).parents[1] / "examples" / "demo.py"


@pytest.fixture(scope="module")
def demo() -> ModuleType:
    """The demo as a module."""
    spec = importlib.util.spec_from_file_location("demo", DEMO)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_demo_delivers_every_entity_once_and_says_so() -> None:
    """The demo ends with 0, shows both entities as they lie in the queue, and leaves nothing up."""
    done = subprocess.run(
        [sys.executable, str(DEMO)], capture_output=True, text=True, timeout=120, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count('{"_id":"1","payload":"foo"}') == 2  # received, and compared
    assert done.stdout.count('{"_id":"2","payload":"bar"}') == 2
    assert "exactly once   yes" in done.stdout
    assert done.stderr == ""


def test_the_demo_shows_no_key() -> None:
    """The key that the demo makes is in no line that it prints, nor in the processes' arguments."""
    done = subprocess.run(
        [sys.executable, str(DEMO)], capture_output=True, text=True, timeout=120, check=False
    )

    assert "SharedAccessKey=" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "received",
    [
        [b"1"],
        [b"1", b"2", b"2"],
        [b"2", b"1"],
        [b"1", b"2", b"3"],
        [],
    ],
    ids=["one missing", "one twice", "out of order", "one too many", "nothing"],
)
def test_the_comparison_can_fail(demo: ModuleType, received: list[bytes]) -> None:
    """A missing, doubled, strange or misplaced message makes the demo fail."""
    assert demo.compare([b"1", b"2"], received) is False


def test_the_demo_that_stays_up_shows_what_arrives_and_ends_on_ctrl_c() -> None:
    """The printed curl line works: its message is shown as it arrives; Ctrl-C ends everything."""
    process = subprocess.Popen(
        [sys.executable, str(DEMO), "--keep-running"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        line = next(line for line in process.stdout if "curl" in line)
        request = urllib.request.Request(  # noqa: S310  # loopback, as printed
            line.split("'")[1],
            data=b'[{"_id": "3", "payload": "baz"}]',
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            assert answer.status == 200
        shown = next(line for line in process.stdout if '"baz"' in line and "emulator" in line)
        assert "my_queue  3  3@" in shown
        os.killpg(process.pid, signal.SIGINT)
        assert "stopped" in process.communicate(timeout=60)[0]
        assert process.returncode == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
