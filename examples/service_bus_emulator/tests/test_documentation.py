"""The README names everything there is, and its example works."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from pathlib import Path

import pytest

from service_bus_emulator import QueueSpec, TopicSpec, faults
from service_bus_emulator.cli import parser

PROJECT = Path(__file__).parent.parent
README = (PROJECT / "README.md").read_text(encoding="utf-8")
SOURCES = sorted((PROJECT / "service_bus_emulator").glob("*.py"))


def options() -> list[str]:
    """Return every option of the command."""
    found = re.findall(r"--[a-z-]+", parser().format_help())
    return sorted(set(found))


@pytest.mark.parametrize("option", options())
def test_every_option_is_in_the_readme(option: str) -> None:
    """Each has a row in the table of options."""
    assert re.search(rf"^\| `{option}[ `]", README, re.MULTILINE)


@pytest.mark.parametrize("name", sorted(faults.NAMES))
def test_every_fault_is_in_the_readme(name: str) -> None:
    """Each has a row with its class, its name and all its fields."""
    kind = faults.NAMES[name]
    row = re.search(rf"^\| `{kind.__name__}` \| `{name}` \|(.*)$", README, re.MULTILINE)
    assert row
    for field in fields(kind):
        assert field.name == "times" or f"`{field.name}`" in row.group(1)


@pytest.mark.parametrize("spec", [QueueSpec, TopicSpec])
def test_every_limit_is_in_the_readme(spec: type[QueueSpec] | type[TopicSpec]) -> None:
    """Each option of an entity has a row."""
    for field in fields(spec):
        assert field.name == "name" or f"| `{field.name}` |" in README


def test_the_example_works() -> None:
    """The Python of the README runs as it is."""
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})  # noqa: S102 -- our own text


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_modules_are_small_documented_and_free_of_dependencies(path: Path) -> None:
    """Below 350 lines, functions below 60, and nothing is imported but the standard library."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert len(text.splitlines()) < 360
    assert ast.get_docstring(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            code = [each for each in node.body if not isinstance(each, ast.Expr)]
            assert not code or (code[-1].end_lineno or 0) - code[0].lineno < 60
        if isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] not in ("azure", "sesam_connector_sdk")


def test_imports_go_one_way() -> None:
    """No module imports one that imports it, directly or not."""
    imports: dict[str, set[str]] = {}
    for path in SOURCES:
        found = re.findall(
            r"^from service_bus_emulator(?:\.(\w+))? import (.*)$", path.read_text(), re.M
        )
        named = {module for module, _ in found if module}
        for module, names in found:
            if not module:
                named |= {name.strip() for name in names.split(",")}
        imports[path.stem] = named & {other.stem for other in SOURCES}
    while imports:
        free = {module for module, needed in imports.items() if not needed & imports.keys()}
        assert free, f"a cycle among {sorted(imports)}"
        imports = {module: needed for module, needed in imports.items() if module not in free}
