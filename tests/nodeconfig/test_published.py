"""The configurations that connectors' own documentation shows are read, or refused with a place."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from sesam_connector_sdk.nodeconfig import ConfigError, load

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "sesam-config"
FILES = sorted(FOLDER.glob("*.json"))
NAMES = [file.name for file in FILES]
INVALID = [file for file in FILES if file.name.endswith(".invalid.json")]
VALID = [file for file in FILES if file not in INVALID]
PLACEHOLDER = re.compile(r"^\s*<.*>\s*$")


@pytest.fixture(autouse=True)
def there() -> None:
    """Skip loudly where the recorded configurations are not beside the project."""
    if not FILES:
        pytest.skip(f"no configurations at {FOLDER}: these tests need them beside the project")


def node_of(file: Path, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A directory that holds the file, and a value for each variable in it."""
    text = file.read_text(encoding="utf-8-sig")
    folder = tmp_path / ("systems" if '"system:' in text else "pipes")
    folder.mkdir()
    shutil.copy(file, folder / "one.conf.json")
    values = dict.fromkeys(re.findall(r"\$(?:ENV|SECRET)\(([^()]+)\)", text), "value")
    (tmp_path / "test-env.json").write_text(json.dumps(values))
    return tmp_path, values


def test_there_are_as_many_as_recorded() -> None:
    """No file is lost from the sight of these tests."""
    index = (FOLDER / "INDEX.tsv").read_text().splitlines()[1:]

    assert sorted(line.split("\t")[0] for line in index) == NAMES
    assert len(VALID) > 40
    assert len(INVALID) > 10


@pytest.mark.parametrize("file", VALID, ids=lambda file: file.name)
def test_a_valid_one_is_read(file: Path, tmp_path: Path) -> None:
    """One whose ``_id`` is still a placeholder is refused for that alone, if it is a container."""
    directory, values = node_of(file, tmp_path)
    own = json.loads(file.read_text(encoding="utf-8-sig"))["_id"]
    if PLACEHOLDER.match(own) and (directory / "systems").exists():
        with pytest.raises(ConfigError) as refused:
            load(directory, environment=values)
        (problem,) = refused.value.problems
        assert problem.startswith("systems/one.conf.json: $._id: must be 2 to 63 characters")
    else:
        config = load(directory, environment=values)
        assert [*config.systems, *config.pipes] == [own]


@pytest.mark.parametrize("file", INVALID, ids=lambda file: file.name)
def test_an_invalid_one_is_refused_with_its_place(file: Path, tmp_path: Path) -> None:
    """Line, column, and something to do about it."""
    directory, values = node_of(file, tmp_path)

    with pytest.raises(ConfigError) as refused:
        load(directory, environment=values)

    (problem,) = refused.value.problems
    found = re.fullmatch(r"\w+/one\.conf\.json: line (\d+), column (\d+): (.+)", problem)
    assert found
    assert 1 <= int(found[1]) <= len(file.read_text().splitlines()) + 1
    assert found[3] != "this is not JSON"
