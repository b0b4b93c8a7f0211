"""The image of each kind that the template bakes, in the box that a Sesam node gives it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.image.conftest import BUILD_SECONDS, ROOT, Tool
from tests.image.containers import Running, is_healthy, listening
from tests.wire import CANARY

pytestmark = pytest.mark.image

NOTE = b'{"_id":"1","_updated":1,"text":"%b","price":1.10}' % CANARY.encode()


@pytest.fixture
def bake(tmp_path: Path) -> Callable[[str], Path]:
    """Bakes the default project of a kind by the documented command, the SDK's wheel included."""
    config = tmp_path / "config.yaml"  # so that the developer's own is left alone
    config.write_text(json.dumps(dict.fromkeys(("replay_dir", "cookiecutters_dir"), str(tmp_path))))
    options = ["--no-input", "--config-file", str(config), "--output-dir", str(tmp_path)]

    def baked(kind: str) -> Path:
        command = [sys.executable, "-m", "cookiecutter", *options, "template", f"kind={kind}"]
        subprocess.run(command, cwd=ROOT, check=True, timeout=BUILD_SECONDS)
        return tmp_path / f"notes-{kind}"

    return baked


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder that a container's user may write to, whoever that is, with a note in it."""
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o777)
    (folder / "notes.jsonl").write_bytes(NOTE + b"\n")
    return folder


def sink(container: Running, data: Path) -> None:
    """Deliver a note: it is in the file."""
    assert container.post("/", b"[" + NOTE + b"]")[0] == 200
    assert (data / "out.jsonl").read_bytes() == NOTE + b"\n"


def source(container: Running, data: Path) -> None:
    """Read the note that is in the file."""
    expected = NOTE.replace(b"1.10", b'"~f1.10"')  # a decimal is typed
    assert container.get("/") == (200, b"[" + expected + b"]")


def transform(container: Running, data: Path) -> None:
    """Have the note's price taxed."""
    taxed = NOTE.removesuffix(b"}") + b',"price_with_tax":1.375}'
    assert container.post("/", b"[" + NOTE + b"]") == (200, b"[" + taxed + b"]")


@pytest.mark.parametrize(
    ("use", "variables"),
    [
        (sink, {"NOTES_FILE": "/data/out.jsonl"}),
        (source, {"NOTES_FILE": "/data/notes.jsonl"}),
        (transform, {"TAX_PERCENT": "25"}),
    ],
    ids=["sink", "source", "transform"],
)
def test_a_baked_image_works_in_the_box(
    tool: Tool,
    bake: Callable[[str], Path],
    data: Path,
    use: Callable[[Running, Path], None],
    variables: dict[str, str],
) -> None:
    """Read-only, without rights, in 128 MB: probed by its own command, used, stopped.

    Its log holds neither the password that requests come with nor an entity's text.
    """
    kind = use.__name__
    project = bake(kind)
    tool.build(project, f"notes-{kind}-test")

    with listening(tool, f"notes-{kind}-test", variables, ["-v", f"{data}:/data"]) as container:
        assert is_healthy(container, project)
        use(container, data)
        assert container.post("/", b"[]", credentials={})[0] == 401
        print(f"\nimage of a {kind}: {container.megabytes('VmHWM'):.0f} MB at the most")
        assert container.terminate() == 0
