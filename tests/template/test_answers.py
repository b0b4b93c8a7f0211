"""Answers that would break a project are refused, with the rule, before anything is written."""

import importlib.util
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from cookiecutter.exceptions import (  # type: ignore[import-untyped]
    CookiecutterException,
    FailedHookException,
)
from jinja2 import TemplateError

REPOSITORY = Path(__file__).parents[2]

TEXTS = [
    "",
    "two\nlines",
    "\x00",
    "tab\there",
    "\u202etxt.exe",
    "}}",
    "{% raw",
    "bell\x07",
    "\ud800",
]
NAMES = [
    *TEXTS,
    'x"; import os; "',
    "x'",
    "x\\",
    "x\n",
    "$(id)",
    "blåbær",
    "\uff4e\uff41me",
    "x y",
    "../x",
]
TAKEN_PACKAGES = [
    "class",
    "json",
    "test",
    "tests",
    "sesam_connector_sdk",
    "falcon",
    "pipes",
    "dist",
]

REFUSED = {
    "kind": ["", "sinks", "Sink", "sink\n", "sink, source"],
    "connector_name": [*TEXTS, "x" * 61],
    "description": [*TEXTS, "x" * 201],
    "project_slug": [*NAMES, "Notes", "-x", "x-", "x--y", "1x", "x_y", "/x", "x/y", ".", "x" * 41],
    "package_name": [*NAMES, "Notes", "1x", "_x", "x-y", "x.y", "/x", "x" * 41],
    "system_id": [*NAMES, "x", "-x", "_x", "x.y", "x/y", "x" * 64],
    "docker_image": [
        *NAMES,
        "X/y",
        "x/y:",
        "x/y:-",
        "x\nUSER root",
        "x//y",
        "x" * 202,
        "x:" + "y" * 129,
    ],
}
TAKEN = {
    "project_slug": ["sesam-connector-sdk", "falcon", "json"],
    "package_name": TAKEN_PACKAGES,
}
ACCEPTED = {
    "kind": ["sink", "source", "transform"],
    "connector_name": ["x", "x" * 60, "O'Brien's \"best\" \\ $(id); # å 字"],
    "description": ["x", "x" * 200, "'''\"\"\"\\"],
    "project_slug": ["x", "x" * 40, "x-1-y2"],
    "package_name": ["x", "x" * 40, "x_", "x__1", "match", "notes"],
    "system_id": ["xy", "x" * 63, "0-", "aB_9-"],
    "docker_image": ["x", "x/y", "x.test:5000/y/z_1:V_1.0-a", "x:" + "y" * 128],
}


@pytest.fixture(scope="session")
def hook() -> ModuleType:
    """The hook that looks at the answers, before Jinja has filled them in."""
    path = REPOSITORY / "template" / "hooks" / "pre_gen_project.py"
    spec = importlib.util.spec_from_file_location("template_pre_gen_project", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_option_has_a_rule(hook: ModuleType, options: list[str]) -> None:
    """No answer goes unchecked into a file, and none of these tests forgets one."""
    assert set(hook.RULES) == set(REFUSED) == set(ACCEPTED) == set(options)


@pytest.mark.parametrize(
    ("option", "answer"),
    [(option, answer) for option in REFUSED if option != "kind" for answer in REFUSED[option]],
)
def test_a_hostile_answer_is_refused_with_the_rule(
    bake: Callable[..., Path],
    tmp_path: Path,
    hook: ModuleType,
    capfd: pytest.CaptureFixture[str],
    option: str,
    answer: str,
) -> None:
    """The message names the option, its rule and the way out; not even a folder is left behind."""
    if answer == "{% raw":  # cookiecutter takes what is given with --no-input for Jinja itself
        with pytest.raises((CookiecutterException, TemplateError)):
            bake(hooks=True, **{option: answer})
    else:
        with pytest.raises(FailedHookException):
            bake(hooks=True, **{option: answer})
        message = capfd.readouterr().err
        assert f"{option} is {answer[:60]!a}; it must be {hook.RULES[option][1]}.\n" in message
        assert "Run it again with other answers" in message

    assert nothing_left(tmp_path)


@pytest.mark.parametrize("kind", REFUSED["kind"])
def test_a_kind_that_there_is_not_is_refused_with_the_list(
    bake: Callable[..., Path], tmp_path: Path, hook: ModuleType, options: list[str], kind: str
) -> None:
    """The command itself takes only what is listed; the hook looks at what is replayed."""
    with pytest.raises(ValueError, match=r"the choices are \['sink', 'source', 'transform'\]"):
        bake(hooks=True, kind=kind)

    assert nothing_left(tmp_path)
    assert hook.problems(legal(options) | {"kind": kind}) == [
        f"kind is {kind!a}; it must be sink, source or transform."
    ]


@pytest.mark.parametrize(
    ("option", "answer"), [(option, answer) for option in TAKEN for answer in TAKEN[option]]
)
def test_a_name_in_use_is_refused(
    bake: Callable[..., Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    option: str,
    answer: str,
) -> None:
    """A package that hides a module, or is hidden or ignored as a folder, would not run."""
    with pytest.raises(FailedHookException):
        bake(hooks=True, **{option: answer})

    assert f"{option} is {answer!a}; Python or the project has that name" in capfd.readouterr().err
    assert nothing_left(tmp_path)


@pytest.mark.parametrize(
    ("option", "answer"), [(option, answer) for option in ACCEPTED for answer in ACCEPTED[option]]
)
def test_an_odd_but_legal_answer_is_accepted(
    hook: ModuleType, options: list[str], option: str, answer: str
) -> None:
    """The rules refuse nothing that works: limits are inclusive, and free text is free."""
    assert hook.problems(legal(options) | {option: answer}) == []


def test_all_problems_are_named_at_once(
    bake: Callable[..., Path], capfd: pytest.CaptureFixture[str]
) -> None:
    """Whoever has several wrong answers learns it in one go; here all follow from one name."""
    with pytest.raises(FailedHookException):
        bake(hooks=True, connector_name="1" * 61, system_id="x")
    message = capfd.readouterr().err

    for option in ("connector_name", "project_slug", "package_name", "system_id"):
        assert f"{option} is " in message
    assert "2 to 63" in message


def test_an_answer_typed_at_the_prompt_is_data(
    tmp_path: Path, command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Jinja typed at the prompt is not run but refused, as the command line's user sees it."""
    name = "{{ 7 * 7 }}'; import os; r'"
    result = command(REPOSITORY, tmp_path / "out", stdin="\n" + name + "\n" * 9)

    assert result.returncode != 0
    assert f"connector_name is {name!a}; it must be" in result.stderr
    assert nothing_left(tmp_path)


def legal(options: list[str]) -> dict[str, str]:
    """An answer to every question that nobody would refuse."""
    return {**dict.fromkeys(options, "notes"), "kind": "sink"}


def nothing_left(folder: Path) -> bool:
    """Whether a test's folder holds nothing but the empty folder for its projects."""
    return list(folder.rglob("*")) in ([], [folder / "out"])
